//! One connection to a database, of any engine, with its time limits.
//!
//! One statement is in flight at a time. Drop a connection whose statement failed or timed out: the driver may have
//! stopped in the middle of an answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, SqliteConnection};
use tokio::time::timeout;

use super::error::Error;
use super::facts_cache::FactsCache;
use super::product::Product;
use super::target::Target;
use super::tls::{self, Route};
use super::{mysql, postgres, row, sqlite};
use crate::config::database_url::Engine;
use crate::config::tls::TlsMode;
use crate::error::chain;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Quantum;

/// One connection to a database, with the statement that fits its columns.
#[derive(Debug)]
pub struct Connection {
    driver: Driver,
    statement: Arc<str>,
    quantum: Quantum,
    product: Product,
    account: String,
    grants: String,
    left_out: Vec<&'static str>,
    unencrypted: Option<String>,
    cache: FactsCache,
}

#[derive(Debug)]
enum Driver {
    MySql(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Connection {
    /// Connects, logs in, and reads which columns exist and are granted.
    ///
    /// # Errors
    /// Any class.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        let limit = target.connect_timeout;
        timeout(limit, catch_panic(target, Self::connect(target)))
            .await
            .unwrap_or_else(|_| Err(Error::ConnectTimeout(target.login(), limit)))
    }

    /// Connects with TLS as the URL asks; without it where the URL only prefers it and it fails.
    async fn connect(target: &Target) -> Result<Self, Error> {
        let mode = target.tls_mode();
        match Self::connect_by(target, mode).await {
            Err(failure) if mode == TlsMode::Preferred && tls::is_refused(&failure) => {
                match Self::connect_by(target, TlsMode::Disabled).await {
                    Ok(connection) => Ok(Self {
                        unencrypted: Some(chain(&failure)),
                        ..connection
                    }),
                    Err(error) => Err(failure.without_tls(error)),
                }
            }
            result => result,
        }
    }

    async fn connect_by(target: &Target, mode: TlsMode) -> Result<Self, Error> {
        let mut failure = None;
        for route in tls::routes(target, mode).await? {
            match Self::connect_to(target, &route).await {
                Err(error @ Error::Connect(..)) => failure = Some(error),
                result => return result,
            }
        }
        Err(failure.unwrap_or_else(|| target.no_address()))
    }

    async fn connect_to(target: &Target, route: &Route) -> Result<Self, Error> {
        let (driver, schema, dialect) = match target.url.engine {
            Engine::MySql => {
                let (connection, schema) = mysql::open(target, route).await?;
                (Driver::MySql(connection), schema, &mysql::DIALECT)
            }
            Engine::Postgres => {
                let (connection, schema) = postgres::open(target, route).await?;
                (Driver::Postgres(connection), schema, &postgres::DIALECT)
            }
            Engine::Sqlite => {
                let (connection, schema) = sqlite::open(target).await?;
                (Driver::Sqlite(connection), schema, &sqlite::DIALECT)
            }
        };
        let statement = target.project.statement(dialect, &schema);
        let statement =
            statement.map_err(|missing| target.missing_columns(missing, schema.grants.clone()))?;
        let statement = match driver {
            Driver::Postgres(_) => postgres::in_transaction(target, &statement),
            Driver::MySql(_) | Driver::Sqlite(_) => statement,
        };
        Ok(Self {
            driver,
            statement: statement.into(),
            quantum: schema.quantum,
            product: schema.product,
            account: schema.account,
            grants: schema.grants,
            left_out: target.project.left_out(&schema.readable),
            unencrypted: None,
            cache: FactsCache::default(),
        })
    }

    /// Returns the product that answers, as of the login.
    pub(crate) fn product(&self) -> &Product {
        &self.product
    }

    /// Returns the columns and tables that are not read, and the command that prints the grants; `None` if all are read.
    ///
    /// They are not granted, or an old release lacks them.
    pub(crate) fn left_out(&self) -> Option<(String, String)> {
        (!self.left_out.is_empty()).then(|| (self.left_out.join(", "), self.grants.clone()))
    }

    /// Returns why TLS failed, where the URL does not require it and the connection is therefore not encrypted.
    pub(crate) fn unencrypted(&self) -> Option<&str> {
        self.unencrypted.as_deref()
    }

    /// Reads all services, all clusters and the database's clock in one statement.
    ///
    /// # Errors
    /// Any class. Drop the connection after an error.
    pub async fn read(&mut self, target: &Target) -> Result<Reading, Error> {
        let limit = target.query_timeout;
        timeout(limit, catch_panic(target, self.collect(target)))
            .await
            .unwrap_or_else(|_| Err(target.query_timed_out()))
    }

    async fn collect(&mut self, target: &Target) -> Result<Reading, Error> {
        let statement = AssertSqlSafe(self.statement.clone());
        let (quantum, cache) = (self.quantum, &mut self.cache);
        match &mut self.driver {
            Driver::MySql(connection) => {
                let rows = sqlx::query(statement).fetch(connection);
                let translate = |error| mysql::translate(target, error, &self.account);
                let mut reading =
                    row::collect(rows, target.project, quantum, cache, translate).await?;
                mysql::unify_cluster_names(&mut reading);
                Ok(reading)
            }
            Driver::Postgres(connection) => {
                let rows = sqlx::raw_sql(statement).fetch(connection);
                let translate = |error| postgres::translate(target, error, &self.grants);
                row::collect(rows, target.project, quantum, cache, translate).await
            }
            Driver::Sqlite(connection) => {
                let rows = sqlx::query(statement).fetch(connection);
                let translate = |error| sqlite::translate(target, error);
                row::collect(rows, target.project, quantum, cache, translate).await
            }
        }
    }

    /// Closes the connection, so that the server logs no aborted client. Waits at most one second.
    pub(crate) async fn close(self) {
        let close = async {
            match self.driver {
                Driver::MySql(connection) => connection.close().await,
                Driver::Postgres(connection) => connection.close().await,
                Driver::Sqlite(connection) => connection.close().await,
            }
        };
        // A failure has no consequence: the socket is closed in any case.
        let _ = timeout(Duration::from_secs(1), close).await;
    }
}

/// Turns a panic of the driver, which some garbled answers cause, into an error of this poll.
async fn catch_panic<T>(
    target: &Target,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    // A panic leaves the connection in an unknown state, but nothing uses it again.
    let work = AssertUnwindSafe(work).catch_unwind().await;
    work.unwrap_or_else(|_| Err(Error::Driver(target.login())))
}
