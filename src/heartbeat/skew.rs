//! Bounds on the skew of one service host's clock, from reads of its heartbeat row alone.
//!
//! A heartbeat row holds one time from the host and none from us. A read only shows that the row changed since the
//! read before, so a heartbeat gives an interval, never a point. The interval is aged by the largest drift and
//! intersected with the interval of the next heartbeat: algorithm IM of Marzullo and Owicki, "Maintaining the time in
//! a distributed system" (1983). Intervals are intersected only while the host's clock is known to have run
//! undisturbed, see [`pace`].
//!
//! Sign: skew = host clock − reference; positive when the host is ahead. The reference is the reader's [`Monotonic`]
//! axis, which cannot be set. Only [`Skew::against_database`] gives the skew against the database's clock. A step of
//! that clock therefore shifts the published skew, and leaves the remembered bounds unchanged.
//!
//! Limits: a constant delay is indistinguishable from an offset, so bounds are never narrower than the
//! [visibility delay](Assumptions::visibility_delay). A step smaller than the [slack](Assumptions::slack) can stay
//! undetected for a while.

mod assumptions;
mod axis;
mod bounds;
mod observation;
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
pub use bounds::{Bounds, ClockSkew};
pub use observation::{Observation, Row};
pub(crate) use pace::Interval;
use pace::{Beat, Pace};
use writers::{Arrival, Writers};

/// The skew of one service host's clock, as learnt from reads of the service's row.
#[derive(Debug, Clone)]
pub struct Skew {
    /// Shared, because all rows have the same assumptions.
    assumptions: Arc<Assumptions>,
    /// The bounds at the time `at`; they [age](Skew::bounds).
    bounds: Bounds,
    at: Monotonic,
    row: Row,
    /// When the last read that was not ignored was sent.
    previous: Monotonic,
    /// The last heartbeat was stamped in (after, before]; `after` is unknown until a heartbeat was observed.
    after: Option<Monotonic>,
    before: Monotonic,
    /// Whether the next heartbeat replaces the bounds, and `row.stamp` may not be a heartbeat's.
    restarts: bool,
    /// Whether our monotonic axis may have stood still since the last heartbeat.
    axis_suspect: bool,
    pace: Pace,
    writers: Writers,
    steps: u64,
    /// Number of [conflicts](Observation::Conflict).
    pub(crate) conflicts: u64,
}

impl Skew {
    /// Learns from the first read of a row: by causality alone, skew ≥ stamp + quantum.low − answered.
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
            restarts: true,
            axis_suspect: false,
            pace: Pace::default(),
            writers: Writers::default(),
            steps: 0,
            conflicts: 0,
            assumptions,
        }
    }

    /// Notes that our monotonic axis may have stood still, as it does while this machine is suspended.
    ///
    /// The next heartbeat replaces the bounds and does not count as a clock step. Until then there is no skew
    /// [against the database](Self::against_database).
    pub(crate) fn suspect_axis(&mut self) {
        self.axis_suspect = true;
        self.restarts = true;
        self.pace.restart();
    }

    /// Changes the assumptions.
    ///
    /// A longer visibility delay widens the bounds at once. Nothing is forgotten. Where a bound rests on the old
    /// assumptions, the next heartbeat replaces the bounds, so they do not outlive these assumptions.
    pub(crate) fn set_assumptions(&mut self, assumptions: impl Into<Arc<Assumptions>>) {
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
        self.restarts = true;
    }

    /// Learns from another read of the row, which must not be older than the last.
    pub fn observe(&mut self, read: Read, row: Row) -> Observation {
        if row.report_count < self.row.report_count {
            if row.stamp <= self.row.stamp {
                return Observation::Stale;
            }
            *self = Self::new(read, row, self.assumptions.clone());
            return Observation::Recreated;
        }
        let is_counted = row.report_count > self.row.report_count;
        let observation = if is_counted && !row.foreign {
            self.heartbeat(read, row)
        } else if is_counted || row.stamp != self.row.stamp {
            self.restarts = true;
            self.pace.restart();
            Observation::Foreign
        } else {
            Observation::Same
        };
        if is_counted {
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
        // The clock may have been set while reads showed no heartbeat, or while there was no read.
        let gap = (self.previous - self.before).max(read.sent - self.previous);
        let advance = self.pace.advance(beat, gap, interval, slack);
        let regular = advance.is_some_and(|advance| advance.regular);

        let new = self.proven(read, row, interval.filter(|_| regular));
        let old = self.bounds(read.answered);
        let (bounds, observation) = if self.restarts || interval.is_none() {
            (new, Observation::Restart)
        } else if !regular {
            (new, Observation::Irregular)
        } else if old.below(&new) {
            // Causality wins: the clock was set forward, so the heartbeat was not regular after all.
            (self.proven(read, row, None), Observation::Conflict)
        } else if let Some(bounds) = old.intersected(new) {
            (bounds, Observation::Heartbeat)
        } else {
            // The clock was set back or paused, or the heartbeat was visible too late: the old upper bound still holds.
            let lower = new.lower;
            (Bounds { lower, ..old }, Observation::Conflict)
        };

        let disproves = old.below(&bounds) || bounds.below(&old);
        let arrival = Arrival::new(beat, read.answered);
        self.writers.observe(arrival, &self.assumptions);
        let counts = !self.axis_suspect && self.writers().is_none();
        self.steps += u64::from(disproves && counts);
        self.axis_suspect = false;
        self.conflicts += u64::from(observation == Observation::Conflict);
        self.bounds = bounds;
        self.at = read.answered;
        self.restarts = false;
        self.pace.learn(beat, advance, slack);
        observation
    }

    /// Returns the bounds that a heartbeat proves on its own.
    ///
    /// With a = sending of the last read that did not show the heartbeat − visibility delay, and b = answer of this
    /// read:
    /// - causality, whatever the delays: lower = stamp + quantum.low − b;
    /// - visibility: upper = stamp + quantum.high − a + drift (b − a).
    ///
    /// Where m > 1 heartbeats were written since the last read, that read did not show the first of them. The last was
    /// then stamped (m − 1) intervals later, and the upper bound is lower. This assumes that the unobserved heartbeats
    /// were as regular as the observed ones. It applies only where the reads are at least 1½ intervals apart: with more
    /// frequent reads, a second heartbeat means that the first was late.
    ///
    /// `interval` is `None` when the heartbeat is not known to be regular. If the count rose faster than any process
    /// writes, upper is below lower.
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
        let unobserved = row
            .report_count
            .saturating_sub(self.row.report_count)
            .saturating_sub(1);
        let later = match interval {
            Some(interval)
                if unobserved > 0
                    && self.pace.is_settled()
                    && read.answered - self.previous >= interval.mean * 3 / 2 =>
            {
                scaled(interval.mean - interval.error, unobserved, 1) - tolerance
            }
            _ => TimeDelta::zero(),
        };
        Bounds {
            lower,
            upper: Some(upper - later.max(TimeDelta::zero())),
        }
    }

    /// Returns the bounds of host clock − monotonic axis at a time not before the last read.
    ///
    /// They widen on both sides by the largest drift since the last heartbeat.
    pub(crate) fn bounds(&self, at: Monotonic) -> Bounds {
        self.bounds.widened(self.assumptions.drift(at - self.at))
    }

    /// Returns the most likely skew against the monotonic axis; `None` until a heartbeat was observed.
    ///
    /// It is the middle between the lower bound and upper bound − visibility delay, because typical delays are far
    /// below the longest. Where these two cross, it is the lower bound.
    pub(crate) fn estimate(&self, at: Monotonic) -> Option<TimeDelta> {
        let Bounds { lower, upper } = self.bounds(at);
        let spread = upper? - self.assumptions.visibility_delay - lower;
        Some(lower + spread.max(TimeDelta::zero()) / 2)
    }

    /// Returns the skew against the database's clock, which showed `now` during the latest read, `read`.
    ///
    /// The database's clock was read between sending and answer; the bounds include that uncertainty. `None` when the
    /// host has certainly been silent for longer than both three intervals and `service_down_time`, because a pause or
    /// a failover may have moved its clock. Also `None` after [`suspect_axis`](Self::suspect_axis).
    #[must_use]
    pub fn against_database(
        &self,
        read: Read,
        now: DatabaseTime,
        service_down_time: TimeDelta,
    ) -> Option<ClockSkew> {
        let longest_silence = self.interval().map_or(service_down_time, |interval| {
            scaled(interval.mean, 3, 1).max(service_down_time)
        });
        if self.axis_suspect || self.silence(read.answered).0 > longest_silence {
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

    /// Returns the mean interval between heartbeats on the host's clock.
    ///
    /// `None` until two heartbeats were observed in a row, and while the row has several [writers](Skew::writers).
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        if self.writers().is_some() {
            return None;
        }
        self.pace.interval(self.assumptions.slack())
    }

    /// Returns the least and the greatest time since the last heartbeat, at a time not before the last read.
    ///
    /// The greatest is `None` until a heartbeat was observed. Both follow from the reads before and after the
    /// heartbeat, and from its stamp with the bounds of the skew; the tighter result counts. The stamp is used only
    /// while it is known to be a heartbeat's.
    pub(crate) fn silence(&self, at: Monotonic) -> (TimeDelta, Option<TimeDelta>) {
        let least = (at - self.before).max(TimeDelta::zero());
        let most = self.after.map(|after| at - after);
        if self.restarts {
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

    /// Returns how often the old bounds were disproved: the clock was set, or stood still while the host was paused.
    ///
    /// The count stops while the row is known to have several [writers](Skew::writers).
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns the number of processes that write the row, at least 2; `None` while one process explains the stamps.
    ///
    /// With several writers, the bounds hold for the clock of the last writer and change with it.
    #[must_use]
    pub fn writers(&self) -> Option<u32> {
        self.writers.number()
    }
}
