//! A few polls of a few rows, from the decoded values to every published format.

use super::{expose, list};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::row_id::RowId;
use openstack_heartbeat_exporter::heartbeat::service::{
    Cluster, Defect, Facts, Reading, Rejection, Service, Stamp,
};
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::snapshot::Snapshot;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project::cinder;
use openstack_heartbeat_exporter::publish::exposition::Format;
use openstack_heartbeat_exporter::publish::latest::{Entry, EntrySettings, Latest};
use openstack_heartbeat_exporter::publish::rendered::{Encoding, RenderedSnapshot};
use openstack_heartbeat_exporter::publish::telemetry::Telemetry;
use openstack_heartbeat_exporter::source::axis;

#[derive(Debug, Arbitrary)]
enum Time {
    Never,
    Unreadable,
    /// Seconds from now.
    Near(i8),
    /// Microseconds since 1970.
    Any(i64),
    Earliest,
    Latest,
}

impl Time {
    fn stamp(&self, now: NaiveDateTime) -> Stamp {
        let time = match self {
            Self::Never => return Stamp::Never,
            Self::Unreadable => return Stamp::Unreadable,
            Self::Near(seconds) => now + TimeDelta::seconds((*seconds).into()),
            Self::Any(micros) => DateTime::from_timestamp_micros(*micros)
                .map_or(NaiveDateTime::MAX, |time| time.naive_utc()),
            Self::Earliest => NaiveDateTime::MIN,
            Self::Latest => NaiveDateTime::MAX,
        };
        Stamp::At(HostTime(time))
    }
}

#[derive(Debug, Arbitrary)]
struct Row {
    id: u8,
    binary: String,
    host: String,
    heartbeats: i64,
    stamp: Time,
    created: Time,
    disabled: bool,
    disabled_reason: Option<String>,
    frozen: Option<bool>,
    cluster_name: Option<String>,
}

#[derive(Debug, Arbitrary)]
struct Poll {
    /// Milliseconds since the last poll.
    pause: u32,
    round_trip: u16,
    /// Seconds by which the database clock is stepped since the last poll.
    set: i16,
    services: Vec<Row>,
    clusters: Vec<(String, String, bool)>,
    rejected: u8,
}

#[derive(Debug, Arbitrary)]
pub struct Story {
    service_down_time: u16,
    report_interval: u16,
    visibility_delay: u16,
    max_drift_ppm: u16,
    quantum: u8,
    polls: Vec<Poll>,
}

impl Poll {
    fn reading(&self, now: NaiveDateTime, quantum: Quantum) -> Reading {
        let services: Vec<Service> = self
            .services
            .iter()
            .map(|row| Service {
                id: RowId::Number(row.id.into()),
                heartbeats: row.id.is_multiple_of(2).then_some(row.heartbeats),
                stamp: row.stamp.stamp(now),
                disabled: Some(row.disabled),
                disabled_reason: row.disabled_reason.as_deref().map(Into::into),
                shown: None,
                forced_down: row.frozen,
                has_left: false,
                facts: Arc::new(Facts {
                    binary: row.binary.as_str().into(),
                    host: row.host.as_str().into(),
                    created: row.created.stamp(now),
                    frozen: row.frozen,
                    cluster_name: row.cluster_name.as_deref().map(Into::into),
                    ..Facts::default()
                }),
            })
            .collect();
        let rejection = Rejection {
            table: "services",
            defect: Defect::NullHost,
            id: None,
        };
        Reading {
            now: DatabaseTime(now),
            server: None,
            read_only: false,
            replayed: None,
            quantum,
            rows: services.len() + usize::from(self.rejected),
            clusters: self
                .clusters
                .iter()
                .map(|(binary, name, disabled)| Cluster {
                    binary: binary.clone(),
                    name: name.clone(),
                    disabled: *disabled,
                })
                .collect(),
            rejected: vec![rejection; self.rejected.into()],
            services,
        }
    }
}

/// Asserts that a snapshot renders the same after others as on its own.
fn follow(entry: &Entry, snapshot: &Snapshot) {
    let sent = axis::now();
    let shown = entry.show(openstack_heartbeat_exporter::source::Poll {
        snapshot: snapshot.clone(),
        sent,
        took: Duration::ZERO,
        clock: ClockOffset::default(),
    });
    let alone = RenderedSnapshot::new("cinder".into(), snapshot.clone(), sent);
    assert_eq!(shown.text(), alone.text());
}

/// Runs a sequence of polls.
pub fn run(story: &Story) {
    let intervals = Intervals {
        service_down_time: TimeDelta::seconds(story.service_down_time.max(1).into()),
        report_interval: TimeDelta::seconds(story.report_interval.max(1).into()),
    };
    let tolerances = Tolerances {
        visibility_delay: TimeDelta::milliseconds(story.visibility_delay.into()),
        bus_delay: TimeDelta::seconds(30),
        max_drift_ppm: story.max_drift_ppm.into(),
        poll_interval: TimeDelta::seconds(5),
    };
    let quanta = [
        Quantum::MICROSECOND,
        Quantum::TRUNCATED,
        Quantum::ROUNDED,
        Quantum::UNKNOWN,
    ];
    let quantum = quanta[usize::from(story.quantum) % quanta.len()];
    let mut tracker = Tracker::new(&cinder::PROJECT, intervals, tolerances);
    let day = Duration::from_secs(86_400);
    let telemetry = Telemetry::new(Duration::ZERO).expect("the metrics are registered");
    let latest = Latest::new(telemetry);
    let entry = latest.add(
        "cinder",
        EntrySettings {
            project: &cinder::PROJECT,
            engine: "sqlite",
            poll_interval: day,
            stale_after: day,
            longest_poll: day,
        },
    );
    latest.ask(Format::OpenMetrics, Encoding::Identity);
    let mut last = None;
    let mut at = TimeDelta::zero();
    let mut clock = DateTime::from_timestamp(1_774_832_000, 0)
        .expect("a time")
        .naive_utc();
    for poll in story.polls.iter().take(8) {
        let pause = TimeDelta::milliseconds(poll.pause.into());
        at += pause;
        clock += pause + TimeDelta::seconds(poll.set.into());
        let sent = Monotonic(at);
        at += TimeDelta::milliseconds(poll.round_trip.into());
        let read = Read {
            sent,
            answered: Monotonic(at),
        };
        let snapshot = tracker.observe(poll.reading(clock, quantum), read, ClockOffset::default());
        expose(&snapshot);
        follow(&entry, &snapshot);
        last = Some(snapshot);
    }
    if let Some(last) = last {
        list(&last);
    }
}
