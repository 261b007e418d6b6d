//! MySQL and MariaDB: connect options, session settings, and what their error numbers mean.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDateTime;
use secrecy::ExposeSecret;
use sqlx::mysql::{
    MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow, MySqlSslMode,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Decode, MySql, Row, ValueRef as _};

use super::row::{self, TimeColumn};
use super::statement::{Dialect, Readable};
use super::{Error, Target, grant, pem, quantum};
use crate::config::tls::TlsMode;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Quantum;
use crate::project::layout::ColumnKind;

/// `UTC_TIMESTAMP`, never `NOW()`: that depends on the session's time zone.
static DIALECT: Dialect = Dialect {
    quote: '`',
    clock: "UTC_TIMESTAMP(6)",
    no: "0",
    // Two collations, as tables of several ages have them, do not mix in a UNION.
    typed: |value, kind| match kind {
        ColumnKind::Text => format!("CONVERT({value} USING utf8mb4)"),
        _ => value.to_owned(),
    },
};

#[derive(Debug)]
pub(super) struct Connection {
    session: MySqlConnection,
    statement: Arc<str>,
    quantum: Quantum,
    memory: row::Memory,
    pub(super) left_out: Vec<&'static str>,
    /// As the server names it, quoted.
    account: String,
}

impl TimeColumn for MySqlRow {
    /// Tells `0000-00-00 00:00:00` from NULL, which the driver takes for the same: Cinder can't read a zero date.
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error> {
        let value = self.try_get_raw(column)?;
        if value.is_null() && <&[u8] as Decode<MySql>>::decode(value).is_ok() {
            return Err(sqlx::Error::Decode("a zero date".into()));
        }
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
        // A server may have it off by default, and within one transaction every service would look stopped.
        sqlx::raw_sql("SET autocommit = 1")
            .execute(&mut connection)
            .await
            .map_err(|error| translate(target, error, &target.account()))?;
        limit_statements(target, &mut connection).await;
        let readable = columns(target, &mut connection).await?;
        let account = account(&mut connection)
            .await
            .unwrap_or_else(|| target.account());
        if !readable.has_table(target.layout.services.name) {
            return Err(unreadable(target, &mut connection, &account).await);
        }
        let statement = target
            .layout
            .statement(&DIALECT, &readable)
            .map_err(|missing| target.missing_columns(missing, &account))?
            .into();
        Ok(Self {
            quantum: column_quantum(target, &mut connection).await?,
            session: connection,
            statement,
            memory: row::Memory::default(),
            left_out: target.layout.left_out(&readable),
            account,
        })
    }

    pub(super) async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let query = sqlx::query(AssertSqlSafe(self.statement.clone()));
        let rows = query.fetch(&mut self.session);
        let mut reading = row::collect(rows, self.quantum, &mut self.memory, |error| {
            translate(target, error, &self.account)
        })
        .await?;
        unify_cluster_names(&mut reading);
        Ok(reading)
    }

    pub(super) async fn close(self) {
        // The server notices at the latest when the socket closes.
        let _ = self.session.close().await;
    }
}

/// Sets every option by hand: the driver's URL parser ignores `ssl_ca`, `unix_socket` and IPv6 brackets.
async fn options(target: &Target) -> Result<MySqlConnectOptions, Error> {
    let url = &target.url;
    let mut options = MySqlConnectOptions::new()
        .host(target.host())
        .port(target.port())
        .username(target.user())
        .database(&url.database)
        // ProxySQL and Vitess do not parse the statement that sets these two.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .ssl_mode(match url.tls.mode {
            TlsMode::Disabled => MySqlSslMode::Disabled,
            TlsMode::Preferred => MySqlSslMode::Preferred,
            TlsMode::Required => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        })
        .disable_statement_logging();
    if let Some(password) = &url.password {
        options = options.password(password.expose_secret());
    }
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    if let Some(ca) = &url.tls.ca {
        options = options.ssl_ca_from_pem(pem("ssl_ca", ca).await?);
    }
    if let Some(cert) = &url.tls.cert {
        options = options.ssl_client_cert_from_pem(pem("ssl_cert", cert).await?);
    }
    if let Some(key) = &url.tls.key {
        options = options.ssl_client_key_from_pem(pem("ssl_key", key).await?);
    }
    Ok(options)
}

/// Asks the server to end statements that take too long. MySQL and MariaDB have an option each, and a proxy may
/// have neither: our own timeout holds in any case.
async fn limit_statements(target: &Target, connection: &mut MySqlConnection) {
    let limit = target.server_timeout();
    for statement in [
        format!("SET SESSION max_statement_time = {}", limit.as_secs_f64()),
        format!("SET SESSION max_execution_time = {}", limit.as_millis()),
    ] {
        if sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .is_ok()
        {
            return;
        }
    }
}

/// Returns the columns that the user may read, or has any other right to: `information_schema` shows no others.
async fn columns(target: &Target, connection: &mut MySqlConnection) -> Result<Readable, Error> {
    let pairs = sqlx::query_as::<_, (String, String)>(
        "SELECT CAST(TABLE_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?, ?)",
    )
    .bind(target.layout.services.name)
    .bind(target.layout.clusters.as_ref().map(|table| table.name))
    .fetch_all(connection)
    .await
    .map_err(|error| translate(target, error, &target.account()))?;
    // MySQL keeps the case of column names and compares them without it.
    Ok(pairs
        .into_iter()
        .map(|(table, column)| (table, column.to_lowercase()))
        .collect())
}

/// Returns the account that the server took us for, quoted: grants must name it, and it is often not the user
/// and host that we know.
async fn account(connection: &mut MySqlConnection) -> Option<String> {
    let (account,): (String,) = sqlx::query_as("SELECT CAST(CURRENT_USER() AS CHAR)")
        .fetch_one(connection)
        .await
        .ok()?;
    let (user, host) = account.rsplit_once('@')?;
    Some(grant::mysql_account(user, host))
}

/// Returns what `updated_at` keeps of a stamp.
async fn column_quantum(
    target: &Target,
    connection: &mut MySqlConnection,
) -> Result<Quantum, Error> {
    let (version, modes, precision): (String, String, Option<i64>) = sqlx::query_as(
        "SELECT CAST(VERSION() AS CHAR), CAST(@@GLOBAL.sql_mode AS CHAR), (SELECT CAST(MAX(DATETIME_PRECISION) AS SIGNED) \
         FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = 'updated_at')",
    )
    .bind(target.layout.services.name)
    .fetch_one(connection)
    .await
    .map_err(|error| translate(target, error, &target.account()))?;
    let precision = precision.and_then(|precision| u32::try_from(precision).ok());
    let rounding = quantum::rounding(&version, &modes);
    Ok(quantum::of_column(precision.unwrap_or_default(), rounding))
}

/// Tells a missing table from a missing grant, which `information_schema` shows alike, by the server's own error.
async fn unreadable(target: &Target, connection: &mut MySqlConnection, account: &str) -> Error {
    let probe = format!("SELECT 1 FROM `{}` LIMIT 0", target.layout.services.name);
    match sqlx::query(AssertSqlSafe(probe)).execute(connection).await {
        Err(error) => translate(target, error, account),
        Ok(_) => target.missing_columns(target.layout.services.column_names().collect(), account),
    }
}

/// Gives each service its cluster's name as the cluster itself spells it.
///
/// Cinder joins the two in SQL, where the collation of its schema ignores case and spaces at the end. Of what the
/// collation ignores beyond that, such as accents, nothing is known here.
fn unify_cluster_names(reading: &mut Reading) {
    let folded = |name: &str| name.trim_end_matches(' ').to_lowercase();
    let clusters: HashMap<String, &str> = reading
        .clusters
        .iter()
        .map(|cluster| (folded(&cluster.name), cluster.name.as_str()))
        .collect();
    if clusters.is_empty() {
        return;
    }
    for service in &mut reading.services {
        if let Some(name) = service.facts.cluster_name.as_deref()
            && let Some(&spelling) = clusters.get(&folded(name))
            && spelling != name
        {
            Arc::make_mut(&mut service.facts).cluster_name = Some(spelling.into());
        }
    }
}

fn connecting(target: &Target, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Protocol(ref message) if message.contains("authentication plugin") => {
            Error::AuthPlugin {
                address: target.address(),
                user: target.user().to_owned(),
                remedy: format!(
                    "CREATE USER {} IDENTIFIED BY '…', with the plugin mysql_native_password, or \
                     caching_sha2_password over TLS (ssl_ca in the database URL)",
                    target.account()
                ),
                source: error,
            }
        }
        // The server asks for an RSA exchange of the password, which the driver makes over TLS alone.
        sqlx::Error::Protocol(ref message)
            if message.contains("rsa") || message.contains("RSA") =>
        {
            Error::AuthPlugin {
                address: target.address(),
                user: target.user().to_owned(),
                remedy: "caching_sha2_password over TLS (ssl_ca in the database URL)".to_owned(),
                source: error,
            }
        }
        sqlx::Error::Io(ref io) if io.kind() != std::io::ErrorKind::InvalidData => Error::Connect {
            address: target.address(),
            source: error,
        },
        error => translate(target, error, &target.account()),
    }
}

/// Returns the account that an error names: `… for user 'name'@'host' to database …`.
fn account_in(error: &sqlx::Error) -> Option<String> {
    let message = error.as_database_error()?.message();
    let (_, rest) = message.split_once("for user '")?;
    let (account, _) = rest.split_once("' to database")?;
    let (user, host) = account.split_once("'@'")?;
    Some(grant::mysql_account(user, host))
}

/// Error numbers: <https://mariadb.com/kb/en/mariadb-error-code-reference/>, the same in MySQL but for 1969.
fn translate(target: &Target, error: sqlx::Error, account: &str) -> Error {
    let number = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .map(MySqlDatabaseError::number);
    let address = target.address();
    match number {
        // Too many connections, of the server or the user; host blocked; shutting down.
        Some(1040 | 1203 | 1226) => Error::TooManyConnections {
            address,
            source: error,
        },
        Some(1053 | 1129 | 1927 | 4031) => Error::Connect {
            address,
            source: error,
        },
        // Access denied; host not allowed; no such plugin; password expired; account locked; TLS demanded.
        Some(1045 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151) => {
            Error::Auth {
                address,
                user: target.user().to_owned(),
                source: error,
            }
        }
        Some(1044) => Error::NoEntry {
            user: target.user().to_owned(),
            database: target.url.database.clone(),
            grant: target.grants(&account_in(&error).unwrap_or_else(|| account.to_owned())),
            source: error,
        },
        // No grant on the table, a column.
        Some(1142 | 1143 | 1227) => Error::Permission {
            user: target.user().to_owned(),
            grant: target.grants(account),
            source: error,
        },
        Some(1049) => Error::MissingDatabase {
            address,
            database: target.url.database.clone(),
            source: error,
        },
        Some(1146) => target.missing_table(),
        // Statement time limit of MariaDB and of MySQL, lock wait timeout.
        Some(1969 | 3024 | 1205) => Error::QueryTimeout {
            address,
            after: target.query_timeout,
        },
        _ => target.translate(error),
    }
}
