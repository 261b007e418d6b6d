//! The parts of a database URL: user, password, host, port, database, and the options after the `?`.
//!
//! Mirrors the pattern of `_parse_url` in `sqlalchemy/engine/url.py`: a password may contain a raw `/`, `#`, `?` or `:`.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::database_url::Engine;
use super::tls::TlsMode;
use super::url_error::UrlError;
use super::{spelling, tls};

/// The parts of a URL before its options, decoded; `None` for an empty part.
pub(super) struct Address {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
    pub(super) database: Option<String>,
}

impl Address {
    /// Splits the text after `://` into its parts and its options.
    pub(super) fn split(rest: &str) -> Result<(Self, Options), UrlError> {
        let (user, password, rest) = split_user(rest);
        if rest.contains('@') {
            return Err(UrlError::RawAt);
        }
        if [" #", " ;"].iter().any(|comment| rest.contains(comment)) {
            return Err(UrlError::Comment);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
        if is_several_hosts(host) {
            return Err(UrlError::SeveralHosts);
        }
        let (host, port) = split_port(host)?;
        // In libpq's native form, a host that starts with an encoded slash is the folder of a socket.
        let host = match host.get(..3) {
            Some("%2F" | "%2f") => decode(host),
            _ => Some(host.to_owned()).filter(|host| !host.is_empty()),
        };
        let address = Self {
            user,
            password,
            host,
            port: port.map(str::to_owned),
            database: decode(database),
        };
        if address.database.as_deref().is_some_and(contains_option) {
            return Err(UrlError::HiddenOption("the database name".to_owned()));
        }
        Ok((address, Options::parse(query)?))
    }
}

/// Splits off user and password: the user ends at the first `:`, the password at the first `@` after it.
/// A user without a password may contain `@`.
fn split_user(rest: &str) -> (Option<String>, Option<String>, &str) {
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (user, after) = rest.split_at(end);
    let secret = after.strip_prefix(':');
    if let Some((password, rest)) = secret.and_then(|secret| secret.split_once('@')) {
        return (decode(user), decode(password), rest);
    }
    match user.rfind('@') {
        Some(at) => (decode(&user[..at]), None, &rest[at + 1..]),
        None => (None, None, rest),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), UrlError> {
    let (host, after) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or(UrlError::Host)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match after.strip_prefix(':') {
        None if !after.is_empty() => Err(UrlError::Host),
        port => Ok((host, port)),
    }
}

/// Returns whether a text is a list of hosts, each perhaps with its port, and not a password without its `@`.
fn is_several_hosts(text: &str) -> bool {
    let is_host = |part: &str| {
        let port = part.rsplit_once(':').map_or("", |(_, port)| port);
        part.starts_with('[') || port.chars().all(|c| c.is_ascii_digit())
    };
    text.contains(',') && text.split(',').all(is_host)
}

/// The options of a URL's query that are not taken yet: names and values in order.
pub(super) struct Options(Vec<(String, String)>);

impl Options {
    /// Parses a query as Python's `parse_qsl` does: only `&` separates options.
    ///
    /// # Errors
    /// A name or a value that shows that another separator was written. The option behind it would be lost, and with it
    /// perhaps the verification of the server. An option of TLS without a value, which has no effect in `SQLAlchemy`.
    fn parse(query: &str) -> Result<Self, UrlError> {
        let decoded = |text: &str| decode(&text.replace('+', " "));
        let mut pairs = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decoded(name) else {
                if value.is_empty() {
                    continue;
                }
                return Err(UrlError::OptionName);
            };
            if !name.chars().all(|c| is_of_name(c) || c == '.') {
                return Err(UrlError::OptionName);
            }
            match decoded(value) {
                // A password may contain anything.
                Some(value) if !is_password(&name) && contains_option(&value) => {
                    return Err(UrlError::HiddenOption(value_of(&name)));
                }
                Some(value) => pairs.push((name, value)),
                None if is_about_tls(&plain(&name)) => return Err(UrlError::NoValue(name)),
                None => {}
            }
        }
        Ok(Self(pairs))
    }

    /// Takes an option by any of these names; the last one wins if it was given several times.
    ///
    /// The names are in lower case, without `-` and `_`: `ssl_ca`, `ssl-ca` and `sslca` are equal.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<String> {
        let is_named = |key: &str| names.contains(&plain(key).as_str());
        let taken = self.0.extract_if(.., |(key, _)| is_named(key));
        taken.last().map(|(_, value)| value)
    }

    pub(super) fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.take(&[name]).map(PathBuf::from)
    }

    /// Takes a boolean, in any form that SQLAlchemy's `asbool` accepts.
    pub(super) fn flag(&mut self, option: &'static str) -> Result<Option<bool>, UrlError> {
        let Some(value) = self.take(&[&plain(option)]) else {
            return Ok(None);
        };
        match value.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Ok(Some(true)),
            "false" | "no" | "off" | "n" | "f" | "0" => Ok(Some(false)),
            _ => Err(UrlError::Flag(option)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    /// Returns how many times an option is given.
    pub(super) fn count(&self, name: &str) -> usize {
        let keys = self.0.iter().map(|(key, _)| plain(key));
        keys.filter(|key| key == name).count()
    }

    /// Returns a warning about each remaining option, except the harmless ones.
    ///
    /// # Errors
    /// An option that asks for a safer connection than the exporter would make, or may do so by its name.
    pub(super) fn warnings(self, engine: Engine, mode: TlsMode) -> Result<Vec<String>, UrlError> {
        let details = match engine {
            Engine::MySql => MYSQL_DETAILS,
            Engine::Postgres => POSTGRES_DETAILS,
            Engine::Sqlite => "",
        };
        let mut warnings = Vec::new();
        for (name, value) in self.0 {
            let plain = plain(&name);
            if is_in(HARMLESS, &plain) {
                continue;
            }
            if demands(&plain, &value) {
                return Err(UrlError::Demand(format!("option {name}")));
            }
            if is_about_tls(&plain) && !is_in(details, &plain) {
                let advice = tls_advice(engine, &plain);
                return Err(UrlError::UnknownTls(name, advice));
            }
            let effect = match (plain.as_str(), mode) {
                ("sslcapath", TlsMode::VerifyCa | TlsMode::VerifyFull) => {
                    "not supported, but still requires a verified connection: put the authorities into one file and set ssl_ca"
                }
                ("sslcipher", TlsMode::Required | TlsMode::VerifyCa | TlsMode::VerifyFull) => {
                    "not supported, but still requires an encrypted connection"
                }
                (known, _) if is_in(details, known) || is_in(ADDRESS, known) => {
                    "not supported and ignored"
                }
                _ => "unknown and ignored",
            };
            warnings.push(format!("option `{name}` is {effect}"));
        }
        Ok(warnings)
    }
}

/// Returns whether an option of libpq, as [`plain`] leaves it, asks for more than TLS options can express.
pub(super) fn demands(name: &str, value: &str) -> bool {
    match name {
        "channelbinding" | "gssencmode" => value == "require",
        "requireauth" => true,
        _ => false,
    }
}

/// Returns the known option that is meant by an unknown one of TLS, or another remedy.
fn tls_advice(engine: Engine, name: &str) -> String {
    let nearest = match (engine, name) {
        (Engine::MySql, "sslrootcert") => Some("ssl_ca"),
        (Engine::Postgres, "sslca" | "sslcafile" | "sslcapath") => Some("sslrootcert"),
        (Engine::MySql, name) => spelling::nearest(name, tls::MYSQL),
        (Engine::Postgres, name) => spelling::nearest(name, tls::POSTGRES),
        (Engine::Sqlite, _) => return "remove it, since SQLite has no connection".to_owned(),
    };
    let otherwise = "correct its name as docs/configuration.md lists it, or remove it";
    spelling::advice(nearest, otherwise)
}

fn is_in(list: &str, name: &str) -> bool {
    list.split(' ').any(|known| known == name)
}

/// Names the value of an option. An unknown name could be a part of a password.
fn value_of(name: &str) -> String {
    let plain = plain(name);
    let lists = [HARMLESS, MYSQL_DETAILS, POSTGRES_DETAILS, ADDRESS];
    let mut known = tls::MYSQL.into_iter().chain(tls::POSTGRES);
    if lists.iter().any(|list| is_in(list, &plain))
        || known.any(|known| known.replace('_', "") == plain)
    {
        format!("the value of option `{name}`")
    } else {
        "the value of an option".to_owned()
    }
}

/// Options that change neither the database that is read nor the security of the connection.
const HARMLESS: &str = "applicationname autocommit binaryprefix charset clientencoding clientflag collation compress \
                        connecttimeout fallbackapplicationname keepalives keepalivescount keepalivesidle \
                        keepalivesinterval localinfile maxallowedpacket plugin programname readtimeout sqlmode \
                        useunicode writetimeout";

/// Options of TLS of MySQL's drivers that the exporter ignores with a warning. Without them, the connection is no less
/// verified, but for revoked certificates, and TLS is 1.2 at least.
const MYSQL_DETAILS: &str = "sslcapath sslcipher sslciphersuites sslcrl sslcrlpath sslkeypassword tlsciphersuites tlssni \
                             tlsversion tlsversions";

/// Those of libpq.
const POSTGRES_DETAILS: &str = "sslcertmode sslcompression sslcrl sslcrldir sslkeylogfile sslmaxprotocolversion \
                                sslminprotocolversion sslnegotiation sslpassword sslsni";

/// Other options whose loss changes who is connected, and where to.
const ADDRESS: &str = "channelbinding database db dbname gssencmode host hostaddr options passfile passwd password port \
                       readdefaultfile readdefaultgroup requireauth service socket unixsocket user username";

/// Returns whether a text contains an assignment to an option that matters, such as `utf8;ssl_ca=/ca.pem`, also one that
/// is percent-encoded twice; or any option right behind another separator, such as `utf8;foo=1`.
fn contains_option(text: &str) -> bool {
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
fn is_about_tls(name: &str) -> bool {
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

fn is_password(name: &str) -> bool {
    ["password", "passwd"].contains(&plain(name).as_str())
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn plain(key: &str) -> String {
    key.to_lowercase().replace(['-', '_'], "")
}

/// Decodes a part of a URL; `None` if it is empty.
fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    Some(text.into_owned()).filter(|text| !text.is_empty())
}
