//! SQLite: a file, opened read-only.

use sqlx::ConnectOptions;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};

use super::error::Error;
use super::product::Product;
use super::row::EngineRow;
use super::statement::{Answerer, Dialect, Readable, Schema};
use super::target::Target;
use crate::heartbeat::skew::Quantum;
use crate::project::table::ColumnKind;

/// The clock is this machine's, in milliseconds.
pub(super) static DIALECT: Dialect = Dialect {
    quote: '"',
    clock: "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    no: "0",
    joined: |first, second| format!("{first} || {second}"),
    typed: |value, kind| match kind {
        ColumnKind::Key => format!("CAST({value} AS TEXT)"),
        _ => value.to_owned(),
    },
};

impl EngineRow for SqliteRow {}

pub(super) async fn open(target: &Target) -> Result<(SqliteConnection, Schema), Error> {
    let mut connection = connect(target).await?;
    let pairs = sqlx::query_as::<_, (String, String)>(
        "SELECT m.name, lower(c.name) FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .map_err(|error| translate(target, error))?;
    let readable: Readable = pairs.into_iter().collect();
    if !readable.has_table(target.project.services.name) {
        return Err(target.missing_table());
    }
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| translate(target, error))?;
    let schema = Schema {
        product: Product::new("sqlite", &version),
        readable,
        // SQLAlchemy writes times as text with six decimals.
        quantum: Quantum::MICROSECOND,
        account: target.account(),
        grants: String::new(),
        answerer: Answerer::default(),
    };
    Ok((connection, schema))
}

/// Opens the file.
pub(super) async fn connect(target: &Target) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new()
        .filename(&target.url.database)
        .read_only(true)
        .busy_timeout(target.server_timeout())
        .disable_statement_logging();
    let connection = options.connect().await;
    connection.map_err(|error| Error::OpenFile(target.login(), error))
}

/// Translates an error of the library by its result code: <https://www.sqlite.org/rescode.html>.
pub(super) fn translate(target: &Target, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.as_deref() {
        // SQLITE_BUSY, SQLITE_LOCKED: another process writes.
        Some("5" | "6") => target.query_timed_out(),
        // SQLITE_CANTOPEN, SQLITE_NOTADB.
        Some("14" | "26") => Error::OpenFile(target.login(), error),
        _ => target.driver_error(error),
    }
}
