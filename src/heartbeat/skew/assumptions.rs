//! What has to be taken for granted for the bounds to hold.

use chrono::TimeDelta;

use super::axis::scaled;

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
    pub(crate) fn width(&self) -> TimeDelta {
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
    /// The configured `report_interval`. It moves no bound: it tells several [writers](super::Skew::writers) from one
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
    pub(crate) fn slack(&self) -> TimeDelta {
        self.tolerance + self.quantum.width()
    }

    /// Returns the largest change of a skew in that time; zero for a time that runs backwards.
    pub(super) fn drift(&self, elapsed: TimeDelta) -> TimeDelta {
        let elapsed = elapsed.max(TimeDelta::zero());
        scaled(elapsed, i64::from(self.max_drift_ppm), 1_000_000)
    }
}
