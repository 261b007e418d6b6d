//! What can be seen at one moment: the latest snapshot unless it is too old to be true, and what fails.

use std::sync::Arc;
use std::time::Duration;

use super::failure::Class;
use super::snapshot::Snapshot;

/// Polls that failed, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Time since the first of them failed.
    pub lasted: Duration,
    /// Class of the last failure.
    pub class: Class,
}

/// What can be seen at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The latest snapshot; `None` before the first, and while the latest is withheld.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Age of the latest snapshot, also of one that is withheld; `None` before the first.
    pub age: Option<Duration>,
    /// What has failed since the latest snapshot; `None` after a successful poll, and before the first.
    pub outage: Option<Outage>,
    /// Age from which on a snapshot is withheld, inclusive.
    pub stale_after: Duration,
    /// Time between two polls.
    pub poll_interval: Duration,
    /// Time since the exporter started.
    pub uptime: Duration,
}
