//! The rules of a [project](crate::project::rules), applied to a service.

use chrono::TimeDelta;

use super::liveness::Intervals;
use super::service::{Service, Stamp};
use super::time::{DatabaseTime, apparent_age};
use crate::project::rules::{Rule, Rules, Sides, Stored};

impl Rule {
    /// Returns the limit on the age.
    pub(crate) fn limit(self, intervals: &Intervals) -> TimeDelta {
        if self.raised {
            intervals.raised_down_time()
        } else {
            intervals.service_down_time
        }
    }

    /// Returns whether a service is up; `None` when the time of its last heartbeat is unreadable.
    ///
    /// A row without any time is down.
    pub(crate) fn is_up(
        self,
        service: &Service,
        now: DatabaseTime,
        intervals: &Intervals,
    ) -> Option<bool> {
        let limit = self.limit(intervals);
        self.last_heartbeat(service).passes(|stamp| {
            let age = apparent_age(now, stamp);
            age <= limit && (self.sides == Sides::Past || age >= -limit)
        })
    }

    fn last_heartbeat(self, service: &Service) -> Stamp {
        if self.created_counts {
            service.last_heartbeat()
        } else {
            service.stamp
        }
    }
}

impl Rules {
    /// Returns whether the API lists a service as up; `None` when the time that decides it is unreadable.
    #[must_use]
    pub fn is_up(
        &self,
        service: &Service,
        now: DatabaseTime,
        intervals: &Intervals,
    ) -> Option<bool> {
        match self.word(service) {
            _ if service.is_forced_down() || service.has_left => Some(false),
            Some((word, stored)) => Some(word == stored.up),
            None => self.api.is_up(service, now, intervals),
        }
    }

    /// Returns whether the scheduler uses a service; `None` when the time is unreadable, and without such a rule.
    #[must_use]
    pub fn is_up_for_scheduler(
        &self,
        service: &Service,
        now: DatabaseTime,
        intervals: &Intervals,
    ) -> Option<bool> {
        let rule = self.scheduler?;
        if service.is_forced_down() || service.has_left {
            return Some(false);
        }
        rule.is_up(service, now, intervals)
    }

    /// Returns whether the stored state is another than up.
    pub(crate) fn is_marked_down(&self, service: &Service) -> bool {
        self.word(service)
            .is_some_and(|(word, stored)| word != stored.up)
    }

    /// Returns whether a service said that it was shut down.
    pub(crate) fn is_shut_down(&self, service: &Service) -> bool {
        service.has_left
            || self
                .word(service)
                .is_some_and(|(word, stored)| word == stored.shut_down)
    }

    /// Returns whether a row shows another write than a heartbeat since its `earlier` version: a stored state other than
    /// up, or a change by an operator.
    pub(crate) fn shows_other_write(&self, earlier: &Service, service: &Service) -> bool {
        self.is_marked_down(service)
            || earlier.disabled != service.disabled
            || earlier.disabled_reason != service.disabled_reason
    }

    fn word<'a>(&self, service: &'a Service) -> Option<(&'a str, &Stored)> {
        service.shown.as_deref().zip(self.stored.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS};
    use crate::heartbeat::time::HostTime;
    use crate::project::options::Options;
    use crate::project::{Project, ironic, magnum, manila, watcher, zun};

    /// Checks the verdicts of the API and of the scheduler for a stored state and an age in seconds.
    fn check_manila(state: Option<&str>, age: i64, api: bool, scheduler: bool) {
        let now = fixture::now("2026-03-30 00:54:14");
        let stamp = Stamp::At(HostTime(now.0 - TimeDelta::seconds(age)));
        let row = Service {
            shown: state.map(Into::into),
            ..fixture::stamped(stamp)
        };
        let rules = &manila::PROJECT.rules;
        let verdicts = (
            rules.is_up(&row, now, &INTERVALS),
            rules.is_up_for_scheduler(&row, now, &INTERVALS),
        );
        assert_eq!(verdicts, (Some(api), Some(scheduler)), "{state:?}, {age} s");
    }

    /// Checks the verdict of the API, and that no scheduler has another, for an age in seconds.
    fn check(project: &Project, change: impl FnOnce(&mut Service), age: i64, up: bool) {
        let now = fixture::now("2026-03-30 00:54:14");
        let mut row = fixture::stamped(Stamp::At(HostTime(now.0 - TimeDelta::seconds(age))));
        change(&mut row);
        let Options {
            service_down_time,
            report_interval,
            ..
        } = &project.options;
        let [service_down_time, report_interval] =
            [service_down_time, report_interval].map(|it| TimeDelta::seconds(it.default.into()));
        let intervals = Intervals {
            service_down_time,
            report_interval,
        };
        let is_up = project.rules.is_up(&row, now, &intervals);
        assert_eq!(is_up, Some(up), "{}: {age} s", project.name);
        let for_scheduler = project.rules.is_up_for_scheduler(&row, now, &intervals);
        assert_eq!(for_scheduler, None);
    }

    #[test]
    fn ironic_limits_one_side_and_believes_a_goodbye() {
        for (age, up) in [(60, true), (61, false), (-1_000_000, true)] {
            check(&ironic::PROJECT, |_| {}, age, up);
        }
        check(&ironic::PROJECT, |row| row.has_left = true, 0, false);
    }

    #[test]
    fn watcher_limits_both_sides() {
        for (age, up) in [(90, true), (91, false), (-90, true), (-91, false)] {
            check(&watcher::PROJECT, |_| {}, age, up);
        }
    }

    #[test]
    fn magnum_and_zun_believe_an_operator_first() {
        for project in [&magnum::PROJECT, &zun::PROJECT] {
            for (age, up) in [(180, true), (181, false), (-180, true), (-181, false)] {
                check(project, |_| {}, age, up);
                check(project, |row| row.forced_down = Some(false), age, up);
                check(project, |row| row.forced_down = Some(true), age, false);
            }
        }
    }

    #[test]
    fn manilas_api_shows_the_stored_state_and_the_scheduler_compares_times() {
        for (state, api) in [("up", true), ("down", false), ("stopped", false)] {
            for (age, scheduler) in [
                (0, true),
                (60, true),
                (61, false),
                (-60, true),
                (-61, false),
            ] {
                check_manila(Some(state), age, api, scheduler);
            }
        }
    }

    #[test]
    fn before_release_16_both_of_manila_compare_times() {
        for (age, up) in [(60, true), (61, false), (-60, true), (-61, false)] {
            check_manila(None, age, up, up);
        }
    }
}
