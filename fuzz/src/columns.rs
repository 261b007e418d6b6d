//! Rows of a real SQLite, with values of any type and any text in every column.

use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use super::{expose, scratch};
use arbitrary::Arbitrary;
use chrono::TimeDelta;
use openstack_heartbeat_exporter::config::database_url::DatabaseUrl;
use openstack_heartbeat_exporter::database::{Connection, Target};
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Read};
use openstack_heartbeat_exporter::heartbeat::time::ClockOffset;
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project::cinder;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Arbitrary)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    /// A time this many seconds from now.
    Near(i16),
}

/// All columns that are read, in the order of the table below.
pub type Row = [Value; 11];

struct World {
    runtime: Runtime,
    writer: SqliteConnection,
    reader: Connection,
    target: Target,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let path = scratch("cinder.sqlite");
    let target = Target {
        url: DatabaseUrl::parse(&format!("sqlite:///{}", path.display())).expect("it is a URL"),
        project: &cinder::PROJECT,
        connect_timeout: Duration::from_secs(10),
        query_timeout: Duration::from_secs(3600),
    };
    let (writer, reader) = runtime.block_on(async {
        let mut writer = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging()
            .connect()
            .await
            .expect("the file is ours");
        // Columns without a type store values unchanged.
        sqlx::raw_sql(
            "CREATE TABLE services (id, \"binary\", host, topic, report_count, updated_at, created_at, disabled, \
             disabled_reason, frozen, cluster_name, deleted DEFAULT 0);\
             CREATE TABLE clusters (id, name, \"binary\", disabled, deleted)",
        )
        .execute(&mut writer)
        .await
        .expect("the tables are new");
        let reader = Connection::open(&target).await.expect("the tables are there");
        (writer, reader)
    });
    Mutex::new(World {
        runtime,
        writer,
        reader,
        target,
    })
});

impl World {
    fn read(&mut self, rows: &[Row]) {
        self.runtime.block_on(async {
            let places = ["(?,?,?,?,?,?,?,?,?,?,?)"].repeat(rows.len()).join(",");
            let statement = format!(
                "BEGIN; DELETE FROM services; INSERT INTO services (id, \"binary\", host, topic, report_count, \
                 updated_at, created_at, disabled, disabled_reason, frozen, cluster_name) VALUES {places}; COMMIT"
            );
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for value in rows.iter().flatten() {
                query = match value {
                    Value::Null => query.bind(None::<i64>),
                    Value::Integer(number) => query.bind(*number),
                    Value::Real(number) => query.bind(*number),
                    Value::Text(text) => query.bind(text.as_str()),
                    Value::Blob(bytes) => query.bind(bytes.as_slice()),
                    Value::Near(seconds) => {
                        let time = chrono::Utc::now() + TimeDelta::seconds((*seconds).into());
                        query.bind(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
                    }
                };
            }
            query.execute(&mut self.writer).await.expect("any value fits");
            let reading = self.reader.read(&self.target).await.expect("no row costs another");
            assert_eq!(reading.rows, rows.len());
            let intervals = Intervals {
                service_down_time: TimeDelta::seconds(60),
                report_interval: TimeDelta::seconds(10),
            };
            let tolerances = Tolerances {
                visibility_delay: TimeDelta::seconds(2),
                bus_delay: TimeDelta::seconds(30),
                max_drift_ppm: 1_000,
        poll_interval: TimeDelta::seconds(5),
            };
            let at = Monotonic(TimeDelta::zero());
            let read = Read { sent: at, answered: at };
            expose(&Tracker::new(&cinder::PROJECT, intervals, tolerances).observe(reading, read, ClockOffset::default()));
        });
    }
}

/// Reads rows.
pub fn run(rows: &[Row]) {
    let rows = &rows[..rows.len().min(4)];
    if !rows.is_empty() {
        WORLD.lock().expect("nobody panicked").read(rows);
    }
}
