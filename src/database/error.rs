//! What can fail between us and the database, in the operator's terms: each failure has a class and a remedy.
//!
//! No message holds a password: it is never an operand, and the servers' own messages don't repeat it.

use std::path::PathBuf;
use std::time::Duration;

use crate::heartbeat::failure::Class;

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server can't be reached, or turns every client away for now.
    #[error(
        "cannot connect to {address}: check that the database runs there and that nothing blocks the way"
    )]
    Connect {
        /// Host and port, socket, or file.
        address: String,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// The server has no connection left, for this user or at all.
    #[error(
        "{address} accepts no more connections: raise the limit, or look for who holds them (this exporter holds one)"
    )]
    TooManyConnections {
        /// Host and port, or socket.
        address: String,
        /// What the server says.
        #[source]
        source: sqlx::Error,
    },
    /// A database that is a file can't be opened.
    #[error(
        "cannot open the database {file}: it must exist and be readable for the exporter's user"
    )]
    OpenFile {
        /// The file.
        file: String,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// The connection was lost while in use.
    #[error("lost the connection to {address}")]
    Lost {
        /// Host and port, socket, or file.
        address: String,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// A certificate or key file can't be read.
    #[error("cannot read {option} {}: make the file readable for the exporter's user, or correct the URL", path.display())]
    TlsFile {
        /// The option of the URL that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS with {address} failed: {remedy}")]
    Tls {
        /// Host and port.
        address: String,
        /// What to look at.
        remedy: &'static str,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// The server refused the user.
    #[error(
        "{address} refuses the user `{user}`: check user and password (in the URL, what means something there is percent-encoded, such as %23 for a `#`), and that the user may log in from this host, with or without TLS"
    )]
    Auth {
        /// Host and port, or socket.
        address: String,
        /// The user we gave.
        user: String,
        /// What the server says.
        #[source]
        source: sqlx::Error,
    },
    /// The server wants to authenticate the user in a way that the driver does not know.
    #[error(
        "{address} authenticates the user `{user}` in a way that is not supported: give the exporter a user of its own with a password, such as {remedy}"
    )]
    AuthPlugin {
        /// Host and port, or socket.
        address: String,
        /// The user we gave.
        user: String,
        /// A statement that makes such a user.
        remedy: String,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// A grant is missing.
    #[error(
        "the user `{user}` may not read the heartbeats; as the database's administrator run: {grant}"
    )]
    Permission {
        /// The user we gave.
        user: String,
        /// The statements that are missing.
        grant: String,
        /// What the server says.
        #[source]
        source: sqlx::Error,
    },
    /// MySQL does not tell a database that is missing from one that the user may not enter.
    #[error(
        "the user `{user}` may not enter the database `{database}`, or there is none of this name: correct the database URL, or as the database's administrator run: {grant}"
    )]
    NoEntry {
        /// The user we gave.
        user: String,
        /// The name we gave.
        database: String,
        /// The statements that may be missing.
        grant: String,
        /// What the server says.
        #[source]
        source: sqlx::Error,
    },
    /// There is no such database.
    #[error("there is no database `{database}` on {address}: correct the name in the database URL")]
    MissingDatabase {
        /// Host and port, or socket.
        address: String,
        /// The name we gave.
        database: String,
        /// What the server says.
        #[source]
        source: sqlx::Error,
    },
    /// There is no such table.
    #[error(
        "database `{database}` has no table `{table}`: is it {project}'s, and has `{project}-manage db sync` been run?{grant}"
    )]
    MissingTable {
        /// Name of the database, or file.
        database: String,
        /// The table.
        table: &'static str,
        /// Whose table it should be.
        project: &'static str,
        /// Statements that may be missing, introduced, where the engine hides what is not granted.
        grant: String,
    },
    /// The table lacks columns without which nothing can be told, or they are not granted.
    #[error("table `{table}` has no column `{}` that the user `{user}` may read: it is not {project}'s, or this is missing: {grant}", columns.join("`, `"))]
    MissingColumns {
        /// The table.
        table: &'static str,
        /// What is missing.
        columns: Vec<&'static str>,
        /// The user we gave.
        user: String,
        /// Whose table it should be.
        project: &'static str,
        /// The statement that may be missing.
        grant: String,
    },
    /// Connecting took too long.
    #[error("{address} did not greet as such a database within {}: check the port and the network, and whether the server hangs", humantime::format_duration(*after))]
    ConnectTimeout {
        /// Host and port, socket, or file.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// The answer took too long.
    #[error("{address} did not answer within {}: check its load and its locks, or raise database.query-timeout", humantime::format_duration(*after))]
    QueryTimeout {
        /// Host and port, socket, or file.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// Another error of the server.
    #[error("{address} failed to answer")]
    Query {
        /// Host and port, socket, or file.
        address: String,
        /// What the server says.
        #[source]
        source: sqlx::Error,
    },
    /// What was answered is not the engine's protocol.
    #[error(
        "{address} does not speak as a database of this kind does: check host and port of the database URL, and what stands in between"
    )]
    Protocol {
        /// Host and port, socket, or file.
        address: String,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// The driver itself broke down over what was answered.
    #[error(
        "the driver broke down over what {address} answered: check host and port of the database URL, and what stands in between; if it is a database, please report this"
    )]
    Driver {
        /// Host and port, socket, or file.
        address: String,
    },
    /// The answer has no time of the database, or is of another shape than the statement.
    #[error(
        "the answer holds no time of the database: is there a proxy in between that rewrites statements?"
    )]
    Clock(#[source] sqlx::Error),
}

impl Error {
    /// Returns the class under which the failure is counted.
    #[must_use]
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
