//! Intervals that contain a skew, and the skew that is published with them.

use chrono::TimeDelta;

use super::assumptions::Assumptions;
use super::axis::{Monotonic, Read, offset};
use crate::heartbeat::time::HostTime;

/// An interval that contains a skew; both limits are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Proven by causality.
    pub lower: TimeDelta,
    /// `None` until a heartbeat was observed. Otherwise not below `lower`.
    pub upper: Option<TimeDelta>,
}

impl Bounds {
    /// Returns the bounds of clock − monotonic axis that a stamp proves without a heartbeat: the clock stamped the row before
    /// the answer.
    pub(in crate::heartbeat) fn by_causality(
        read: Read,
        stamp: HostTime,
        assumptions: &Assumptions,
    ) -> Self {
        Self {
            lower: offset(stamp, read.answered) + assumptions.quantum.low,
            upper: None,
        }
    }

    /// Returns the bounds of clock − monotonic axis that a heartbeat proves on its own, where a read is the first to show it.
    ///
    /// With a = `after`, the sending of the last read that did not show the heartbeat − longest delay, and b = answer of
    /// this read:
    /// - causality, whatever the delays: lower = stamp + quantum.low − b;
    /// - the longest delay: upper = stamp + quantum.high − a + drift (b − a); none without `after`.
    pub(in crate::heartbeat) fn of_heartbeat(
        after: Option<Monotonic>,
        read: Read,
        stamp: HostTime,
        assumptions: &Assumptions,
    ) -> Self {
        let upper = after.map(|after| {
            let drift = assumptions.drift(read.answered - after);
            offset(stamp, after) + assumptions.quantum.high + drift
        });
        Self {
            upper,
            ..Self::by_causality(read, stamp, assumptions)
        }
    }

    pub(in crate::heartbeat) fn widened(self, by: TimeDelta) -> Self {
        Self {
            lower: self.lower - by,
            upper: self.upper.map(|upper| upper + by),
        }
    }

    /// Returns whether these bounds end below where the others begin.
    pub(super) fn below(&self, other: &Self) -> bool {
        self.upper.is_some_and(|upper| upper < other.lower)
    }

    /// Returns whether each skew within the others is within these.
    pub(in crate::heartbeat) fn contain(&self, others: &Self) -> bool {
        let is_above = |upper: TimeDelta| others.upper.is_some_and(|other| other <= upper);
        self.lower <= others.lower && self.upper.is_none_or(is_above)
    }

    /// Returns whether each skew within these bounds is more than `limit` from zero, on one side.
    pub(crate) fn are_beyond(&self, limit: TimeDelta) -> bool {
        self.lower > limit || self.upper.is_some_and(|upper| upper < -limit)
    }

    /// Returns whether a skew can be within both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        !self.below(other) && !other.below(self)
    }

    /// Returns the intersection, which must not be empty.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            lower: self.lower.max(other.lower),
            upper: self.upper.into_iter().chain(other.upper).min(),
        }
    }

    /// Returns the smallest interval that contains both.
    pub(super) fn or(self, other: Self) -> Self {
        let uppers = self.upper.zip(other.upper);
        Self {
            lower: self.lower.min(other.lower),
            upper: uppers.map(|(own, other)| own.max(other)),
        }
    }
}

/// The skew of a host's clock against the database's, for publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    /// See [`Skew::estimate`](super::Skew::estimate).
    pub estimate: Option<TimeDelta>,
    /// The proven bounds.
    pub bounds: Bounds,
}

impl ClockSkew {
    /// Returns the largest possible error of the estimate, on either side; `None` without an estimate.
    pub(crate) fn margin(&self) -> Option<TimeDelta> {
        let estimate = self.estimate?;
        Some((self.bounds.upper? - estimate).max(estimate - self.bounds.lower))
    }
}
