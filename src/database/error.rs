//! The failures of a poll, each with a class and a remedy.
//!
//! No message contains a password: it is never a field, and servers do not repeat it in their messages.

use std::path::PathBuf;
use std::time::Duration;

use crate::heartbeat::failure::Class;

/// A failure of a poll.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is unreachable, or rejects every client for now.
    #[error(
        "cannot connect to {address}: check that the database is running and reachable from this host"
    )]
    Connect {
        /// Host and port, socket, or file.
        address: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The connection limit of the server or of the user is reached.
    #[error(
        "{address} accepts no more connections: raise the limit, or find the clients that hold them (this exporter uses one)"
    )]
    TooManyConnections {
        /// Host and port, or socket.
        address: String,
        /// The server's error.
        #[source]
        source: sqlx::Error,
    },
    /// A database file can't be opened.
    #[error(
        "cannot open the database file {file}: it must exist and be readable by the exporter's user"
    )]
    OpenFile {
        /// The file.
        file: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The connection broke while in use.
    #[error("lost the connection to {address}: check the server's log and the network")]
    Lost {
        /// Host and port, socket, or file.
        address: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// A certificate or key file can't be read.
    #[error("cannot read {option} {}: make the file readable by the exporter's user, or correct the database URL", path.display())]
    TlsFile {
        /// The option of the URL that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS with {address} failed: {remedy}")]
    Tls {
        /// Host and port.
        address: String,
        /// The remedy.
        remedy: &'static str,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The server rejected the login.
    #[error(
        "{address} refuses user `{user}`: check user and password (percent-encode special characters in the URL, such as %23 for `#`), and whether the user may log in from this host, with or without TLS"
    )]
    Auth {
        /// Host and port, or socket.
        address: String,
        /// The user in the URL.
        user: String,
        /// The server's error.
        #[source]
        source: sqlx::Error,
    },
    /// The server requires an authentication method that the driver lacks.
    #[error("{address} authenticates user `{user}` by an unsupported method: {remedy}")]
    AuthPlugin {
        /// Host and port, or socket.
        address: String,
        /// The user in the URL.
        user: String,
        /// The remedy, with a supported method.
        remedy: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// A grant is missing.
    #[error(
        "user `{user}` may not read the heartbeats: as the database administrator, run: {grant}"
    )]
    Permission {
        /// The user in the URL.
        user: String,
        /// The missing grants.
        grant: String,
        /// The server's error.
        #[source]
        source: sqlx::Error,
    },
    /// The database is missing or not granted, which MySQL does not distinguish.
    #[error(
        "user `{user}` may not use database `{database}`, or it does not exist: correct the database URL, or as the database administrator, run: {grant}"
    )]
    NoEntry {
        /// The user in the URL.
        user: String,
        /// The name in the URL.
        database: String,
        /// The grants that may be missing.
        grant: String,
        /// The server's error.
        #[source]
        source: sqlx::Error,
    },
    /// The database does not exist.
    #[error("{address} has no database `{database}`: correct the name in the database URL")]
    MissingDatabase {
        /// Host and port, or socket.
        address: String,
        /// The name in the URL.
        database: String,
        /// The server's error.
        #[source]
        source: sqlx::Error,
    },
    /// The table does not exist, or PostgreSQL hides it.
    #[error(
        "database `{database}` has no table `{table}`: check that it is {project}'s database, and that `{project}-manage db sync` was run{}",
        or_run(grant)
    )]
    MissingTable {
        /// Name of the database, or file.
        database: String,
        /// The table.
        table: &'static str,
        /// The project whose table it should be.
        project: &'static str,
        /// The grants that may be missing; empty where they can't be the reason.
        grant: String,
    },
    /// Required columns are missing or not granted.
    #[error("table `{table}` has no column `{}` readable by user `{user}`: check that it is {project}'s table{}", columns.join("`, `"), or_run(grant))]
    MissingColumns {
        /// The table.
        table: &'static str,
        /// The missing columns.
        columns: Vec<&'static str>,
        /// The user in the URL.
        user: String,
        /// The project whose table it should be.
        project: &'static str,
        /// The grants that may be missing; empty for SQLite.
        grant: String,
    },
    /// Connecting took too long.
    #[error("{address} did not complete the login within {}: check the port and the network, and whether the server hangs", humantime::format_duration(*after))]
    ConnectTimeout {
        /// Host and port, socket, or file.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// The statement took too long.
    #[error("{address} did not answer within {}: check its load and locks, or raise database.query-timeout", humantime::format_duration(*after))]
    QueryTimeout {
        /// Host and port, socket, or file.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// Any other error of the server.
    #[error("{address} reported an error: check the server's log")]
    Query {
        /// Host and port, socket, or file.
        address: String,
        /// The server's error.
        #[source]
        source: sqlx::Error,
    },
    /// The answer violates the engine's protocol.
    #[error(
        "{address} does not speak this database's protocol: check host and port in the database URL, and any proxy in between"
    )]
    Protocol {
        /// Host and port, socket, or file.
        address: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// The driver panicked on the answer.
    #[error(
        "the driver panicked on the answer of {address}: check host and port in the database URL, and any proxy in between; if it is a database, please report this"
    )]
    Driver {
        /// Host and port, socket, or file.
        address: String,
    },
    /// The answer lacks the database's time, or does not match the statement.
    #[error("the answer contains no database time: check whether a proxy rewrites statements")]
    Clock(#[source] sqlx::Error),
}

impl Error {
    /// Returns the class under which the failure is counted.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Connect { .. }
            | Self::TooManyConnections { .. }
            | Self::OpenFile { .. }
            | Self::Lost { .. } => Class::Connect,
            Self::TlsFile { .. } | Self::Tls { .. } => Class::Tls,
            Self::Auth { .. } | Self::AuthPlugin { .. } => Class::Auth,
            Self::Permission { .. } | Self::NoEntry { .. } => Class::Permission,
            Self::MissingDatabase { .. }
            | Self::MissingTable { .. }
            | Self::MissingColumns { .. } => Class::Schema,
            Self::ConnectTimeout { .. } | Self::QueryTimeout { .. } => Class::Timeout,
            Self::Query { .. } => Class::Query,
            Self::Protocol { .. } | Self::Driver { .. } | Self::Clock(_) => Class::Decode,
        }
    }
}

/// Returns the end of a message that names grants, if there are any.
fn or_run(grant: &str) -> String {
    if grant.is_empty() {
        return String::new();
    }
    format!(", or as the database administrator, run: {grant}")
}

#[cfg(test)]
mod tests;
