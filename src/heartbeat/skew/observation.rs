//! What one read shows of a row, and what it contributes to the bounds.

use std::cmp::Ordering;

use crate::heartbeat::time::HostTime;

/// What one read shows of a service's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Number of heartbeats. Each one adds one; nothing else changes it. `None` where the project counts none: then each
    /// later stamp is a heartbeat.
    pub heartbeats: Option<i64>,
    /// Time of the last write. A row without one never reported, so there is nothing to observe.
    pub stamp: HostTime,
    /// Whether the stamp may not be the host's own: another column changed, or the project's rules say so.
    pub foreign: bool,
    /// Whether another server than that of the last accepted version shows it, and may lag behind. Where heartbeats are
    /// counted, the count tells.
    pub elsewhere: bool,
}

impl Row {
    /// Compares the heartbeats that two versions of a row show.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self.heartbeats, other.heartbeats) {
            (Some(own), Some(other)) => own.cmp(&other),
            _ => self.stamp.cmp(&other.stamp),
        }
    }
}

/// What one read contributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Nothing was written since the last read.
    Same,
    /// The row is older than in an earlier read, as a lagging replica shows it: ignored.
    Stale,
    /// The row was removed and created again, or the table was restored from a backup: everything learnt is forgotten.
    Recreated,
    /// Another write than a heartbeat, perhaps with another clock, or one that cannot be told from it: the next heartbeat
    /// replaces the bounds.
    Foreign,
    /// A heartbeat whose bounds replace the old ones: it is the first after a start, a foreign write or a change of the
    /// assumptions, or the interval is not yet known.
    Restart,
    /// A heartbeat that is early, late or lost, or whose clock was set: its bounds replace the old ones.
    Irregular,
    /// A regular heartbeat that contradicts the old bounds: an assumption does not hold.
    Conflict,
    /// A regular heartbeat, intersected with the old bounds.
    Heartbeat,
    /// A heartbeat that a message bus carried, perhaps late: the bounds are the hull of those that came lately.
    Carried,
}
