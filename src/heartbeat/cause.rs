//! Why a service is down: its clock is off, its heartbeats stopped, they come too slowly, or nobody can tell yet.
//!
//! A verdict of [`liveness`] compares the host's clock with another; a reason rests on what is proven of the host's
//! clock, and so tells a process that stopped from a clock that is off.

use chrono::TimeDelta;

use super::liveness::{self, Intervals};
use super::service::{Service, Stamp};
use super::skew::{Monotonic, Skew};
use super::time::{DatabaseTime, apparent_age};

/// What is wrong with a service. The names are label values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The host's clock is off; the service reports as it should.
    ClockSkew,
    /// The heartbeats stopped: the process died, hangs, lost the database, or its driver is not initialised.
    Stopped,
    /// The service reports less often than `service_down_time` asks for.
    SlowReports,
    /// The service has a row and never wrote a heartbeat.
    NeverReported,
    /// More reads are needed.
    Undetermined,
}

impl Reason {
    /// Every reason, in the order in which they are shown.
    pub const ALL: [Self; 5] = [
        Self::ClockSkew,
        Self::Stopped,
        Self::SlowReports,
        Self::NeverReported,
        Self::Undetermined,
    ];

    /// Returns the value of the label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClockSkew => "clock_skew",
            Self::Stopped => "stopped",
            Self::SlowReports => "slow_reports",
            Self::NeverReported => "never_reported",
            Self::Undetermined => "undetermined",
        }
    }
}

/// Returns why a service is down; `None` when it is up and nothing proves that it stopped.
///
/// `skew` is what is remembered of the row, whose latest read was answered at `answered` and showed `now` on the
/// database's clock; `None` for a row that was never observed. A service whose `updated_at` is unreadable has no
/// verdict, and no reason either.
///
/// [`Reason::Stopped`] can hold while the service is up: a clock ahead hides it from Cinder. Up means up by
/// [`liveness::is_up`] and [`liveness::is_up_for_scheduler`].
#[must_use]
pub fn reason(
    service: &Service,
    skew: Option<&Skew>,
    now: DatabaseTime,
    answered: Monotonic,
    intervals: &Intervals,
) -> Option<Reason> {
    let limit = intervals.service_down_time;
    let listed = liveness::is_up(service, now, intervals) == Some(true);
    let age = match service.updated_at {
        Stamp::Never => return (!listed).then_some(Reason::NeverReported),
        Stamp::Unreadable => return None,
        Stamp::At(stamp) => apparent_age(now, stamp),
    };
    let (least, most) = skew.map_or((TimeDelta::zero(), None), |skew| skew.silence(answered));
    if least > limit && !is_between_reports(least, skew, intervals) {
        // A start stamps the row as well: it is the count that tells whether there ever was a heartbeat.
        let never = service.report_count == 0;
        return Some(if never {
            Reason::NeverReported
        } else {
            Reason::Stopped
        });
    }
    let up = listed && liveness::is_up_for_scheduler(service, now, intervals) == Some(true);
    if up {
        return None;
    }
    if least > limit {
        return Some(Reason::SlowReports);
    }
    // Ahead is proven by causality alone; behind, by a heartbeat that looks old and is not.
    if age < -limit || most.is_some_and(|most| most <= limit) {
        return Some(Reason::ClockSkew);
    }
    Some(Reason::Undetermined)
}

/// Returns whether a silence beyond `service_down_time` is nothing but a long interval: at most 1½ times the
/// observed interval, or, as long as none was observed, the configured one.
fn is_between_reports(silence: TimeDelta, skew: Option<&Skew>, intervals: &Intervals) -> bool {
    let (least, mean) = skew.and_then(Skew::interval).map_or(
        (intervals.report_interval, intervals.report_interval),
        |observed| (observed.mean - observed.error, observed.mean),
    );
    least > intervals.service_down_time && silence <= mean + mean / 2
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS};
    use crate::heartbeat::skew::{Assumptions, Quantum, Read, Row};
    use crate::heartbeat::time::HostTime;

    fn at(second: i64) -> Monotonic {
        Monotonic(TimeDelta::seconds(second))
    }

    fn read(second: i64) -> Read {
        Read {
            sent: at(second),
            answered: at(second),
        }
    }

    fn stamp(second: i64) -> HostTime {
        HostTime((DateTime::UNIX_EPOCH + TimeDelta::seconds(second)).naive_utc())
    }

    /// A host so many seconds ahead that reported `beats` times, every `interval` seconds from 0 on, each
    /// heartbeat read a second before and a second after it.
    fn observed(ahead: i64, interval: i64, beats: i64) -> (Skew, HostTime) {
        let row = |beat: i64| Row {
            report_count: beat,
            stamp: stamp(beat * interval + ahead),
            foreign: false,
        };
        let assumptions = Assumptions::new(Quantum::MICROSECOND, INTERVALS.report_interval);
        let mut skew = Skew::new(read(1), row(0), assumptions);
        for beat in 1..beats {
            skew.observe(read(beat * interval - 1), row(beat - 1));
            skew.observe(read(beat * interval + 1), row(beat));
        }
        (skew, row(beats - 1).stamp)
    }

    /// Asserts the reason `later` seconds after the last heartbeat, the database's clock showing our time.
    fn check(
        (ahead, interval, beats): (i64, i64, i64),
        later: i64,
        intervals: &Intervals,
        expected: Option<Reason>,
    ) {
        let (skew, last) = observed(ahead, interval, beats);
        let end = (beats - 1) * interval + later;
        let service = Service {
            updated_at: Stamp::At(last),
            ..fixture::service("cinder-volume", "block1")
        };
        let now = DatabaseTime(stamp(end).0);
        assert_eq!(
            reason(&service, Some(&skew), now, at(end), intervals),
            expected,
            "{ahead} s ahead, every {interval} s, {beats} heartbeats, {later} s later"
        );
    }

    #[test]
    fn a_clock_ahead_is_proven_by_the_first_read_and_one_behind_by_a_heartbeat() {
        check((0, 10, 5), 5, &INTERVALS, None);
        check((40, 10, 5), 5, &INTERVALS, None);
        check((75, 10, 1), 5, &INTERVALS, Some(Reason::ClockSkew));
        check((-75, 10, 1), 5, &INTERVALS, Some(Reason::Undetermined));
        check((-75, 10, 2), 5, &INTERVALS, Some(Reason::ClockSkew));
    }

    #[test]
    fn a_silence_beyond_the_limit_is_a_stop_whatever_the_clock_shows() {
        for ahead in [-75, -40, 0, 40, 75, 3_600] {
            check((ahead, 10, 5), 62, &INTERVALS, Some(Reason::Stopped));
        }
        // Between the heartbeat and the read that showed it lies a second that is not proven.
        check((0, 10, 5), 61, &INTERVALS, Some(Reason::Undetermined));
    }

    #[test]
    fn a_long_interval_is_told_from_a_stop() {
        let slow = Some(Reason::SlowReports);
        check((0, 90, 4), 80, &INTERVALS, slow);
        check((0, 90, 4), 135, &INTERVALS, slow);
        check((0, 90, 4), 150, &INTERVALS, Some(Reason::Stopped));
        check((-75, 90, 4), 30, &INTERVALS, Some(Reason::ClockSkew));
    }

    #[test]
    fn until_an_interval_is_observed_the_configured_one_counts() {
        let configured = Intervals {
            report_interval: TimeDelta::seconds(90),
            ..INTERVALS
        };
        check((0, 90, 1), 80, &INTERVALS, Some(Reason::Stopped));
        check((0, 90, 1), 80, &configured, Some(Reason::SlowReports));
        check((0, 90, 1), 137, &configured, Some(Reason::Stopped));
    }

    #[test]
    fn a_row_without_a_stamp_never_reported_and_an_unreadable_one_has_no_reason() {
        let now = DatabaseTime(stamp(0).0);
        for (updated_at, expected) in [
            (Stamp::Never, Some(Reason::NeverReported)),
            (Stamp::Unreadable, None),
            (Stamp::At(stamp(0)), None),
            (Stamp::At(stamp(61)), Some(Reason::ClockSkew)),
            (Stamp::At(stamp(-61)), Some(Reason::Undetermined)),
        ] {
            let service = Service {
                updated_at,
                ..fixture::service("cinder-volume", "block1")
            };
            let service = fixture::created(service, Stamp::At(stamp(-61)));
            let given = reason(&service, None, now, at(0), &INTERVALS);
            assert_eq!(given, expected, "{updated_at:?}");
        }
    }

    #[test]
    fn a_service_without_a_single_heartbeat_never_reported_and_did_not_stop() {
        let assumptions = Assumptions::new(Quantum::MICROSECOND, INTERVALS.report_interval);
        for (report_count, updated_at, expected) in [
            // A new row, which the API takes for up as long as it is new.
            (0, Stamp::Never, Some(Reason::NeverReported)),
            // Started, which stamps the row, and nothing since.
            (0, Stamp::At(stamp(0)), Some(Reason::NeverReported)),
            (1, Stamp::At(stamp(0)), Some(Reason::Stopped)),
        ] {
            let row = Row {
                report_count,
                stamp: stamp(0),
                foreign: false,
            };
            let skew = Skew::new(read(0), row, assumptions);
            let service = Service {
                report_count,
                updated_at,
                ..fixture::service("cinder-backup", "controller")
            };
            let service = fixture::created(service, Stamp::At(stamp(0)));
            let given = |second: i64| {
                let now = DatabaseTime(stamp(second).0);
                reason(&service, Some(&skew), now, at(second), &INTERVALS)
            };
            assert_eq!(given(5), None, "{updated_at:?}");
            assert_eq!(given(65), expected, "{updated_at:?}");
        }
    }

    #[test]
    fn every_reason_has_a_label_of_its_own() {
        let labels = Reason::ALL.map(Reason::as_str);
        assert_eq!(
            labels,
            [
                "clock_skew",
                "stopped",
                "slow_reports",
                "never_reported",
                "undetermined"
            ]
        );
    }
}
