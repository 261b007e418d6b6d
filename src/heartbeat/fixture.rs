//! Services and pictures of them for tests, by Cinder's default intervals.

use std::collections::HashMap;

use chrono::{NaiveDateTime, TimeDelta};

use super::liveness::Intervals;
use super::service::{DatabaseTime, Reading, Service};
use super::skew::Quantum;
use super::snapshot::{Observed, ServiceStatus, Snapshot};

pub(crate) const INTERVALS: Intervals = Intervals {
    service_down_time: TimeDelta::seconds(60),
    report_interval: TimeDelta::seconds(10),
};

/// A time such as `2026-03-30 00:54:14` or `2026-03-30 00:54:14.25`.
pub(crate) fn now(text: &str) -> DatabaseTime {
    DatabaseTime(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap())
}

/// A service that has reported, without times.
pub(crate) fn service(binary: &str, host: &str) -> Service {
    Service {
        id: 1,
        binary: binary.to_owned(),
        host: host.to_owned(),
        topic: Some(binary.to_owned()),
        report_count: 7,
        availability_zone: Some("nova".to_owned()),
        ..Service::default()
    }
}

/// A service of which no more is known than whether it is up, for API and scheduler alike.
pub(crate) fn status(service: Service, up: Option<bool>) -> ServiceStatus {
    ServiceStatus {
        service,
        up,
        up_for_scheduler: up,
        last_heartbeat: None,
        heartbeat_age: None,
        duplicates: 0,
        observed: Observed::default(),
    }
}

/// What a table without clusters holds at 2026-03-30 00:54:14.
pub(crate) fn reading(services: Vec<Service>) -> Reading {
    Reading {
        now: now("2026-03-30 00:54:14"),
        quantum: Quantum::MICROSECOND,
        rows: services.len(),
        services,
        clusters: vec![],
        rejected: vec![],
    }
}

/// The picture that a reading gives, of rows that were never observed before.
pub(crate) fn snapshot(reading: Reading) -> Snapshot {
    Snapshot::new(reading, INTERVALS, HashMap::new(), None, None)
}
