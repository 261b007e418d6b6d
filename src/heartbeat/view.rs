//! What is published at one moment: the latest snapshot unless it is stale, and the current outage.

use std::sync::Arc;
use std::time::Duration;

use super::failure::Class;
use super::snapshot::Snapshot;

/// Consecutive polls that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Time since the first failure.
    pub lasted: Duration,
    /// Class of the latest failure.
    pub class: Class,
}

/// What is published at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The latest snapshot; `None` before the first, and while the latest is withheld.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Age of the latest snapshot, even while it is withheld; `None` before the first.
    pub age: Option<Duration>,
    /// The failures since the latest snapshot; `None` after a successful poll, and before the first poll.
    pub outage: Option<Outage>,
    /// Age at which a snapshot is withheld, inclusive.
    pub stale_after: Duration,
    /// Time between two polls.
    pub poll_interval: Duration,
    /// Time since the exporter started.
    pub uptime: Duration,
}
