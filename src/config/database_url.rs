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
use secrecy::{ExposeSecret as _, SecretString};

use super::option_file::OptionFile;
use super::tls::{self, Tls, TlsMode};
use super::url_option::Options;

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
    #[error("database URL: it is empty")]
    Empty,
    #[error("database URL: it begins with a quotation mark; write it without")]
    Quoted,
    #[error(
        "database URL: a client certificate needs its key, and a key its certificate; give both or neither"
    )]
    HalfCertificate,
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

/// Compares everything, the password included.
impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        let parts = |url: &Self| {
            let Self {
                engine,
                user,
                password,
                host,
                port,
                socket,
                database,
                tls,
                ignored,
            } = url.clone();
            let password = password.map(|password| password.expose_secret().to_owned());
            let account = (user, password, host, port);
            (engine, account, socket, database, tls, ignored)
        };
        parts(self) == parts(other)
    }
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
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if text.starts_with(['"', '\'']) {
            return Err(Error::Quoted);
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
            tls::postgres(&mut options)?,
        ),
        _ => (database, tls::mysql(&mut options, &file)?),
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
pub(super) fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    Some(text.into_owned()).filter(|text| !text.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

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
        check_error(" ", "it is empty");
        check_error(
            "postgresql://h/d?sslcert=secret",
            "a client certificate needs its key",
        );
        check_error(
            "mysql://h/d?ssl_key=secret",
            "a client certificate needs its key",
        );
        check_error("secret", "the scheme is not one of");
        check_error("\"mysql://secret@secret/secret\"", "quotation mark");
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
