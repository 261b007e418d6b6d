//! A simulated Cinder in an SQLite database.
//!
//! Six services, the same as in the documentation: the clock of `block1` is 75 s behind, the scheduler on `controller`
//! has stopped, and the clock of `network` is 3 s ahead and gains 0.2 ms per second.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

/// Cinder's default report interval.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The tables as `cinder-manage db sync` creates them on SQLite, without their foreign keys.
const SCHEMA: &str = "
CREATE TABLE services (
    created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, deleted BOOLEAN,
    id INTEGER NOT NULL PRIMARY KEY, host VARCHAR(255), \"binary\" VARCHAR(255), topic VARCHAR(255),
    report_count INTEGER NOT NULL, disabled BOOLEAN, availability_zone VARCHAR(255),
    disabled_reason VARCHAR(255), modified_at DATETIME, rpc_current_version VARCHAR(36),
    object_current_version VARCHAR(36), replication_status VARCHAR(36), frozen BOOLEAN,
    active_backend_id VARCHAR(255), cluster_name VARCHAR(255), uuid VARCHAR(36)
);
CREATE UNIQUE INDEX services_uuid_idx ON services (uuid);
CREATE TABLE clusters (
    created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, deleted BOOLEAN,
    id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, \"binary\" VARCHAR(255) NOT NULL,
    disabled BOOLEAN, disabled_reason VARCHAR(255), race_preventer INTEGER NOT NULL,
    replication_status VARCHAR(36), active_backend_id VARCHAR(255), frozen BOOLEAN NOT NULL
);";

/// A simulated service.
struct SimulatedService {
    binary: &'static str,
    host: &'static str,
    zone: &'static str,
    /// Clock skew at the start; positive: the host is ahead.
    skew: TimeDelta,
    /// Drift of the host's clock in parts per million; positive: it gains.
    drift_ppm: i32,
    /// Age of the last heartbeat of a stopped service.
    stopped: Option<TimeDelta>,
}

const fn service(binary: &'static str, host: &'static str, zone: &'static str) -> SimulatedService {
    SimulatedService {
        binary,
        host,
        zone,
        skew: TimeDelta::zero(),
        drift_ppm: 0,
        stopped: None,
    }
}

const SERVICES: [SimulatedService; 6] = [
    service("cinder-backup", "controller", "nova"),
    SimulatedService {
        stopped: Some(TimeDelta::seconds(141)),
        ..service("cinder-scheduler", "controller", "nova")
    },
    SimulatedService {
        skew: TimeDelta::seconds(-75),
        ..service("cinder-volume", "block1", "nova")
    },
    service("cinder-volume", "block2@lvmdriver-b21", "az1"),
    service("cinder-volume", "block2@lvmdriver-b22", "az1"),
    SimulatedService {
        skew: TimeDelta::seconds(3),
        drift_ppm: 200,
        ..service("cinder-volume", "network@lvmdriver-network", "nova")
    },
];

/// Why the demo failed to start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot create a temporary folder; set TMPDIR to a writable folder")]
    Folder(#[from] std::io::Error),
    #[error("cannot write the demo database")]
    Database(#[from] sqlx::Error),
}

/// A database in a temporary folder; dropping it removes the folder.
#[derive(Debug)]
pub(crate) struct Demo {
    /// The path of the database file.
    pub(crate) database: PathBuf,
    _folder: tempfile::TempDir,
    connection: SqliteConnection,
    started: Instant,
}

impl Demo {
    /// Creates the database with one row for each service.
    ///
    /// # Errors
    /// The folder or the database can't be written.
    pub(crate) async fn new() -> Result<Self, Error> {
        let folder = tempfile::TempDir::with_prefix("openstack-heartbeat-demo-")?;
        let database = folder.path().join("cinder.sqlite");
        let mut connection = SqliteConnectOptions::new()
            .filename(&database)
            .create_if_missing(true)
            .disable_statement_logging()
            .connect()
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        for service in &SERVICES {
            // Each service has an hour of heartbeats behind it: 360.
            sqlx::query(
                "INSERT INTO services (created_at, updated_at, deleted, host, \"binary\", topic, report_count, \
                 disabled, availability_zone, rpc_current_version, object_current_version, replication_status, \
                 frozen, uuid) \
                 VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour', ?1), \
                 strftime('%Y-%m-%d %H:%M:%f', 'now', ?2), 0, ?3, ?4, ?4, 360, 0, ?5, '3.19', '1.39', \
                 'not-capable', 0, lower(hex(randomblob(16))))",
            )
            .bind(modifier(service.skew))
            .bind(modifier(service.skew - service.stopped.unwrap_or_default()))
            .bind(service.host)
            .bind(service.binary)
            .bind(service.zone)
            .execute(&mut connection)
            .await?;
        }
        Ok(Self {
            database,
            _folder: folder,
            connection,
            started: Instant::now(),
        })
    }

    /// Writes heartbeats until `stop` completes, then removes the database.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        let beating = async {
            let mut ticks = tokio::time::interval(REPORT_INTERVAL);
            // oslo's looping calls do not make up for a late heartbeat either.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                if let Err(error) = self.beat().await {
                    warn!(%error, "failed to write demo heartbeats");
                }
            }
        };
        tokio::select! {
            () = beating => {}
            () = stop => {}
        }
        let _ = self.connection.close().await;
    }

    async fn beat(&mut self) -> Result<(), sqlx::Error> {
        let elapsed = TimeDelta::from_std(self.started.elapsed()).unwrap_or_default();
        for service in SERVICES.iter().filter(|service| service.stopped.is_none()) {
            sqlx::query(
                "UPDATE services SET report_count = report_count + 1, \
                 updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now', ?1) WHERE host = ?2 AND \"binary\" = ?3",
            )
            .bind(modifier(
                service.skew + elapsed * service.drift_ppm / 1_000_000,
            ))
            .bind(service.host)
            .bind(service.binary)
            .execute(&mut self.connection)
            .await?;
        }
        Ok(())
    }
}

/// Returns a modifier of SQLite's date functions.
fn modifier(span: TimeDelta) -> String {
    format!("{:+.3} seconds", span.as_seconds_f64())
}
