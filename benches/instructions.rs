//! The work of some polls, for callgrind to count: `instructions WHAT SERVICES POLLS`.
//!
//! The difference between two numbers of polls excludes the work of the start. Half of the services send a heartbeat
//! between two polls, as with the default intervals.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use openstack_heartbeat_exporter::config::database_url::DatabaseUrl;
use openstack_heartbeat_exporter::database::{Connection, Target};
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::row_id::RowId;
use openstack_heartbeat_exporter::heartbeat::service::{Facts, Reading, Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::snapshot::Snapshot;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project::cinder;
use openstack_heartbeat_exporter::publish::exposition::Format;
use openstack_heartbeat_exporter::publish::latest::{EntrySettings, Latest};
use openstack_heartbeat_exporter::publish::rendered::Encoding;
use openstack_heartbeat_exporter::publish::telemetry::Telemetry;
use openstack_heartbeat_exporter::source::Poll;
use openstack_heartbeat_exporter::source::axis;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

const POLL_INTERVAL: i64 = 5;
const FOR_LONG: Duration = Duration::from_hours(24);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, services, polls] = arguments.as_slice() else {
        return Err("instructions decode|track|render|compress SERVICES POLLS".into());
    };
    let (services, polls) = (services.parse()?, polls.parse()?);
    match what.as_str() {
        "decode" => return decode(services, polls),
        "track" => show(services, polls, None),
        "render" => show(services, polls, Some(Encoding::Identity)),
        "compress" => show(services, polls, Some(Encoding::Gzip)),
        _ => return Err(format!("unknown work {what}").into()),
    }
    Ok(())
}

/// Reads the services of an SQLite file, once for each poll.
fn decode(services: usize, polls: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cinder.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        fill(&file, services).await?;
        let target = Target {
            url: DatabaseUrl::parse(&format!("sqlite:///{}", file.display()))?,
            project: &cinder::PROJECT,
            connect_timeout: FOR_LONG,
            query_timeout: FOR_LONG,
        };
        let mut connection = Connection::open(&target).await?;
        for _ in 0..polls {
            let reading = connection.read(&target).await?;
            assert_eq!(reading.services.len(), services);
        }
        Ok(())
    })
}

/// Creates Cinder's tables with services.
async fn fill(file: &Path, services: usize) -> Result<(), sqlx::Error> {
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .connect()
        .await?;
    let statement = format!(
        "CREATE TABLE services (id INTEGER PRIMARY KEY, \"binary\" TEXT, host TEXT, report_count INTEGER, \
         updated_at DATETIME, created_at DATETIME, disabled BOOLEAN, topic TEXT, disabled_reason TEXT, \
         frozen BOOLEAN, availability_zone TEXT, cluster_name TEXT, uuid TEXT, rpc_current_version TEXT, \
         object_current_version TEXT, replication_status TEXT, active_backend_id TEXT, deleted BOOLEAN); \
         CREATE TABLE clusters (id INTEGER PRIMARY KEY, \"binary\" TEXT, name TEXT, disabled BOOLEAN, \
         deleted BOOLEAN); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {services}) \
         INSERT INTO services SELECT i, 'cinder-volume', 'storage-' || i || '.example.org@ceph', 1000 + i, \
         '2026-03-30 00:54:14.250000', '2026-03-01 00:00:00.000000', 0, 'cinder-volume', NULL, 0, 'az1', NULL, \
         '4f6e9a1e-f914-f6a3-9360-' || i, '3.17', '1.39', 'not-capable', NULL, 0 FROM n"
    );
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// Tracks services over some polls, and renders each snapshot if an encoding is given.
fn show(services: usize, polls: usize, encoding: Option<Encoding>) {
    let intervals = Intervals {
        service_down_time: TimeDelta::seconds(60),
        report_interval: TimeDelta::seconds(2 * POLL_INTERVAL),
    };
    let telemetry = Telemetry::new(Duration::ZERO).expect("the metrics are registered");
    let latest = Latest::new(telemetry);
    let entry = latest.add(
        "cinder",
        EntrySettings {
            project: &cinder::PROJECT,
            engine: "sqlite",
            poll_interval: FOR_LONG,
            stale_after: FOR_LONG,
            longest_poll: FOR_LONG,
        },
    );
    if let Some(encoding) = encoding {
        latest.ask(Format::OpenMetrics, encoding);
    }
    let tolerances = Tolerances {
        visibility_delay: TimeDelta::seconds(2),
        bus_delay: TimeDelta::seconds(30),
        max_drift_ppm: 1_000,
        poll_interval: TimeDelta::seconds(5),
    };
    let mut tracker = Tracker::new(&cinder::PROJECT, intervals, tolerances);
    let mut rows = rows(services);
    // A poll takes slightly longer than the one before until the history of every row is full.
    for poll in 0..80 + i64::try_from(polls).unwrap_or_default() {
        let snapshot = observe(&mut tracker, &mut rows, poll);
        match encoding {
            Some(_) => drop(entry.show(Poll {
                snapshot,
                sent: axis::now(),
                took: Duration::ZERO,
                clock: ClockOffset::default(),
            })),
            None => drop(snapshot),
        }
    }
}

fn rows(services: usize) -> Vec<Service> {
    let row = |id| Service {
        id: RowId::Number(id),
        heartbeats: Some(1000),
        facts: Arc::new(Facts {
            binary: "cinder-volume".into(),
            host: format!("storage-{id}.example.org@ceph").into(),
            availability_zone: Some("az1".into()),
            uuid: Some(format!("4f6e9a1e-f914-f6a3-9360-{id}").into()),
            info: ["cinder-volume", "3.17", "1.39", "not-capable", ""]
                .map(|fact| (!fact.is_empty()).then(|| fact.into())),
            frozen: Some(false),
            ..Facts::default()
        }),
        ..Service::default()
    };
    (1..).take(services).map(row).collect()
}

/// Adds a heartbeat to half of the services, and observes all.
fn observe(tracker: &mut Tracker, rows: &mut [Service], poll: i64) -> Snapshot {
    let midnight = NaiveDate::from_ymd_opt(2026, 3, 30).unwrap_or_default();
    let at = TimeDelta::seconds(poll * POLL_INTERVAL);
    let now = midnight.and_time(chrono::NaiveTime::MIN) + at;
    let beats = (1..)
        .zip(rows.iter_mut())
        .filter(|(id, _)| (id + poll) % 2 == 0);
    for (_, row) in beats {
        row.heartbeats = row.heartbeats.map(|number| number + 1);
        row.stamp = Stamp::At(HostTime(now - TimeDelta::seconds(1)));
    }
    let reading = Reading {
        now: DatabaseTime(now),
        server: None,
        read_only: false,
        replayed: None,
        quantum: Quantum::TRUNCATED,
        services: rows.to_vec(),
        clusters: Vec::new(),
        rejected: Vec::new(),
        rows: rows.len(),
    };
    let read = Read {
        sent: Monotonic(at),
        answered: Monotonic(at + TimeDelta::milliseconds(20)),
    };
    tracker.observe(reading, read, ClockOffset::default())
}
