//! The meaning of the error numbers of MySQL and MariaDB.

use sqlx::mysql::MySqlDatabaseError;

use crate::database::error::Error;
use crate::database::target::Target;
use crate::database::{driver_error, grant};

/// Translates an error of connecting and logging in.
pub(super) fn connecting(target: &Target, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Protocol(ref message) if message.contains("authentication plugin") => {
            Error::AuthPlugin {
                address: target.address(),
                user: target.user().to_owned(),
                remedy: format!(
                    "create a user for the exporter: CREATE USER {} IDENTIFIED BY '…', with the plugin \
                     mysql_native_password, or caching_sha2_password over TLS (ssl_ca in the database URL)",
                    target.account()
                ),
                source: error,
            }
        }
        // The server requires an RSA exchange of the password, which the driver supports only over TLS.
        sqlx::Error::Protocol(ref message)
            if message.contains("rsa") || message.contains("RSA") =>
        {
            Error::AuthPlugin {
                address: target.address(),
                user: target.user().to_owned(),
                remedy: "use caching_sha2_password over TLS (ssl_ca in the database URL)"
                    .to_owned(),
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

/// Returns the account in an error's message: `… for user 'name'@'host' to database …`.
fn account_in(error: &sqlx::Error) -> Option<String> {
    let message = error.as_database_error()?.message();
    let (_, rest) = message.split_once("for user '")?;
    let (account, _) = rest.split_once("' to database")?;
    let (user, host) = account.split_once("'@'")?;
    Some(grant::mysql_account(user, host))
}

/// Translates an error of the server by its number; `account` is named in grants.
///
/// Numbers: <https://mariadb.com/kb/en/mariadb-error-code-reference/>, identical in MySQL except 1969.
pub(super) fn translate(target: &Target, error: sqlx::Error, account: &str) -> Error {
    let number = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .map(MySqlDatabaseError::number);
    let address = target.address();
    match number {
        // Too many connections, of the server or of the user.
        Some(1040 | 1203 | 1226) => Error::TooManyConnections {
            address,
            source: error,
        },
        // Shutting down, host blocked, connection killed or idle for too long.
        Some(1053 | 1129 | 1927 | 4031) => Error::Connect {
            address,
            source: error,
        },
        // Access denied, host not allowed, no such plugin, password expired, account locked, TLS required.
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
        // No grant on the table or on a column.
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
        // Statement timeout of MariaDB, of MySQL, lock wait timeout.
        Some(1969 | 3024 | 1205) => Error::QueryTimeout {
            address,
            after: target.query_timeout,
        },
        _ => driver_error::translate(target, error),
    }
}
