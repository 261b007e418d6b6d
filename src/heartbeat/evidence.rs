//! What the reads of one row prove, by whose clock stamps it.

use std::sync::Arc;

use chrono::TimeDelta;

use super::arrivals::Arrivals;
use super::skew::{Assumptions, Interval, Monotonic, Observation, Read, Row, Skew};

/// The observations of one row.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most rows are of the larger kind, and stay in one place"
)]
pub(crate) enum Evidence {
    /// The service's own clock stamps it.
    Own(Skew),
    /// Processes of another program stamp it.
    Servers(Arrivals),
}

impl Evidence {
    /// Learns from the first read of a row.
    pub(super) fn new(read: Read, row: Row, assumptions: Arc<Assumptions>, is_own: bool) -> Self {
        if is_own {
            Self::Own(Skew::new(read, row, assumptions))
        } else {
            Self::Servers(Arrivals::new(read, row, assumptions))
        }
    }

    /// Learns from another read of the row, which must not be older than the last.
    pub(super) fn observe(&mut self, read: Read, row: Row) -> Observation {
        match self {
            Self::Own(skew) => skew.observe(read, row),
            Self::Servers(arrivals) => arrivals.observe(read, row),
        }
    }

    /// See [`Skew::set_assumptions`] and [`Arrivals::set_assumptions`].
    pub(super) fn set_assumptions(&mut self, assumptions: Arc<Assumptions>) {
        match self {
            Self::Own(skew) => skew.set_assumptions(assumptions),
            Self::Servers(arrivals) => arrivals.set_assumptions(assumptions),
        }
    }

    /// See [`Skew::suspect_axis`].
    pub(super) fn suspect_axis(&mut self, answered: Monotonic) {
        match self {
            Self::Own(skew) => skew.suspect_axis(answered),
            Self::Servers(arrivals) => arrivals.suspect_axis(answered),
        }
    }

    /// Returns the skew of the service's own clock; `None` where its stamps are not from that clock.
    pub(super) fn skew(&self) -> Option<&Skew> {
        match self {
            Self::Own(skew) => Some(skew),
            Self::Servers(_) => None,
        }
    }

    /// Returns the observations of a row that others stamp.
    pub(super) fn arrivals(&self) -> Option<&Arrivals> {
        match self {
            Self::Own(_) => None,
            Self::Servers(arrivals) => Some(arrivals),
        }
    }

    /// See [`arrivals`](Self::arrivals).
    pub(super) fn arrivals_mut(&mut self) -> Option<&mut Arrivals> {
        match self {
            Self::Own(_) => None,
            Self::Servers(arrivals) => Some(arrivals),
        }
    }

    /// Returns whether the stamp in the row is known to be that of a heartbeat.
    pub(super) fn is_stamp_of_heartbeat(&self) -> bool {
        match self {
            Self::Own(skew) => skew.is_stamp_of_heartbeat(),
            Self::Servers(arrivals) => arrivals.is_trusted(),
        }
    }

    /// Returns the mean interval between heartbeats, see [`Skew::interval`] and [`Arrivals::interval`].
    pub(super) fn interval(&self) -> Option<Interval> {
        match self {
            Self::Own(skew) => skew.interval(),
            Self::Servers(arrivals) => arrivals.interval(),
        }
    }

    /// Returns the least and the greatest time since the last heartbeat, see [`Skew::silence`] and [`Arrivals::silence`].
    pub(super) fn silence(&self, answered: Monotonic) -> (TimeDelta, Option<TimeDelta>) {
        match self {
            Self::Own(skew) => skew.silence(answered),
            Self::Servers(arrivals) => arrivals.silence(answered),
        }
    }
}
