//! Database URLs as SQLAlchemy and its drivers understand them, and the native form of the engines.
//!
//! Mirrors `_parse_url` in `sqlalchemy/engine/url.py` (2.1.9), not the URL standard: a password may contain a raw
//! `/`, `#`, `?` or `:`, and `+` is a plus. Options have the meaning that `PyMySQL` 1.2.4 and libpq give them.
//! Stricter than SQLAlchemy: a raw `@` after the user part, a control character, an unusable host and a missing
//! database are errors.

use std::fs;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::option_file::OptionFile;
use super::tls::{self, Tls, TlsMode};
use super::url_address::Address;
use super::url_error::UrlError;
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
    /// The engine, which decides which other fields can be set.
    pub engine: Engine,
    /// `None`: the driver's default; likewise for the other fields.
    pub user: Option<String>,
    /// Never empty.
    pub password: Option<SecretString>,
    /// Name or address, an IPv6 address without brackets.
    pub host: Option<String>,
    /// Never 0.
    pub port: Option<u16>,
    /// For MySQL the file of the socket, which wins over `host`; for PostgreSQL the folder of the sockets.
    pub socket: Option<PathBuf>,
    /// Name of the database, never empty. For SQLite its file; a relative path is relative to Cinder's working
    /// directory.
    pub database: String,
    /// Disabled for SQLite.
    pub tls: Tls,
    /// Names of unknown options that could matter, as written and in order.
    pub ignored: Vec<String>,
}

/// Compares all fields, including the password.
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
    /// Parses a URL, ignoring white space around it.
    ///
    /// Reads the file of `read_default_file` as `PyMySQL` does (group `read_default_group`, by default `client`).
    /// The URL wins over that file. The last one of repeated options wins.
    ///
    /// # Errors
    ///
    /// A part that cannot be parsed, or an option file that cannot be read (`PyMySQL` ignores the latter).
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.starts_with(['"', '\'']) {
            return Err(UrlError::Quoted);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let engine = match scheme.split('+').next() {
            Some("mysql" | "mariadb") => Engine::MySql,
            Some("postgresql" | "postgres") => Engine::Postgres,
            Some("sqlite") => Engine::Sqlite,
            _ => return Err(UrlError::Scheme),
        };
        let (address, options) = Address::split(rest)?;
        match engine {
            Engine::Sqlite => sqlite(address, options),
            _ => server(engine, address, options),
        }
    }

    /// Returns the decoded URL with `***` for the password, without driver and options, for display.
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

fn sqlite(address: Address, options: Options) -> Result<DatabaseUrl, UrlError> {
    if address
        .user
        .or(address.password)
        .or(address.host)
        .or(address.port)
        .is_some()
    {
        return Err(UrlError::SqliteHost);
    }
    let database = address
        .database
        .filter(|file| file != ":memory:")
        .ok_or(UrlError::SqliteMemory)?;
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

fn server(engine: Engine, address: Address, mut options: Options) -> Result<DatabaseUrl, UrlError> {
    let file = match engine {
        Engine::MySql => option_file(&mut options)?,
        _ => OptionFile::default(),
    };
    // An option wins over the address, as in `create_connect_args`; both win over the file, as in PyMySQL.
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
        return Err(UrlError::Host);
    }
    let port = port
        .map(|port| port.parse::<NonZeroU16>().map_err(|_| UrlError::Port))
        .transpose()?;
    let (database, tls) = match engine {
        // By default, libpq takes the user name as the database name.
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
        database: database.ok_or(UrlError::NoDatabase)?,
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

fn option_file(options: &mut Options) -> Result<OptionFile, UrlError> {
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
        Err(source) => Err(UrlError::OptionFile { path, source }),
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
    fn the_last_of_repeated_options_wins() {
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
        check_error(" ", "empty");
        check_error(
            "postgresql://h/d?sslcert=secret",
            "a client certificate and its key",
        );
        check_error(
            "mysql://h/d?ssl_key=secret",
            "a client certificate and its key",
        );
        check_error("secret", "unknown scheme");
        check_error("\"mysql://secret@secret/secret\"", "quotation mark");
        check_error("secret://secret@secret/secret", "unknown scheme");
        check_error("mysql://u:a\nsecret@h/d", "control character");
        check_error("mysql://u:a@secret@h/d", "unescaped '@'");
        check_error("mysql://u:a@secret/secret@h/d", "unescaped '@'");
        check_error("mysql://u/secret:secret@h/d", "unescaped '@'");
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
