//! One connection to a database, of any engine, with its time limits.
//!
//! One statement is in flight at a time. Drop a connection whose statement failed or timed out: the driver may have
//! stopped in the middle of an answer.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::error::Error;
use super::target::Target;
use super::{mysql, postgres, sqlite};
use crate::config::database_url::Engine;
use crate::heartbeat::service::Reading;

/// One connection to a database, with the statement that fits its columns.
#[derive(Debug)]
pub struct Connection(Session);

#[derive(Debug)]
enum Session {
    MySql(mysql::MySqlSession),
    Postgres(postgres::PostgresSession),
    Sqlite(sqlite::SqliteSession),
}

impl Connection {
    /// Connects, logs in, and reads which columns exist and are granted.
    ///
    /// # Errors
    /// Any class.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        let open = async {
            Ok(Self(match target.url.engine {
                Engine::MySql => Session::MySql(mysql::MySqlSession::open(target).await?),
                Engine::Postgres => {
                    Session::Postgres(postgres::PostgresSession::open(target).await?)
                }
                Engine::Sqlite => Session::Sqlite(sqlite::SqliteSession::open(target).await?),
            }))
        };
        tokio::time::timeout(target.connect_timeout, catch_panic(target, open))
            .await
            .unwrap_or_else(|_| {
                Err(Error::ConnectTimeout {
                    address: target.address(),
                    after: target.connect_timeout,
                })
            })
    }

    /// Returns the columns and tables that are not read, and the grants that may be missing; `None` if all are read.
    ///
    /// They are not granted, or an old release lacks them.
    pub(crate) fn left_out(&self, target: &Target) -> Option<(String, String)> {
        let names = match &self.0 {
            Session::MySql(session) => &session.left_out,
            Session::Postgres(session) => &session.left_out,
            Session::Sqlite(session) => &session.left_out,
        };
        (!names.is_empty()).then(|| (names.join(", "), target.grants(&target.account())))
    }

    /// Reads all services, all clusters and the database's clock in one statement.
    ///
    /// # Errors
    /// Any class. Drop the connection after an error.
    pub async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let read = async {
            match &mut self.0 {
                Session::MySql(session) => session.read(target).await,
                Session::Postgres(session) => session.read(target).await,
                Session::Sqlite(session) => session.read(target).await,
            }
        };
        tokio::time::timeout(target.query_timeout, catch_panic(target, read))
            .await
            .unwrap_or_else(|_| {
                Err(Error::QueryTimeout {
                    address: target.address(),
                    after: target.query_timeout,
                })
            })
    }

    /// Closes the connection, so that the server logs no aborted client. Waits at most one second.
    pub(crate) async fn close(self) {
        let close = async {
            match self.0 {
                Session::MySql(session) => session.close().await,
                Session::Postgres(session) => session.close().await,
                Session::Sqlite(session) => session.close().await,
            }
        };
        // A failure has no consequence: the socket is closed in any case.
        let _ = tokio::time::timeout(Duration::from_secs(1), close).await;
    }
}

/// Turns a panic of the driver, which some garbled answers cause, into an error of this poll.
async fn catch_panic<T>(
    target: &Target,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    // A panic leaves the connection in an unknown state, but nothing uses it again.
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(Error::Driver {
                address: target.address(),
            })
        })
}
