//! PostgreSQL: connect options, session settings, and the columns that can be read.

mod schema;
mod server_error;
mod sqlstate;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, FromRow};

use super::error::Error;
use super::product::Product;
use super::quantum::{self, Rounding};
use super::row::EngineRow;
use super::statement::{Answerer, Dialect, Readable, Schema};
use super::target::Target;
use super::tls::{self, Route};
use crate::config::tls::TlsMode;
use crate::project::table::ColumnKind;
use sqlstate::connecting;
pub(super) use sqlstate::translate;

/// Every value is cast, so that the types of the UNION do not depend on the order of its branches.
pub(super) static DIALECT: Dialect = Dialect {
    quote: '"',
    clock: "statement_timestamp() AT TIME ZONE 'UTC'",
    no: "false",
    joined: |first, second| format!("{first} || {second}"),
    typed: |value, kind| {
        let kind = match kind {
            ColumnKind::Integer => "bigint",
            ColumnKind::Key | ColumnKind::Text => "text",
            ColumnKind::Boolean => "boolean",
            ColumnKind::Time => "timestamp",
        };
        format!("({value})::{kind}")
    },
};

/// The server that answers. Its address may belong to whichever server is active, and a socket has none: the start of
/// the server tells two apart.
const SERVER: &str = "concat_ws(' ', host(inet_server_addr()), inet_server_port(), \
     to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', '\"started\" YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))";

impl EngineRow for PgRow {}

pub(super) async fn open(target: &Target, route: &Route) -> Result<(PgConnection, Schema), Error> {
    let mut connection = connect(target, route).await?;
    let columns = columns(target, &mut connection).await?;
    if columns.is_empty() {
        return Err(schema::missing(target, &mut connection).await);
    }
    let services = target.project.services.name;
    let stamp = columns
        .iter()
        .find(|(table, name, ..)| table == services && name == target.project.stamp());
    // -1 means the largest precision.
    let precision = stamp.and_then(|(.., modifier, _)| u32::try_from(*modifier).ok());
    let schema = columns.iter().find(|(table, ..)| table == services);
    let account = target.account();
    let grants = match schema {
        Some((.., schema)) => target.grants_in(schema, &account),
        None => target.grants(&account),
    };
    let readable: Readable = columns
        .into_iter()
        .filter(|(_, _, is_readable, ..)| *is_readable)
        .map(|(table, name, ..)| (table, name))
        .collect();
    if !readable.has_table(services) {
        return Err(unreadable(target, &mut connection, grants).await);
    }
    let schema = Schema {
        product: Product::of_postgres(connection.server_version_num()),
        readable,
        quantum: quantum::of_column(precision.unwrap_or(6), Rounding::Nearest),
        account,
        grants,
        answerer: Answerer {
            server: Some(SERVER.to_owned()),
            read_only: Some("pg_is_in_recovery()".to_owned()),
            replayed: Some("pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC'".to_owned()),
        },
    };
    Ok((connection, schema))
}

/// Connects and logs in.
pub(super) async fn connect(target: &Target, route: &Route) -> Result<PgConnection, Error> {
    let options = options(target, route).await?;
    let connection = options.connect().await;
    connection.map_err(|error| connecting(target, error))
}

/// Wraps a statement in a transaction with a time limit, all in one message.
///
/// PgBouncer may give the server's session to another client after each transaction, so no setting and no prepared
/// statement may remain in it.
pub(super) fn in_transaction(target: &Target, statement: &str) -> String {
    let limit = target.server_timeout().as_millis();
    format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}; {statement}; COMMIT")
}

/// Sets every option that the URL can contain. Defaults come from `PGUSER` or the system's user, `PGPASSWORD` and
/// `PGOPTIONS`, as in libpq and therefore in the projects. The settings of TLS already contain those of the environment.
async fn options(target: &Target, route: &Route) -> Result<PgConnectOptions, Error> {
    let url = &target.url;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&route.host)
        .port(target.port())
        .database(&url.database)
        .application_name(env!("CARGO_PKG_NAME"))
        // PgBouncer rejects unknown parameters.
        .extra_float_digits(None)
        .ssl_mode(match route.mode {
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
    if let Some(path) = &url.search_path {
        options = options.options([("search_path", path)]);
    }
    if route.mode == TlsMode::Disabled {
        return Ok(options);
    }
    let name = |option: &'static str, variable: &'static str| {
        let is_given = url.tls.variables.contains(&variable);
        if is_given { variable } else { option }
    };
    // The driver takes its own default from the environment: no file, such as for `system`, must replace it too.
    let authorities = match &url.tls.ca {
        Some(ca) => tls::authorities(name("sslrootcert", "PGSSLROOTCERT"), ca).await?,
        None => Vec::new(),
    };
    options = options.ssl_root_cert_from_pem(authorities);
    if let Some(cert) = &url.tls.cert {
        let certificate = tls::client_certificate(name("sslcert", "PGSSLCERT"), cert).await?;
        options = options.ssl_client_cert_from_pem(certificate);
    }
    if let Some(key) = &url.tls.key {
        let key = tls::key(name("sslkey", "PGSSLKEY"), key).await?;
        options = options.ssl_client_key_from_pem(key);
    }
    Ok(options)
}

/// A column in the schema: table, name, whether the user may read it, the type modifier, which for a time is its
/// precision, or -1 if none is given, and the name of the schema.
type SchemaColumn = (String, String, bool, i32, String);

/// Returns the columns of both tables. A table is absent if it does not exist, or without USAGE on its schema.
async fn columns(
    target: &Target,
    connection: &mut PgConnection,
) -> Result<Vec<SchemaColumn>, Error> {
    let tables = target.project.tables().into_iter();
    let tables: Vec<String> = tables
        .map(|(table, _)| format!("to_regclass('{table}')"))
        .collect();
    let statement = format!(
        "SELECT c.relname::text, a.attname::text, has_column_privilege(c.oid, a.attnum, 'SELECT'), a.atttypmod, \
         n.nspname::text \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid IN ({}) AND a.attnum > 0 AND NOT a.attisdropped",
        tables.join(", ")
    );
    let translate = |error| translate(target, error, &target.grants(&target.account()));
    let rows = sqlx::raw_sql(AssertSqlSafe(in_transaction(target, &statement)))
        .fetch_all(connection)
        .await
        .map_err(translate)?;
    let columns: Result<_, sqlx::Error> = rows.iter().map(SchemaColumn::from_row).collect();
    columns.map_err(translate)
}

/// Returns the server's own error for a table without readable columns.
async fn unreadable(target: &Target, connection: &mut PgConnection, grants: String) -> Error {
    let probe = format!("SELECT 1 FROM {} LIMIT 0", target.project.services.name);
    let probe = sqlx::raw_sql(AssertSqlSafe(probe));
    match probe.execute(connection).await {
        Err(error) => translate(target, error, &grants),
        Ok(_) => target.no_columns(grants),
    }
}
