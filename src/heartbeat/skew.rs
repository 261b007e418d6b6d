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

mod pace;
#[cfg(test)]
mod tests;
mod writers;

use std::ops::Sub;

use chrono::{DateTime, TimeDelta};

use super::service::{DatabaseTime, HostTime};
pub use pace::Interval;
use pace::{Beat, Pace};
use writers::Writers;

/// A time on the reader's own axis, which no clock setting moves: the time since an arbitrary moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(pub TimeDelta);

impl Sub for Monotonic {
    type Output = TimeDelta;

    fn sub(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }
}

impl Sub<TimeDelta> for Monotonic {
    type Output = Self;

    fn sub(self, span: TimeDelta) -> Self {
        Self(self.0 - span)
    }
}

/// When a statement was sent and when its answer was there: the rows are as of some moment between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Just before the statement was sent.
    pub sent: Monotonic,
    /// Just after the last row arrived; not before `sent`.
    pub answered: Monotonic,
}

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

/// What a column keeps of a stamp: the true one lies in [stored + low, stored + high].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantum {
    /// Zero, or negative where the database rounds up.
    pub low: TimeDelta,
    /// Positive.
    pub high: TimeDelta,
}

impl Quantum {
    /// Microseconds are kept: PostgreSQL, SQLite, and `datetime(6)` anywhere.
    pub const MICROSECOND: Self = Self::new(0, 1);
    /// The fraction of the second is cut off: MariaDB's `datetime`.
    pub const TRUNCATED: Self = Self::new(0, 1_000_000);
    /// Rounded to the nearest second: MySQL's `datetime`.
    pub const ROUNDED: Self = Self::new(-500_000, 500_000);
    /// Whole seconds, cut off or rounded: `datetime` of an engine that only speaks MySQL's protocol.
    pub const UNKNOWN: Self = Self::new(-500_000, 1_000_000);

    const fn new(low_micros: i64, high_micros: i64) -> Self {
        Self {
            low: TimeDelta::microseconds(low_micros),
            high: TimeDelta::microseconds(high_micros),
        }
    }

    /// Returns how much of a stamp is unknown.
    #[must_use]
    pub fn width(&self) -> TimeDelta {
        self.high - self.low
    }
}

/// What is taken for granted; the bounds hold as long as these do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assumptions {
    /// Longest delay from a heartbeat's stamp until a read can see it; inclusive.
    pub visibility_delay: TimeDelta,
    /// Largest drift between the host's clock and ours, except where a clock is set. The kernel's own limit is
    /// 500 ppm.
    pub max_drift_ppm: u32,
    /// Irregularity of a single heartbeat that is no sign of a disturbed clock.
    pub tolerance: TimeDelta,
    /// What the column `updated_at` keeps.
    pub quantum: Quantum,
    /// The configured `report_interval`. It moves no bound: it tells several [writers](Skew::writers) from one
    /// that reports oftener.
    pub report_interval: TimeDelta,
}

impl Assumptions {
    /// Returns the assumptions that suit a database with one writer or a Galera cluster, read without a replica.
    #[must_use]
    pub fn new(quantum: Quantum, report_interval: TimeDelta) -> Self {
        Self {
            visibility_delay: TimeDelta::seconds(2),
            max_drift_ppm: 500,
            tolerance: TimeDelta::milliseconds(250),
            quantum,
            report_interval,
        }
    }

    /// Returns how far the span between two stored stamps can be off without any sign of a disturbed clock:
    /// tolerance + width of the quantum.
    #[must_use]
    pub fn slack(&self) -> TimeDelta {
        self.tolerance + self.quantum.width()
    }

    /// Returns the largest change of a skew in that time; zero for a time that runs backwards.
    fn drift(&self, elapsed: TimeDelta) -> TimeDelta {
        let elapsed = elapsed.max(TimeDelta::zero());
        scaled(elapsed, i64::from(self.max_drift_ppm), 1_000_000)
    }
}

/// An interval that contains a skew; both limits are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Proven by causality.
    pub lower: TimeDelta,
    /// `None` until a heartbeat was observed. Never less than `lower`.
    pub upper: Option<TimeDelta>,
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
    assumptions: Assumptions,
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
    pace: Pace,
    writers: Writers,
    steps: u64,
    conflicts: u64,
}

impl Skew {
    /// Returns what the first read of a row proves: by causality alone, skew ≥ stamp + quantum.low − answered.
    #[must_use]
    pub fn new(read: Read, row: Row, assumptions: Assumptions) -> Self {
        Self {
            assumptions,
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
            pace: Pace::default(),
            writers: Writers::default(),
            steps: 0,
            conflicts: 0,
        }
    }

    /// Learns from one more read of the row, which must not be older than the last.
    pub fn observe(&mut self, read: Read, row: Row) -> Observation {
        if row.report_count < self.row.report_count {
            if row.stamp <= self.row.stamp {
                return Observation::Stale;
            }
            *self = Self::new(read, row, self.assumptions);
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
        let advance = self
            .pace
            .advance(beat, self.previous - self.before, interval, slack);
        let regular = advance.is_some_and(|advance| advance.regular);

        let alone = self.proven(read, row, interval.filter(|_| regular));
        let old = self.bounds(read.answered);
        let (bounds, observation) = if !regular || self.fresh {
            let known = interval.is_some() && !self.fresh;
            let observation = if known {
                Observation::Odd
            } else {
                Observation::Fresh
            };
            (alone, observation)
        } else if old.below(&alone) {
            // Causality wins: the clock was set forward.
            (alone, Observation::Conflict)
        } else if alone.below(&old) {
            // Set back, paused, or visible too late: the old upper bound still holds.
            let bounds = Bounds {
                upper: old.upper,
                ..alone
            };
            (bounds, Observation::Conflict)
        } else {
            let bounds = Bounds {
                lower: old.lower.max(alone.lower),
                upper: old.upper.into_iter().chain(alone.upper).min(),
            };
            (bounds, Observation::Heartbeat)
        };

        self.writers.observe(beat, &self.assumptions);
        let disproved = old.below(&bounds) || bounds.below(&old);
        self.steps += u64::from(disproved && self.writers().is_none());
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
    /// that the last was stamped (m − 1) intervals later still. `interval` is `None` when the heartbeat is not
    /// known to be regular.
    fn proven(&self, read: Read, row: Row, interval: Option<Interval>) -> Bounds {
        let Assumptions {
            visibility_delay,
            tolerance,
            quantum,
            ..
        } = self.assumptions;
        let after = self.previous - visibility_delay;
        let lower = offset(row.stamp, read.answered) + quantum.low;
        let upper = offset(row.stamp, after)
            + quantum.high
            + self.assumptions.drift(read.answered - after);
        let unseen = row
            .report_count
            .saturating_sub(self.row.report_count)
            .saturating_sub(1);
        let later = match interval {
            Some(interval) if unseen > 0 && self.pace.is_settled() => {
                scaled(interval.mean - interval.error, unseen, 1) - tolerance
            }
            _ => TimeDelta::zero(),
        };
        let lowered = upper - later.max(TimeDelta::zero());
        Bounds {
            lower,
            // A count that rose faster than any process writes proves nothing.
            upper: Some(if lowered < lower { upper } else { lowered }),
        }
    }

    /// Returns the bounds of host's clock − monotonic axis at a time not before the last read.
    ///
    /// Since the last heartbeat they widen on both sides by the largest drift.
    #[must_use]
    pub fn bounds(&self, at: Monotonic) -> Bounds {
        self.bounds
            .widened(self.assumptions.drift(at - self.at))
    }

    /// Returns the likeliest skew against the monotonic axis; `None` until a heartbeat was observed.
    ///
    /// The middle between the lower bound and the upper bound less the visibility delay, since typical delays are
    /// far below the longest; the lower bound where these cross.
    #[must_use]
    pub fn estimate(&self, at: Monotonic) -> Option<TimeDelta> {
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
        if self.silence(read.answered).0 > patience {
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
    pub fn silence(&self, at: Monotonic) -> (TimeDelta, Option<TimeDelta>) {
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
    pub fn conflicts(&self) -> u64 {
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

/// Returns what a host's clock shows less our axis: the one place where the two meet.
fn offset(stamp: HostTime, at: Monotonic) -> TimeDelta {
    stamp.0 - DateTime::UNIX_EPOCH.naive_utc() - at.0
}

/// Returns `span` × `numerator` ÷ `denominator`, rounded up, and kept to what can still be summed without
/// overflow: a garbled row must not stop the exporter. `denominator` must be positive.
fn scaled(span: TimeDelta, numerator: i64, denominator: i64) -> TimeDelta {
    const NANOS: i128 = 1_000_000_000;
    // Three million years, more than lie between any two stamps.
    const LIMIT: i128 = 100_000_000_000_000 * NANOS;
    let nanos = i128::from(span.num_seconds()) * NANOS + i128::from(span.subsec_nanos());
    let product = nanos.saturating_mul(i128::from(numerator));
    let quotient = -product.saturating_neg().div_euclid(i128::from(denominator));
    let quotient = quotient.clamp(-LIMIT, LIMIT);
    let seconds = i64::try_from(quotient.div_euclid(NANOS));
    let nanos = u32::try_from(quotient.rem_euclid(NANOS));
    let (Ok(seconds), Ok(nanos)) = (seconds, nanos) else {
        unreachable!("clamped to what both hold")
    };
    TimeDelta::new(seconds, nanos).expect("within the limit")
}
