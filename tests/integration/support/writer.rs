//! Writers that send heartbeats like Cinder's services, each with its own connection and clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use openstack_heartbeat_exporter::config::database_url::Engine;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::block_on;
use super::database::Database;

pub(crate) const BINARY: &str = "cinder-volume";

/// Cinder's default.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// A running service; killed when dropped.
pub(crate) struct Writer {
    pub(crate) host: &'static str,
    clock: Arc<Mutex<Clock>>,
    slowest: Arc<Mutex<Duration>>,
    task: JoinHandle<()>,
}

/// A host clock: its lead over the clock of this machine, which is that of all databases of the tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    ahead: TimeDelta,
    drift_ppm: i32,
    /// The time of that lead.
    at: DateTime<Utc>,
}

impl Clock {
    /// Returns a clock that is some seconds ahead, and gains some microseconds a second from now on.
    pub(crate) fn new(seconds: i64, drift_ppm: i32) -> Self {
        Self {
            ahead: TimeDelta::seconds(seconds),
            drift_ppm,
            at: now(),
        }
    }

    fn skew(&self, at: DateTime<Utc>) -> TimeDelta {
        self.ahead + (at - self.at) * self.drift_ppm / 1_000_000
    }
}

/// Reads the clock of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "a service's host has its own clock"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

impl Writer {
    /// Starts a service: it writes its row at once, and a heartbeat each interval, first after `phase`.
    ///
    /// An existing row of this name is shared with its other writers.
    pub(crate) fn start(
        database: &Database,
        host: &'static str,
        clock: Clock,
        phase: Duration,
    ) -> Self {
        Self::every(REPORT_INTERVAL, database, host, clock, phase)
    }

    /// Starts a service with another `report_interval`.
    pub(crate) fn every(
        report_interval: Duration,
        database: &Database,
        host: &'static str,
        clock: Clock,
        phase: Duration,
    ) -> Self {
        let clock = Arc::new(Mutex::new(clock));
        let slowest = Arc::new(Mutex::new(Duration::ZERO));
        let measured = slowest.clone();
        block_on(async {
            let mut service = Service {
                host,
                clock: clock.clone(),
                no: database.boolean(false),
                connection: Connection::open(database).await,
            };
            let (id, report_count) = service.row().await;
            service.save(id, report_count).await;
            let mut ticks = tokio::time::interval_at(Instant::now() + phase, report_interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let task = tokio::spawn(async move {
                loop {
                    ticks.tick().await;
                    let (id, report_count) = service.row().await;
                    let took = service.save(id, report_count + 1).await;
                    let mut slowest = measured.lock().unwrap();
                    *slowest = took.max(*slowest);
                }
            });
            Self {
                host,
                clock,
                slowest,
                task,
            }
        })
    }

    /// Steps the clock forward.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.clock.lock().unwrap().ahead += TimeDelta::seconds(seconds);
    }

    /// Returns the lead of the clock in seconds, at a time since 1970 by this machine's clock.
    pub(crate) fn skew(&self, at: f64) -> f64 {
        let at = DateTime::UNIX_EPOCH + Duration::from_secs_f64(at);
        self.clock.lock().unwrap().skew(at).as_seconds_f64()
    }

    /// Returns the longest time from a stamp until the database has acknowledged it.
    pub(crate) fn slowest(&self) -> Duration {
        *self.slowest.lock().unwrap()
    }

    /// Ends the service abruptly.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }

    /// Returns whether the service still runs without a failure.
    pub(crate) fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The state of `Service.report_state` in cinder/service.py.
struct Service {
    host: &'static str,
    clock: Arc<Mutex<Clock>>,
    no: &'static str,
    connection: Connection,
}

impl Service {
    /// Returns the primary key and the `report_count` of the row, which is created if it does not exist.
    async fn row(&mut self) -> (i32, i32) {
        let Self { host, no, .. } = *self;
        let select = format!(
            "SELECT id, report_count FROM services WHERE host = '{host}' AND deleted = {no}"
        );
        if let Some(row) = self.connection.select(&select).await {
            return row;
        }
        let (quote, created) = (self.connection.quote(), self.time());
        let insert = format!(
            "INSERT INTO services ({quote}binary{quote}, host, topic, report_count, disabled, deleted, \
             availability_zone, created_at) \
             VALUES ('{BINARY}', '{host}', '{BINARY}', 0, {no}, {no}, 'nova', {created})"
        );
        self.connection.execute(insert).await;
        self.connection.select(&select).await.unwrap()
    }

    /// Stamps and writes the row, and returns the duration of the write.
    async fn save(&mut self, id: i32, report_count: i32) -> Duration {
        let Self { no, .. } = *self;
        let stamped = Instant::now();
        let time = self.time();
        let update = format!(
            "UPDATE services SET report_count = {report_count}, updated_at = {time} \
             WHERE id = {id} AND deleted = {no}"
        );
        self.connection.execute(update).await;
        stamped.elapsed()
    }

    /// Returns the time by the host clock, as SQLAlchemy's drivers write it.
    fn time(&self) -> String {
        let now = now();
        let time = now + self.clock.lock().unwrap().skew(now);
        match self.connection {
            Connection::Postgres(_) => {
                format!("'{}'::timestamp", time.format("%Y-%m-%dT%H:%M:%S%.6f"))
            }
            _ => format!("'{}'", time.format("%Y-%m-%d %H:%M:%S%.6f")),
        }
    }
}

/// A connection to any engine; each statement is a transaction.
enum Connection {
    MySql(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Connection {
    async fn open(database: &Database) -> Self {
        let url = database.superuser_url();
        match database.engine {
            Engine::MySql => Self::MySql(MySqlConnection::connect(&url).await.unwrap()),
            Engine::Postgres => Self::Postgres(PgConnection::connect(&url).await.unwrap()),
            Engine::Sqlite => {
                let options = SqliteConnectOptions::new().filename(&database.name);
                Self::Sqlite(options.connect().await.unwrap())
            }
        }
    }

    fn quote(&self) -> char {
        match self {
            Self::MySql(_) => '`',
            _ => '"',
        }
    }

    /// Runs a statement with the values in its text, as `PyMySQL` and psycopg2 do.
    async fn execute(&mut self, statement: String) {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        match self {
            Self::MySql(connection) => drop(statement.execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(statement.execute(connection).await.unwrap()),
            Self::Sqlite(connection) => drop(statement.execute(connection).await.unwrap()),
        }
    }

    /// Returns the row that a statement selects, if any.
    async fn select(&mut self, statement: &str) -> Option<(i32, i32)> {
        let statement = AssertSqlSafe(statement.to_owned());
        match self {
            Self::MySql(connection) => sqlx::query_as(statement).fetch_optional(connection).await,
            Self::Postgres(connection) => {
                sqlx::query_as(statement).fetch_optional(connection).await
            }
            Self::Sqlite(connection) => sqlx::query_as(statement).fetch_optional(connection).await,
        }
        .unwrap()
    }
}
