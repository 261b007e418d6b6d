//! Services and snapshots for tests, with Cinder's default intervals.

use std::sync::Arc;

use chrono::{NaiveDateTime, TimeDelta};

use super::liveness::Intervals;
use super::reference::Reference;
use super::service::{Facts, Reading, Service, Stamp};
use super::skew::{Bounds, ClockSkew, Monotonic, Quantum};
use super::snapshot::{Rows, Snapshot};
use super::status::{Observed, ServiceStatus};
use super::time::{ClockOffset, DatabaseTime};
use super::tracker::Tolerances;
use crate::project::rules::Rules;
use crate::project::{Project, cinder};

/// Cinder's rules.
pub(crate) const RULES: &Rules = &cinder::PROJECT.rules;

pub(crate) const INTERVALS: Intervals = Intervals {
    service_down_time: TimeDelta::seconds(60),
    report_interval: TimeDelta::seconds(10),
};

pub(crate) const TOLERANCES: Tolerances = Tolerances {
    visibility_delay: TimeDelta::seconds(2),
    bus_delay: TimeDelta::zero(),
    max_drift_ppm: 500,
    poll_interval: TimeDelta::seconds(5),
};

/// A time such as `2026-03-30 00:54:14` or `2026-03-30 00:54:14.25`.
pub(crate) fn now(text: &str) -> DatabaseTime {
    DatabaseTime(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap())
}

/// A time on the monotonic axis.
pub(crate) fn at(second: i64) -> Monotonic {
    Monotonic(TimeDelta::seconds(second))
}

/// A service that has reported, without times.
pub(crate) fn service(binary: &str, host: &str) -> Service {
    Service {
        id: 1.into(),
        heartbeats: Some(7),
        disabled: Some(false),
        facts: Arc::new(Facts {
            binary: binary.into(),
            host: host.into(),
            availability_zone: Some("nova".into()),
            ..Facts::default()
        }),
        ..Service::default()
    }
}

/// The service `cinder-volume` on `block1` with this stamp.
pub(crate) fn stamped(stamp: Stamp) -> Service {
    Service {
        stamp,
        ..service("cinder-volume", "block1")
    }
}

/// The same service with other facts.
pub(crate) fn with(mut service: Service, change: impl FnOnce(&mut Facts)) -> Service {
    change(Arc::make_mut(&mut service.facts));
    service
}

/// The same service, created at another time.
pub(crate) fn created(service: Service, created: Stamp) -> Service {
    with(service, |facts| facts.created = created)
}

/// A clock skew with bounds, in milliseconds.
pub(crate) fn skew(estimate: Option<i64>, lower: i64, upper: Option<i64>) -> ClockSkew {
    let span = TimeDelta::milliseconds;
    ClockSkew {
        estimate: estimate.map(span),
        bounds: Bounds {
            lower: span(lower),
            upper: upper.map(span),
        },
    }
}

/// A service of which only the verdict is known, the same for API and scheduler.
pub(crate) fn status(service: Service, up: Option<bool>) -> ServiceStatus {
    ServiceStatus {
        service,
        up,
        up_for_scheduler: up,
        last_heartbeat: None,
        heartbeat_age: None,
        duplicates: 0,
        processes: None,
        observed: Observed::default(),
    }
}

/// Observations that prove bounds of a skew, without an estimate.
pub(crate) fn bounded(lower: TimeDelta, upper: Option<TimeDelta>) -> Observed {
    Observed {
        clock_skew: Some(ClockSkew {
            estimate: None,
            bounds: Bounds { lower, upper },
        }),
        ..Observed::default()
    }
}

/// A reading of these services at 2026-03-30 00:54:14, without clusters.
pub(crate) fn reading(services: Vec<Service>) -> Reading {
    Reading {
        now: now("2026-03-30 00:54:14"),
        server: None,
        read_only: false,
        replayed: None,
        quantum: Quantum::MICROSECOND,
        rows: services.len(),
        services,
        clusters: vec![],
        rejected: vec![],
    }
}

/// The snapshot of a reading whose rows were never observed.
pub(crate) fn snapshot(reading: Reading) -> Snapshot {
    snapshot_of(&cinder::PROJECT, reading)
}

/// The snapshot of a reading of a project's table whose rows were never observed.
pub(crate) fn snapshot_of(project: &'static Project, reading: Reading) -> Snapshot {
    let observed = vec![Observed::default(); reading.services.len()];
    judged(project, reading, observed)
}

/// The snapshot of a reading, with the observations of each of its services.
pub(crate) fn observed_snapshot(reading: Reading, observed: Vec<Observed>) -> Snapshot {
    judged(&cinder::PROJECT, reading, observed)
}

fn judged(project: &'static Project, reading: Reading, observed: Vec<Observed>) -> Snapshot {
    let mut services: Vec<(Service, Observed)> =
        reading.services.into_iter().zip(observed).collect();
    services.sort_by(|(a, _), (b, _)| a.facts.name().cmp(&b.facts.name()));
    let reference = Reference {
        now: reading.now,
        jump: None,
        unconfirmed_jump: None,
        offset: ClockOffset::default(),
    };
    let rows = Rows {
        servers: None,
        services,
        clusters: reading.clusters,
        rejected: reading.rejected,
        count: reading.rows,
    };
    Snapshot::new(rows, reference, project, INTERVALS)
}
