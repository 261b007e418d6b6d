//! What the rows of several processes prove together of the one clock of their host.
//!
//! Each row knows of a disturbance only when its own next heartbeat is read. Until then its bounds may be those of the
//! clock before it, and must not be combined with those of a row that was stamped since.

use super::{Bounds, Monotonic, Skew};

/// Returns the bounds of host clock − monotonic axis that all these rows prove.
///
/// A row counts if its own bounds are [known](Skew::known_bounds), and its last heartbeat was stamped after each read with
/// which another row changed in any way but by a regular heartbeat within its bounds.
///
/// `None` without a row that counts, and where they contradict each other because an assumption does not hold.
pub(crate) fn common_bounds<'a>(
    rows: impl Iterator<Item = &'a Skew> + Clone,
    answered: Monotonic,
) -> Option<Bounds> {
    // The latest change of all rows, and the one before it.
    let (latest, previous) = rows.clone().fold((None, None), |(latest, previous), skew| {
        let change = Some(skew.unconfirmed);
        (latest.max(change), previous.max(latest.min(change)))
    });
    let counts = |skew: &&Skew| {
        let is_latest = latest == Some(skew.unconfirmed);
        let of_others = if is_latest { previous } else { latest };
        of_others.is_none_or(|change| skew.after.is_some_and(|after| after >= change))
    };
    let bounds = rows
        .filter(counts)
        .filter_map(|skew| skew.known_bounds(answered));
    let common = bounds.reduce(Bounds::and)?;
    (!common.below(&common)).then_some(common)
}
