//! The failures of a poll, each with a class and a remedy.
//!
//! No message contains a password: it is never a field, and servers do not repeat it in their messages.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::grant::postgres_role;
use crate::heartbeat::failure::Class;
use crate::project::Project;

/// The login that a message names. Boxed strings keep errors small.
#[derive(Debug)]
pub struct Login {
    /// Host and port, socket, or file.
    pub(super) address: Box<str>,
    /// The user in the URL.
    pub(super) user: Box<str>,
    /// Name of the database in the URL, or the file.
    pub(super) database: Box<str>,
}

/// A failure of a poll. The strings are remedies, or commands that print grants.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is unreachable, or rejects every client for now.
    #[error("cannot connect to {}: check that the database is running and reachable from this host", .0.address)]
    Connect(Login, #[source] sqlx::Error),
    /// The connection limit of the server or of the user is reached.
    #[error("{} accepts no more connections: raise the limit, or find the clients that hold them (this exporter uses one for each database that it reads)", .0.address)]
    TooManyConnections(Login, #[source] sqlx::Error),
    /// A database file can't be opened.
    #[error("cannot open the database file {}: it must exist and be readable by the exporter's user", .0.address)]
    OpenFile(Login, #[source] sqlx::Error),
    /// The session ended before the statement had an answer. A new connection may have one.
    #[error("lost the connection to {}: check the server's log, its idle limits, the network, and any proxy in between", .0.address)]
    Lost(Login, #[source] sqlx::Error),
    /// The session ended in the middle of an answer.
    #[error("lost the connection to {} in the middle of an answer: check the server's log and the network", .0.address)]
    Torn(Login, #[source] sqlx::Error),
    /// A limit of the account is reached. The statement, which names the limit, lifts it.
    #[error("{} refuses user `{}`, who has reached a limit: as the database administrator, run: {}", .0.address, .0.user, .1)]
    AccountLimit(Login, String, #[source] sqlx::Error),
    /// The file that this option of the URL names can't be read.
    #[error("cannot read {} {}: make the file readable by the exporter's user, or correct the {}", .0, .1.display(), place_of(.0))]
    TlsFile(&'static str, PathBuf, #[source] std::io::Error),
    /// The TLS handshake failed.
    #[error("TLS with {} failed: {}", .0.address, .1)]
    Tls(Login, String, #[source] sqlx::Error),
    /// The file that this option of the URL names can't be used, with what is wrong with it.
    #[error("{} {} {}", .0, .1.display(), .2)]
    TlsContent(&'static str, PathBuf, String),
    /// The server rejected the login. The text is a further remedy.
    #[error("{} refuses user `{}`: check user and password (percent-encode special characters in the URL, such as %23 for `#`), and whether the user may log in from this host, with or without TLS{}", .0.address, .0.user, .1)]
    Auth(Login, &'static str, #[source] sqlx::Error),
    /// The server requires an authentication method that the driver lacks.
    #[error("{} authenticates user `{}` by an unsupported method: {}", .0.address, .0.user, .1)]
    AuthPlugin(Login, String, #[source] sqlx::Error),
    /// A grant is missing.
    #[error("user `{}` may not read the heartbeats: as the database administrator, run the output of `{}`", .0.user, .1)]
    Permission(Login, String, #[source] sqlx::Error),
    /// The database is missing or not granted, which MySQL does not distinguish.
    #[error("user `{}` may not use database `{}`, or it does not exist: correct the database URL, or as the database administrator, run the output of `{}`", .0.user, .0.database, .1)]
    NoEntry(Login, String, #[source] sqlx::Error),
    /// The database does not exist.
    #[error("{} has no database `{}`: correct the name in the database URL", .0.address, .0.database)]
    MissingDatabase(Login, #[source] sqlx::Error),
    /// The table does not exist, or PostgreSQL hides it. The grants are empty where they can't be the reason.
    #[error("database `{}` has no table `{}`: check that it is {}'s database, and that `{}` was run{}", .0.database, .1.services.name, .1.words.title, .1.words.sync, or_run(.2))]
    MissingTable(Login, &'static Project, String),
    /// The table is in another schema of PostgreSQL. The last string is the quoted role.
    #[error("table `{}` is in schema `{}`, which is not in the search path of user `{}`: add options=-csearch_path={} to the database URL, or as the database administrator, run: ALTER ROLE {} SET search_path = {};", .1.services.name, .2, .0.user, in_url(.2), .3, postgres_role(.2))]
    OtherSchema(Login, &'static Project, String, String),
    /// The table is in another schema of PostgreSQL than the URL's own search path, which wins over that of the role.
    #[error("table `{}` is in schema `{}`, but the database URL sets search_path to `{}`; change it to `{}`", .0.services.name, .1, .2, .1)]
    SearchPath(&'static Project, String, String),
    /// Required columns are missing or not granted. The grants are empty for SQLite.
    #[error("table `{}` has no column `{}` readable by user `{}`: check that it is {}'s table{}", .1.services.name, .2.join("`, `"), .0.user, .1.words.title, or_run(.3))]
    MissingColumns(Login, &'static Project, Vec<&'static str>, String),
    /// Connecting took longer than the limit.
    #[error("{} did not complete the login within {}: check the port and the network, and whether the server hangs", .0.address, humantime::format_duration(*.1))]
    ConnectTimeout(Login, Duration),
    /// The statement took longer than the limit.
    #[error("{} did not answer within {}: check its load and locks, or raise database.query-timeout", .0.address, humantime::format_duration(*.1))]
    QueryTimeout(Login, Duration),
    /// The server answers, but is known not to be current. The strings are the evidence and the remedy.
    #[error("{} is not current: {}: {}", .0.address, .1, .2)]
    Stale(Login, String, &'static str),
    /// A node without its cluster refuses to read.
    #[error("{} is cut off from its Galera cluster, or not ready: check wsrep_cluster_status and wsrep_ready on this node, and the network between the nodes", .0.address)]
    NotReady(Login, #[source] sqlx::Error),
    /// Any other error of the server.
    #[error("{} reported an error: check the server's log", .0.address)]
    Query(Login, #[source] sqlx::Error),
    /// The answer violates the engine's protocol.
    #[error("{} does not speak this database's protocol: check host and port in the database URL, and any proxy in between", .0.address)]
    Protocol(Login, #[source] sqlx::Error),
    /// The driver panicked on the answer.
    #[error("the driver panicked on the answer of {}: check host and port in the database URL, and any proxy in between; if it is a database, please report this", .0.address)]
    Driver(Login),
    /// The answer lacks the database's time, or does not match the statement.
    #[error("the answer contains no database time: check whether a proxy rewrites statements")]
    Clock(#[source] sqlx::Error),
}

impl Error {
    /// Returns the class under which the failure is counted.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Connect(..)
            | Self::TooManyConnections(..)
            | Self::OpenFile(..)
            | Self::Lost(..)
            | Self::Torn(..)
            | Self::AccountLimit(..) => Class::Connect,
            Self::TlsFile(..) | Self::TlsContent(..) | Self::Tls(..) => Class::Tls,
            Self::Auth(..) | Self::AuthPlugin(..) => Class::Auth,
            Self::Permission(..) | Self::NoEntry(..) => Class::Permission,
            Self::MissingDatabase(..)
            | Self::MissingTable(..)
            | Self::OtherSchema(..)
            | Self::SearchPath(..)
            | Self::MissingColumns(..) => Class::Schema,
            Self::ConnectTimeout(..) | Self::QueryTimeout(..) => Class::Timeout,
            Self::Query(..) => Class::Query,
            Self::Stale(..) | Self::NotReady(..) => Class::Stale,
            Self::Protocol(..) | Self::Driver(_) | Self::Clock(_) => Class::Decode,
        }
    }

    /// Returns the error of connecting: a session that ends then has never begun.
    pub(super) fn while_connecting(self) -> Self {
        match self {
            Self::Lost(login, source) => Self::Connect(login, source),
            error => error,
        }
    }

    /// Adds that the server also refuses the login without TLS, where the database URL only prefers TLS.
    ///
    /// Any other failure, such as a server that has stopped since, replaces this one.
    pub(super) fn without_tls(self, second: Self) -> Self {
        match (self, second) {
            (Self::Tls(login, remedy, source), second) if second.class() == Class::Auth => {
                Self::Tls(
                    login,
                    format!("{remedy}; and without TLS, {second}"),
                    source,
                )
            }
            (first @ Self::Auth(..), second) if second.class() == Class::Auth => first,
            (_, second) => second,
        }
    }
}

/// Returns a schema's name as the value of `search_path` in the option `options` of a URL, quoted if it needs that.
fn in_url(schema: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let quoted = if schema.chars().all(plain) {
        schema.to_owned()
    } else {
        postgres_role(schema)
    };
    let escaped = quoted.replace('\\', r"\\").replace(' ', r"\ ");
    utf8_percent_encode(&escaped, NON_ALPHANUMERIC)
        .to_string()
        .replace("%5F", "_")
}

/// Returns the end of a message that names grants, if there are any.
fn or_run(grant: &str) -> String {
    if grant.is_empty() {
        return String::new();
    }
    format!(", or as the database administrator, run the output of `{grant}`")
}

/// Returns where the name of a file is written: libpq's environment variables begin with `PG`.
fn place_of(option: &str) -> &'static str {
    if option.starts_with("PG") {
        "variable"
    } else {
        "database URL"
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::NotFound;

    use super::*;
    use crate::project::cinder::PROJECT;

    const LIMIT: Duration = Duration::from_secs(10);

    fn login() -> Login {
        Login {
            address: "db:3306".into(),
            user: "exporter".into(),
            database: "cinder".into(),
        }
    }

    fn source() -> sqlx::Error {
        sqlx::Error::RowNotFound
    }

    fn check(error: &Error, class: Class, message: &str) {
        assert_eq!((error.class(), &*error.to_string()), (class, message));
    }

    #[test]
    fn a_failed_connection_or_login_names_the_address() {
        check(
            &Error::Connect(login(), source()),
            Class::Connect,
            "cannot connect to db:3306: check that the database is running and reachable from this host",
        );
        check(
            &Error::TooManyConnections(login(), source()),
            Class::Connect,
            "db:3306 accepts no more connections: raise the limit, or find the clients that hold them (this \
             exporter uses one for each database that it reads)",
        );
        check(
            &Error::OpenFile(login(), source()),
            Class::Connect,
            "cannot open the database file db:3306: it must exist and be readable by the exporter's user",
        );
        check(
            &Error::Lost(login(), source()),
            Class::Connect,
            "lost the connection to db:3306: check the server's log, its idle limits, the network, and any proxy in \
             between",
        );
        check(
            &Error::Torn(login(), source()),
            Class::Connect,
            "lost the connection to db:3306 in the middle of an answer: check the server's log and the network",
        );
        check(
            &Error::AccountLimit(login(), "ALTER USER;".to_owned(), source()),
            Class::Connect,
            "db:3306 refuses user `exporter`, who has reached a limit: as the database administrator, run: ALTER \
             USER;",
        );
        check(
            &Error::Tls(login(), "check it".to_owned(), source()),
            Class::Tls,
            "TLS with db:3306 failed: check it",
        );
        check(
            &Error::TlsFile("ssl_ca", "/ca.pem".into(), NotFound.into()),
            Class::Tls,
            "cannot read ssl_ca /ca.pem: make the file readable by the exporter's user, or correct the database \
             URL",
        );
        check(
            &Error::TlsFile("PGSSLROOTCERT", "/ca.pem".into(), NotFound.into()),
            Class::Tls,
            "cannot read PGSSLROOTCERT /ca.pem: make the file readable by the exporter's user, or correct the variable",
        );
        check(
            &Error::TlsContent("ssl_ca", "/ca.pem".into(), "is empty".to_owned()),
            Class::Tls,
            "ssl_ca /ca.pem is empty",
        );
        check(
            &Error::ConnectTimeout(login(), LIMIT),
            Class::Timeout,
            "db:3306 did not complete the login within 10s: check the port and the network, and whether the \
             server hangs",
        );
        check(
            &Error::Auth(login(), "; try another", source()),
            Class::Auth,
            "db:3306 refuses user `exporter`: check user and password (percent-encode special characters in the \
             URL, such as %23 for `#`), and whether the user may log in from this host, with or without TLS; try \
             another",
        );
        check(
            &Error::AuthPlugin(login(), "use another".to_owned(), source()),
            Class::Auth,
            "db:3306 authenticates user `exporter` by an unsupported method: use another",
        );
    }

    #[test]
    fn a_login_refused_with_and_without_tls_names_both_reasons() {
        let failed = || Error::Tls(login(), "renew it".to_owned(), source());
        let refused = Error::AuthPlugin(login(), "use another".to_owned(), source());
        check(
            &failed().without_tls(refused),
            Class::Tls,
            "TLS with db:3306 failed: renew it; and without TLS, db:3306 authenticates user `exporter` by an \
             unsupported method: use another",
        );
        let stopped = Error::Connect(login(), source());
        assert_eq!(failed().without_tls(stopped).class(), Class::Connect);
    }

    #[test]
    fn a_missing_right_or_table_names_the_grants() {
        let grant = || "print grants".to_owned();
        check(
            &Error::Permission(login(), grant(), source()),
            Class::Permission,
            "user `exporter` may not read the heartbeats: as the database administrator, run the output of `print grants`",
        );
        check(
            &Error::NoEntry(login(), grant(), source()),
            Class::Permission,
            "user `exporter` may not use database `cinder`, or it does not exist: correct the database URL, or \
             as the database administrator, run the output of `print grants`",
        );
        check(
            &Error::MissingDatabase(login(), source()),
            Class::Schema,
            "db:3306 has no database `cinder`: correct the name in the database URL",
        );
        check(
            &Error::MissingTable(login(), &PROJECT, String::new()),
            Class::Schema,
            "database `cinder` has no table `services`: check that it is Cinder's database, and that \
             `cinder-manage db sync` was run",
        );
        check(
            &Error::MissingTable(login(), &PROJECT, grant()),
            Class::Schema,
            "database `cinder` has no table `services`: check that it is Cinder's database, and that \
             `cinder-manage db sync` was run, or as the database administrator, run the output of `print grants`",
        );
        check(
            &Error::SearchPath(&PROJECT, "public".to_owned(), "cinder".to_owned()),
            Class::Schema,
            "table `services` is in schema `public`, but the database URL sets search_path to `cinder`; change it to \
             `public`",
        );
        check(
            &Error::OtherSchema(login(), &PROJECT, "s".to_owned(), "\"exporter\"".to_owned()),
            Class::Schema,
            "table `services` is in schema `s`, which is not in the search path of user `exporter`: add \
             options=-csearch_path=s to the database URL, or as the database administrator, run: ALTER ROLE \
             \"exporter\" SET search_path = \"s\";",
        );
        check(
            &Error::MissingColumns(login(), &PROJECT, vec!["id", "host"], String::new()),
            Class::Schema,
            "table `services` has no column `id`, `host` readable by user `exporter`: check that it is Cinder's \
             table",
        );
        check(
            &Error::MissingColumns(login(), &PROJECT, vec!["id", "host"], grant()),
            Class::Schema,
            "table `services` has no column `id`, `host` readable by user `exporter`: check that it is Cinder's \
             table, or as the database administrator, run the output of `print grants`",
        );
    }

    #[test]
    fn a_failed_statement_names_the_address() {
        check(
            &Error::QueryTimeout(login(), LIMIT),
            Class::Timeout,
            "db:3306 did not answer within 10s: check its load and locks, or raise database.query-timeout",
        );
        check(
            &Error::Query(login(), source()),
            Class::Query,
            "db:3306 reported an error: check the server's log",
        );
        check(
            &Error::NotReady(login(), source()),
            Class::Stale,
            "db:3306 is cut off from its Galera cluster, or not ready: check wsrep_cluster_status and wsrep_ready on \
             this node, and the network between the nodes",
        );
        check(
            &Error::Protocol(login(), source()),
            Class::Decode,
            "db:3306 does not speak this database's protocol: check host and port in the database URL, and any \
             proxy in between",
        );
        check(
            &Error::Driver(login()),
            Class::Decode,
            "the driver panicked on the answer of db:3306: check host and port in the database URL, and any \
             proxy in between; if it is a database, please report this",
        );
        check(
            &Error::Clock(source()),
            Class::Decode,
            "the answer contains no database time: check whether a proxy rewrites statements",
        );
    }
}
