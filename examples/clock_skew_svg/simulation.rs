//! A host with a clock step, its heartbeats, and the values that the exporter publishes.

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use fastrand::Rng;
use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::service::{Reading, Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::status::ServiceStatus;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project::cinder;

pub(super) const END: f64 = 360.0;
/// Cinder's defaults.
const SERVICE_DOWN_TIME: f64 = 60.0;
const REPORT_INTERVAL: f64 = 10.0;
const POLL_INTERVAL: f64 = 5.0;
const ROUND_TRIP: f64 = 0.004;
/// The events on the host.
pub(super) const AHEAD: f64 = 4.0;
const DRIFT: f64 = 40e-6;
pub(super) const SET_AT: f64 = 150.0;
pub(super) const SET_BY: f64 = 75.0;
const LAST_TURN: i32 = 24;

pub(super) fn true_skew(at: f64) -> f64 {
    AHEAD + DRIFT * at + if at < SET_AT { 0.0 } else { SET_BY }
}

fn span(seconds: f64) -> TimeDelta {
    #[expect(clippy::cast_possible_truncation, reason = "a few minutes")]
    let micros = (seconds * 1e6).round() as i64;
    TimeDelta::microseconds(micros)
}

fn time(seconds: f64) -> NaiveDateTime {
    DateTime::UNIX_EPOCH.naive_utc() + span(seconds)
}

/// A write of the row.
pub(super) struct Heartbeat {
    pub(super) visible: f64,
    /// By the host's clock.
    stamp: f64,
}

/// Returns the service's heartbeats, as irregular and as late as Cinder's. The first precedes the first poll.
pub(super) fn heartbeats(random: &mut Rng) -> Vec<Heartbeat> {
    (-1..=LAST_TURN)
        .map(|turn| {
            let due = REPORT_INTERVAL * f64::from(turn) + 4.3;
            let stamped = due + 0.2 * (random.f64() - 0.5);
            Heartbeat {
                visible: stamped + 0.004 + 0.005 * random.f64(),
                stamp: (stamped + true_skew(stamped)).floor(),
            }
        })
        .collect()
}

/// The values that are published from one poll to the next.
pub(super) struct Point {
    pub(super) from: f64,
    pub(super) till: f64,
    pub(super) status: ServiceStatus,
}

impl Point {
    pub(super) fn lower(&self) -> Option<f64> {
        let skew = self.status.observed.clock_skew?;
        Some(skew.bounds.lower.as_seconds_f64())
    }

    pub(super) fn upper(&self) -> Option<f64> {
        let skew = self.status.observed.clock_skew?;
        Some(skew.bounds.upper?.as_seconds_f64())
    }

    pub(super) fn estimate(&self) -> Option<f64> {
        let skew = self.status.observed.clock_skew?;
        Some(skew.estimate?.as_seconds_f64())
    }

    pub(super) fn width(&self) -> Option<f64> {
        Some(self.upper()? - self.lower()?)
    }

    /// Returns whether the true skew is outside the bounds.
    pub(super) fn misses(&self) -> bool {
        let truth = true_skew(self.from);
        self.lower().is_some_and(|lower| truth < lower)
            || self.upper().is_some_and(|upper| truth > upper)
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.status.observed.reason
    }
}

/// Polls until the end.
pub(super) fn observe(random: &mut Rng, heartbeats: &[Heartbeat]) -> Vec<Point> {
    let intervals = Intervals {
        service_down_time: span(SERVICE_DOWN_TIME),
        report_interval: span(REPORT_INTERVAL),
    };
    let tolerances = Tolerances {
        visibility_delay: span(2.0),
        bus_delay: TimeDelta::zero(),
        max_drift_ppm: 1_000,
        poll_interval: TimeDelta::seconds(5),
    };
    let mut tracker = Tracker::new(&cinder::PROJECT, intervals, tolerances);
    let mut points = Vec::new();
    let mut sent = 0.0;
    while sent < END {
        let answered = sent + ROUND_TRIP;
        let next = sent + POLL_INTERVAL * (1.0 + (2.0 * random.f64() - 1.0) / 6.0);
        let read = Read {
            sent: Monotonic(span(sent)),
            answered: Monotonic(span(answered)),
        };
        let snapshot = tracker.observe(
            reading(heartbeats, sent + ROUND_TRIP / 2.0),
            read,
            ClockOffset::default(),
        );
        points.extend(snapshot.services.into_iter().map(|status| Point {
            from: answered,
            till: (next + ROUND_TRIP).min(END),
            status,
        }));
        sent = next;
    }
    points
}

/// Returns the row of the table at a time.
fn reading(heartbeats: &[Heartbeat], at: f64) -> Reading {
    let seen = heartbeats.partition_point(|heartbeat| heartbeat.visible <= at);
    let service = |heartbeat: &Heartbeat| Service {
        heartbeats: i64::try_from(seen).ok(),
        stamp: Stamp::At(HostTime(time(heartbeat.stamp))),
        ..Service::default()
    };
    let services: Vec<Service> = heartbeats[..seen].last().map(service).into_iter().collect();
    Reading {
        now: DatabaseTime(time(at)),
        server: None,
        read_only: false,
        replayed: None,
        quantum: Quantum::TRUNCATED,
        rows: services.len(),
        services,
        clusters: Vec::new(),
        rejected: Vec::new(),
    }
}
