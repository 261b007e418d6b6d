//! The reader's own axis of time, where alone it meets a host's clock, and sums of times that can't overflow.

use std::ops::Sub;

use chrono::TimeDelta;

use crate::heartbeat::time::{HostTime, since_1970};

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

/// Returns what a host's clock shows less our axis: the one place where the two meet.
pub(super) fn offset(stamp: HostTime, at: Monotonic) -> TimeDelta {
    since_1970(stamp.0) - at.0
}

/// Returns `span` × `numerator` ÷ `denominator`, rounded up, and kept to what can still be summed without
/// overflow: a garbled row must not stop the exporter. `denominator` must be positive.
pub(super) fn scaled(span: TimeDelta, numerator: i64, denominator: i64) -> TimeDelta {
    const NANOS: i128 = 1_000_000_000;
    // Three million years, more than lie between any two stamps.
    const LIMIT: i128 = 100_000_000_000_000 * NANOS;
    // The same in 64 bits, where these are enough, takes a tenth of the instructions.
    let small = span
        .num_nanoseconds()
        .and_then(|nanos| nanos.checked_mul(numerator)?.checked_neg());
    if let Some(negative) = small {
        return TimeDelta::nanoseconds(-negative.div_euclid(denominator));
    }
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
