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
//! [visibility delay](Assumptions::visibility_delay), and the [bus delay](Assumptions::bus_delay) where a message bus
//! carries heartbeats. A step smaller than the [slack](Assumptions::slack), a pause of
//! the host and a slew of its clock can stay undetected, and the bounds wrong for as long as a heartbeat [counts](window).

mod assumptions;
mod axis;
mod bounds;
mod carried;
mod database_clock;
mod observation;
mod pace;
pub(crate) mod shared_clock;
#[cfg(test)]
mod tests;
mod window;
mod writers;

use std::sync::Arc;

use chrono::TimeDelta;

pub use assumptions::{Assumptions, Quantum};
pub use axis::{Monotonic, Read};
use axis::{offset, scaled};
pub use bounds::{Bounds, ClockSkew};
pub(crate) use database_clock::{DatabaseClock, DatabaseOffset};
pub use observation::{Observation, Row};
pub(crate) use pace::Interval;
use pace::{Advance, Beat, Pace};
use window::Window;
use writers::{Arrival, Writers};

/// After two conflicts within this time, an assumption does not hold, and each heartbeat counts alone.
const CONTRADICTORY: TimeDelta = TimeDelta::minutes(10);

/// The skew of one service host's clock, as learnt from reads of the service's row.
#[derive(Debug, Clone)]
pub struct Skew {
    /// Shared, because all rows have the same assumptions.
    assumptions: Arc<Assumptions>,
    /// The bounds at the time `at`; they [age](Skew::bounds).
    bounds: Bounds,
    at: Monotonic,
    /// The heartbeats behind the bounds.
    window: Window,
    row: Row,
    /// When the last read that was not ignored was sent.
    previous: Monotonic,
    /// When the first of the latest reads was sent that showed an older row than reads before.
    stale_since: Option<Monotonic>,
    /// The last heartbeat was stamped in (after, before]; `after` is unknown until a heartbeat was observed.
    after: Option<Monotonic>,
    before: Monotonic,
    /// Whether the next heartbeat replaces the bounds, and `row.stamp` may not be a heartbeat's.
    restarts: bool,
    /// When the read was answered that last showed a change other than a heartbeat that confirmed the bounds.
    unconfirmed: Monotonic,
    /// When the read was answered that showed that our monotonic axis may have stood still. `None` once two later reads
    /// enclose a heartbeat.
    disturbed: Option<Monotonic>,
    pace: Pace,
    writers: Writers,
    steps: u64,
    /// Number of [conflicts](Observation::Conflict).
    pub(crate) conflicts: u64,
    /// When the latest two conflicts were read, the later one first.
    latest_conflicts: [Option<Monotonic>; 2],
}

impl Skew {
    /// Learns from the first read of a row: by causality alone, skew ≥ stamp + quantum.low − answered.
    ///
    /// The stamp of a foreign row proves nothing. Then there is no skew
    /// [against the database](Self::against_database) until two later reads enclose a heartbeat.
    #[must_use]
    pub fn new(read: Read, row: Row, assumptions: impl Into<Arc<Assumptions>>) -> Self {
        let assumptions = assumptions.into();
        let bounds = Bounds::by_causality(read, row.stamp, &assumptions);
        let mut window = Window::default();
        if assumptions.are_carried() {
            window.add(bounds, read.answered, None, &assumptions);
        }
        Self {
            bounds,
            at: read.answered,
            window,
            row,
            previous: read.sent,
            stale_since: None,
            after: None,
            before: read.answered,
            restarts: true,
            unconfirmed: read.answered,
            disturbed: row.foreign.then_some(read.answered),
            pace: Pace::default(),
            writers: Writers::default(),
            steps: 0,
            conflicts: 0,
            latest_conflicts: [None; 2],
            assumptions,
        }
    }

    /// Notes that our monotonic axis may have stood still, as it does while this machine is suspended. A read that was
    /// answered at `answered` showed it.
    ///
    /// Times before that answer are no longer comparable with later ones. Only the lower bound holds, since the axis can
    /// only have lost time. The first heartbeat between two later reads replaces the bounds and does not count as a
    /// clock step. Until then there is no skew [against the database](Self::against_database).
    pub(crate) fn suspect_axis(&mut self, answered: Monotonic) {
        self.disturbed = Some(answered);
        if self.assumptions.are_carried() {
            self.window.raise(None);
        } else {
            self.window.clear();
        }
        self.bounds.upper = None;
        self.after = None;
        self.restarts = true;
        self.pace.restart();
    }

    /// Changes the assumptions.
    ///
    /// A longer visibility delay widens the bounds at once. They stay until the next heartbeat replaces them, so they do
    /// not outlive the old assumptions.
    pub(crate) fn set_assumptions(&mut self, assumptions: impl Into<Arc<Assumptions>>) {
        let old = std::mem::replace(&mut self.assumptions, assumptions.into());
        let assumptions = *self.assumptions;
        if assumptions.are_bounds_of(&old) {
            return;
        }
        let later = assumptions.delay() - old.delay();
        let later = later.max(TimeDelta::zero());
        self.bounds.upper = self.bounds.upper.map(|upper| upper + later);
        self.after = self.after.map(|after| after - later);
        if assumptions.are_carried() {
            self.window.raise(Some(later));
        } else {
            self.window.clear();
        }
        self.restarts = true;
    }

    /// Learns from another read of the row, which must not be older than the last.
    pub fn observe(&mut self, read: Read, row: Row) -> Observation {
        let order = row.compare(&self.row);
        let goes_back = order.is_lt() && row.heartbeats.is_none() && !row.elsewhere;
        if order.is_lt() && !goes_back {
            return self.older(read, row);
        }
        let is_carried = self.assumptions.are_carried();
        let is_set_back = goes_back && !is_carried;
        // The count of a table that was restored from a backup rises to that of before, with another stamp.
        let has_caught_up = self.stale_since.take().is_some() && row.stamp != self.row.stamp;
        let observation = if is_carried && order.is_ne() && !row.foreign {
            self.carried(read, row)
        } else if order.is_gt() && !row.foreign {
            self.heartbeat(read, row)
        } else if order.is_ne() || row.stamp != self.row.stamp {
            self.restarts = true;
            self.pace.restart();
            Observation::Foreign
        } else {
            Observation::Same
        };
        if is_set_back {
            // The clock was set back, or the table was restored from a backup: only causality holds for both.
            let Bounds { lower, .. } = Bounds::by_causality(read, row.stamp, &self.assumptions);
            let old = self.bounds(read.answered);
            self.bounds = Bounds {
                lower: lower.min(old.lower),
                upper: None,
            };
            self.at = read.answered;
        }
        if !matches!(observation, Observation::Heartbeat | Observation::Same) {
            self.unconfirmed = read.answered;
        }
        if order.is_ne() || has_caught_up {
            // Where the project counts no heartbeats, another write may be one.
            if row.heartbeats.is_some() || observation != Observation::Foreign {
                self.after = self.after();
            }
            self.before = read.answered;
        }
        self.row = row;
        self.previous = read.sent;
        observation
    }

    /// Ignores an older version of the row, unless it stays too long for a replica that lags.
    fn older(&mut self, read: Read, row: Row) -> Observation {
        let stale_since = *self.stale_since.get_or_insert(read.sent);
        let may_lag = read.sent - stale_since <= self.assumptions.longest_lag();
        let is_older = row.stamp <= self.row.stamp || self.assumptions.stamped_by_others;
        if is_older && may_lag {
            return Observation::Stale;
        }
        let new = Self::new(read, row, self.assumptions.clone());
        *self = Self {
            disturbed: new.disturbed.or(self.disturbed),
            ..new
        };
        Observation::Recreated
    }

    /// Returns the time after which a heartbeat was stamped that the latest read is the first to show; `None` where the
    /// axis may have stood still since the read before.
    fn after(&self) -> Option<Monotonic> {
        let is_comparable = self.disturbed.is_none_or(|since| self.previous >= since);
        is_comparable.then(|| self.previous - self.assumptions.delay())
    }

    /// Compares a heartbeat with those before, by the host's clock.
    fn advance(&mut self, read: Read, row: Row) -> (Beat, Option<Interval>, Option<Advance>) {
        if row.heartbeats.is_none() && self.may_hide_heartbeats(read) {
            self.pace.restart();
        }
        let beat = Beat {
            heartbeats: row.heartbeats.unwrap_or_else(|| self.pace.next()),
            stamp: row.stamp,
        };
        let interval = self.pace.interval(self.assumptions.slack());
        // The clock may have been set while reads showed no heartbeat, or while there was no read.
        let gap = (self.previous - self.before).max(read.sent - self.previous);
        let advance = self.pace.advance(beat, gap, interval, &self.assumptions);
        (beat, interval, advance)
    }

    fn heartbeat(&mut self, read: Read, row: Row) -> Observation {
        let (beat, interval, advance) = self.advance(read, row);
        let regular = advance.is_some_and(|advance| advance.regular);

        let new = self.proven(read, row);
        if let Some(Interval { mean, .. }) = interval {
            self.window.expire(read.answered, mean);
        }
        let old = self.window.bounds(read.answered, &self.assumptions);
        let old = old.unwrap_or_else(|| self.bounds(read.answered));
        let regular = regular && (row.heartbeats.is_some() || !self.may_repeat(old, new, interval));
        let observation = if self.restarts || interval.is_none() {
            Observation::Restart
        } else if !regular {
            Observation::Irregular
        } else if self.is_contradictory(read.answered) {
            Observation::Restart
        } else if old.below(&new) || new.below(&old) {
            Observation::Conflict
        } else {
            Observation::Heartbeat
        };
        // Below the old bounds, a regular heartbeat may just have been visible too late.
        let disproves = old.below(&new) || new.below(&old) && observation != Observation::Conflict;
        if row.heartbeats.is_some() {
            let arrival = Arrival::new(beat, read.answered);
            self.writers.observe(arrival, &self.assumptions);
        }
        let counts = self.disturbed.is_none() && self.writers().is_none();
        self.steps += u64::from(disproves && counts);
        self.replace(observation, old, new, read.answered, interval);
        if observation == Observation::Conflict {
            self.conflicts += 1;
            self.latest_conflicts = [Some(read.answered), self.latest_conflicts[0]];
        }
        if new.upper.is_some() {
            self.disturbed = None;
            self.restarts = false;
        }
        self.pace.learn(beat, advance, self.assumptions.slack());
        observation
    }

    /// Returns whether a read may show the last of several heartbeats since the read before, whose number is unknown.
    ///
    /// They come with their interval between them, and each at most the visibility delay late.
    fn may_hide_heartbeats(&self, read: Read) -> bool {
        let window = read.answered - self.previous + self.assumptions.visibility_delay;
        let learnt = self.pace.interval(self.assumptions.slack());
        window >= self.assumptions.report_interval
            || learnt.is_some_and(|learnt| window >= learnt.mean - learnt.error)
    }

    /// Returns whether two intervals may have passed since the last heartbeat and not one: a clock that is set back by an
    /// interval repeats a stamp, and without a count that heartbeat is unseen.
    fn may_repeat(&self, old: Bounds, new: Bounds, interval: Option<Interval>) -> bool {
        let slack = self.assumptions.slack();
        interval.zip(old.upper).is_some_and(|(interval, upper)| {
            new.lower <= upper - (interval.mean - interval.error - slack)
        })
    }

    /// Replaces the old bounds by those of a heartbeat, or by the intersection of both.
    fn replace(
        &mut self,
        observation: Observation,
        old: Bounds,
        new: Bounds,
        at: Monotonic,
        interval: Option<Interval>,
    ) {
        let assumptions = &self.assumptions;
        let mut added = new;
        self.bounds = if observation == Observation::Heartbeat {
            old.and(new)
        } else if observation == Observation::Conflict && new.below(&old) {
            // The clock was set back or paused, or the heartbeat was visible too late: the old upper bounds still hold.
            self.window.lower_to(new.lower, at, assumptions);
            added.upper = None;
            Bounds {
                lower: new.lower,
                ..old
            }
        } else {
            // After a conflict, causality wins: the clock was set forward.
            self.window.clear();
            new
        };
        let interval = interval.map(|interval| interval.mean);
        self.window.add(added, at, interval, assumptions);
        self.at = at;
    }

    /// Returns whether an assumption does not hold, so that heartbeats must not be combined.
    fn is_contradictory(&self, at: Monotonic) -> bool {
        self.latest_conflicts[1].is_some_and(|earlier| at - earlier <= CONTRADICTORY)
    }

    /// Returns the bounds that a heartbeat proves on its own.
    fn proven(&self, read: Read, row: Row) -> Bounds {
        Bounds::of_heartbeat(self.after(), read, row.stamp, &self.assumptions)
    }

    /// Returns the bounds of host clock − monotonic axis at a time not before the last read.
    ///
    /// They widen on both sides by the largest drift since the last heartbeat.
    pub(crate) fn bounds(&self, at: Monotonic) -> Bounds {
        self.bounds.widened(self.assumptions.drift(at - self.at))
    }

    /// Returns the most likely skew within bounds; `None` without an upper one.
    ///
    /// It is the middle between the lower bound and upper bound − longest delay, because typical delays are far below
    /// the longest. Where these two cross, it is the lower bound.
    pub(crate) fn estimate(&self, bounds: Bounds, at: Monotonic) -> Option<TimeDelta> {
        let assumptions = &self.assumptions;
        let likeliest = assumptions
            .are_carried()
            .then(|| self.window.likeliest(at, assumptions));
        let Bounds { lower, upper } = likeliest.flatten().unwrap_or(bounds);
        let spread = upper? - assumptions.delay() - lower;
        Some(lower + spread.max(TimeDelta::zero()) / 2)
    }

    /// Returns the bounds of host clock − monotonic axis as of the latest read, which was answered at `answered`.
    ///
    /// `None` when the host has certainly been silent for longer than both three intervals and `service_down_time`,
    /// because a pause or a failover may have moved its clock. Also `None` while the axis is
    /// [suspect](Self::suspect_axis).
    pub(crate) fn known_bounds(&self, answered: Monotonic) -> Option<Bounds> {
        let service_down_time = self.assumptions.service_down_time;
        let longest_silence = self.interval().map_or(service_down_time, |interval| {
            scaled(interval.mean, 3, 1).max(service_down_time)
        });
        if self.disturbed.is_some() || self.silence(answered).0 > longest_silence {
            return None;
        }
        Some(self.bounds(answered))
    }

    /// Returns the skew against the database's clock that these bounds of host clock − monotonic axis prove.
    #[must_use]
    pub(crate) fn against_database(
        &self,
        bounds: Bounds,
        answered: Monotonic,
        database: DatabaseOffset,
    ) -> ClockSkew {
        ClockSkew {
            estimate: self
                .estimate(bounds, answered)
                .map(|skew| skew - database.at_answer),
            bounds: database.relative(bounds),
        }
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

    /// Returns the least and the greatest time since the last heartbeat, as of the latest read, which was answered at
    /// `answered`.
    ///
    /// The rows are from a moment between sending and answer: the least time is until the sending, the greatest until
    /// the answer. A read that was ignored proves nothing about the least.
    ///
    /// The greatest is `None` until a heartbeat was observed. Both follow from the reads before and after the
    /// heartbeat, and from its stamp with the bounds of the skew; the tighter result counts. The stamp is used only
    /// while it is known to be a heartbeat's, and that of the last one. Where a message bus carries heartbeats, the least
    /// is the time since the last one came.
    pub(crate) fn silence(&self, answered: Monotonic) -> (TimeDelta, Option<TimeDelta>) {
        let least = (self.previous - self.before).max(TimeDelta::zero());
        let most = self.after.map(|after| answered - after);
        if self.restarts || self.assumptions.are_carried() {
            return (least, most);
        }
        let Bounds { lower, upper } = self.bounds(answered);
        let Quantum { low, high } = self.assumptions.quantum;
        let by_stamp = upper.map(|upper| upper - offset(self.row.stamp, answered) - low);
        (
            least.max(lower - offset(self.row.stamp, self.previous) - high),
            most.into_iter().chain(by_stamp).min(),
        )
    }

    /// Returns whether the stamp in the row is known to be that of a heartbeat.
    pub(super) fn is_stamp_of_heartbeat(&self) -> bool {
        !self.restarts
    }

    /// Returns how often the old bounds were disproved: the clock was set, or stood still while the host was paused.
    ///
    /// The count stops while the row is known to have several [writers](Skew::writers).
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns the least number of processes that write the row, from 2 to 8; `None` while one process explains the stamps,
    /// and where the project counts no heartbeats.
    ///
    /// With several writers, the bounds hold for the clock of the last writer and change with it.
    #[must_use]
    pub fn writers(&self) -> Option<u32> {
        self.writers.number()
    }
}
