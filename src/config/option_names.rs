//! The names of options in database URLs: which the exporter uses, which change nothing, and which must not be lost.

use percent_encoding::percent_decode_str;

/// The options of TLS in the URLs of one engine.
pub(super) struct TlsOptions {
    /// Those that the exporter uses.
    pub(super) used: &'static [&'static str],
    /// Those that it ignores with a warning, as [`plain`] leaves them.
    pub(super) ignored: &'static str,
    /// The one that names the file of the authorities.
    pub(super) authorities: &'static str,
}

/// Those of MySQL's drivers. Without the ignored ones, the connection is no less verified, but for revoked certificates,
/// and TLS is 1.2 at least.
pub(super) const MYSQL: TlsOptions = TlsOptions {
    used: &[
        "ssl_mode",
        "ssl_ca",
        "ssl_cert",
        "ssl_key",
        "ssl_check_hostname",
        "ssl_verify_cert",
        "ssl_verify_identity",
        "ssl_disabled",
    ],
    ignored: "sslcapath sslcipher sslciphersuites sslcrl sslcrlpath sslkeypassword tlsciphersuites tlssni tlsversion \
              tlsversions",
    authorities: "ssl_ca",
};

/// Those of libpq.
pub(super) const POSTGRES: TlsOptions = TlsOptions {
    used: &["sslmode", "sslrootcert", "sslcert", "sslkey"],
    ignored: "sslcertmode sslcompression sslcrl sslcrldir sslkeylogfile sslmaxprotocolversion sslminprotocolversion \
              sslnegotiation sslpassword sslsni",
    authorities: "sslrootcert",
};

/// SQLite has no connection.
pub(super) const SQLITE: TlsOptions = TlsOptions {
    used: &[],
    ignored: "",
    authorities: "",
};

/// Options that change neither the database that is read nor the security of the connection.
pub(super) const HARMLESS: &str = "applicationname autocommit binaryprefix charset clientencoding clientflag collation compress \
                        connecttimeout fallbackapplicationname keepalives keepalivescount keepalivesidle \
                        keepalivesinterval localinfile maxallowedpacket plugin programname readtimeout sqlmode \
                        useunicode writetimeout";

/// Other options whose loss changes who is connected, and where to.
pub(super) const ADDRESS: &str = "channelbinding database db dbname gssencmode host hostaddr options passfile passwd password port \
                       readdefaultfile readdefaultgroup requireauth service socket unixsocket user username";

/// Returns whether an option of libpq, as [`plain`] leaves it, asks for more than TLS options can express.
pub(super) fn demands(name: &str, value: &str) -> bool {
    match name {
        "channelbinding" | "gssencmode" => value == "require",
        "requireauth" => true,
        _ => false,
    }
}

pub(super) fn is_in(list: &str, name: &str) -> bool {
    list.split(' ').any(|known| known == name)
}

/// Names the value of an option. An unknown name could be a part of a password.
pub(super) fn value_of(name: &str) -> String {
    let plain = plain(name);
    let lists = [HARMLESS, MYSQL.ignored, POSTGRES.ignored, ADDRESS];
    let mut known = MYSQL.used.iter().chain(POSTGRES.used);
    if lists.iter().any(|list| is_in(list, &plain))
        || known.any(|known| known.replace('_', "") == plain)
    {
        format!("the value of option `{name}`")
    } else {
        "the value of an option".to_owned()
    }
}

/// Returns whether a text contains an assignment to an option that matters, such as `utf8;ssl_ca=/ca.pem`, also one that
/// is percent-encoded twice; or any option right behind another separator, such as `utf8;foo=1`.
pub(super) fn contains_option(text: &str) -> bool {
    let text = percent_decode_str(text).decode_utf8_lossy();
    let matters = |name: &str| is_about_tls(name) || is_in(ADDRESS, name);
    let parts: Vec<&str> = text.split('=').collect();
    let assigned = parts.iter().rev().skip(1).filter_map(|before| {
        let mut words = before.trim_end().rsplit(|c| !is_of_name(c));
        words.next().map(plain)
    });
    let is_assigned = assigned
        .filter(|name| !name.is_empty())
        .any(|name| matters(&name));
    let is_separated = text.split([';', '&', '?']).skip(1).any(|part| {
        let (name, is_option) = match part.split_once('=') {
            Some((name, _)) => (name, !name.is_empty()),
            None => (part, is_about_tls(&plain(part))),
        };
        is_option && name.chars().all(is_of_name)
    });
    is_assigned || is_separated
}

/// Returns whether the name of an option, as [`plain`] leaves it, may be one of TLS, such as `sslmode`, `useSSL` or
/// `verifyServerCertificate`.
pub(super) fn is_about_tls(name: &str) -> bool {
    let asks = [
        "use", "require", "verify", "enable", "disable", "trust", "server",
    ];
    let objects = ["ssl", "tls", "cert", "identity", "hostname"];
    ["ssl", "tls"].iter().any(|start| name.starts_with(start))
        || asks.iter().any(|ask| {
            let object = name.strip_prefix(ask).unwrap_or_default();
            objects.iter().any(|word| object.contains(word))
        })
}

pub(super) fn is_password(name: &str) -> bool {
    ["password", "passwd"].contains(&plain(name).as_str())
}

pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

pub(super) fn plain(key: &str) -> String {
    key.to_lowercase().replace(['-', '_'], "")
}
