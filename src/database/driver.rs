//! A connection of one of the engines' drivers, without knowledge of any table.

use std::time::Duration;

use sqlx::{Connection as _, MySqlConnection, PgConnection, SqliteConnection};
use tokio::time::timeout;

/// The connection of a driver.
#[derive(Debug)]
pub(super) enum Driver {
    MySql(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Driver {
    /// Closes the connection, so that the server logs no aborted client. Waits at most one second.
    pub(super) async fn close(self) {
        let close = async {
            match self {
                Self::MySql(connection) => connection.close().await,
                Self::Postgres(connection) => connection.close().await,
                Self::Sqlite(connection) => connection.close().await,
            }
        };
        // A failure has no consequence: the socket is closed in any case.
        let _ = timeout(Duration::from_secs(1), close).await;
    }
}
