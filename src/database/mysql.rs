//! MySQL and MariaDB: connect options, session settings, and the columns that can be read.

mod error_number;
mod session;

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Decode, MySql, Row, ValueRef as _};

use super::error::Error;
use super::product::Product;
use super::row::EngineRow;
use super::statement::{Answerer, Dialect, Readable, Schema};
use super::target::Target;
use super::tls::{self, Route};
use super::{grant, quantum};
use crate::config::tls::TlsMode;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Quantum;
use crate::project::table::ColumnKind;
use error_number::connecting;
pub(super) use error_number::translate;

/// `UTC_TIMESTAMP`, not `NOW()`, which depends on the session's time zone.
pub(super) static DIALECT: Dialect = Dialect {
    quote: '`',
    clock: "UTC_TIMESTAMP(6)",
    no: "0",
    // `||` is OR in most modes.
    joined: |first, second| format!("CONCAT({first}, {second})"),
    // Tables of different releases may have different collations, which a UNION rejects.
    typed: |value, kind| match kind {
        ColumnKind::Key | ColumnKind::Text => format!("CONVERT({value} USING utf8mb4)"),
        _ => value.to_owned(),
    },
};

impl EngineRow for MySqlRow {
    fn is_zero_date(&self, column: usize) -> Result<bool, sqlx::Error> {
        let value = self.try_get_raw(column)?;
        Ok(value.is_null() && <&[u8] as Decode<MySql>>::decode(value).is_ok())
    }
}

pub(super) async fn open(
    target: &Target,
    route: &Route,
) -> Result<(MySqlConnection, Schema), Error> {
    let mut connection = connect(target, route).await?;
    let translate = |error| translate(target, error, &target.account());
    // Servers may default to 0. All polls would then be one transaction, in which every service looks stopped.
    sqlx::raw_sql("SET autocommit = 1")
        .execute(&mut connection)
        .await
        .map_err(translate)?;
    let variables = session::variables(&mut connection).await;
    if let Some(statement) = session::corrections(&variables) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .map_err(translate)?;
    }
    let readable = columns(target, &mut connection).await?;
    let account = account(&mut connection).await;
    let account = account.unwrap_or_else(|| target.account());
    if !readable.has_table(target.project.services.name) {
        return Err(unreadable(target, &mut connection, &account).await);
    }
    let (product, quantum) = product_and_quantum(target, &mut connection).await?;
    let schema = Schema {
        product,
        readable,
        quantum,
        grants: target.grants(&account),
        account,
        answerer: Answerer {
            server: session::server(&variables),
            read_only: session::read_only(&variables),
            replayed: None,
        },
    };
    Ok((connection, schema))
}

/// Connects, logs in, and sets the limits of the session.
pub(super) async fn connect(target: &Target, route: &Route) -> Result<MySqlConnection, Error> {
    let options = options(target, route).await?;
    let connection = options.connect().await;
    let mut connection = connection.map_err(|error| connecting(target, error))?;
    limit_statements(target, &mut connection).await;
    let lifted = session::lift_limit(&mut connection).await;
    lifted.map_err(|error| translate(target, error, &target.account()))?;
    Ok(connection)
}

/// Sets every option explicitly: the driver's URL parser ignores `ssl_ca`, `unix_socket` and IPv6 brackets.
async fn options(target: &Target, route: &Route) -> Result<MySqlConnectOptions, Error> {
    let url = &target.url;
    let mut options = MySqlConnectOptions::new()
        .host(&route.host)
        .port(target.port())
        .username(&target.user())
        .database(&url.database)
        // ProxySQL and Vitess can't parse the statement that sets these two.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .ssl_mode(match route.mode {
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
        options = options.ssl_ca_from_pem(tls::authorities("ssl_ca", ca).await?);
    }
    if let Some(cert) = &url.tls.cert {
        options =
            options.ssl_client_cert_from_pem(tls::client_certificate("ssl_cert", cert).await?);
    }
    if let Some(key) = &url.tls.key {
        options = options.ssl_client_key_from_pem(tls::key("ssl_key", key).await?);
    }
    Ok(options)
}

/// Limits the duration of statements on the server. MariaDB and MySQL each have their own option, and a proxy may
/// have neither; our own timeout applies in any case.
async fn limit_statements(target: &Target, connection: &mut MySqlConnection) {
    let limit = target.server_timeout();
    for statement in [
        format!("SET SESSION max_statement_time = {}", limit.as_secs_f64()),
        format!("SET SESSION max_execution_time = {}", limit.as_millis()),
    ] {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        if statement.execute(&mut *connection).await.is_ok() {
            return;
        }
    }
}

/// Returns the columns on which the user has any privilege: `information_schema` hides all others.
async fn columns(target: &Target, connection: &mut MySqlConnection) -> Result<Readable, Error> {
    let tables = target.project.tables().into_iter();
    let tables: Vec<String> = tables.map(|(table, _)| format!("'{table}'")).collect();
    let statement = format!(
        "SELECT CAST(TABLE_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({})",
        tables.join(", ")
    );
    let pairs = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
        .map_err(|error| translate(target, error, &target.account()))?;
    // Column names keep their case but are compared without it.
    let lowered = |(table, column): (String, String)| (table, column.to_lowercase());
    Ok(pairs.into_iter().map(lowered).collect())
}

/// Returns the account that the server matched, quoted. Grants must name it; it often differs from the user and
/// host that we know.
async fn account(connection: &mut MySqlConnection) -> Option<String> {
    let (account,): (String,) = sqlx::query_as("SELECT CAST(CURRENT_USER() AS CHAR)")
        .fetch_one(connection)
        .await
        .ok()?;
    let (user, host) = account.rsplit_once('@')?;
    Some(grant::mysql_account(user, host))
}

/// Returns the product and the quantum of the stamps, which depends on it.
async fn product_and_quantum(
    target: &Target,
    connection: &mut MySqlConnection,
) -> Result<(Product, Quantum), Error> {
    let (version, modes, precision): (String, String, Option<i64>) = sqlx::query_as(
        "SELECT CAST(VERSION() AS CHAR), CAST(@@GLOBAL.sql_mode AS CHAR), (SELECT CAST(MAX(DATETIME_PRECISION) AS SIGNED) \
         FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ?)",
    )
    .bind(target.project.services.name)
    .bind(target.project.stamp())
    .fetch_one(connection)
    .await
    .map_err(|error| translate(target, error, &target.account()))?;
    let precision = precision.and_then(|precision| u32::try_from(precision).ok());
    let rounding = quantum::rounding(&version, &modes);
    let quantum = quantum::of_column(precision.unwrap_or_default(), rounding);
    Ok((Product::of_mysql(&version), quantum))
}

/// Returns the server's own error for a table without visible columns: it is missing or not granted.
async fn unreadable(target: &Target, connection: &mut MySqlConnection, account: &str) -> Error {
    let probe = format!("SELECT 1 FROM `{}` LIMIT 0", target.project.services.name);
    match sqlx::query(AssertSqlSafe(probe)).execute(connection).await {
        Err(error) => translate(target, error, account),
        Ok(_) => target.no_columns(target.grants(account)),
    }
}

/// Replaces each service's cluster name by the cluster's own spelling.
///
/// Projects join the two in SQL, where the collation of their schema ignores case and trailing spaces. Other
/// differences that a collation ignores, such as accents, are not handled.
pub(super) fn unify_cluster_names(reading: &mut Reading) {
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
