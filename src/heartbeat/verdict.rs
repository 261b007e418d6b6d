//! The overall verdict on one snapshot: all services up, some down, and how many of these are without a known reason.

use super::cause::Reason;
use super::snapshot::Snapshot;
use super::status::{Observed, ServiceStatus};

/// Returns whether every enabled service is up.
///
/// `None` when no enabled service is known to be down and one of these holds: an enabled service has no verdict, the
/// row of a service is unreadable, there are no services, or none of them sends heartbeats any more.
pub(crate) fn all_up(snapshot: &Snapshot) -> Option<bool> {
    if enabled(snapshot).any(is_down) {
        return Some(false);
    }
    let unknown = enabled(snapshot).any(|status| status.up.is_none())
        || snapshot.services.is_empty()
        || snapshot.hidden() > 0
        || snapshot.standstill.is_some();
    (!unknown).then_some(true)
}

/// Returns the number of enabled services that are down without a known reason.
pub(crate) fn unexplained(snapshot: &Snapshot) -> usize {
    let down = enabled(snapshot).filter(|status| is_down(status));
    down.filter(|status| !is_explained(&status.observed))
        .count()
}

fn enabled(snapshot: &Snapshot) -> impl Iterator<Item = &ServiceStatus> {
    let statuses = snapshot.services.iter();
    statuses.filter(|status| !status.service.is_disabled())
}

fn is_explained(observed: &Observed) -> bool {
    match observed.reason {
        None | Some(Reason::Undetermined) => false,
        // One read proves that a clock is ahead. Whether most hosts share that skew takes a heartbeat from each.
        Some(Reason::ClockSkew) => {
            let estimate = observed.clock_skew.and_then(|skew| skew.estimate);
            observed.writers.is_some() || estimate.is_some()
        }
        Some(_) => true,
    }
}

/// Returns whether the API lists the service as down, or a reason says that it should be.
pub(crate) fn is_down(status: &ServiceStatus) -> bool {
    status.up == Some(false) || status.observed.reason.is_some()
}
