//! The meaning of PostgreSQL's SQLSTATEs.

use std::io::ErrorKind;

use sqlx::error::DatabaseError;

use super::server_error;
use crate::database::error::Error;
use crate::database::target::{self, Target};

/// Translates an error of connecting and logging in.
pub(super) fn connecting(target: &Target, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Io(ref io) if io.kind() != ErrorKind::InvalidData => {
            Error::Connect(target.login(), error)
        }
        // The driver lacks the method, such as GSSAPI or channel binding.
        sqlx::Error::Protocol(ref message) if message.contains("authentication") => {
            let remedy = format!(
                "create a user for the exporter: CREATE ROLE {} LOGIN PASSWORD '…', with the method scram-sha-256 in \
                 pg_hba.conf",
                target.account()
            );
            Error::AuthPlugin(target.login(), remedy, error)
        }
        sqlx::Error::Configuration(ref reason) if reason.to_string().contains("saslprep") => {
            let remedy = if reason.to_string().contains("saslprep username") {
                "; the user's name contains a character that SCRAM does not allow"
            } else {
                "; the password contains a character that SCRAM does not allow"
            };
            Error::Auth(target.login(), remedy, error)
        }
        // The end of the stream, which a proxy without a server sends instead of an answer about TLS.
        sqlx::Error::Protocol(ref message) if message.contains("SSLRequest: 0x00") => {
            Error::Connect(target.login(), target::closed())
        }
        error => {
            let grants = target.grants(&target.account());
            translate(target, error, &grants).while_connecting()
        }
    }
}

/// Translates an error of the server by its SQLSTATE; `grants` is the command that prints them.
///
/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(in crate::database) fn translate(target: &Target, error: sqlx::Error, grants: &str) -> Error {
    let error = server_error::without_place(error);
    let login = target.login();
    let state = error.as_database_error().and_then(DatabaseError::code);
    match state.as_deref().unwrap_or_default() {
        "53300" => Error::TooManyConnections(login, error),
        // Starting up.
        "57P03" => Error::Connect(login, error),
        // Shutting down, crashed, idle for too long; from PgBouncer: server lost or not reachable, idle for too long.
        "57P01" | "57P02" | "57P05" | "08006" | "08003" | "08P01" => Error::Lost(login, error),
        "28000" | "28P01" => Error::Auth(login, "", error),
        "42501" => Error::Permission(login, grants.to_owned(), error),
        "3D000" => Error::MissingDatabase(login, error),
        "42P01" => target.missing_table(),
        // Cancelled by statement_timeout or lock_timeout.
        "57014" | "55P03" => target.query_timed_out(),
        _ => target.driver_error(error),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::database::tls::is_refused;
    use crate::heartbeat::failure::Class;

    #[test]
    fn a_name_or_password_that_scram_can_not_prepare_is_no_fault_of_tls() {
        let target = Target::fixture("postgresql://u@db/cinder");
        for (part, expected) in [
            ("password", "the password"),
            ("username", "the user's name"),
        ] {
            let reason = format!("Failed to saslprep {part}: ProhibitedCharacter('\u{1}')");
            let error = connecting(&target, sqlx::Error::Configuration(reason.into()));
            assert_eq!(error.class(), Class::Auth);
            assert!(!is_refused(&error), "no second attempt without TLS");
            let expected = format!("; {expected} contains a character that SCRAM does not allow");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }
}
