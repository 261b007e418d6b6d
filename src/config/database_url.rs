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
use super::tls::{self, Tls};
use super::url_error::UrlError;
use super::url_parts::{Address, Options};

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
    let server = (address.user, address.password, address.host, address.port);
    if server != (None, None, None, None) {
        return Err(UrlError::SqliteHost);
    }
    let database = address
        .database
        .filter(|file| file != ":memory:")
        .ok_or(UrlError::SqliteMemory)?;
    Ok(DatabaseUrl {
        engine: Engine::Sqlite,
        user: None,
        password: None,
        host: None,
        port: None,
        socket: None,
        database,
        tls: Tls::default(),
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
        Ok(text) => {
            let group = group.as_deref().unwrap_or("client");
            Ok(OptionFile::parse(&text, group))
        }
        Err(source) => Err(UrlError::OptionFile { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tls::TlsMode;

    #[test]
    fn native_options_are_understood_and_the_last_of_repeated_ones_wins() {
        use TlsMode::{Disabled, Preferred, Required, VerifyCa, VerifyFull};
        let verify_ca = "ssl-mode=VERIFY_CA&ssl-ca=/x&ssl-cert=/y&ssl-key=/z";
        for (scheme, options, expected) in [
            ("mysql", "ssl-mode=DISABLED&ssl-ca=/x", Disabled),
            ("mysql", "ssl-mode=preferred", Preferred),
            ("mysql", "ssl_mode=REQUIRED", Required),
            ("mysql", verify_ca, VerifyCa),
            ("mysql", "sslmode=verify_identity&sslca=/x", VerifyFull),
            ("postgres", "sslmode=verify-full&sslrootcert=/x", VerifyFull),
            ("postgres", "sslmode=require&sslrootcert=system", VerifyFull),
            ("mysql", "ssl-mode=REQUIRED&ssl-mode=DISABLED", Disabled),
        ] {
            let url = DatabaseUrl::parse(&format!("{scheme}://u:p@h/d?{options}")).unwrap();
            assert_eq!(url.tls.mode, expected, "{scheme} {options}");
            assert_eq!(url.ignored, [""; 0], "{scheme} {options}");
        }
    }

    #[test]
    fn only_options_that_could_matter_are_reported_as_ignored() {
        let url =
            "mysql://u:p@h/d?charset=utf8&Init_Command=secret&plugin=x&ssl_cipher=secret&bare";
        let url = DatabaseUrl::parse(url).unwrap();
        assert_eq!(url.ignored, ["Init_Command", "ssl_cipher"]);
    }

    #[test]
    fn the_password_is_not_shown() {
        let with_options = "mysql+pymysql://u:secret@[::1]:3306/d?ssl_ca=/x";
        let with_socket = "postgres://:secret@/d?host=/run/postgresql";
        for (text, expected) in [
            (with_options, "mysql://u:***@[::1]:3306/d"),
            ("mysql://u@h/d?password=secret", "mysql://u:***@h/d"),
            (with_socket, "postgresql://:***@/d"),
            ("postgres://u@h/d", "postgresql://u@h/d"),
            (" sqlite:////x/y\n", "sqlite:////x/y"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.redacted(), expected);
            assert!(!format!("{url:?}").contains("secret"), "{url:?}");
        }
    }

    #[test]
    fn urls_are_equal_only_with_the_same_password_and_options() {
        let [one, password, option] = ["p@h/d", "q@h/d", "p@h/d?ssl-mode=REQUIRED"]
            .map(|rest| DatabaseUrl::parse(&format!("mysql://u:{rest}")).unwrap());
        assert_eq!(one, one.clone());
        assert!(one != password && one != option);
    }

    #[test]
    fn errors_name_the_part_and_not_its_text() {
        let pair = "a client certificate and its key";
        let missing_file = "mysql://u:secret@h/d?read_default_file=/missing";
        let flag = "mysql://u:secret@h/d?ssl_verify_cert=secret";
        for (url, expected) in [
            (" ", "empty"),
            ("postgresql://h/d?sslcert=secret", pair),
            ("mysql://h/d?ssl_key=secret", pair),
            ("secret", "unknown scheme"),
            ("\"mysql://secret@secret/secret\"", "quotation mark"),
            ("secret://secret@secret/secret", "unknown scheme"),
            ("mysql://u:a\nsecret@h/d", "control character"),
            ("mysql://u:a@secret@h/d", "unescaped '@'"),
            ("mysql://u:a@secret/secret@h/d", "unescaped '@'"),
            ("mysql://u/secret:secret@h/d", "unescaped '@'"),
            ("mysql://u:secret/d", "the port is not"),
            ("mysql://u:a@h:secret/d", "the port is not"),
            ("mysql://u:a@[secret/d", "the host is not"),
            ("mysql://u:a@sec#secret/d", "the host is not"),
            ("mysql://u:secret@h", "no database"),
            ("mysql://u:secret@h/d?ssl-mode=secret", "option ssl-mode"),
            (flag, "option ssl_verify_cert"),
            ("postgres://u:secret@h/d?sslmode=secret", "option sslmode"),
            (missing_file, "option file /missing"),
            ("sqlite://u:secret@h/d", "an SQLite URL has no host"),
            ("sqlite://", "in memory"),
        ] {
            let error = DatabaseUrl::parse(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}: {expected}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
