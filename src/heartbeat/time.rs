//! Two types of time: the service host's and the database's.
//!
//! No relation between the two clocks is known. Both are UTC, in microseconds at best.

use chrono::{NaiveDateTime, TimeDelta};

/// A time read from a service host's clock, as stored in a row.
///
/// It bears no known relation to any other clock. Subtracting it from a [`DatabaseTime`] gives an *apparent*
/// age, which is wrong by the host's clock skew. Only [`apparent_age`] does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostTime(pub NaiveDateTime);

/// A time read from the database server's clock, in the statement that read the rows: "now" for every verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseTime(pub NaiveDateTime);

/// How far the database's clock is from the exporter's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockOffset {
    /// Database clock minus exporter clock: positive when the database is ahead.
    pub offset: TimeDelta,
    /// Bound on the error, on both sides: half the round trip.
    pub error: TimeDelta,
}

/// Returns database time minus host time: positive when the stamp lies in the database's past, negative when the
/// host's clock is ahead by more than the age of the heartbeat.
pub(crate) fn apparent_age(now: DatabaseTime, stamp: HostTime) -> TimeDelta {
    since_1970(now.0) - since_1970(stamp.0)
}

/// Returns the time since the Unix epoch.
///
/// Differs from chrono's subtraction only in ignoring leap seconds, which no database stores.
pub(super) fn since_1970(time: NaiveDateTime) -> TimeDelta {
    let time = time.and_utc();
    let fraction = TimeDelta::nanoseconds(time.timestamp_subsec_nanos().into());
    TimeDelta::seconds(time.timestamp()) + fraction
}
