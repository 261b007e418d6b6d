//! The database to read: address, credentials, tables and time limits.

use std::time::Duration;

use super::error::Error;
use super::grant;
use crate::config::database_url::{DatabaseUrl, Engine};
use crate::config::settings::Settings;
use crate::project::cinder;
use crate::project::layout::Layout;

/// A database with the tables to read from it, and time limits.
#[derive(Debug, PartialEq)]
pub struct Target {
    /// Address, credentials and TLS.
    pub url: DatabaseUrl,
    /// The tables to read.
    pub layout: &'static Layout,
    /// Limit on connecting, logging in and reading the schema.
    pub connect_timeout: Duration,
    /// Limit on one statement, including the whole answer.
    pub query_timeout: Duration,
}

impl Target {
    /// Returns the target that the settings name, with Cinder's tables.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            url: settings.url.clone(),
            layout: &cinder::LAYOUT,
            connect_timeout: settings.connect_timeout,
            query_timeout: settings.query_timeout,
        }
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
        let host = self.host();
        let port = self.port();
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
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

    pub(super) fn user(&self) -> &str {
        self.url.user.as_deref().unwrap_or_default()
    }

    /// Returns the account as a grant names it. The host part of a MySQL account is known only to the server: `%`.
    pub(super) fn account(&self) -> String {
        match self.url.engine {
            Engine::MySql => grant::mysql_account(self.user(), "%"),
            Engine::Postgres | Engine::Sqlite => grant::postgres_role(self.user()),
        }
    }

    /// Returns the statements that let this account read the tables; empty for SQLite.
    pub(super) fn grants(&self, account: &str) -> String {
        grant::statements(self.url.engine, self.layout, &self.url.database, account)
            .unwrap_or_default()
            .join(" ")
    }

    /// Returns the server's own limit on a statement.
    ///
    /// It is shorter than ours, so that a slow statement has ended on the server before we reconnect.
    pub(super) fn server_timeout(&self) -> Duration {
        self.query_timeout * 9 / 10
    }

    pub(super) fn missing_columns(&self, columns: Vec<&'static str>, account: &str) -> Error {
        Error::MissingColumns {
            table: self.layout.services.name,
            columns,
            user: self.user().to_owned(),
            project: self.layout.project,
            grant: self.grants(account),
        }
    }

    pub(super) fn missing_table(&self) -> Error {
        Error::MissingTable {
            database: self.url.database.clone(),
            table: self.layout.services.name,
            project: self.layout.project,
            // PostgreSQL hides the tables of a schema without USAGE; MySQL reports another error.
            grant: match self.url.engine {
                Engine::Postgres => self.grants(&self.account()),
                Engine::MySql | Engine::Sqlite => String::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        let target = Target {
            url: DatabaseUrl::parse(url).unwrap(),
            layout: &cinder::LAYOUT,
            connect_timeout: Duration::from_secs(1),
            query_timeout: Duration::from_secs(10),
        };
        assert_eq!(target.address(), expected, "{url}");
        assert_eq!(target.server_timeout(), Duration::from_secs(9));
    }

    #[test]
    fn an_address_is_a_host_with_its_port_a_socket_or_a_file() {
        for (url, expected) in [
            ("mysql://u:p@db/cinder", "db:3306"),
            ("mysql://u:p@[::1]:3307/cinder", "[::1]:3307"),
            (
                "mysql://u:p@db/cinder?unix_socket=/run/my.sock",
                "/run/my.sock",
            ),
            ("postgresql://u:p@db/cinder", "db:5432"),
            ("sqlite:////var/lib/cinder.sqlite", "/var/lib/cinder.sqlite"),
        ] {
            check(url, expected);
        }
    }
}
