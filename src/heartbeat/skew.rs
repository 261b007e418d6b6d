//! Bounds on how far the clock of one service's host is from ours, from reads of its heartbeat row alone.
//!
//! A heartbeat row holds one time from the host and none from us. All we learn is that the row changed between
//! two reads, so that a heartbeat gives an interval, never a point. The interval is aged by the largest drift and
//! intersected with that of the next heartbeat: algorithm IM of Marzullo and Owicki, "Maintaining the time in a
//! distributed system" (1983). What has been learnt is intersected only while the host's clock is known to have
//! run on undisturbed, see [`pace`].
//!
//! Sign: skew = host's clock − reference; positive when the host is ahead. The reference is the reader's
//! [`Monotonic`] axis, which no one can set. Only [`Skew::against_database`] gives the skew against the
//! database's clock: a step of that clock then shifts what is published, and disturbs nothing that is remembered.
//!
//! Limits: a constant delay can't be told from an offset, so that bounds are never narrower than the
//! [visibility delay](Assumptions::visibility_delay). A step smaller than the [slack](Assumptions::slack) can go
//! unseen for a while.

mod assumptions;
mod axis;
mod pace;
#[cfg(test)]
mod tests;
mod writers;

use std::sync::Arc;

use chrono::TimeDelta;

use super::time::{DatabaseTime, HostTime};

pub use assumptions::{Assumptions, Quantum};
pub use axis::{Monotonic, Read};
use axis::{offset, scaled};
pub(crate) use pace::Interval;
use pace::{Beat, Pace};
use writers::{Seen, Writers};

/// What one read showed of a service's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// `report_count`: rises by one a heartbeat, and by nothing else.
    pub report_count: i64,
    /// `updated_at`. A row in which it is NULL never reported: there is nothing to observe.
    pub stamp: HostTime,
    /// Whether any other column changed since the last read, so that the stamp need not be a heartbeat's.
    pub foreign: bool,
}

/// An interval that contains a skew; both limits are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Proven by causality.
    pub lower: TimeDelta,
    /// `None` until a heartbeat was observed. Never less than `lower`.
    pub upper: Option<TimeDelta>,
}

impl ClockSkew {
    /// Returns how far the skew can be from the estimate, on either side; `None` without an estimate.
    #[must_use]
    pub(crate) fn margin(&self) -> Option<TimeDelta> {
        let estimate = self.estimate?;
        Some((self.bounds.upper? - estimate).max(estimate - self.bounds.lower))
    }
}

impl Bounds {
    fn widened(self, by: TimeDelta) -> Self {
        Self {
            lower: self.lower - by,
            upper: self.upper.map(|upper| upper + by),
        }
    }

    fn below(&self, other: &Self) -> bool {
        self.upper.is_some_and(|upper| upper < other.lower)
    }

    /// Returns what holds of these bounds together with those of a new, regular heartbeat, which are not above.
    fn intersected(self, new: Self) -> (Self, Observation) {
        let lower = self.lower.max(new.lower);
        if new.upper < Some(lower) {
            // Set back, paused, or visible too late: the old upper bound still holds.
            let lower = new.lower;
            return (Self { lower, ..self }, Observation::Conflict);
        }
        let upper = self.upper.into_iter().chain(new.upper).min();
        (Self { lower, upper }, Observation::Heartbeat)
    }
}

/// The skew of a host's clock against the database's, for publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    /// See [`Skew::estimate`].
    pub estimate: Option<TimeDelta>,
    /// What is proven.
    pub bounds: Bounds,
}

/// What one read told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Nothing was written.
    Same,
    /// The row is older than one read before, as a lagging replica shows it: ignored.
    Stale,
    /// The row was removed and made anew: everything learnt is forgotten.
    Recreated,
    /// Something else than a heartbeat was written, perhaps with another clock: the next heartbeat stands alone.
    Foreign,
    /// A heartbeat that stands alone, because it is the first after a start or a foreign write, or the interval
    /// is not yet known.
    Fresh,
    /// A heartbeat that is early, late or lost, or whose clock was set: it stands alone.
    Odd,
    /// A regular heartbeat that contradicts the old bounds: an assumption does not hold.
    Conflict,
    /// A regular heartbeat, intersected with the old bounds.
    Heartbeat,
}

/// What is remembered of one service's row from read to read.
#[derive(Debug, Clone)]
pub struct Skew {
    /// Shared, since they are the same for all rows.
    assumptions: Arc<Assumptions>,
    /// The bounds as of `at`; they [age](Skew::bounds).
    bounds: Bounds,
    at: Monotonic,
    row: Row,
    /// When the last read was sent that counted.
    previous: Monotonic,
    /// The last heartbeat was stamped in (after, before]; `after` is unknown until one was observed.
    after: Option<Monotonic>,
    before: Monotonic,
    /// Whether the next heartbeat stands alone, since `row.stamp` is not known to be a heartbeat's.
    fresh: bool,
    /// Whether our own axis may have stood still since the last heartbeat.
    disturbed: bool,
    pace: Pace,
    writers: Writers,
    steps: u64,
    conflicts: u64,
}

impl Skew {
    /// Returns what the first read of a row proves: by causality alone, skew ≥ stamp + quantum.low − answered.
    #[must_use]
    pub fn new(read: Read, row: Row, assumptions: impl Into<Arc<Assumptions>>) -> Self {
        let assumptions = assumptions.into();
        Self {
            bounds: Bounds {
                lower: offset(row.stamp, read.answered) + assumptions.quantum.low,
                upper: None,
            },
            at: read.answered,
            row,
            previous: read.sent,
            after: None,
            before: read.answered,
            fresh: true,
            disturbed: false,
            pace: Pace::default(),
            writers: Writers::default(),
            steps: 0,
            conflicts: 0,
            assumptions,
        }
    }

    /// Notes that our own axis may have stood still, as it does while this machine is suspended: the next heartbeat
    /// stands alone and is no step of the host's clock, and until then nothing is known against the database's.
    pub(crate) fn disturb(&mut self) {
        self.disturbed = true;
        self.fresh = true;
        self.pace.restart();
    }

    /// Goes on by other assumptions.
    ///
    /// A longer visibility delay widens what was proven at once. Nothing is forgotten, but where a bound rests on
    /// the old assumptions the next heartbeat stands alone, so that what they proved does not last.
    pub(crate) fn assume(&mut self, assumptions: impl Into<Arc<Assumptions>>) {
        let old = std::mem::replace(&mut self.assumptions, assumptions.into());
        let assumptions = *self.assumptions;
        let comparable = Assumptions {
            report_interval: old.report_interval,
            ..assumptions
        };
        if comparable == *old {
            return;
        }
        let later = assumptions.visibility_delay - old.visibility_delay;
        let later = later.max(TimeDelta::zero());
        self.bounds.upper = self.bounds.upper.map(|upper| upper + later);
        self.after = self.after.map(|after| after - later);
        self.fresh = true;
    }

    /// Learns from one more read of the row, which must not be older than the last.
    pub fn observe(&mut self, read: Read, row: Row) -> Observation {
        if row.report_count < self.row.report_count {
            if row.stamp <= self.row.stamp {
                return Observation::Stale;
            }
            *self = Self::new(read, row, self.assumptions.clone());
            return Observation::Recreated;
        }
        let beaten = row.report_count > self.row.report_count;
        let observation = if beaten && !row.foreign {
            self.heartbeat(read, row)
        } else if beaten || row.stamp != self.row.stamp {
            self.fresh = true;
            self.pace.restart();
            Observation::Foreign
        } else {
            Observation::Same
        };
        if beaten {
            self.after = Some(self.previous - self.assumptions.visibility_delay);
            self.before = read.answered;
        }
        self.row = row;
        self.previous = read.sent;
        observation
    }

    fn heartbeat(&mut self, read: Read, row: Row) -> Observation {
        let slack = self.assumptions.slack();
        let beat = Beat {
            report_count: row.report_count,
            stamp: row.stamp,
        };
        let interval = self.pace.interval(slack);
        // While nobody read, the clock may have been set as well as while nobody beat.
        let unwatched = (self.previous - self.before).max(read.sent - self.previous);
        let advance = self.pace.advance(beat, unwatched, interval, slack);
        let regular = advance.is_some_and(|advance| advance.regular);

        let alone = self.proven(read, row, interval.filter(|_| regular));
        let old = self.bounds(read.answered);
        let (bounds, observation) = if self.fresh || interval.is_none() {
            (alone, Observation::Fresh)
        } else if !regular {
            (alone, Observation::Odd)
        } else if old.below(&alone) {
            // Causality wins: the clock was set forward, and the heartbeat was not regular after all.
            (self.proven(read, row, None), Observation::Conflict)
        } else {
            old.intersected(alone)
        };

        let disproves = old.below(&bounds) || bounds.below(&old);
        let seen = Seen::new(beat, read.answered);
        self.writers.observe(seen, &self.assumptions);
        let counts = !self.disturbed && self.writers().is_none();
        self.steps += u64::from(disproves && counts);
        self.disturbed = false;
        self.conflicts += u64::from(observation == Observation::Conflict);
        self.bounds = bounds;
        self.at = read.answered;
        self.fresh = false;
        self.pace.learn(beat, advance, slack);
        observation
    }

    /// Returns what a heartbeat proves by itself.
    ///
    /// With a = the sending of the last read that did not show it, less the visibility delay, and b = this read's
    /// answer:
    /// - causality, whatever the delays: lower = stamp + quantum.low − b;
    /// - visibility: upper = stamp + quantum.high − a + drift (b − a).
    ///
    /// Where m > 1 heartbeats landed since the last read, that read did not show the first of them either, so
    /// that the last was stamped (m − 1) intervals later still. This takes the unseen ones to be as regular as
    /// those seen, and is done only where reads are rarer than heartbeats, by half an interval at least:
    /// otherwise a second heartbeat means that the first was late. `interval` is `None` when the heartbeat is not
    /// known to be regular; a count that rose faster than any process writes puts upper below lower.
    fn proven(&self, read: Read, row: Row, interval: Option<Interval>) -> Bounds {
        let Assumptions {
            visibility_delay,
            tolerance,
            quantum,
            ..
        } = *self.assumptions;
        let after = self.previous - visibility_delay;
        let lower = offset(row.stamp, read.answered) + quantum.low;
        let upper =
            offset(row.stamp, after) + quantum.high + self.assumptions.drift(read.answered - after);
        let unseen = row
            .report_count
            .saturating_sub(self.row.report_count)
            .saturating_sub(1);
        let later = match interval {
            Some(interval)
                if unseen > 0
                    && self.pace.is_settled()
                    && read.answered - self.previous >= interval.mean * 3 / 2 =>
            {
                scaled(interval.mean - interval.error, unseen, 1) - tolerance
            }
            _ => TimeDelta::zero(),
        };
        Bounds {
            lower,
            upper: Some(upper - later.max(TimeDelta::zero())),
        }
    }

    /// Returns the bounds of host's clock − monotonic axis at a time not before the last read.
    ///
    /// Since the last heartbeat they widen on both sides by the largest drift.
    #[must_use]
    pub(crate) fn bounds(&self, at: Monotonic) -> Bounds {
        self.bounds.widened(self.assumptions.drift(at - self.at))
    }

    /// Returns the likeliest skew against the monotonic axis; `None` until a heartbeat was observed.
    ///
    /// The middle between the lower bound and the upper bound less the visibility delay, since typical delays are
    /// far below the longest; the lower bound where these cross.
    #[must_use]
    pub(crate) fn estimate(&self, at: Monotonic) -> Option<TimeDelta> {
        let Bounds { lower, upper } = self.bounds(at);
        let spread = upper? - self.assumptions.visibility_delay - lower;
        Some(lower + spread.max(TimeDelta::zero()) / 2)
    }

    /// Returns the skew against the database's clock, which showed `now` during `read`, the latest one.
    ///
    /// The database's clock was read between the sending and the answer: that uncertainty is in the bounds.
    /// `None` when the host has certainly been silent for longer than both three intervals and
    /// `service_down_time`: its clock may have been moved by a pause or a failover, unseen.
    #[must_use]
    pub fn against_database(
        &self,
        read: Read,
        now: DatabaseTime,
        service_down_time: TimeDelta,
    ) -> Option<ClockSkew> {
        let patience = self.interval().map_or(service_down_time, |interval| {
            scaled(interval.mean, 3, 1).max(service_down_time)
        });
        if self.disturbed || self.silence(read.answered).0 > patience {
            return None;
        }
        let now = HostTime(now.0);
        let bounds = self.bounds(read.answered);
        let reference = offset(now, read.answered);
        Some(ClockSkew {
            estimate: self.estimate(read.answered).map(|skew| skew - reference),
            bounds: Bounds {
                lower: bounds.lower - offset(now, read.sent),
                upper: bounds.upper.map(|upper| upper - reference),
            },
        })
    }

    /// Returns the mean interval between heartbeats on the host's clock; `None` until two were observed in a row,
    /// and while the row has several [writers](Skew::writers).
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        if self.writers().is_some() {
            return None;
        }
        self.pace.interval(self.assumptions.slack())
    }

    /// Returns for how long at least, and at most, the last heartbeat lies back, at a time not before the last
    /// read; the second is `None` until a heartbeat was observed.
    ///
    /// Two ways lead there: from the reads that showed it and did not show it yet, and from its stamp with the
    /// bounds of the skew. The better one holds; the second only while the stamp is known to be a heartbeat's.
    #[must_use]
    pub(crate) fn silence(&self, at: Monotonic) -> (TimeDelta, Option<TimeDelta>) {
        let least = (at - self.before).max(TimeDelta::zero());
        let most = self.after.map(|after| at - after);
        if self.fresh {
            return (least, most);
        }
        let Bounds { lower, upper } = self.bounds(at);
        let Quantum { low, high } = self.assumptions.quantum;
        let stamped = offset(self.row.stamp, at);
        let by_stamp = upper.map(|upper| upper - stamped - low);
        (
            least.max(lower - stamped - high),
            most.into_iter().chain(by_stamp).min(),
        )
    }

    /// Returns how many times the old bounds were disproved: the clock was set, or ran on through a pause.
    ///
    /// A row known to have several [writers](Skew::writers) counts no further.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns how many [conflicts](Observation::Conflict) there were.
    #[must_use]
    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// Returns the number of processes that write the row, at least 2; `None` while one explains what is seen.
    ///
    /// The bounds then hold for the clock of the last writer, and change with it.
    #[must_use]
    pub fn writers(&self) -> Option<u32> {
        self.writers.number()
    }
}
