//! PostgreSQL: connect options, session settings, and what its SQLSTATEs mean.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode, PgValueFormat};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row, ValueRef};
use std::sync::Arc;

use super::layout::{Dialect, Kind, Readable};
use super::row::{self, TimeColumn};
use super::{Error, Target, pem};
use crate::config::tls::TlsMode;
use crate::heartbeat::service::Reading;

/// Every value has a type, so that the branches of the UNION agree whichever comes first.
static DIALECT: Dialect = Dialect {
    quote: '"',
    clock: "statement_timestamp() AT TIME ZONE 'UTC'",
    no: "false",
    typed: |value, kind| {
        let kind = match kind {
            Kind::Integer => "bigint",
            Kind::Text => "text",
            Kind::Boolean => "boolean",
            Kind::Time => "timestamp",
        };
        format!("({value})::{kind}")
    },
};

#[derive(Debug)]
pub(super) struct Connection {
    connection: PgConnection,
    statement: Arc<str>,
}

impl TimeColumn for PgRow {
    /// Reads the microseconds since 2000 itself: the driver's own decoding panics on `infinity`.
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error> {
        let value = self.try_get_raw(column)?;
        if value.is_null() {
            return Ok(None);
        }
        if value.format() == PgValueFormat::Text {
            return self.try_get(column);
        }
        let time = value
            .as_bytes()
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(i64::from_be_bytes)
            .and_then(|micros| {
                NaiveDate::from_ymd_opt(2000, 1, 1)?
                    .and_hms_opt(0, 0, 0)?
                    .checked_add_signed(TimeDelta::microseconds(micros))
            });
        time.map(Some)
            .ok_or_else(|| sqlx::Error::Decode("a timestamp out of range".into()))
    }
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self, Error> {
        let mut connection = options(target)
            .await?
            .connect()
            .await
            .map_err(|error| connecting(target, error))?;
        limit_statements(target, &mut connection).await;
        let columns = columns(target, &mut connection).await?;
        if columns.is_empty() {
            return Err(target.missing_table());
        }
        let granted = columns
            .into_iter()
            .filter(|(_, _, readable)| *readable)
            .map(|(table, column, _)| (table, column));
        let readable: Readable = granted.collect();
        if !readable.has_table(target.layout.services.name) {
            return Err(unreadable(target, &mut connection).await);
        }
        let statement = target
            .layout
            .statement(&DIALECT, &readable)
            .map_err(|missing| target.missing_columns(missing, &target.account()))?
            .into();
        Ok(Self {
            connection,
            statement,
        })
    }

    pub(super) async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let query = sqlx::query(AssertSqlSafe(self.statement.clone()));
        let rows = query.fetch(&mut self.connection);
        row::collect(rows, |error| translate(target, error)).await
    }

    pub(super) async fn close(self) {
        // The server notices at the latest when the socket closes.
        let _ = self.connection.close().await;
    }
}

/// Sets every option that the driver would otherwise take from `PGHOST`, `PGSSLMODE` and their like. A user or a
/// password that the URL lacks come from `PGUSER` or the system's user, and `PGPASSWORD`, as in libpq.
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

/// Asks the server to end statements that take too long; a proxy may not pass it on, and our own timeout holds
/// in any case.
async fn limit_statements(target: &Target, connection: &mut PgConnection) {
    let limit = target.server_timeout().as_millis();
    let statement = format!("SET statement_timeout = {limit}");
    let _ = sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await;
}

/// Returns table, column, and whether we may read it.
async fn columns(
    target: &Target,
    connection: &mut PgConnection,
) -> Result<Vec<(String, String, bool)>, Error> {
    let clusters = target.layout.clusters.as_ref().map(|table| table.name);
    sqlx::query_as(
        "SELECT c.relname::text, a.attname::text, has_column_privilege(c.oid, a.attnum, 'SELECT') \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.oid IN (to_regclass($1), to_regclass($2)) AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .bind(target.layout.services.name)
    .bind(clusters)
    .fetch_all(connection)
    .await
    .map_err(|error| translate(target, error))
}

/// Returns the server's own refusal to read the table.
async fn unreadable(target: &Target, connection: &mut PgConnection) -> Error {
    let probe = format!("SELECT 1 FROM {} LIMIT 0", target.layout.services.name);
    match sqlx::query(AssertSqlSafe(probe)).execute(connection).await {
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
        // Starting up, shutting down, crashed.
        "57P01" | "57P02" | "57P03" | "08006" | "08003" => Error::Connect {
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
