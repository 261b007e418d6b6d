//! What is known of one service, or of one cluster, at one time of the database.

use chrono::TimeDelta;

use super::cause::Reason;
use super::service::{Cluster, Service};
use super::skew::ClockSkew;
use super::time::HostTime;

/// What was learnt of a row over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Skew of the host's clock against the database's; `None` while nothing is known, or no longer.
    pub clock_skew: Option<ClockSkew>,
    /// Times the clock was seen to be set; `None` for a row that was never observed.
    pub clock_steps: Option<u64>,
    /// Times a heartbeat contradicted the bounds though it came in time: an assumption does not hold; `None` as
    /// above.
    pub clock_conflicts: Option<u64>,
    /// Mean interval between heartbeats on the host's clock.
    pub report_interval: Option<TimeDelta>,
    /// Number of processes that write the row; `None` while one explains what is seen.
    pub writers: Option<u32>,
    /// How long ago, at least, the last heartbeat was stamped; `None` for a row that was never observed.
    pub silence_least: Option<TimeDelta>,
    /// How long ago at most; `None` until a heartbeat was observed.
    pub silence_most: Option<TimeDelta>,
    /// Why the service is down, see [`cause::reason`](super::cause::reason).
    pub reason: Option<Reason>,
}

/// A row, and what was learnt of it over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObservedService {
    /// The row as last accepted.
    pub service: Service,
    /// What was learnt.
    pub observed: Observed,
}

/// A service and what Cinder thinks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// The row, the freshest one where several share binary and host.
    pub service: Service,
    /// As the API lists it, see [`is_up`](super::liveness::is_up) and [`Reference::verdict`](super::reference::Reference::verdict).
    pub up: Option<bool>,
    /// As the scheduler sees it, see [`is_up_for_scheduler`](super::liveness::is_up_for_scheduler) and [`Reference::verdict`](super::reference::Reference::verdict).
    pub up_for_scheduler: Option<bool>,
    /// `updated_at or created_at` by the service host's clock; `None` when both are NULL or it is unreadable.
    pub last_heartbeat: Option<HostTime>,
    /// Database time minus `last_heartbeat`: apparent, negative when the host is ahead.
    pub heartbeat_age: Option<TimeDelta>,
    /// Rows beyond the first with the same binary and host.
    pub duplicates: usize,
    /// What was learnt of the row over time.
    pub observed: Observed,
}

/// A cluster and what Cinder thinks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The row.
    pub cluster: Cluster,
    /// As the API lists it, see [`is_cluster_up`](super::liveness::is_cluster_up); `None` when no member's time proves it up and one
    /// is unreadable, or in doubt, see [`Reference::verdict`](super::reference::Reference::verdict).
    pub up: Option<bool>,
    /// Members, whatever their binary, as `Cluster.num_hosts` counts them.
    pub hosts: usize,
    /// Members counted as down, see [`is_member_down`](super::liveness::is_member_down).
    pub hosts_down: usize,
}
