//! What the rows of several processes prove together of the one clock of their host.
//!
//! Each row knows of a disturbance only when its own next heartbeat is read. Until then its bounds may be those of the
//! clock before it, and must not be combined with those of a row that was stamped since.

use super::{Bounds, Monotonic, Skew};
use crate::heartbeat::time::HostTime;

/// Returns the bounds of host clock − monotonic axis that all these rows prove, each with the time of its creation.
///
/// A row counts if all of these are true of its last heartbeat:
/// - it was stamped since the newest row was created, so that no restart of the host is in between;
/// - it was read since the latest change of any row that was not a regular heartbeat within the bounds;
/// - its own bounds are [known](Skew::known_bounds).
///
/// `None` without such a row, and where they contradict each other because an assumption does not hold.
pub(crate) fn common_bounds<'a>(
    rows: impl Iterator<Item = (&'a Skew, Option<HostTime>)> + Clone,
    answered: Monotonic,
) -> Option<Bounds> {
    let newest = rows.clone().filter_map(|(_, created)| created).max();
    let unconfirmed = rows.clone().map(|(skew, _)| skew.unconfirmed).max()?;
    let counts = |skew: &&Skew| skew.at >= unconfirmed && Some(skew.row.stamp) >= newest;
    let counting = rows.map(|(skew, _)| skew).filter(counts);
    let bounds = counting.filter_map(|skew| skew.known_bounds(answered));
    let common = bounds.reduce(Bounds::and)?;
    (!common.below(&common)).then_some(common)
}
