//! The database to read: address, credentials, tables and time limits.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::error::{Error, Login};
use super::{grant, handshake};
use crate::config::database_url::{DatabaseUrl, Engine};
use crate::config::source::SourceSettings;
use crate::config::tls::TlsMode;
use crate::heartbeat::standstill::Stale;
use crate::project::Project;
#[cfg(test)]
use crate::project::cinder;

/// A database with the tables to read from it, and time limits.
#[derive(Debug, PartialEq)]
pub struct Target {
    /// Address, credentials and TLS.
    pub url: DatabaseUrl,
    /// The tables to read.
    pub project: &'static Project,
    /// Limit on connecting, logging in and reading the schema.
    pub connect_timeout: Duration,
    /// Limit on one statement, including the whole answer.
    pub query_timeout: Duration,
}

impl Target {
    /// Returns the target that the settings of a source name.
    pub(crate) fn of(source: &SourceSettings) -> Self {
        Self {
            url: source.url.clone(),
            project: source.project,
            connect_timeout: source.polls.connect_timeout,
            query_timeout: source.polls.query_timeout,
        }
    }

    /// Returns the target for another database of the same server.
    pub(crate) fn in_database(&self, name: &str) -> Self {
        Self {
            url: DatabaseUrl {
                database: name.to_owned(),
                ..self.url.clone()
            },
            ..*self
        }
    }

    /// Returns the target for the tables of another project.
    pub(crate) fn of_project(self, project: &'static Project) -> Self {
        Self { project, ..self }
    }

    /// Returns host and port, socket, or file, for messages and logs.
    pub(crate) fn address(&self) -> String {
        let url = &self.url;
        if url.engine == Engine::Sqlite {
            return url.database.clone();
        }
        if let Some(socket) = &url.socket {
            return socket.display().to_string();
        }
        let (host, port) = (self.host(), self.port());
        if host.contains(':') {
            return format!("[{host}]:{port}");
        }
        format!("{host}:{port}")
    }

    pub(super) fn host(&self) -> &str {
        self.url.host.as_deref().unwrap_or("localhost")
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port.unwrap_or(match self.url.engine {
            Engine::Postgres => 5432,
            Engine::MySql | Engine::Sqlite => 3306,
        })
    }

    /// Returns whether the connection is encrypted. As in libpq, a socket of PostgreSQL never is.
    pub(super) fn tls_mode(&self) -> TlsMode {
        match (self.url.engine, &self.url.socket) {
            (Engine::Postgres, Some(_)) => TlsMode::Disabled,
            _ => self.url.tls.mode,
        }
    }

    /// Returns the user that logs in. Without one in the URL, it is empty in MySQL; in PostgreSQL, the driver takes it from
    /// `PGUSER` or the system's user, as libpq does.
    pub(super) fn user(&self) -> Cow<'_, str> {
        match (&self.url.user, self.url.engine) {
            (Some(user), _) => user.into(),
            (None, Engine::Postgres) => {
                let options = PgConnectOptions::new_without_pgpass();
                options.get_username().to_owned().into()
            }
            (None, Engine::MySql | Engine::Sqlite) => "".into(),
        }
    }

    /// Returns the account as a grant names it. The host part of a MySQL account is known only to the server: `%`.
    pub(crate) fn account(&self) -> String {
        match self.url.engine {
            Engine::MySql => grant::mysql_account(&self.user(), "%"),
            Engine::Postgres | Engine::Sqlite => grant::postgres_role(&self.user()),
        }
    }

    /// Returns the command that prints the grants for this account; empty for SQLite.
    pub(crate) fn grants(&self, account: &str) -> String {
        // Often the search path is one schema.
        let path = self.url.search_path.as_deref().unwrap_or_default();
        let schema = Some(path).filter(|path| is_schema(path));
        self.grants_in(schema.unwrap_or(grant::DEFAULT_SCHEMA), account)
    }

    /// Returns the command that prints the grants on tables in this schema of PostgreSQL.
    pub(super) fn grants_in(&self, schema: &str, account: &str) -> String {
        grant::command(
            self.project,
            self.url.engine,
            &self.url.database,
            schema,
            account,
        )
    }

    /// Returns the server's own limit on a statement.
    ///
    /// It is shorter than ours, so that a slow statement has ended on the server before we reconnect.
    pub(super) fn server_timeout(&self) -> Duration {
        self.query_timeout * 9 / 10
    }

    /// Returns the names for an error's message.
    pub(super) fn login(&self) -> Login {
        Login {
            address: self.address().into(),
            user: self.user().into(),
            database: self.url.database.as_str().into(),
        }
    }

    pub(crate) fn missing_columns(&self, columns: Vec<&'static str>, grants: String) -> Error {
        Error::MissingColumns(self.login(), self.project, columns, grants)
    }

    /// Returns the error for a table that the server shows without columns.
    pub(super) fn no_columns(&self, grants: String) -> Error {
        self.missing_columns(self.project.services.column_names().collect(), grants)
    }

    /// Returns the error for a table that does not exist.
    pub(super) fn missing_table(&self) -> Error {
        Error::MissingTable(self.login(), self.project, String::new())
    }

    /// Returns the error for a name without an address.
    pub(super) fn no_address(&self) -> Error {
        let error = io::Error::new(ErrorKind::NotFound, "the name has no address");
        Error::Connect(self.login(), error.into())
    }

    /// Returns the error for a server that is known not to be current. It does not change while the cause is the same.
    pub(crate) fn stale(&self, server: Option<&str>, stale: Stale) -> Error {
        let (evidence, remedy) = match stale {
            Stale::ReadOnly(silence) => {
                let evidence = format!(
                    "it accepts no writes, and no service has sent a heartbeat for more than {} s",
                    silence.num_seconds()
                );
                let remedy = "connect to the primary, or repair the replication of this server; if it is the primary, turn \
                              off read_only; otherwise check whether the services run";
                (evidence, remedy)
            }
            Stale::Outdated => (
                "another server behind this address has newer heartbeats".to_owned(),
                "check the replication of this one, or take it out of the load balancer",
            ),
            Stale::CatchingUp => (
                "it is still replaying what it missed".to_owned(),
                "wait, or check the load of its replication",
            ),
        };
        let evidence = match server {
            Some(server) => format!("{evidence} ({server})"),
            None => evidence,
        };
        Error::Stale(self.login(), evidence, remedy)
    }

    pub(crate) fn query_timed_out(&self) -> Error {
        Error::QueryTimeout(self.login(), self.query_timeout)
    }

    /// Translates an error that no engine's own code explains.
    pub(super) fn driver_error(&self, error: sqlx::Error) -> Error {
        use sqlx::Error::{Configuration, Io, Protocol, Tls};
        let login = self.login();
        match error {
            // A failed handshake is an I/O error that wraps the error of rustls.
            Tls(_) | Configuration(_) => self.tls_error(error),
            Io(ref io) if io.kind() == ErrorKind::InvalidData => self.tls_error(error),
            // For a closed connection, rustls adds a paragraph of its manual. Replace it.
            Io(io) if io.kind() == ErrorKind::UnexpectedEof => Error::Lost(login, closed()),
            Io(_) => Error::Lost(login, error),
            Protocol(_) => Error::Protocol(login, error),
            _ => Error::Query(login, error),
        }
    }

    fn tls_error(&self, error: sqlx::Error) -> Error {
        let remedy = handshake::remedy(self.url.engine, self.host(), &error);
        Error::Tls(self.login(), remedy, error)
    }
}

/// Returns the error for the end of the stream.
pub(super) fn closed() -> sqlx::Error {
    let closed = "the server closed the connection";
    sqlx::Error::Io(io::Error::new(ErrorKind::UnexpectedEof, closed))
}

/// Returns whether a search path is the name of one schema that needs no quotation marks.
fn is_schema(path: &str) -> bool {
    !path.is_empty() && path.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
impl Target {
    /// Returns a target of Cinder, and ten seconds to connect and to read.
    pub(crate) fn fixture(url: &str) -> Self {
        Self {
            url: DatabaseUrl::parse(url).unwrap(),
            project: &cinder::PROJECT,
            connect_timeout: Duration::from_secs(10),
            query_timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::failure::Class;

    #[test]
    fn an_address_is_a_host_with_its_port_a_socket_or_a_file() {
        for (url, expected) in [
            ("mysql://u:p@db/cinder", "db:3306"),
            ("mysql://u:p@[::1]:3307/cinder", "[::1]:3307"),
            ("mysql://u:p@db/c?unix_socket=/run/my.sock", "/run/my.sock"),
            ("postgresql://u:p@db/cinder", "db:5432"),
            ("sqlite:////var/lib/cinder.sqlite", "/var/lib/cinder.sqlite"),
        ] {
            let target = Target::fixture(url);
            assert_eq!(target.address(), expected, "{url}");
            assert_eq!(target.server_timeout(), Duration::from_secs(9));
        }
    }

    #[test]
    fn an_error_for_a_server_that_is_not_current_names_it_and_the_evidence() {
        for (server, stale, expected) in [
            (
                Some("hostname=db2"),
                Stale::ReadOnly(TimeDelta::seconds(30)),
                "db:3306 is not current: it accepts no writes, and no service has sent a heartbeat for more \
                 than 30 s (hostname=db2): connect to the primary, or repair the replication of this server; if it is \
                 the primary, turn off read_only; otherwise check whether the services run",
            ),
            (
                Some("hostname=db2"),
                Stale::Outdated,
                "db:3306 is not current: another server behind this address has newer heartbeats (hostname=db2): check \
                 the replication of this one, or take it out of the load balancer",
            ),
            (
                None,
                Stale::CatchingUp,
                "db:3306 is not current: it is still replaying what it missed: wait, or check the load of its \
                 replication",
            ),
        ] {
            let error = Target::fixture("mysql://u:p@db/cinder").stale(server, stale);
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.class(), Class::Stale);
        }
    }

    #[test]
    fn an_error_of_the_driver_has_the_class_of_its_cause() {
        let io = |kind: ErrorKind| sqlx::Error::Io(kind.into());
        for (error, expected) in [
            (sqlx::Error::Tls("refused".into()), Class::Tls),
            (io(ErrorKind::InvalidData), Class::Tls),
            (io(ErrorKind::UnexpectedEof), Class::Connect),
            (io(ErrorKind::ConnectionReset), Class::Connect),
            (sqlx::Error::Protocol("garbled".into()), Class::Decode),
            (sqlx::Error::RowNotFound, Class::Query),
        ] {
            let error = Target::fixture("mysql://u:p@db/cinder").driver_error(error);
            assert_eq!(error.class(), expected, "{error}");
        }
    }
}
