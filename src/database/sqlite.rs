//! SQLite: a file, opened read-only.

use std::sync::Arc;

use chrono::NaiveDateTime;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row};

use super::driver_error;
use super::error::Error;
use super::facts_cache::FactsCache;
use super::row::{self, TimeColumn};
use super::statement::{Dialect, Readable};
use super::target::Target;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Quantum;

/// The clock is this machine's, in milliseconds.
static DIALECT: Dialect = Dialect {
    quote: '"',
    clock: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    no: "0",
    typed: |value, _| value.to_owned(),
};

#[derive(Debug)]
pub(super) struct SqliteSession {
    connection: SqliteConnection,
    statement: Arc<str>,
    quantum: Quantum,
    cache: FactsCache,
    pub(super) left_out: Vec<&'static str>,
}

impl TimeColumn for SqliteRow {
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error> {
        self.try_get(column)
    }
}

impl SqliteSession {
    pub(super) async fn open(target: &Target) -> Result<Self, Error> {
        let mut connection = SqliteConnectOptions::new()
            .filename(&target.url.database)
            .read_only(true)
            .busy_timeout(target.server_timeout())
            .disable_statement_logging()
            .connect()
            .await
            .map_err(|error| connecting(target, error))?;
        let pairs = sqlx::query_as::<_, (String, String)>(
            "SELECT m.name, lower(c.name) FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name IN (?, ?)",
        )
        .bind(target.layout.services.name)
        .bind(target.layout.clusters.as_ref().map(|table| table.name))
        .fetch_all(&mut connection)
        .await
        .map_err(|error| translate(target, error))?;
        let readable: Readable = pairs.into_iter().collect();
        if !readable.has_table(target.layout.services.name) {
            return Err(target.missing_table());
        }
        let statement = target
            .layout
            .statement(&DIALECT, &readable)
            .map_err(|missing| target.missing_columns(missing, &target.account()))?
            .into();
        Ok(Self {
            connection,
            statement,
            // SQLAlchemy writes times as text with six decimals.
            quantum: Quantum::MICROSECOND,
            cache: FactsCache::default(),
            left_out: target.layout.left_out(&readable),
        })
    }

    pub(super) async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let query = sqlx::query(AssertSqlSafe(self.statement.clone()));
        let rows = query.fetch(&mut self.connection);
        row::collect(rows, self.quantum, &mut self.cache, |error| {
            translate(target, error)
        })
        .await
    }

    pub(super) async fn close(self) {
        // A failure is harmless: the connection only reads.
        let _ = self.connection.close().await;
    }
}

fn connecting(target: &Target, source: sqlx::Error) -> Error {
    Error::OpenFile {
        file: target.address(),
        source,
    }
}

/// Result codes: <https://www.sqlite.org/rescode.html>.
fn translate(target: &Target, error: sqlx::Error) -> Error {
    match code(&error).as_deref() {
        // SQLITE_BUSY, SQLITE_LOCKED: another process writes.
        Some("5" | "6") => Error::QueryTimeout {
            address: target.address(),
            after: target.query_timeout,
        },
        // SQLITE_CANTOPEN, SQLITE_NOTADB.
        Some("14" | "26") => connecting(target, error),
        _ => driver_error::translate(target, error),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
