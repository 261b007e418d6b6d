//! What is known about one service, or one cluster, at one time of the database.

use chrono::TimeDelta;

use super::cause::Reason;
use super::service::{Cluster, Service};
use super::skew::{Bounds, ClockSkew};
use super::time::HostTime;

/// What was learnt about a row over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Skew of the host's clock against the database's; `None` while nothing is known, and after a long silence.
    pub clock_skew: Option<ClockSkew>,
    /// The clock that stamped the last heartbeat − the database's, where another program's processes stamp the row; `None`
    /// until a heartbeat was observed.
    pub server_clock: Option<Bounds>,
    /// Number of observed clock steps; `None` for a row that was never observed.
    pub clock_steps: Option<u64>,
    /// Number of regular heartbeats that contradicted the bounds, because an assumption does not hold; `None` for a
    /// row that was never observed.
    pub clock_conflicts: Option<u64>,
    /// Mean interval between heartbeats on the host's clock.
    pub report_interval: Option<TimeDelta>,
    /// Number of processes that write the row; `None` while one process explains the stamps.
    pub writers: Option<u32>,
    /// Least time since the last heartbeat was stamped; `None` for a row that was never observed.
    pub silence_least: Option<TimeDelta>,
    /// Greatest time since the last heartbeat was stamped; `None` until a heartbeat was observed.
    pub silence_most: Option<TimeDelta>,
    /// Why the service is down, see [`Judge::reason`](super::cause::Judge::reason).
    pub reason: Option<Reason>,
}

/// The processes of a service, where each row is one. Rows that killed processes left behind are no processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processes {
    /// Number of processes, up or not.
    pub all: usize,
    /// Number of those that are down, or proven to have stopped.
    pub down: usize,
    /// Number of rows that killed processes left behind.
    pub leftovers: usize,
}

/// A service and its project's verdicts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// The row; the freshest one where several rows share binary and host.
    pub service: Service,
    /// Whether the API lists it as up, see [`Rules::is_up`](crate::project::rules::Rules::is_up) and
    /// [`Reference::verdict`](super::reference::Reference::verdict).
    pub up: Option<bool>,
    /// Whether the scheduler uses it, see [`Rules::is_up_for_scheduler`](crate::project::rules::Rules::is_up_for_scheduler)
    /// and [`Reference::verdict`](super::reference::Reference::verdict).
    pub up_for_scheduler: Option<bool>,
    /// `stamp or created` by the service host's clock; `None` when both are NULL or the time is unreadable.
    pub last_heartbeat: Option<HostTime>,
    /// Apparent age: database time minus `last_heartbeat`. It is negative when the host is ahead by more than the
    /// heartbeat's age.
    pub heartbeat_age: Option<TimeDelta>,
    /// Rows beyond the first with the same binary and host; none where a row is a process.
    pub duplicates: usize,
    /// The processes behind the service; `None` where a row is a service.
    pub processes: Option<Processes>,
    /// What was learnt about the row over time.
    pub observed: Observed,
}

impl ServiceStatus {
    /// Returns the number of rows behind the status.
    pub(super) fn rows(&self) -> usize {
        let processes = self.processes.map(|it| it.all + it.leftovers);
        processes.unwrap_or(1 + self.duplicates)
    }
}

/// A cluster and its project's verdict on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The row.
    pub cluster: Cluster,
    /// Whether the API lists it as up, see [`is_cluster_up`](super::liveness::is_cluster_up). `None` when no member
    /// proves it up and the verdict on one is unknown, because its time is unreadable or for the reason in
    /// [`Reference::verdict`](super::reference::Reference::verdict).
    pub up: Option<bool>,
    /// Members, whatever their binary, as `Cluster.num_hosts` counts them.
    pub hosts: usize,
    /// Members counted as down, see [`is_member_down`](super::liveness::is_member_down).
    pub hosts_down: usize,
}
