//! Intervals that contain a skew, and the skew that is published with them.

use chrono::TimeDelta;

/// An interval that contains a skew; both limits are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Proven by causality.
    pub lower: TimeDelta,
    /// `None` until a heartbeat was observed. Otherwise not below `lower`.
    pub upper: Option<TimeDelta>,
}

impl Bounds {
    pub(super) fn widened(self, by: TimeDelta) -> Self {
        Self {
            lower: self.lower - by,
            upper: self.upper.map(|upper| upper + by),
        }
    }

    /// Returns whether these bounds end below where the others begin.
    pub(super) fn below(&self, other: &Self) -> bool {
        self.upper.is_some_and(|upper| upper < other.lower)
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
