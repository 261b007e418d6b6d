//! The databases of a server, and the columns of their tables of services.
//!
//! MySQL and MariaDB show what is granted, and nothing else. PostgreSQL shows the names of all databases and, in each, of
//! all columns; the user must be allowed to connect.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, FromRow};

use super::dial::{self, Open};
use super::driver::Driver;
use super::error::Error;
use super::target::Target;
use super::tls::Route;
use super::{mysql, postgres, sqlite};
use crate::config::database_url::Engine;
use crate::project::signature::{self, SeenColumn};

/// A database, and the columns of its tables of services, or why they are unknown.
pub(crate) type Entry = (String, Result<Vec<SeenColumn>, Error>);

/// A row about a column: database, table, column and type, and whether the user may read it.
type Row = (String, String, String, String, bool);

impl Open for Driver {
    async fn open(target: &Target, route: &Route) -> Result<Self, Error> {
        Ok(match target.url.engine {
            Engine::MySql => Self::MySql(mysql::connect(target, route).await?),
            Engine::Postgres => Self::Postgres(postgres::connect(target, route).await?),
            Engine::Sqlite => Self::Sqlite(sqlite::connect(target).await?),
        })
    }
}

/// Reads the columns of one database: that of the target.
///
/// # Errors
/// Any class.
pub(crate) async fn columns(target: &Target) -> Result<Vec<SeenColumn>, Error> {
    let (mut client, _) = dial::open::<Driver>(target).await?;
    let rows = client.fetch(target, &current(target.url.engine)).await?;
    client.close().await;
    Ok(grouped(rows).into_values().next().unwrap_or_default())
}

/// Reads the names of all databases of the target's server, with the columns of each where the server shows them at once:
/// PostgreSQL does not.
///
/// # Errors
/// Any class.
pub(crate) async fn all(
    target: &Target,
) -> Result<BTreeMap<String, Option<Vec<SeenColumn>>>, Error> {
    let (mut client, _) = dial::open::<Driver>(target).await?;
    let is_shown = target.url.engine == Engine::MySql;
    let names: Vec<(String,)> = client.fetch(target, list(target.url.engine)).await?;
    let mut known = BTreeMap::new();
    if is_shown {
        known = grouped(client.fetch(target, &everywhere()).await?);
    }
    client.close().await;
    let names = names.into_iter().map(|(name,)| name);
    let with_columns = names.map(|name| {
        let columns = is_shown.then(|| known.remove(&name).unwrap_or_default());
        (name, columns)
    });
    Ok(with_columns.collect())
}

/// Returns the statement that lists the databases of the server's users. SQLite has one.
fn list(engine: Engine) -> &'static str {
    match engine {
        Engine::MySql => {
            "SELECT CAST(SCHEMA_NAME AS CHAR) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN \
             ('information_schema', 'mysql', 'performance_schema', 'sys')"
        }
        Engine::Postgres => {
            "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate AND \
             has_database_privilege(oid, 'CONNECT')"
        }
        Engine::Sqlite => "SELECT name FROM pragma_database_list",
    }
}

impl Driver {
    async fn fetch<T>(&mut self, target: &Target, statement: &str) -> Result<Vec<T>, Error>
    where
        T: for<'r> FromRow<'r, sqlx::mysql::MySqlRow>
            + for<'r> FromRow<'r, sqlx::postgres::PgRow>
            + for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>
            + Send
            + Unpin,
    {
        let work = async {
            match self {
                Self::MySql(connection) => sqlx::query_as(AssertSqlSafe(statement))
                    .fetch_all(connection)
                    .await
                    .map_err(|error| mysql::translate(target, error, &target.account())),
                Self::Postgres(connection) => {
                    let statement = postgres::in_transaction(target, statement);
                    let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(connection);
                    let rows = rows
                        .await
                        .and_then(|rows| rows.iter().map(T::from_row).collect());
                    let grants = target.grants(&target.account());
                    rows.map_err(|error| postgres::translate(target, error, &grants))
                }
                Self::Sqlite(connection) => sqlx::query_as(AssertSqlSafe(statement))
                    .fetch_all(connection)
                    .await
                    .map_err(|error| sqlite::translate(target, error)),
            }
        };
        dial::query(target, work).await
    }
}

/// Returns the names of the tables of services as a list in SQL.
fn tables() -> String {
    let names = signature::tables().into_iter();
    let quoted: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

/// Returns the statement that reads the columns of the current database.
fn current(engine: Engine) -> String {
    match engine {
        Engine::MySql => everywhere() + " AND TABLE_SCHEMA = DATABASE()",
        Engine::Postgres => format!(
            "SELECT current_database()::text, c.relname::text, a.attname::text, format_type(a.atttypid, NULL), \
             has_column_privilege(c.oid, a.attnum, 'SELECT') \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             WHERE c.relname IN ({}) AND pg_table_is_visible(c.oid) AND a.attnum > 0 AND NOT a.attisdropped",
            tables()
        ),
        Engine::Sqlite => format!(
            "SELECT '', m.name, lower(c.name), lower(c.type), 1 FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name IN ({})",
            tables()
        ),
    }
}

/// Returns the statement that reads the columns of all databases of MySQL or MariaDB.
fn everywhere() -> String {
    format!(
        "SELECT CAST(TABLE_SCHEMA AS CHAR), CAST(TABLE_NAME AS CHAR), LOWER(CAST(COLUMN_NAME AS CHAR)), \
         LOWER(CAST(COLUMN_TYPE AS CHAR)), TRUE FROM information_schema.COLUMNS WHERE TABLE_NAME IN ({})",
        tables()
    )
}

/// Groups columns by their database.
fn grouped(rows: Vec<Row>) -> BTreeMap<String, Vec<SeenColumn>> {
    let mut databases = BTreeMap::<String, Vec<SeenColumn>>::new();
    for (database, table, name, kind, is_readable) in rows {
        databases.entry(database).or_default().push(SeenColumn {
            table,
            name,
            kind,
            is_readable,
        });
    }
    databases
}
