//! The options behind the rules, and the rules for clusters.
//!
//! All limits are inclusive. "Now" is the database's clock; a project uses the clock of the process that applies the rule.

use chrono::TimeDelta;

use super::service::Service;
use super::time::{DatabaseTime, HostTime, apparent_age};

/// The two options that decide a verdict, as configured on every node, or in the row of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// `service_down_time`: how old a heartbeat may be.
    pub service_down_time: TimeDelta,
    /// `report_interval`: how often a service reports.
    pub report_interval: TimeDelta,
}

impl Intervals {
    /// Returns the intervals of a service: those in its row, and these where it has none.
    pub(crate) fn of(&self, service: &Service) -> Self {
        let facts = &service.facts;
        Self {
            service_down_time: facts.service_down_time.unwrap_or(self.service_down_time),
            report_interval: facts.report_interval.unwrap_or(self.report_interval),
        }
    }

    /// Returns the `service_down_time` of a process that raises a value that is too short.
    ///
    /// Where `service_down_time` is at most `report_interval`, it is `int(2.5 * report_interval)`.
    pub(crate) fn raised_down_time(&self) -> TimeDelta {
        if self.service_down_time > self.report_interval {
            return self.service_down_time;
        }
        TimeDelta::seconds((self.report_interval * 5 / 2).num_seconds())
    }
}

/// Returns whether the API counts this member in a cluster's `num_down_hosts`; `None` when its
/// stamp is unreadable.
///
/// A member exactly at the limit is up, and a member without a stamp is not counted.
pub(crate) fn is_member_down(
    service: &Service,
    now: DatabaseTime,
    intervals: &Intervals,
) -> Option<bool> {
    let is_old = |stamp| apparent_age(now, stamp) > intervals.service_down_time;
    service.stamp.passes(is_old)
}

/// Returns whether the API would list a cluster as up, from the latest stamp of its members.
///
/// `None` for `latest` means that no member ever reported; such a cluster is down. As in the scheduler's rule, a time
/// ahead is up, however far. The API's `service_down_time` applies.
pub(crate) fn is_cluster_up(
    latest: Option<HostTime>,
    now: DatabaseTime,
    intervals: &Intervals,
) -> bool {
    latest.is_some_and(|stamp| apparent_age(now, stamp) <= intervals.service_down_time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS, RULES};
    use crate::heartbeat::service::Stamp;

    fn now() -> DatabaseTime {
        fixture::now("2026-03-30 00:54:14")
    }

    fn before_now(micros: i64) -> HostTime {
        HostTime(now().0 - TimeDelta::microseconds(micros))
    }

    fn intervals(service_down_time: i64, report_interval: i64) -> Intervals {
        Intervals {
            service_down_time: TimeDelta::seconds(service_down_time),
            report_interval: TimeDelta::seconds(report_interval),
        }
    }

    /// Checks the verdicts of the API and of the scheduler.
    fn check(row: &Service, intervals: &Intervals, api: Option<bool>, scheduler: Option<bool>) {
        let verdicts = (
            RULES.is_up(row, now(), intervals),
            RULES.is_up_for_scheduler(row, now(), intervals),
        );
        assert_eq!(verdicts, (api, scheduler), "{row:?}, {intervals:?}");
    }

    #[test]
    fn limits_are_inclusive_and_only_the_api_limits_both_sides() {
        for (age_micros, up, up_for_scheduler) in [
            (0, true, true),
            (59_999_999, true, true),
            (60_000_000, true, true),
            (60_000_001, false, false),
            (1_000_000_000_000, false, false),
            (-40_000_000, true, true),
            (-60_000_000, true, true),
            (-60_000_001, false, true),
            (-75_000_000, false, true),
            (-3_600_000_000, false, true),
        ] {
            let stamp = before_now(age_micros);
            let row = fixture::stamped(Stamp::At(stamp));
            check(&row, &INTERVALS, Some(up), Some(up_for_scheduler));
            let is_cluster_up = is_cluster_up(Some(stamp), now(), &INTERVALS);
            assert_eq!(is_cluster_up, up_for_scheduler, "{age_micros}");
            let is_member_down = is_member_down(&row, now(), &INTERVALS);
            assert_eq!(is_member_down, Some(!up_for_scheduler), "{age_micros}");
        }
    }

    #[test]
    fn created_at_counts_for_the_api_but_not_for_the_scheduler() {
        let new = fixture::stamped(Stamp::Never);
        let new = fixture::created(new, Stamp::At(before_now(30_000_000)));
        check(&new, &INTERVALS, Some(true), Some(false));
        check(&new, &intervals(29, 10), Some(false), Some(false));
    }

    #[test]
    fn a_row_without_any_time_is_down() {
        let row = fixture::stamped(Stamp::Never);
        check(&row, &INTERVALS, Some(false), Some(false));
        assert!(!is_cluster_up(None, now(), &INTERVALS));
    }

    #[test]
    fn an_unreadable_time_gives_no_verdict() {
        let row = fixture::stamped(Stamp::Unreadable);
        let row = fixture::created(row, Stamp::At(before_now(5_000_000)));
        check(&row, &INTERVALS, None, None);
        assert_eq!(is_member_down(&row, now(), &INTERVALS), None);
    }

    #[test]
    fn a_disabled_or_frozen_service_gets_the_same_verdict() {
        let row = fixture::stamped(Stamp::At(before_now(5_000_000)));
        let mut row = fixture::with(row, |facts| facts.frozen = Some(true));
        row.disabled = Some(true);
        check(&row, &INTERVALS, Some(true), Some(true));
    }

    #[test]
    fn a_process_that_runs_a_service_raises_a_down_time_that_is_too_short() {
        for (down, report, raised) in [
            (60, 10, 60),
            (61, 60, 61),
            (60, 60, 150),
            (60, 61, 152),
            (60, 90, 225),
            (0, 0, 0),
        ] {
            let actual = intervals(down, report).raised_down_time();
            assert_eq!(actual, TimeDelta::seconds(raised), "{down}, {report}");
        }
    }

    #[test]
    fn the_raised_down_time_applies_to_the_scheduler_but_not_to_the_api() {
        let row = fixture::stamped(Stamp::At(before_now(100_000_000)));
        check(&row, &intervals(60, 60), Some(false), Some(true));
    }
}
