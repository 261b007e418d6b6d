//! The monotonic axis of all reads: a clock that nobody sets.

use chrono::TimeDelta;
use rustix::time::{ClockId, clock_gettime};

use crate::heartbeat::skew::Monotonic;

/// The clock behind the axis. `CLOCK_BOOTTIME` goes on while the machine is suspended, and is the same for the next
/// process. `CLOCK_MONOTONIC`, which the standard library reads, stands still during a suspension.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Returns the time on the axis.
#[must_use]
pub fn now() -> Monotonic {
    let time = clock_gettime(CLOCK);
    Monotonic(TimeDelta::seconds(time.tv_sec) + TimeDelta::nanoseconds(time.tv_nsec))
}
