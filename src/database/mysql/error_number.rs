//! The meaning of the error numbers of MySQL and MariaDB.

use std::io::ErrorKind;

use sqlx::mysql::MySqlDatabaseError;

use crate::config::tls::TlsMode;
use crate::database::error::Error;
use crate::database::grant;
use crate::database::target::Target;

/// Translates an error of connecting and logging in.
pub(super) fn connecting(target: &Target, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Protocol(ref message) if message.contains("authentication plugin") => {
            let remedy = format!(
                "create a user for the exporter: CREATE USER {} IDENTIFIED BY '…', on MariaDB with the plugin \
                 mysql_native_password, on MySQL with caching_sha2_password over TLS",
                target.account()
            );
            Error::AuthPlugin(target.login(), remedy, error)
        }
        // Without TLS, the password needs an RSA exchange, which the driver lacks. A server that has the password in
        // its cache does without.
        sqlx::Error::Configuration(ref reason) if reason.to_string().contains("RSA") => {
            let remedy = "caching_sha2_password and sha256_password need TLS, also over a socket: enable TLS on the \
                          server, and set ssl-mode=REQUIRED in the database URL, or VERIFY_CA with ssl_ca";
            Error::AuthPlugin(target.login(), remedy.to_owned(), error)
        }
        sqlx::Error::Io(ref io) if io.kind() != ErrorKind::InvalidData => {
            Error::Connect(target.login(), error)
        }
        error => translate(target, error, &target.account()).while_connecting(),
    }
}

/// Returns the account in an error's message: `… for user 'name'@'host' to database …`.
fn account_in(error: &sqlx::Error) -> Option<String> {
    let message = error.as_database_error()?.message();
    let (_, rest) = message.split_once("for user '")?;
    let (account, _) = rest.split_once("' to database")?;
    let (user, host) = account.split_once("'@'")?;
    Some(grant::mysql_account(user, host))
}

/// Returns a reached limit of the account by its name in `ALTER USER`, from an error's message:
/// `User 'name' has exceeded the 'max_queries_per_hour' resource (current value: 5)`. MySQL has other words there.
fn limit_in(error: &sqlx::Error) -> Option<String> {
    let message = error.as_database_error()?.message();
    let (_, rest) = message.split_once("has exceeded the '")?;
    let (limit, _) = rest.split_once('\'')?;
    Some(match limit {
        "max_questions" => "MAX_QUERIES_PER_HOUR".to_owned(),
        "max_updates" => "MAX_UPDATES_PER_HOUR".to_owned(),
        limit => limit.to_uppercase(),
    })
}

/// Returns a further remedy for a login that is refused over a socket without TLS.
///
/// There, `caching_sha2_password` expects the password itself, and the driver sends a request for the server's key:
/// the server takes that for a wrong password.
fn tls_over_socket(target: &Target) -> &'static str {
    match target.tls_mode() {
        TlsMode::Disabled | TlsMode::Preferred if target.url.socket.is_some() => {
            "; MySQL's caching_sha2_password needs TLS over this socket too: set ssl-mode=REQUIRED in the database URL"
        }
        _ => "",
    }
}

/// Translates an error of the server by its number; `account` is named in grants.
///
/// Numbers: <https://mariadb.com/kb/en/mariadb-error-code-reference/>, identical in MySQL except 1969; those of MySQL
/// alone: <https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html>.
pub(in crate::database) fn translate(target: &Target, error: sqlx::Error, account: &str) -> Error {
    let number = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .map(MySqlDatabaseError::number);
    let login = target.login();
    match number {
        // Too many connections, of the server or of the user.
        Some(1040 | 1203) => Error::TooManyConnections(login, error),
        Some(1226) => match limit_in(&error) {
            Some(limit) if limit != "MAX_USER_CONNECTIONS" => {
                let statement = format!("ALTER USER {account} WITH {limit} 0;");
                Error::AccountLimit(login, statement, error)
            }
            _ => Error::TooManyConnections(login, error),
        },
        // Host blocked, offline mode.
        Some(1129 | 3032) => Error::Connect(login, error),
        // Shutting down, connection aborted, broken, killed, or idle for too long.
        Some(1053 | 1152 | 1158..=1161 | 1184 | 1927 | 4031) => Error::Lost(login, error),
        // Access denied, host not allowed, no such plugin, password expired, account locked, TLS required.
        Some(1045 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151) => {
            Error::Auth(login, tls_over_socket(target), error)
        }
        Some(1044) => {
            let named = account_in(&error);
            let grant = target.grants(named.as_deref().unwrap_or(account));
            Error::NoEntry(login, grant, error)
        }
        // No grant on the table or on a column.
        Some(1142 | 1143 | 1227) => Error::Permission(login, target.grants(account), error),
        Some(1049) => Error::MissingDatabase(login, error),
        Some(1146) => target.missing_table(),
        // "WSREP has not yet prepared node for application use".
        Some(1047) if error.to_string().contains("WSREP") => Error::NotReady(login, error),
        // Statement timeout of MariaDB, of MySQL, lock wait timeout.
        Some(1969 | 3024 | 1205) => target.query_timed_out(),
        _ => target.driver_error(error),
    }
}
