//! PostgreSQL: connect options, session settings, and what its SQLSTATEs mean.

use std::sync::Arc;

use chrono::NaiveDateTime;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row};

use super::quantum::{self, Rounding};
use super::row::{self, TimeColumn};
use super::statement::{Dialect, Readable};
use super::{Error, Target, pem};
use crate::config::tls::TlsMode;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Quantum;
use crate::project::layout::ColumnKind;

/// Every value has a type, so that the branches of the UNION agree whichever comes first.
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
pub(super) struct Connection {
    session: PgConnection,
    statement: Arc<str>,
    quantum: Quantum,
    memory: row::Memory,
    pub(super) left_out: Vec<&'static str>,
}

impl TimeColumn for PgRow {
    /// What is no time of a calendar, such as `infinity` or a year BC, is an error.
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error> {
        self.try_get(column)
    }
}

impl Connection {
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
        // -1 stands for the largest precision.
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
            session: connection,
            statement: in_transaction(target, &statement).into(),
            quantum: quantum::of_column(precision.unwrap_or(6), Rounding::Nearest),
            memory: row::Memory::default(),
            left_out: target.layout.left_out(&readable),
        })
    }

    pub(super) async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(self.statement.clone()));
        let rows = query.fetch(&mut self.session);
        row::collect(rows, self.quantum, &mut self.memory, |error| {
            translate(target, error)
        })
        .await
    }

    pub(super) async fn close(self) {
        // The server notices at the latest when the socket closes.
        let _ = self.session.close().await;
    }
}

/// Wraps a statement in a transaction that limits it, all in one message.
///
/// PgBouncer may hand the server's session to another client after each transaction: nothing may be left there,
/// neither a setting nor a prepared statement.
fn in_transaction(target: &Target, statement: &str) -> String {
    let limit = target.server_timeout().as_millis();
    format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}; {statement}; COMMIT")
}

/// Sets every option that the URL can have. What it lacks comes from `PGUSER` or the system's user, `PGPASSWORD`,
/// `PGOPTIONS`, `PGSSLROOTCERT`, `PGSSLCERT` and `PGSSLKEY`, as in libpq and so in Cinder itself.
async fn options(target: &Target) -> Result<PgConnectOptions, Error> {
    let url = &target.url;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(target.host())
        .port(target.port())
        .database(&url.database)
        .application_name(env!("CARGO_PKG_NAME"))
        // PgBouncer refuses parameters that it does not know.
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

/// A column that exists.
struct Column {
    table: String,
    name: String,
    /// Whether we may read it.
    readable: bool,
    /// The type's modifier: for a time its precision, -1 where none is given.
    modifier: i32,
}

/// Returns the columns of both tables, as far as the schema can be seen.
async fn columns(target: &Target, connection: &mut PgConnection) -> Result<Vec<Column>, Error> {
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
        Ok(Column {
            table: row.try_get(0)?,
            name: row.try_get(1)?,
            readable: row.try_get(2)?,
            modifier: row.try_get(3)?,
        })
    };
    let columns: Result<Vec<Column>, sqlx::Error> = rows.iter().map(column).collect();
    columns.map_err(|error| translate(target, error))
}

/// Returns the server's own refusal to read the table.
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

fn connecting(target: &Target, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Io(ref io) if io.kind() != std::io::ErrorKind::InvalidData => Error::Connect {
            address: target.address(),
            source: error,
        },
        // What the driver says of a method such as GSSAPI or of channel binding.
        sqlx::Error::Protocol(ref message) if message.contains("authentication") => {
            Error::AuthPlugin {
                address: target.address(),
                user: target.user().to_owned(),
                remedy: format!(
                    "CREATE ROLE {} LOGIN PASSWORD '…' and the method scram-sha-256 in pg_hba.conf",
                    target.account()
                ),
                source: error,
            }
        }
        error => translate(target, error),
    }
}

/// SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn translate(target: &Target, error: sqlx::Error) -> Error {
    let state = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .map(std::borrow::Cow::into_owned)
        .unwrap_or_default();
    let address = target.address();
    match state.as_str() {
        "53300" => Error::TooManyConnections {
            address,
            source: error,
        },
        // Starting up, shutting down, crashed, idle for too long; what PgBouncer says of a server it can't reach.
        "57P01" | "57P02" | "57P03" | "57P05" | "08006" | "08003" | "08P01" => Error::Connect {
            address,
            source: error,
        },
        "28000" | "28P01" => Error::Auth {
            address,
            user: target.user().to_owned(),
            source: error,
        },
        "42501" => Error::Permission {
            user: target.user().to_owned(),
            grant: target.grants(&target.account()),
            source: error,
        },
        "3D000" => Error::MissingDatabase {
            address,
            database: target.url.database.clone(),
            source: error,
        },
        "42P01" => target.missing_table(),
        // Cancelled by statement_timeout, lock_timeout.
        "57014" | "55P03" => Error::QueryTimeout {
            address,
            after: target.query_timeout,
        },
        _ => target.translate(error),
    }
}
