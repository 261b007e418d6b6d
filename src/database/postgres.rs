//! PostgreSQL: connect options, session settings, and the columns that can be read.

mod sqlstate;

use std::sync::Arc;

use chrono::NaiveDateTime;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row};

use super::error::Error;
use super::facts_cache::FactsCache;
use super::quantum::{self, Rounding};
use super::row::{self, TimeColumn};
use super::statement::{Dialect, Readable};
use super::target::Target;
use super::tls::pem;
use crate::config::tls::TlsMode;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Quantum;
use crate::project::layout::ColumnKind;
use sqlstate::{connecting, translate};

/// Every value is cast, so that the types of the UNION do not depend on the order of its branches.
static DIALECT: Dialect = Dialect {
    quote: '"',
    clock: "statement_timestamp() AT TIME ZONE 'UTC'",
    no: "false",
    typed: |value, kind| {
        let kind = match kind {
            ColumnKind::Integer => "bigint",
            ColumnKind::Text => "text",
            ColumnKind::Boolean => "boolean",
            ColumnKind::Time => "timestamp",
        };
        format!("({value})::{kind}")
    },
};

#[derive(Debug)]
pub(super) struct PostgresSession {
    connection: PgConnection,
    statement: Arc<str>,
    quantum: Quantum,
    cache: FactsCache,
    pub(super) left_out: Vec<&'static str>,
}

impl TimeColumn for PgRow {
    /// `infinity` and years BC are errors.
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error> {
        self.try_get(column)
    }
}

impl PostgresSession {
    pub(super) async fn open(target: &Target) -> Result<Self, Error> {
        let mut connection = options(target)
            .await?
            .connect()
            .await
            .map_err(|error| connecting(target, error))?;
        let columns = columns(target, &mut connection).await?;
        if columns.is_empty() {
            return Err(target.missing_table());
        }
        let updated_at = columns.iter().find(|column| {
            column.table == target.layout.services.name && column.name == "updated_at"
        });
        // -1 means the largest precision.
        let precision = updated_at.and_then(|column| u32::try_from(column.modifier).ok());
        let readable: Readable = columns
            .into_iter()
            .filter(|column| column.readable)
            .map(|column| (column.table, column.name))
            .collect();
        if !readable.has_table(target.layout.services.name) {
            return Err(unreadable(target, &mut connection).await);
        }
        let statement = target
            .layout
            .statement(&DIALECT, &readable)
            .map_err(|missing| target.missing_columns(missing, &target.account()))?;
        Ok(Self {
            connection,
            statement: in_transaction(target, &statement).into(),
            quantum: quantum::of_column(precision.unwrap_or(6), Rounding::Nearest),
            cache: FactsCache::default(),
            left_out: target.layout.left_out(&readable),
        })
    }

    pub(super) async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(self.statement.clone()));
        let rows = query.fetch(&mut self.connection);
        row::collect(rows, self.quantum, &mut self.cache, |error| {
            translate(target, error)
        })
        .await
    }

    pub(super) async fn close(self) {
        // After a failure the server notices when the socket closes.
        let _ = self.connection.close().await;
    }
}

/// Wraps a statement in a transaction with a time limit, all in one message.
///
/// PgBouncer may give the server's session to another client after each transaction, so no setting and no prepared
/// statement may remain in it.
fn in_transaction(target: &Target, statement: &str) -> String {
    let limit = target.server_timeout().as_millis();
    format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}; {statement}; COMMIT")
}

/// Sets every option that the URL can contain. Defaults come from `PGUSER` or the system's user, `PGPASSWORD`,
/// `PGOPTIONS`, `PGSSLROOTCERT`, `PGSSLCERT` and `PGSSLKEY`, as in libpq and therefore in Cinder.
async fn options(target: &Target) -> Result<PgConnectOptions, Error> {
    let url = &target.url;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(target.host())
        .port(target.port())
        .database(&url.database)
        .application_name(env!("CARGO_PKG_NAME"))
        // PgBouncer rejects unknown parameters.
        .extra_float_digits(None)
        .ssl_mode(match url.tls.mode {
            TlsMode::Disabled => PgSslMode::Disable,
            TlsMode::Preferred => PgSslMode::Prefer,
            TlsMode::Required => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        })
        .disable_statement_logging();
    if let Some(user) = &url.user {
        options = options.username(user);
    }
    if let Some(password) = &url.password {
        options = options.password(password.expose_secret());
    }
    if let Some(folder) = &url.socket {
        options = options.socket(folder);
    }
    if let Some(ca) = &url.tls.ca {
        options = options.ssl_root_cert_from_pem(pem("sslrootcert", ca).await?);
    }
    if let Some(cert) = &url.tls.cert {
        options = options.ssl_client_cert_from_pem(pem("sslcert", cert).await?);
    }
    if let Some(key) = &url.tls.key {
        options = options.ssl_client_key_from_pem(pem("sslkey", key).await?);
    }
    Ok(options)
}

/// A column in the schema.
struct SchemaColumn {
    table: String,
    name: String,
    /// Whether the user may read it.
    readable: bool,
    /// The type modifier: for a time its precision, or -1 if none is given.
    modifier: i32,
}

/// Returns the columns of both tables. A table is absent if it does not exist, or without USAGE on its schema.
async fn columns(
    target: &Target,
    connection: &mut PgConnection,
) -> Result<Vec<SchemaColumn>, Error> {
    let clusters = target
        .layout
        .clusters
        .as_ref()
        .map_or("", |table| table.name);
    let statement = format!(
        "SELECT c.relname::text, a.attname::text, has_column_privilege(c.oid, a.attnum, 'SELECT'), a.atttypmod \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.oid IN (to_regclass('{}'), to_regclass('{clusters}')) AND a.attnum > 0 AND NOT a.attisdropped",
        target.layout.services.name
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(in_transaction(target, &statement)))
        .fetch_all(connection)
        .await
        .map_err(|error| translate(target, error))?;
    let column = |row: &PgRow| {
        Ok(SchemaColumn {
            table: row.try_get(0)?,
            name: row.try_get(1)?,
            readable: row.try_get(2)?,
            modifier: row.try_get(3)?,
        })
    };
    let columns: Result<Vec<SchemaColumn>, sqlx::Error> = rows.iter().map(column).collect();
    columns.map_err(|error| translate(target, error))
}

/// Returns the server's own error for a table without readable columns.
async fn unreadable(target: &Target, connection: &mut PgConnection) -> Error {
    let probe = format!("SELECT 1 FROM {} LIMIT 0", target.layout.services.name);
    match sqlx::raw_sql(AssertSqlSafe(probe))
        .execute(connection)
        .await
    {
        Err(error) => translate(target, error),
        Ok(_) => target.missing_columns(
            target.layout.services.column_names().collect(),
            &target.account(),
        ),
    }
}
