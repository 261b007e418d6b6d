//! The rim towards the database: connecting, the one statement of a poll, and what each failure means.
//!
//! One connection, one statement in flight. A connection whose statement failed or timed out must be dropped:
//! the driver may still be in the middle of an answer.

pub(crate) mod error;
pub mod grant;
mod mysql;
mod postgres;
mod quantum;
mod row;
mod sqlite;
pub(crate) mod statement;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt as _;

pub(crate) use error::Error;

use crate::error::chain;
use crate::project::cinder;
use crate::project::layout::Layout;

use crate::config::database_url::{DatabaseUrl, Engine};
use crate::config::settings::Settings;
use crate::config::tls::TlsMode;
use crate::heartbeat::service::Reading;

/// Where the heartbeats are, and how long to wait for them.
#[derive(Debug, PartialEq)]
pub struct Target {
    /// Address, credentials and TLS.
    pub url: DatabaseUrl,
    /// The tables to read.
    pub layout: &'static Layout,
    /// Limit on connecting, logging in and looking at the columns.
    pub connect_timeout: Duration,
    /// Limit on one statement, its whole answer included.
    pub query_timeout: Duration,
}

impl Target {
    /// Returns the target that the settings name, with Cinder's tables.
    #[must_use]
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            url: settings.url.clone(),
            layout: &cinder::LAYOUT,
            connect_timeout: settings.connect_timeout,
            query_timeout: settings.query_timeout,
        }
    }

    /// Returns host and port, socket, or file: for messages and logs.
    #[must_use]
    pub(crate) fn address(&self) -> String {
        let url = &self.url;
        if url.engine == Engine::Sqlite {
            return url.database.clone();
        }
        if let Some(socket) = &url.socket {
            return socket.display().to_string();
        }
        let host = self.host();
        let port = self.port();
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    fn host(&self) -> &str {
        self.url.host.as_deref().unwrap_or("localhost")
    }

    fn port(&self) -> u16 {
        self.url.port.unwrap_or(match self.url.engine {
            Engine::Postgres => 5432,
            Engine::MySql | Engine::Sqlite => 3306,
        })
    }

    fn user(&self) -> &str {
        self.url.user.as_deref().unwrap_or_default()
    }

    /// The account as a grant names it; the part of MySQL's that only the server knows is a wildcard.
    fn account(&self) -> String {
        match self.url.engine {
            Engine::MySql => grant::mysql_account(self.user(), "%"),
            Engine::Postgres | Engine::Sqlite => grant::postgres_role(self.user()),
        }
    }

    fn grants(&self, account: &str) -> String {
        grant::statements(self.url.engine, self.layout, &self.url.database, account)
            .unwrap_or_default()
            .join(" ")
    }

    /// How long the server itself may work on a statement. A little less than we wait, so that a statement that
    /// takes too long ends there too, and none is left behind when we connect anew.
    fn server_timeout(&self) -> Duration {
        self.query_timeout * 9 / 10
    }

    fn missing_columns(&self, columns: Vec<&'static str>, account: &str) -> Error {
        Error::MissingColumns {
            table: self.layout.services.name,
            columns,
            user: self.user().to_owned(),
            project: self.layout.project,
            grant: self.grants(account),
        }
    }

    fn missing_table(&self) -> Error {
        // PostgreSQL hides the tables of a schema that one may not use; MySQL has other words for that.
        let grant = match self.url.engine {
            Engine::Postgres => format!(" Or is a grant missing: {}", self.grants(&self.account())),
            Engine::MySql | Engine::Sqlite => String::new(),
        };
        Error::MissingTable {
            grant,
            database: self.url.database.clone(),
            table: self.layout.services.name,
            project: self.layout.project,
        }
    }

    fn tls_remedy(&self, error: &sqlx::Error) -> &'static str {
        if chain(error).contains("not support TLS") {
            return "the server offers none, and the database URL asks for it; switch it on there";
        }
        match self.url.tls.mode {
            TlsMode::VerifyFull => {
                "the certificate must be valid for this host name and signed by ssl_ca (sslrootcert), or by an \
                 authority of the system"
            }
            TlsMode::VerifyCa => {
                "the certificate must be signed by ssl_ca (sslrootcert), or by an authority of the system"
            }
            TlsMode::Disabled | TlsMode::Preferred | TlsMode::Required => {
                "the server must speak TLS 1.2 or 1.3; ssl-mode=DISABLED (sslmode=disable) in the database URL goes \
                 without"
            }
        }
    }

    /// Errors that mean the same in every engine, once those that the engine numbers have been told apart.
    fn translate(&self, error: sqlx::Error) -> Error {
        let address = self.address();
        match error {
            sqlx::Error::Tls(_) => Error::Tls {
                address,
                remedy: self.tls_remedy(&error),
                source: error,
            },
            // A handshake that fails comes as an I/O error that wraps rustls's own.
            sqlx::Error::Io(ref io) if io.kind() == std::io::ErrorKind::InvalidData => Error::Tls {
                address,
                remedy: self.tls_remedy(&error),
                source: error,
            },
            // rustls has a manual's worth to say about a server that is gone.
            sqlx::Error::Io(ref io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
                Error::Lost {
                    address,
                    source: sqlx::Error::Io(std::io::Error::new(io.kind(), "the server closed it")),
                }
            }
            sqlx::Error::Io(_) => Error::Lost {
                address,
                source: error,
            },
            sqlx::Error::Protocol(_) => Error::Protocol {
                address,
                source: error,
            },
            _ => Error::Query {
                address,
                source: error,
            },
        }
    }
}

/// One connection to a database, with the statement that fits its columns.
#[derive(Debug)]
pub struct Connection(Driver);

#[derive(Debug)]
enum Driver {
    MySql(mysql::Connection),
    Postgres(postgres::Connection),
    Sqlite(sqlite::Connection),
}

impl Connection {
    /// Connects, logs in, and finds out which columns there are.
    ///
    /// # Errors
    /// Any class.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        let open = async {
            Ok(Self(match target.url.engine {
                Engine::MySql => Driver::MySql(mysql::Connection::open(target).await?),
                Engine::Postgres => Driver::Postgres(postgres::Connection::open(target).await?),
                Engine::Sqlite => Driver::Sqlite(sqlite::Connection::open(target).await?),
            }))
        };
        tokio::time::timeout(target.connect_timeout, unbroken(target, open))
            .await
            .unwrap_or_else(|_| {
                Err(Error::ConnectTimeout {
                    address: target.address(),
                    after: target.connect_timeout,
                })
            })
    }

    /// Returns what the connection does not read, with the statements that let it, if anything is missing.
    ///
    /// An old release lacks some columns and the table of clusters; else it is a grant that is missing.
    #[must_use]
    pub(crate) fn left_out(&self, target: &Target) -> Option<(String, String)> {
        let names = match &self.0 {
            Driver::MySql(connection) => &connection.left_out,
            Driver::Postgres(connection) => &connection.left_out,
            Driver::Sqlite(connection) => &connection.left_out,
        };
        (!names.is_empty()).then(|| (names.join(", "), target.grants(&target.account())))
    }

    /// Reads all services, clusters and the database's clock in one statement.
    ///
    /// # Errors
    /// Any class. The connection must not be used again.
    pub async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let read = async {
            match &mut self.0 {
                Driver::MySql(connection) => connection.read(target).await,
                Driver::Postgres(connection) => connection.read(target).await,
                Driver::Sqlite(connection) => connection.read(target).await,
            }
        };
        tokio::time::timeout(target.query_timeout, unbroken(target, read))
            .await
            .unwrap_or_else(|_| {
                Err(Error::QueryTimeout {
                    address: target.address(),
                    after: target.query_timeout,
                })
            })
    }

    /// Says goodbye to the server, so that it does not log a client that vanished. Waits a second at most.
    pub(crate) async fn close(self) {
        let close = async {
            match self.0 {
                Driver::MySql(connection) => connection.close().await,
                Driver::Postgres(connection) => connection.close().await,
                Driver::Sqlite(connection) => connection.close().await,
            }
        };
        // Whether the server heard it makes no difference to us.
        let _ = tokio::time::timeout(Duration::from_secs(1), close).await;
    }
}

/// Turns a panic of the driver, which some garbled answers cause, into an error of this poll.
async fn unbroken<T>(
    target: &Target,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    // What the panic leaves behind is a connection in an unknown state, which no one uses again.
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(Error::Driver {
                address: target.address(),
            })
        })
}

/// Reads a certificate or key file anew at each connection, so that a renewed one is used.
async fn pem(option: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    tokio::fs::read(path)
        .await
        .map_err(|source| Error::TlsFile {
            option,
            path: path.to_owned(),
            source,
        })
}
