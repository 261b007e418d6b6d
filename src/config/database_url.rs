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
use super::tls::{self, Environment, Tls, TlsMode};
use super::url_error::UrlError;
use super::url_parts::{Address, Options};
use super::{option_names, postgres_options, unused_options};

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
    /// Name of the database, never empty. For SQLite its file; a relative path is relative to the
    /// project's working directory.
    pub database: String,
    /// PostgreSQL's `search_path` from the option `options`, as written there: a list of schemas.
    pub search_path: Option<String>,
    /// Disabled for SQLite.
    pub tls: Tls,
    /// A warning about each option that could matter and is not supported, in order.
    pub ignored: Vec<String>,
}

/// The database of a URL that names none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unnamed<'a> {
    /// For PostgreSQL the one of the user's name, as in libpq; otherwise an error.
    AsDriver,
    /// This one.
    Is(&'a str),
    /// An error.
    Refused,
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
                search_path,
                tls,
                ignored,
            } = url.clone();
            let password = password.map(|password| password.expose_secret().to_owned());
            let account = (user, password, host, port);
            (engine, account, socket, database, search_path, tls, ignored)
        };
        parts(self) == parts(other)
    }
}

impl DatabaseUrl {
    /// Parses a URL as [`parse_in`](Self::parse_in) does, in an empty environment, as a driver would.
    ///
    /// # Errors
    /// Those of [`parse_in`](Self::parse_in).
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::parse_in(text, Unnamed::AsDriver, &|_| None)
    }

    /// Parses a URL, ignoring white space around it.
    ///
    /// `unnamed` says which database is meant if the URL names none. For PostgreSQL, `environment` has the variables that
    /// libpq takes for TLS options that the URL lacks.
    ///
    /// Reads the file of `read_default_file` as `PyMySQL` does (group `read_default_group`, by default `client`).
    /// The URL wins over that file. The last one of repeated options wins.
    ///
    /// # Errors
    ///
    /// A part that cannot be parsed, or an option file that cannot be read (`PyMySQL` ignores the latter).
    pub(crate) fn parse_in(
        text: &str,
        unnamed: Unnamed<'_>,
        environment: Environment<'_>,
    ) -> Result<Self, UrlError> {
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
            _ => server(engine, address, options, unnamed, environment),
        }
    }

    /// Returns whether the other is on the same server, whatever its database and credentials.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.engine == other.engine
            && (&self.host, self.port, &self.socket) == (&other.host, other.port, &other.socket)
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
        search_path: None,
        tls: Tls::default(),
        ignored: unused_options::warnings(options, &option_names::SQLITE, TlsMode::Disabled)?,
    })
}

fn server(
    engine: Engine,
    address: Address,
    mut options: Options,
    unnamed: Unnamed<'_>,
    environment: Environment<'_>,
) -> Result<DatabaseUrl, UrlError> {
    let file = match engine {
        Engine::MySql => option_file(&mut options)?,
        _ => OptionFile::default(),
    };
    if engine == Engine::Postgres && options.count("host") > 1 {
        return Err(UrlError::SeveralHosts);
    }
    // Only SQLAlchemy splits the option `host`, and only without an option `port`.
    let splits_host = engine == Engine::Postgres && !options.has("port");
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
    let (host, port) = match host.as_deref().and_then(host_and_port) {
        Some((name, number)) if splits_host => (name, number.or(port)),
        _ => (host, port),
    };
    let database = choose(&["database", "dbname", "db"], address.database);
    let socket = choose(&["socket", "unixsocket"], None);
    let (host, socket) = match host {
        Some(folder) if engine == Engine::Postgres && folder.starts_with('/') => {
            (None, Some(folder))
        }
        host => (host, socket),
    };
    if host.as_deref().is_some_and(|host| host.contains(',')) {
        return Err(UrlError::SeveralHosts);
    }
    if host.as_deref().is_some_and(|host| !is_host(host)) {
        return Err(UrlError::Host);
    }
    let port = port
        .map(|port| port.parse::<NonZeroU16>().map_err(|_| UrlError::Port))
        .transpose()?;
    let arguments = match engine {
        Engine::Postgres => options.take(&["options"]),
        _ => None,
    };
    let (search_path, others) = postgres_options::search_path(&arguments.unwrap_or_default());
    let (database, tls, known) = if engine == Engine::Postgres {
        let tls = tls::postgres(&mut options, environment)?;
        (database, tls, &option_names::POSTGRES)
    } else {
        let tls = tls::mysql(&mut options, &file)?;
        (database, tls, &option_names::MYSQL)
    };
    let database = database.or_else(|| match unnamed {
        Unnamed::AsDriver if engine == Engine::Postgres => user.clone(),
        Unnamed::Is(name) => Some(name.to_owned()),
        Unnamed::AsDriver | Unnamed::Refused => None,
    });
    let mut ignored = unused_options::warnings(options, known, tls.mode)?;
    ignored.extend(others.into_iter().map(|name| match name {
        Some(name) => format!("`{name}` in option `options` is ignored"),
        None => "an argument in option `options` is ignored".to_owned(),
    }));
    Ok(DatabaseUrl {
        engine,
        user,
        password: password.map(SecretString::from),
        host,
        port: port.map(NonZeroU16::get),
        socket: socket.map(PathBuf::from),
        database: database.ok_or(UrlError::NoDatabase)?,
        search_path,
        tls,
        ignored,
    })
}

/// Splits `HOST:PORT`, either of which may be empty; `None` for any other text, such as an IPv6 address.
fn host_and_port(text: &str) -> Option<(Option<String>, Option<String>)> {
    let (host, port) = text.split_once(':')?;
    let is_name = host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    let is_number = port.chars().all(|c| c.is_ascii_digit());
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (is_name && is_number).then(|| (filled(host), filled(port)))
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
    fn the_environment_counts_where_the_url_lacks_an_option_of_postgresql() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], TlsMode, Option<&'a str>);
        use TlsMode::{Disabled, Preferred, Required, VerifyCa, VerifyFull};
        let ca = [("PGSSLROOTCERT", "/e")];
        let system = [("PGSSLROOTCERT", "system")];
        let mode = |mode| [("PGSSLMODE", mode)];
        let cases: [Case; 15] = [
            ("sslmode=require", &ca, VerifyCa, Some("/e")),
            ("sslmode=require&sslrootcert=/u", &ca, VerifyCa, Some("/u")),
            ("sslmode=verify-full", &ca, VerifyFull, Some("/e")),
            ("sslmode=require", &[("PGSSLROOTCERT", "")], Required, None),
            ("sslmode=require", &system, VerifyFull, None),
            ("sslrootcert=system", &ca, VerifyFull, None),
            ("sslmode=disable", &ca, Disabled, None),
            ("", &system, VerifyFull, None),
            ("", &mode("verify-full"), VerifyFull, None),
            ("", &mode("disable"), Disabled, None),
            ("sslmode=prefer", &mode("require"), Preferred, None),
            ("", &[("PGREQUIRESSL", "1")], Required, None),
            ("", &[("PGREQUIRESSL", "0")], Preferred, None),
            ("sslmode=prefer", &[("PGREQUIRESSL", "1")], Preferred, None),
            ("", &[], Preferred, None),
        ];
        for (options, environment, mode, ca) in cases {
            let variable = |name: &str| {
                let mut found = environment.iter().filter(|(known, _)| *known == name);
                found.next().map(|(_, value)| (*value).to_owned())
            };
            let parse = |url: &str| {
                DatabaseUrl::parse_in(&format!("{url}?{options}"), Unnamed::AsDriver, &variable)
            };
            let tls = parse("postgresql://u:p@h/d").unwrap().tls;
            assert_eq!(tls.mode, mode, "{options} {environment:?}");
            assert_eq!(tls.ca, ca.map(PathBuf::from), "{options} {environment:?}");
        }
        let variable = |name: &str| name.starts_with("PGSSL").then(|| "/e".to_owned());
        let parse = |url: &str| DatabaseUrl::parse_in(url, Unnamed::AsDriver, &variable);
        let error = parse("postgresql://u:p@h/d").unwrap_err().to_string();
        assert!(error.starts_with("variable PGSSLMODE"), "{error}");
        let tls = parse("postgresql://u:p@h/d?sslmode=prefer").unwrap().tls;
        assert_eq!((tls.cert, tls.key), (Some("/e".into()), Some("/e".into())));
        let tls = parse("mysql://u:p@h/d").unwrap().tls;
        assert_eq!((tls.mode, tls.ca), (Preferred, None));
    }

    #[test]
    fn only_options_that_could_matter_are_reported_as_ignored() {
        let url =
            "mysql://u:p@h/d?charset=utf8&Init_Command=secret&plugin=x&ssl_cipher=secret&bare";
        let url = DatabaseUrl::parse(url).unwrap();
        let expected = [
            "option `Init_Command` is unknown and ignored",
            "option `ssl_cipher` is not supported, but still requires an encrypted connection",
        ];
        assert_eq!(url.ignored, expected);
    }

    #[test]
    fn an_option_hidden_by_a_wrong_separator_is_an_error() {
        let values = [
            "charset=utf8?ssl_ca=/x",
            "charset=utf8;ssl_ca=/x",
            "charset=utf8&amp;ssl_ca=/x",
            "charset=utf8& ssl_ca=/x",
            "charset=utf8%26ssl_ca=/x",
            "charset=utf8%26ssl_ca%3D/x",
            "charset=utf8%2526ssl_ca%253D/x",
            "charset=utf8,ssl_ca=/x",
            "charset=utf8#ssl-ca =/x",
            "charset=ssl_ca=/x",
            "?charset=utf8",
            "=x;ssl_ca=/x",
            "plugin=x;sslmode=verify-full",
            "application_name=x;host=other",
            "read_default_group=client;ssl_ca=/x",
            "user=u;ssl_ca=/x",
            "unknown=x;sslrootcert=/x",
            "charset=utf8;foo=1",
            "charset=utf8;ssl_disabled",
            "charset=utf8%3Bfoo=1",
        ];
        let queries = values.map(|value| format!("?{value}"));
        let typos = ["&ssl_ca=/x", ";ssl_ca=/x", "%3Fssl_ca=/x", "/ssl_ca=/x"];
        for rest in queries.into_iter().chain(typos.map(str::to_owned)) {
            for scheme in ["mysql", "postgresql"] {
                let error = DatabaseUrl::parse(&format!("{scheme}://u:p@h/d{rest}")).unwrap_err();
                let is_named = matches!(error, UrlError::OptionName | UrlError::HiddenOption(_));
                assert!(is_named, "{scheme} {rest}: {error}");
            }
        }
    }

    #[test]
    fn values_that_only_resemble_options_are_accepted() {
        for rest in [
            "d?application_name=a=b",
            "d?init_command=SET a=1, b=2",
            "d?password=a;ssl_ca=b",
            "d?ssl_ca=/etc/ssl/ca=1.pem",
            "a=b",
        ] {
            DatabaseUrl::parse(&format!("mysql://u:p?ssl_ca=x;y=z@h/{rest}")).unwrap();
        }
    }

    #[test]
    fn an_unknown_option_of_tls_is_an_error() {
        for (scheme, option, name) in [
            ("mysql", "ssl_cafile=/x", "ssl_cafile"),
            ("mysql", "tls=true", "tls"),
            ("mysql", "useSSL=true", "useSSL"),
            ("mysql", "requireSSL=true", "requireSSL"),
            ("mysql", "require_tls=1", "require_tls"),
            (
                "mysql",
                "verifyServerCertificate=true",
                "verifyServerCertificate",
            ),
            ("mysql", "Verify-Cert=true", "Verify-Cert"),
            ("postgresql", "requiressl=1", "requiressl"),
            ("postgresql", "ssl_capath=/x", "ssl_capath"),
            ("mysql", "sslnegotiation=direct", "sslnegotiation"),
            ("mysql", "tlsfoo=1", "tlsfoo"),
            ("mysql", "sslrootcert=/x", "sslrootcert"),
            ("postgresql", "ssl_ca=/x", "ssl_ca"),
            ("postgresql", "sslmode=require&SSL=1", "SSL"),
        ] {
            let error = DatabaseUrl::parse(&format!("{scheme}://u:p@h/d?{option}")).unwrap_err();
            let expected = format!("option {name} is unknown");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn an_unknown_option_of_tls_is_reported_with_the_nearest_name() {
        for (url, expected) in [
            ("mysql://u:p@h/d?ssl_mdoe=x", "did you mean `ssl_mode`?"),
            ("mysql://u:p@h/d?ssl_cafile=x", "did you mean `ssl_ca`?"),
            ("mysql://u:p@h/d?sslrootcert=x", "did you mean `ssl_ca`?"),
            ("postgres://u:p@h/d?ssl_ca=x", "did you mean `sslrootcert`?"),
            ("postgres://u:p@h/d?sslmdoe=x", "did you mean `sslmode`?"),
        ] {
            let error = DatabaseUrl::parse(url).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn a_demand_that_the_exporter_cannot_meet_is_an_error() {
        for option in [
            "channel_binding=require",
            "require_auth=scram-sha-256",
            "gssencmode=require",
        ] {
            let url = format!("postgresql://u:p@h/d?sslmode=require&{option}");
            let error = DatabaseUrl::parse(&url).unwrap_err().to_string();
            assert!(error.contains("asks for a safer connection"), "{error}");
        }
        let url = "postgresql://u:p@h/d?channel_binding=prefer";
        let ignored = DatabaseUrl::parse(url).unwrap().ignored;
        assert_eq!(
            ignored,
            ["option `channel_binding` is not supported and ignored"]
        );
        let variable = |name: &str| (name == "PGCHANNELBINDING").then(|| "require".to_owned());
        let parse = |url: &str| DatabaseUrl::parse_in(url, Unnamed::AsDriver, &variable);
        let error = parse("postgresql://u:p@h/d").unwrap_err().to_string();
        assert!(
            error.starts_with("variable PGCHANNELBINDING asks"),
            "{error}"
        );
        parse(url).unwrap();
    }

    #[test]
    fn an_option_of_tls_without_a_value_is_an_error() {
        for option in ["ssl-mode=", "ssl_ca=", "ssl_verify_cert", "tls_version="] {
            let url = format!("mysql://u:p@h/d?{option}");
            let error = DatabaseUrl::parse(&url).unwrap_err().to_string();
            assert!(error.contains("has no value"), "{error}");
        }
    }

    #[test]
    fn a_warning_says_what_an_unsupported_option_does() {
        for (options, expected) in [
            (
                "ssl_capath=/x",
                "option `ssl_capath` is not supported, but still requires a verified connection: put the authorities into \
                 one file and set ssl_ca",
            ),
            (
                "ssl_capath=/x&ssl-mode=DISABLED",
                "option `ssl_capath` is not supported and ignored",
            ),
            (
                "tls_version=x",
                "option `tls_version` is not supported and ignored",
            ),
            ("foo=x", "option `foo` is unknown and ignored"),
        ] {
            let url = DatabaseUrl::parse(&format!("mysql://u:p@h/d?{options}")).unwrap();
            assert_eq!(url.ignored, [expected]);
        }
    }

    #[test]
    fn files_of_tls_do_not_count_without_encryption() {
        for url in [
            "mysql://u:p@h/d?ssl_disabled=true&ssl_ca=/missing",
            "mysql://u:p@h/d?ssl-mode=DISABLED&ssl_cert=/missing",
            "postgresql://u:p@h/d?sslmode=disable&sslrootcert=/missing",
        ] {
            assert_eq!(DatabaseUrl::parse(url).unwrap().tls, Tls::default());
        }
    }

    #[test]
    fn a_search_path_is_taken_from_the_options_of_postgresql() {
        let parse = |text| DatabaseUrl::parse(text).unwrap();
        let url = parse("postgresql://u:p@h/d?options=-csearch_path=a%20-c%20geqo=off");
        assert_eq!(url.search_path.as_deref(), Some("a"));
        assert_eq!(url.ignored, ["`geqo` in option `options` is ignored"]);
        let url = parse("postgresql://u:p@h/d?options=-csearch_path%3Da");
        assert_eq!(
            (url.search_path.as_deref(), url.ignored.len()),
            (Some("a"), 0)
        );
        let url = parse("mysql://u:p@h/d?options=-csearch_path=a");
        assert_eq!(
            (url.search_path, &*url.ignored),
            (
                None,
                &["option `options` is not supported and ignored".to_owned()][..]
            )
        );
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
            ("postgresql://h/d?sslcert=secret", "PGSSLKEY"),
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
            (
                "mysql://u:a@h1:3306,h2:3306/secret",
                "several hosts are not supported; name one",
            ),
            ("mysql://u:a@[::1]:1,h2/secret", "several hosts"),
            ("mysql://u:a,secret/d", "the port is not"),
            ("postgres://u:secret@/d?host=a,b", "several hosts"),
            (
                "mysql://u:secret@h/cinder # main db",
                "write comments on separate lines",
            ),
            (
                "mysql://u:secret@h/d?charset=utf8 ; x",
                "write comments on separate lines",
            ),
            (
                "mysql://u:p@h/d?charset=a;foo=secret",
                "the value of option `charset` contains another option",
            ),
            (
                "mysql://u:p@h/d?secret=a;foo=b",
                "the value of an option contains another option",
            ),
            (
                "mysql://u:p@h/d;ssl_ca=/x",
                "the database name contains another option",
            ),
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
