//! Database URLs as SQLAlchemy and its drivers understand them, and the native form of the engines.
//!
//! Mirrors `_parse_url` in `sqlalchemy/engine/url.py` (2.1.9), not the URL standard: a password may hold a raw
//! `/`, `#`, `?` or `:`, and `+` is a plus. What the options mean is what `PyMySQL` 1.2.4 and libpq do.
//! Stricter than SQLAlchemy: a raw `@` after the user part, a control character, an unusable host or no
//! database at all is an error. No error holds any part of the URL: it could be a part of the password.

use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::{fs, io};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::option_file::OptionFile;

/// The database management system, by the scheme without its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `mysql` or `mariadb`.
    MySql,
    /// `postgresql` or `postgres`.
    Postgres,
    /// `sqlite`.
    Sqlite,
}

/// How far the connection is encrypted, and the server verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// In the clear.
    Disabled,
    /// Encrypted if the server offers it, which is not verified.
    Preferred,
    /// Encrypted; the server is not verified.
    Required,
    /// Encrypted; the certificate is verified, but not that it is the host's.
    VerifyCa,
    /// Encrypted; the certificate is verified, and that it is the host's.
    VerifyFull,
}

/// The TLS settings; without `ca` a verifying mode uses the authorities that the system trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// What is asked for.
    pub mode: TlsMode,
    /// File of the trusted authorities' certificates.
    pub ca: Option<PathBuf>,
    /// File of the client's certificate.
    pub cert: Option<PathBuf>,
    /// File of the client's private key.
    pub key: Option<PathBuf>,
}

/// The parts of a database URL, merged with the option file that it names.
#[derive(Debug, Clone)]
pub struct DatabaseUrl {
    /// Decides which of the other fields can be set.
    pub engine: Engine,
    /// `None` leaves the user to the driver; so for all options that follow.
    pub user: Option<String>,
    /// Never empty.
    pub password: Option<SecretString>,
    /// Name or address, an IPv6 address without brackets.
    pub host: Option<String>,
    /// Never 0.
    pub port: Option<u16>,
    /// For MySQL the socket's file, which beats `host`; for PostgreSQL the folder of the sockets.
    pub socket: Option<PathBuf>,
    /// Name of the database, never empty; for SQLite its file, where a relative one is relative to Cinder's
    /// working directory.
    pub database: String,
    /// Disabled for SQLite.
    pub tls: Tls,
    /// Names of the options that are not understood and could matter, as written and in order.
    pub ignored: Vec<String>,
}

/// Why a database URL cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document variants and fields")]
pub enum Error {
    #[error(
        "database URL: the scheme is not one of mysql://, mariadb://, postgresql:// and sqlite://, with or \
         without a +driver"
    )]
    Scheme,
    #[error(
        "database URL: a line break or another control character is in it; write it as one line, and a comment \
         on a line of its own"
    )]
    ControlCharacter,
    #[error(
        "database URL: a raw '@' follows the user part; a '@' in the password or in an option must be written \
         as %40, a '/' in the user name as %2F"
    )]
    RawAt,
    #[error(
        "database URL: the host is not a single name or address; a '@' in the password must be written as %40, \
         an IPv6 address in brackets"
    )]
    Host,
    #[error(
        "database URL: the port is not a number from 1 to 65535; a '@' in the password must be written as %40, \
         a ':' in the user name as %3A"
    )]
    Port,
    #[error("database URL: no database is named; end the address with /cinder")]
    NoDatabase,
    #[error(
        "database URL: an SQLite URL has no host; write sqlite:///relative or sqlite:////absolute"
    )]
    SqliteHost,
    #[error(
        "database URL: an SQLite database in memory cannot be read by another process; name a file"
    )]
    SqliteMemory,
    #[error("database URL: option {option} is not a known mode; use {known}")]
    TlsMode {
        option: &'static str,
        known: &'static str,
    },
    #[error("database URL: option {option} is not true or false")]
    Flag { option: &'static str },
    #[error(
        "database URL: failed to read the option file {}; name a file that this process may read, or leave \
         read_default_file out",
        path.display()
    )]
    OptionFile { path: PathBuf, source: io::Error },
}

impl DatabaseUrl {
    /// Parses a URL; white space around it does not count.
    ///
    /// Reads the file of `read_default_file`, as `PyMySQL` would (its group `read_default_group`, by default
    /// `client`); what the URL itself says wins. Of an option given twice the last counts.
    ///
    /// # Errors
    ///
    /// A part that cannot be understood, and an option file that cannot be read (`PyMySQL` goes on without it).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(Error::ControlCharacter);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Error::Scheme)?;
        let engine = match scheme.split('+').next() {
            Some("mysql" | "mariadb") => Engine::MySql,
            Some("postgresql" | "postgres") => Engine::Postgres,
            Some("sqlite") => Engine::Sqlite,
            _ => return Err(Error::Scheme),
        };
        let (address, options) = Address::split(rest)?;
        match engine {
            Engine::Sqlite => sqlite(address, options),
            _ => server(engine, address, options),
        }
    }

    /// Returns the URL with `***` for the password, without driver and options, and decoded: for eyes alone.
    #[must_use]
    pub fn redacted(&self) -> String {
        let scheme = match self.engine {
            Engine::MySql => "mysql",
            Engine::Postgres => "postgresql",
            Engine::Sqlite => "sqlite",
        };
        let user = match (&self.user, &self.password) {
            (Some(user), Some(_)) => format!("{user}:***@"),
            (Some(user), None) => format!("{user}@"),
            (None, Some(_)) => ":***@".to_owned(),
            (None, None) => String::new(),
        };
        let host = match self.host.as_deref().unwrap_or_default() {
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let port = self.port.map(|port| format!(":{port}"));
        let (port, database) = (port.unwrap_or_default(), &self.database);
        format!("{scheme}://{user}{host}{port}/{database}")
    }
}

/// What stands before the options of a URL, decoded; `None` if empty.
struct Address {
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<String>,
    database: Option<String>,
}

impl Address {
    fn split(rest: &str) -> Result<(Self, Options), Error> {
        let (user, password, rest) = split_user(rest);
        if rest.contains('@') {
            return Err(Error::RawAt);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_port(host)?;
        // libpq's native form of a socket's folder; no host name starts like this.
        let host = match host.get(..3) {
            Some("%2F" | "%2f") => decode(host),
            _ => Some(host.to_owned()).filter(|host| !host.is_empty()),
        };
        let port = port.map(str::to_owned);
        let database = decode(database);
        Ok((
            Self {
                user,
                password,
                host,
                port,
                database,
            },
            Options::parse(query),
        ))
    }
}

/// Splits off the user, which ends at the first `:`, and the password, which ends at the first `@` after it.
/// A user without a password may hold a `@`.
fn split_user(rest: &str) -> (Option<String>, Option<String>, &str) {
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (user, after) = rest.split_at(end);
    if let Some((password, rest)) = after
        .strip_prefix(':')
        .and_then(|after| after.split_once('@'))
    {
        return (decode(user), decode(password), rest);
    }
    match user.rfind('@') {
        Some(at) => (decode(&user[..at]), None, &rest[at + 1..]),
        None => (None, None, rest),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), Error> {
    let (host, after) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or(Error::Host)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match after.strip_prefix(':') {
        None if !after.is_empty() => Err(Error::Host),
        port => Ok((host, port)),
    }
}

fn sqlite(address: Address, options: Options) -> Result<DatabaseUrl, Error> {
    if address
        .user
        .or(address.password)
        .or(address.host)
        .or(address.port)
        .is_some()
    {
        return Err(Error::SqliteHost);
    }
    let database = address
        .database
        .filter(|file| file != ":memory:")
        .ok_or(Error::SqliteMemory)?;
    let tls = Tls {
        mode: TlsMode::Disabled,
        ca: None,
        cert: None,
        key: None,
    };
    Ok(DatabaseUrl {
        engine: Engine::Sqlite,
        user: None,
        password: None,
        host: None,
        port: None,
        socket: None,
        database,
        tls,
        ignored: options.ignored(),
    })
}

fn server(engine: Engine, address: Address, mut options: Options) -> Result<DatabaseUrl, Error> {
    let file = match engine {
        Engine::MySql => option_file(&mut options)?,
        _ => OptionFile::default(),
    };
    // As in `create_connect_args` an option beats the address; as in PyMySQL both beat the file.
    let mut choose = |names: &[&str], written: Option<String>| {
        options
            .take(names)
            .or(written)
            .or_else(|| file.get(names[0]))
    };
    let user = choose(&["user", "username"], address.user);
    let password = choose(&["password", "passwd"], address.password);
    let host = choose(&["host"], address.host);
    let port = choose(&["port"], address.port);
    let database = choose(&["database", "dbname", "db"], address.database);
    let socket = choose(&["socket", "unixsocket"], None);
    let (host, socket) = match host {
        Some(folder) if engine == Engine::Postgres && folder.starts_with('/') => {
            (None, Some(folder))
        }
        host => (host, socket),
    };
    if host.as_deref().is_some_and(|host| !is_host(host)) {
        return Err(Error::Host);
    }
    let port = port
        .map(|port| port.parse::<NonZeroU16>().map_err(|_| Error::Port))
        .transpose()?;
    let (database, tls) = match engine {
        // libpq's default is a database named like the user.
        Engine::Postgres => (
            database.or_else(|| user.clone()),
            postgres_tls(&mut options)?,
        ),
        _ => (database, mysql_tls(&mut options, &file)?),
    };
    Ok(DatabaseUrl {
        engine,
        user,
        password: password.map(SecretString::from),
        host,
        port: port.map(NonZeroU16::get),
        socket: socket.map(PathBuf::from),
        database: database.ok_or(Error::NoDatabase)?,
        tls,
        ignored: options.ignored(),
    })
}

fn is_host(host: &str) -> bool {
    let (address, _zone) = host.split_once('%').unwrap_or((host, ""));
    address.parse::<Ipv6Addr>().is_ok()
        || host
            .chars()
            .all(|c| c.is_alphanumeric() || "._-".contains(c))
}

/// `None` if nothing is left.
fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    Some(text.into_owned()).filter(|text| !text.is_empty())
}

/// The options of a URL's query that nobody has taken yet, in order; one without value does not count.
struct Options(Vec<(String, String)>);

impl Options {
    fn parse(query: &str) -> Self {
        let decode = |text: &str| decode(&text.replace('+', " "));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .filter_map(|(key, value)| Some((decode(key)?, decode(value)?)))
                .collect(),
        )
    }

    /// Takes an option by any of these names, which are in lower case and without `-` and `_`, so that
    /// `ssl_ca`, `ssl-ca` and `sslca` are one.
    fn take(&mut self, names: &[&str]) -> Option<String> {
        let taken = self
            .0
            .extract_if(.., |(key, _)| names.contains(&plain(key).as_str()));
        taken.last().map(|(_, value)| value)
    }

    fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.take(&[name]).map(PathBuf::from)
    }

    /// Takes a truth value as `asbool` of SQLAlchemy reads it.
    fn flag(&mut self, option: &'static str) -> Result<Option<bool>, Error> {
        let Some(value) = self.take(&[&plain(option)]) else {
            return Ok(None);
        };
        match value.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Ok(Some(true)),
            "false" | "no" | "off" | "n" | "f" | "0" => Ok(Some(false)),
            _ => Err(Error::Flag { option }),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| plain(key) == name)
    }

    fn ignored(self) -> Vec<String> {
        self.0
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| !HARMLESS.contains(&plain(key).as_str()))
            .collect()
    }
}

/// Options without a bearing on which database is read and how safely.
const HARMLESS: [&str; 22] = [
    "applicationname",
    "autocommit",
    "binaryprefix",
    "charset",
    "clientencoding",
    "clientflag",
    "collation",
    "compress",
    "connecttimeout",
    "fallbackapplicationname",
    "keepalives",
    "keepalivescount",
    "keepalivesidle",
    "keepalivesinterval",
    "localinfile",
    "maxallowedpacket",
    "plugin",
    "programname",
    "readtimeout",
    "sqlmode",
    "useunicode",
    "writetimeout",
];

fn plain(key: &str) -> String {
    key.to_lowercase().replace(['-', '_'], "")
}

fn option_file(options: &mut Options) -> Result<OptionFile, Error> {
    let path = options.path("readdefaultfile");
    let group = options.take(&["readdefaultgroup"]);
    let path = match (path, &group) {
        (None, None) => return Ok(OptionFile::default()),
        (None, Some(_)) => PathBuf::from("/etc/my.cnf"),
        (Some(path), _) => path,
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(OptionFile::parse(
            &text,
            group.as_deref().unwrap_or("client"),
        )),
        Err(source) => Err(Error::OptionFile { path, source }),
    }
}

/// Mirrors `Connection.__init__` and `_create_ssl_ctx` of `PyMySQL`, below an `ssl-mode` of the native form.
///
/// Unlike there, `false` is false for `ssl_disabled` and `ssl_verify_identity`, and `ssl_ca` counts next to
/// `ssl_verify_cert` and `ssl_verify_identity`, where `PyMySQL` trusts the system's authorities alone and
/// never compares the host name.
fn mysql_tls(options: &mut Options, file: &OptionFile) -> Result<Tls, Error> {
    let folder = options.has("sslcapath") || file.get("ssl-capath").is_some();
    let cipher = options.has("sslcipher") || file.get("ssl-cipher").is_some();
    let mut path = |option: &str, in_file: &str| {
        options
            .path(option)
            .or_else(|| file.get(in_file).map(PathBuf::from))
    };
    let (ca, cert, key) = (
        path("sslca", "ssl-ca"),
        path("sslcert", "ssl-cert"),
        path("sslkey", "ssl-key"),
    );
    let disabled = options.flag("ssl_disabled")?;
    let identity = options.flag("ssl_verify_identity")?;
    let verify = options.flag("ssl_verify_cert")?;
    let host_name = options.flag("ssl_check_hostname")?;
    let mode = match options
        .take(&["sslmode"])
        .map(|mode| mode.to_uppercase())
        .as_deref()
    {
        Some("DISABLED") => TlsMode::Disabled,
        Some("PREFERRED") => TlsMode::Preferred,
        Some("REQUIRED") => TlsMode::Required,
        Some("VERIFY_CA") => TlsMode::VerifyCa,
        Some("VERIFY_IDENTITY") => TlsMode::VerifyFull,
        Some(_) => {
            let known = "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY";
            return Err(Error::TlsMode {
                option: "ssl-mode",
                known,
            });
        }
        None if disabled == Some(true) => TlsMode::Disabled,
        None if identity == Some(true) => TlsMode::VerifyFull,
        None => match verify {
            Some(true) => TlsMode::VerifyCa,
            Some(false) => TlsMode::Required,
            None if (ca.is_some() || folder) && host_name == Some(false) => TlsMode::VerifyCa,
            None if ca.is_some() || folder => TlsMode::VerifyFull,
            None if cert.is_some() || key.is_some() || cipher || host_name.is_some() => {
                TlsMode::Required
            }
            None => TlsMode::Preferred,
        },
    };
    Ok(Tls {
        mode,
        ca,
        cert,
        key,
    })
}

/// Mirrors libpq, but that files in `~/.postgresql` do not count and that `allow` starts encrypted, as `prefer`.
fn postgres_tls(options: &mut Options) -> Result<Tls, Error> {
    let (ca, cert, key) = (
        options.path("sslrootcert"),
        options.path("sslcert"),
        options.path("sslkey"),
    );
    let system = ca.as_ref().is_some_and(|ca| ca.as_os_str() == "system");
    let mode = match options.take(&["sslmode"]).as_deref() {
        // libpq verifies the host name, or refuses, if the authorities are the system's.
        None | Some("require" | "verify-ca" | "verify-full") if system => TlsMode::VerifyFull,
        None | Some("prefer" | "allow") => TlsMode::Preferred,
        Some("disable") => TlsMode::Disabled,
        Some("require") if ca.is_none() => TlsMode::Required,
        Some("require" | "verify-ca") => TlsMode::VerifyCa,
        Some("verify-full") => TlsMode::VerifyFull,
        Some(_) => {
            let known = "disable, allow, prefer, require, verify-ca or verify-full";
            return Err(Error::TlsMode {
                option: "sslmode",
                known,
            });
        }
    };
    Ok(Tls {
        mode,
        ca: ca.filter(|_| !system),
        cert,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::{DatabaseUrl, TlsMode};

    #[track_caller]
    fn check_mode(options: &str, expected: TlsMode) {
        for scheme in ["mysql", "postgres"] {
            if let Some(options) = options.strip_prefix(scheme) {
                let url = DatabaseUrl::parse(&format!("{scheme}://u:p@h/d{options}"))
                    .expect("it is valid");
                assert_eq!(url.tls.mode, expected, "{scheme} {options}");
                assert_eq!(url.ignored, [""; 0], "{scheme} {options}");
            }
        }
    }

    #[test]
    fn native_options_are_understood() {
        check_mode("mysql?ssl-mode=DISABLED&ssl-ca=/x", TlsMode::Disabled);
        check_mode("mysql?ssl-mode=preferred", TlsMode::Preferred);
        check_mode("mysql?ssl_mode=REQUIRED", TlsMode::Required);
        check_mode(
            "mysql?ssl-mode=VERIFY_CA&ssl-ca=/x&ssl-cert=/y&ssl-key=/z",
            TlsMode::VerifyCa,
        );
        check_mode(
            "mysql?sslmode=verify_identity&sslca=/x",
            TlsMode::VerifyFull,
        );
        check_mode(
            "postgres?sslmode=verify-full&sslrootcert=/x",
            TlsMode::VerifyFull,
        );
        check_mode(
            "postgres?sslmode=require&sslrootcert=system",
            TlsMode::VerifyFull,
        );
    }

    #[test]
    fn of_an_option_given_twice_the_last_counts() {
        check_mode(
            "mysql?ssl-mode=REQUIRED&ssl-mode=DISABLED",
            TlsMode::Disabled,
        );
    }

    #[test]
    fn only_options_that_could_matter_are_reported_as_ignored() {
        let url =
            "mysql://u:p@h/d?charset=utf8&Init_Command=secret&plugin=x&ssl_cipher=secret&bare";
        let url = DatabaseUrl::parse(url).expect("it is valid");
        assert_eq!(url.ignored, ["Init_Command", "ssl_cipher"]);
    }

    #[track_caller]
    fn check_shown(url: &str, expected: &str) {
        let url = DatabaseUrl::parse(url).expect("it is valid");
        assert_eq!(url.redacted(), expected);
        assert!(!format!("{url:?}").contains("secret"), "{url:?}");
    }

    #[test]
    fn the_password_is_not_shown() {
        check_shown(
            "mysql+pymysql://u:secret@[::1]:3306/d?ssl_ca=/x",
            "mysql://u:***@[::1]:3306/d",
        );
        check_shown("mysql://u@h/d?password=secret", "mysql://u:***@h/d");
        check_shown(
            "postgres://:secret@/d?host=/run/postgresql",
            "postgresql://:***@/d",
        );
        check_shown("postgres://u@h/d", "postgresql://u@h/d");
        check_shown(" sqlite:////x/y\n", "sqlite:////x/y");
    }

    #[track_caller]
    fn check_error(url: &str, expected: &str) {
        let error = DatabaseUrl::parse(url)
            .expect_err("it is faulty")
            .to_string();
        assert!(
            error.contains(expected),
            "{error} should contain {expected}"
        );
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn errors_name_the_part_and_not_its_text() {
        check_error("", "the scheme is not one of");
        check_error("secret", "the scheme is not one of");
        check_error("secret://secret@secret/secret", "the scheme is not one of");
        check_error("mysql://u:a\nsecret@h/d", "control character");
        check_error("mysql://u:a@secret@h/d", "raw '@'");
        check_error("mysql://u:a@secret/secret@h/d", "raw '@'");
        check_error("mysql://u/secret:secret@h/d", "raw '@'");
        check_error("mysql://u:secret/d", "the port is not");
        check_error("mysql://u:a@h:secret/d", "the port is not");
        check_error("mysql://u:a@[secret/d", "the host is not");
        check_error("mysql://u:a@sec#secret/d", "the host is not");
        check_error("mysql://u:secret@h", "no database");
        check_error("mysql://u:secret@h/d?ssl-mode=secret", "option ssl-mode");
        check_error(
            "mysql://u:secret@h/d?ssl_verify_cert=secret",
            "option ssl_verify_cert",
        );
        check_error("postgres://u:secret@h/d?sslmode=secret", "option sslmode");
        check_error(
            "mysql://u:secret@h/d?read_default_file=/missing",
            "option file /missing",
        );
        check_error("sqlite://u:secret@h/d", "an SQLite URL has no host");
        check_error("sqlite://", "in memory");
    }
}
