//! The assumptions behind the bounds.

use chrono::TimeDelta;

use super::axis::scaled;

/// The precision of a time column: the true stamp lies in [stored + low, stored + high].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantum {
    /// Zero, or negative where the database rounds up.
    pub low: TimeDelta,
    /// Positive.
    pub high: TimeDelta,
}

impl Quantum {
    /// Microseconds: PostgreSQL, SQLite, and `datetime(6)` anywhere.
    pub const MICROSECOND: Self = Self::new(0, 1);
    /// Truncated to whole seconds: MariaDB's `datetime`.
    pub const TRUNCATED: Self = Self::new(0, 1_000_000);
    /// Rounded to the nearest second: MySQL's `datetime`.
    pub const ROUNDED: Self = Self::new(-500_000, 500_000);
    /// Whole seconds, truncated or rounded: `datetime` of another engine with MySQL's protocol.
    pub const UNKNOWN: Self = Self::new(-500_000, 1_000_000);

    const fn new(low_micros: i64, high_micros: i64) -> Self {
        Self {
            low: TimeDelta::microseconds(low_micros),
            high: TimeDelta::microseconds(high_micros),
        }
    }

    /// Returns high − low: the uncertainty of a stamp.
    pub(crate) fn width(&self) -> TimeDelta {
        self.high - self.low
    }
}

/// The assumptions under which the bounds hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assumptions {
    /// Longest delay from the write of a heartbeat until a read can show it; inclusive.
    pub visibility_delay: TimeDelta,
    /// Longest delay from the stamp of a heartbeat until its write; inclusive. Above zero, a message bus carries
    /// heartbeats, perhaps out of order. Otherwise the process that stamps the row also writes it.
    pub bus_delay: TimeDelta,
    /// Largest drift between the host's clock and the monotonic axis, clock steps excluded. The kernel's limit is
    /// 500 ppm for each of the two machines.
    pub max_drift_ppm: u32,
    /// Largest irregularity of one heartbeat that does not indicate a disturbed clock.
    pub tolerance: TimeDelta,
    /// The precision of the column of the stamps.
    pub quantum: Quantum,
    /// The configured `report_interval`. It affects no bound. It distinguishes several [writers](super::Skew::writers)
    /// from one that reports more often than configured.
    pub report_interval: TimeDelta,
    /// The configured `service_down_time`. It affects no bound. A silence that is longer [withdraws] them.
    ///
    /// [withdraws]: super::Skew::against_database
    pub service_down_time: TimeDelta,
    /// Time between two reads.
    pub poll_interval: TimeDelta,
    /// Whether others stamp the row too, with their own clocks. Only the count then tells an older version of the row.
    pub stamped_by_others: bool,
}

impl Assumptions {
    /// Returns the assumptions for a single primary or a Galera cluster, read without a replica in between.
    #[must_use]
    pub fn new(quantum: Quantum, report_interval: TimeDelta) -> Self {
        Self {
            visibility_delay: TimeDelta::seconds(2),
            bus_delay: TimeDelta::zero(),
            max_drift_ppm: 1_000,
            tolerance: TimeDelta::milliseconds(250),
            quantum,
            report_interval,
            service_down_time: TimeDelta::seconds(60),
            poll_interval: TimeDelta::seconds(5),
            stamped_by_others: false,
        }
    }

    /// Returns the largest error of the span between two stored stamps that does not indicate a disturbed clock:
    /// tolerance + width of the quantum.
    pub(crate) fn slack(&self) -> TimeDelta {
        self.tolerance + self.quantum.width()
    }

    /// Returns the longest delay from the stamp of a heartbeat until a read can show it.
    pub(in crate::heartbeat) fn delay(&self) -> TimeDelta {
        self.bus_delay + self.visibility_delay
    }

    /// Returns whether bounds that rest on the others rest on these, too.
    pub(in crate::heartbeat) fn are_bounds_of(&self, others: &Self) -> bool {
        let comparable = Self {
            report_interval: others.report_interval,
            service_down_time: others.service_down_time,
            poll_interval: others.poll_interval,
            ..*self
        };
        comparable == *others
    }

    /// Returns whether a message bus carries heartbeats.
    pub(super) fn are_carried(&self) -> bool {
        self.bus_delay > TimeDelta::zero()
    }

    /// Returns how long a row may be older than in an earlier read until it counts as recreated.
    pub(in crate::heartbeat) fn longest_lag(&self) -> TimeDelta {
        self.visibility_delay + self.service_down_time
    }

    /// Returns the largest progress of another clock beyond the monotonic axis that is no suspension of this machine.
    ///
    /// The bounds make up for a smaller one, see [`DatabaseOffset`](super::DatabaseOffset).
    pub(super) fn longest_unseen_suspension(&self) -> TimeDelta {
        TimeDelta::seconds(1).min(self.visibility_delay / 4)
    }

    /// Returns the largest change of a skew by drift in that time; zero for a negative time.
    pub(in crate::heartbeat) fn drift(&self, elapsed: TimeDelta) -> TimeDelta {
        let elapsed = elapsed.max(TimeDelta::zero());
        scaled(elapsed, i64::from(self.max_drift_ppm), 1_000_000)
    }
}
