//! The meaning of PostgreSQL's SQLSTATEs.

use crate::database::driver_error;
use crate::database::error::Error;
use crate::database::target::Target;

/// Translates an error of connecting and logging in.
pub(super) fn connecting(target: &Target, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Io(ref io) if io.kind() != std::io::ErrorKind::InvalidData => Error::Connect {
            address: target.address(),
            source: error,
        },
        // The driver lacks the method, such as GSSAPI or channel binding.
        sqlx::Error::Protocol(ref message) if message.contains("authentication") => {
            Error::AuthPlugin {
                address: target.address(),
                user: target.user().to_owned(),
                remedy: format!(
                    "create a user for the exporter: CREATE ROLE {} LOGIN PASSWORD '…', with the method scram-sha-256 \
                     in pg_hba.conf",
                    target.account()
                ),
                source: error,
            }
        }
        error => translate(target, error),
    }
}

/// Translates an error of the server by its SQLSTATE.
///
/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn translate(target: &Target, error: sqlx::Error) -> Error {
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
        // Starting up, shutting down, crashed, idle for too long; from PgBouncer: server not reachable.
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
        // Cancelled by statement_timeout or lock_timeout.
        "57014" | "55P03" => Error::QueryTimeout {
            address,
            after: target.query_timeout,
        },
        _ => driver_error::translate(target, error),
    }
}
