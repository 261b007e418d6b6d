//! The reader's monotonic axis, its only comparison with a host's clock, and products of spans that cannot overflow.

use std::ops::Sub;

use chrono::TimeDelta;

use crate::heartbeat::time::{HostTime, since_1970};

/// A time on the reader's monotonic axis: the time since an arbitrary moment. Setting a clock does not move it.
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

/// When a statement was sent and when its answer was complete. The rows are from some moment in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Just before the statement was sent.
    pub sent: Monotonic,
    /// Just after the last row arrived; not before `sent`.
    pub answered: Monotonic,
}

/// Returns host clock − monotonic axis. The two are compared nowhere else.
pub(super) fn offset(stamp: HostTime, at: Monotonic) -> TimeDelta {
    since_1970(stamp.0) - at.0
}

/// Returns `span` × `numerator` ÷ `denominator`, rounded up. `denominator` must be positive.
///
/// The result is clamped so that sums of results cannot overflow: a garbled row must not stop the exporter.
pub(super) fn scaled(span: TimeDelta, numerator: i64, denominator: i64) -> TimeDelta {
    const NANOS: i128 = 1_000_000_000;
    // Three million years, longer than the span between any two stamps.
    const LIMIT: i128 = 100_000_000_000_000 * NANOS;
    // Where 64 bits suffice, they take a tenth of the instructions.
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
