//! Why a service is down: its clock is off, its heartbeats stopped or come too slowly, or the reason is not yet known.
//!
//! A verdict of the [`rules`](super::rules) compares the host's clock with another clock. A reason rests on the proven bounds of that
//! clock, so it distinguishes a stopped process from a clock that is off.

use chrono::TimeDelta;

use super::budget::Budget;
use super::evidence::Evidence;
use super::liveness::Intervals;
use super::service::{Service, Stamp};
use super::skew::{Bounds, Interval, Monotonic};
use super::time::{DatabaseTime, apparent_age};
use crate::project::rules::{Rules, Sides, StampedBy};

named! {
    /// Why a service is down. The names are label values, in display order.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Reason {
        /// The host's clock is off; the service reports on time.
        ClockSkew = "clock_skew",
        /// The clock of a process of another program that stamps the service's row is off; the service reports on time.
        ServerClock = "server_clock",
        /// The heartbeats stopped: the process died, hangs or lost the database, or its driver is not initialised.
        Stopped = "stopped",
        /// The service said goodbye: somebody shut it down.
        ShutDown = "shut_down",
        /// The stored state says down, though the service reports on time.
        MarkedDown = "marked_down",
        /// The service reports less often than `service_down_time` requires.
        SlowReports = "slow_reports",
        /// The service has a row but never wrote a heartbeat.
        NeverReported = "never_reported",
        /// An operator forced it down.
        ForcedDown = "forced_down",
        /// More reads are needed.
        Undetermined = "undetermined",
    }
}

/// What a reason is judged by: the latest read of the row was answered at `answered`, with the database's clock at
/// `now`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    /// The rules of the project.
    pub(crate) rules: &'a Rules,
    /// The options behind the verdicts.
    pub(crate) intervals: &'a Intervals,
    /// The database's clock.
    pub(crate) now: DatabaseTime,
    /// The reader's axis.
    pub(crate) answered: Monotonic,
}

impl Judge<'_> {
    /// Returns why a service is down; `None` when it is up and nothing proves that it stopped.
    ///
    /// `evidence` is `None` for a row that was never observed. `bounds` are those of
    /// the clock skew, where they are known. A service whose time of the last heartbeat is unreadable has no verdict, and
    /// therefore no reason.
    ///
    /// Up means up by both the API's and the scheduler's rule. [`Reason::Stopped`] can also hold for a service that is up:
    /// a clock that is ahead hides the stop, and so does a stored state.
    pub(crate) fn reason(
        &self,
        service: &Service,
        evidence: Option<&Evidence>,
        bounds: Option<Bounds>,
    ) -> Option<Reason> {
        let (rules, intervals, now) = (self.rules, self.intervals, self.now);
        let limit = rules.api.limit(intervals);
        if service.is_forced_down() {
            return Some(Reason::ForcedDown);
        }
        let age = match service.stamp {
            Stamp::Never => {
                let is_up = rules.api.is_up(service, now, intervals);
                return (is_up == Some(false)).then_some(Reason::NeverReported);
            }
            Stamp::Unreadable => return None,
            Stamp::At(stamp) => apparent_age(now, stamp),
        };
        if rules.is_shut_down(service) {
            return Some(Reason::ShutDown);
        }
        let (least, most) = evidence.map_or((TimeDelta::zero(), None), |evidence| {
            evidence.silence(self.answered)
        });
        let interval = evidence.and_then(Evidence::interval);
        if least > limit && !is_between_reports(least, interval, intervals) {
            // A start stamps the row too. Only the count shows whether there ever was a heartbeat.
            let never = !service.has_reported();
            return Some(if never {
                Reason::NeverReported
            } else {
                Reason::Stopped
            });
        }
        if self.is_up(service) {
            return None;
        }
        if least > limit {
            return Some(Reason::SlowReports);
        }
        let beats = most.is_some_and(|most| most <= limit);
        let is_heartbeats = evidence.is_some_and(Evidence::is_stamp_of_heartbeat);
        let is_own = rules.stamped_by != StampedBy::Others || is_heartbeats;
        let is_early = rules.api.sides == Sides::Both && age < -limit;
        // A backup of a table that counts no heartbeats shows old stamps, which look like new ones.
        let is_late = age > limit && (service.heartbeats.is_some() || is_heartbeats);
        let is_proven = bounds.is_some_and(|bounds| Budget::of(rules, intervals).excludes(bounds));
        // Causality alone proves a clock ahead. A recent heartbeat with an old stamp proves a clock behind.
        if is_own && (is_early || beats && is_late) || beats && is_proven {
            return Some(match rules.stamping_program(&service.facts.binary) {
                Some(_) => Reason::ServerClock,
                None => Reason::ClockSkew,
            });
        }
        if beats && rules.is_marked_down(service) {
            return Some(Reason::MarkedDown);
        }
        Some(Reason::Undetermined)
    }

    /// Returns whether the API lists the service as up, and the scheduler uses it.
    fn is_up(&self, service: &Service) -> bool {
        let Self {
            rules,
            intervals,
            now,
            ..
        } = self;
        let for_scheduler = rules.is_up_for_scheduler(service, *now, intervals);
        rules.is_up(service, *now, intervals) == Some(true)
            && (for_scheduler == Some(true) || rules.scheduler.is_none())
    }
}

/// Returns whether a silence beyond `service_down_time` is explained by a long report interval.
///
/// The interval must exceed `service_down_time`, and the silence may be at most 1½ intervals. Until an interval is
/// observed, the configured one counts.
fn is_between_reports(
    silence: TimeDelta,
    observed: Option<Interval>,
    intervals: &Intervals,
) -> bool {
    let (least, mean) = observed.map_or(
        (intervals.report_interval, intervals.report_interval),
        |observed| (observed.mean - observed.error, observed.mean),
    );
    least > intervals.service_down_time && silence <= mean + mean / 2
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS, at};
    use crate::heartbeat::skew::{Assumptions, Quantum, Read, Row, Skew};
    use crate::heartbeat::time::HostTime;

    fn judge(now: DatabaseTime, answered: Monotonic, intervals: &Intervals) -> Judge<'_> {
        Judge {
            rules: fixture::RULES,
            intervals,
            now,
            answered,
        }
    }

    fn read(second: i64) -> Read {
        Read {
            sent: at(second),
            answered: at(second),
        }
    }

    fn clock(second: i64) -> HostTime {
        HostTime((DateTime::UNIX_EPOCH + TimeDelta::seconds(second)).naive_utc())
    }

    /// A host `ahead` seconds ahead that reported `beats` times, every `interval` seconds from 0 on. The row was read
    /// one second before and one second after each heartbeat.
    fn observed(ahead: i64, interval: i64, beats: i64) -> (Evidence, HostTime) {
        let row = |beat: i64| Row {
            heartbeats: Some(beat),
            stamp: clock(beat * interval + ahead),
            foreign: false,
            elsewhere: false,
        };
        let assumptions = Assumptions::new(Quantum::MICROSECOND, INTERVALS.report_interval);
        let mut skew = Skew::new(read(1), row(0), assumptions);
        for beat in 1..beats {
            skew.observe(read(beat * interval - 1), row(beat - 1));
            skew.observe(read(beat * interval + 1), row(beat));
        }
        (Evidence::Own(skew), row(beats - 1).stamp)
    }

    /// Checks the reason `later` seconds after the last heartbeat. The database's clock agrees with the monotonic axis.
    fn check(
        (ahead, interval, beats): (i64, i64, i64),
        later: i64,
        intervals: &Intervals,
        expected: Option<Reason>,
    ) {
        let (mut skew, last) = observed(ahead, interval, beats);
        let end = (beats - 1) * interval + later;
        let row = Row {
            heartbeats: Some(beats - 1),
            stamp: last,
            foreign: false,
            elsewhere: false,
        };
        skew.observe(read(end), row);
        let service = fixture::stamped(Stamp::At(last));
        let now = DatabaseTime(clock(end).0);
        let reason = judge(now, at(end), intervals).reason(&service, Some(&skew), None);
        let host = format!("{ahead} s ahead, {beats} heartbeats every {interval} s");
        assert_eq!(reason, expected, "{host}, {later} s later");
    }

    #[test]
    fn the_first_read_proves_a_clock_ahead_and_a_heartbeat_proves_a_clock_behind() {
        check((0, 10, 5), 5, &INTERVALS, None);
        check((40, 10, 5), 5, &INTERVALS, None);
        check((75, 10, 1), 5, &INTERVALS, Some(Reason::ClockSkew));
        check((-75, 10, 1), 5, &INTERVALS, Some(Reason::Undetermined));
        check((-75, 10, 2), 5, &INTERVALS, Some(Reason::ClockSkew));
    }

    #[test]
    fn a_silence_beyond_the_limit_is_a_stop_at_any_skew() {
        for ahead in [-75, -40, 0, 40, 75, 3_600] {
            check((ahead, 10, 5), 62, &INTERVALS, Some(Reason::Stopped));
        }
        // The read showed the heartbeat one second after it, and that second of silence is not proven.
        check((0, 10, 5), 61, &INTERVALS, Some(Reason::Undetermined));
    }

    #[test]
    fn a_long_interval_is_not_taken_for_a_stop() {
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
        let now = DatabaseTime(clock(0).0);
        for (stamp, expected) in [
            (Stamp::Never, Some(Reason::NeverReported)),
            (Stamp::Unreadable, None),
            (Stamp::At(clock(0)), None),
            (Stamp::At(clock(61)), Some(Reason::ClockSkew)),
            (Stamp::At(clock(-61)), Some(Reason::Undetermined)),
        ] {
            let service = fixture::stamped(stamp);
            let service = fixture::created(service, Stamp::At(clock(-61)));
            let given = judge(now, at(0), &INTERVALS).reason(&service, None, None);
            assert_eq!(given, expected, "{stamp:?}");
        }
    }

    #[test]
    fn a_service_without_a_heartbeat_never_reported_and_did_not_stop() {
        let assumptions = Assumptions::new(Quantum::MICROSECOND, INTERVALS.report_interval);
        for (heartbeats, stamp, expected) in [
            // A new row, which the API lists as up while `created` is recent.
            (Some(0), Stamp::Never, Some(Reason::NeverReported)),
            // The start stamped the row, and no heartbeat followed.
            (Some(0), Stamp::At(clock(0)), Some(Reason::NeverReported)),
            (Some(1), Stamp::At(clock(0)), Some(Reason::Stopped)),
            // A project that counts none stamps a row with heartbeats alone.
            (None, Stamp::At(clock(0)), Some(Reason::Stopped)),
        ] {
            let row = Row {
                heartbeats,
                stamp: clock(0),
                foreign: false,
                elsewhere: false,
            };
            let mut skew = Evidence::Own(Skew::new(read(0), row, assumptions));
            let service = fixture::stamped(stamp);
            let mut service = fixture::created(service, Stamp::At(clock(0)));
            service.heartbeats = heartbeats;
            let mut given = |second: i64| {
                skew.observe(read(second), row);
                let now = DatabaseTime(clock(second).0);
                judge(now, at(second), &INTERVALS).reason(&service, Some(&skew), None)
            };
            assert_eq!(given(5), None, "{stamp:?}");
            assert_eq!(given(65), expected, "{stamp:?}");
        }
    }

    #[test]
    fn every_reason_has_its_label() {
        let labels = Reason::ALL.map(Reason::as_str).join(" ");
        let expected = "clock_skew server_clock stopped shut_down marked_down slow_reports never_reported forced_down undetermined";
        assert_eq!(labels, expected);
    }
}
