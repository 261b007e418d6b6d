//! What the services of one snapshot amount to: all up, some down, and which of these have no reason yet.

use super::cause::Reason;
use super::snapshot::Snapshot;
use super::status::ServiceStatus;

/// Returns whether every enabled service is up, `None` when that can't be told: some time is unreadable and
/// nothing is known to be down, a service's row is missing, or there is no service at all.
#[must_use]
pub(crate) fn all_up(snapshot: &Snapshot) -> Option<bool> {
    let mut enabled = snapshot
        .services
        .iter()
        .filter(|status| !status.service.disabled);
    if enabled.clone().any(is_down) {
        return Some(false);
    }
    let unknown = enabled.any(|status| status.up.is_none())
        || snapshot.services.is_empty()
        || snapshot.hidden() > 0;
    (!unknown).then_some(true)
}

/// Returns how many enabled services are down for a reason that is not known yet.
#[must_use]
pub(crate) fn unexplained(snapshot: &Snapshot) -> usize {
    let enabled = |status: &&ServiceStatus| !status.service.disabled && is_down(status);
    let down = snapshot.services.iter().filter(enabled);
    down.filter(|status| !is_explained(status)).count()
}

fn is_explained(status: &ServiceStatus) -> bool {
    match status.observed.reason {
        None | Some(Reason::Undetermined) => false,
        // A clock ahead is proven at once; whether most hosts share that skew takes a heartbeat of each.
        Some(Reason::ClockSkew) => {
            status.observed.writers.is_some()
                || status
                    .observed
                    .clock_skew
                    .is_some_and(|skew| skew.estimate.is_some())
        }
        Some(_) => true,
    }
}

/// Returns whether the API lists the service as down.
#[must_use]
pub(crate) fn is_down(status: &ServiceStatus) -> bool {
    status.up == Some(false)
}
