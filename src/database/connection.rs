//! One connection to a database, of any engine, with its time limits.
//!
//! One statement is in flight at a time. Drop a connection whose statement failed or timed out: the driver may have
//! stopped in the middle of an answer.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::dial::{self, Open};
use super::driver::Driver;
use super::error::Error;
use super::facts_cache::FactsCache;
use super::product::Product;
use super::target::Target;
use super::tls::Route;
use super::{mysql, postgres, row, sqlite};
use crate::config::database_url::Engine;
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

impl Connection {
    /// Connects, logs in, and reads which columns exist and are granted.
    ///
    /// # Errors
    /// Any class.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        let (connection, unencrypted) = dial::open::<Self>(target).await?;
        Ok(Self {
            unencrypted,
            ..connection
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
        dial::query(target, self.collect(target)).await
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
        self.driver.close().await;
    }
}

impl Open for Connection {
    async fn open(target: &Target, route: &Route) -> Result<Self, Error> {
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
}
