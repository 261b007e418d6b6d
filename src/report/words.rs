//! The words for states, times and numbers.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};

use crate::heartbeat::cause::Reason;
use crate::heartbeat::history::{Hour, Since};
use crate::heartbeat::service::Stamp;
use crate::heartbeat::state::State;
use crate::heartbeat::status::{Processes, ServiceStatus};
use crate::heartbeat::urgency::{Doubt, Urgency};
use crate::project::Project;

/// Returns a time that is not negative, like [`span`].
pub(crate) fn span_of(time: TimeDelta) -> String {
    span(time.to_std().unwrap_or_default())
}

/// Returns a text about one of so many sources, with its name where there are several.
pub(crate) fn of_source(sources: usize, database: &str, text: &str) -> String {
    match sources {
        0 | 1 => text.to_owned(),
        _ => format!("{database}: {text}"),
    }
}

/// Returns `enabled` or `disabled`; `None` where services cannot be disabled.
pub(crate) fn enabled(status: &ServiceStatus) -> Option<&'static str> {
    let disabled = status.service.disabled?;
    Some(if disabled { "disabled" } else { "enabled" })
}

/// Returns a verdict as OpenStack writes it; `None` if it is unknown.
pub(crate) fn verdict(up: Option<bool>) -> Option<&'static str> {
    up.map(|up| if up { "up" } else { "down" })
}

/// Returns zone and cluster, as far as they are known.
pub(crate) fn place(status: &ServiceStatus) -> String {
    let facts = &status.service.facts;
    let cluster = facts.cluster_name.as_ref();
    let zone = facts.availability_zone.as_deref().map(str::to_owned);
    let cluster = cluster.map(|cluster| format!("cluster {cluster}"));
    let parts: Vec<String> = zone.into_iter().chain(cluster).collect();
    parts.join(", ")
}

/// Returns the number of processes, and of those that are down; `None` where a row is a service.
pub(crate) fn processes(status: &ServiceStatus) -> Option<String> {
    let Processes { all, down, .. } = status.processes?;
    Some(match down {
        0 => all.to_string(),
        down => format!("{down} of {all} down"),
    })
}

/// Returns the state as shown on the page.
pub(crate) fn state(status: &ServiceStatus, urgency: Urgency) -> &'static str {
    match (urgency, status.up) {
        (Urgency::Down, _) | (Urgency::Warning, Some(false)) => "down",
        (Urgency::ListedAsUp, _) => "down, but listed as up",
        (Urgency::Unknown, _) => "unknown",
        (Urgency::Warning | Urgency::Up, _) => "up",
        (Urgency::Abandoned, _) => "abandoned",
        (Urgency::Disabled, Some(true)) => "disabled, up",
        (Urgency::Disabled, Some(false)) => "disabled, down",
        (Urgency::Disabled, None) => "disabled",
    }
}

/// Returns the state that a start time refers to: it does not begin when an operator disables the service.
pub(crate) fn lasting(status: &ServiceStatus, urgency: Urgency) -> &'static str {
    match (urgency, status.up) {
        (Urgency::Disabled | Urgency::Abandoned, up) => verdict(up).unwrap_or("unknown"),
        _ => state(status, urgency),
    }
}

/// Returns the reason for the state, or the doubt about it.
pub(crate) fn remark(status: &ServiceStatus, urgency: Urgency) -> Option<&'static str> {
    match (status.observed.reason, urgency) {
        (_, Urgency::Abandoned) => Some("no heartbeat for over a week"),
        (Some(Reason::ClockSkew), _) => Some("clock skew"),
        (Some(Reason::ServerClock), _) => Some("a server's clock"),
        (Some(Reason::Stopped), _) => Some("stopped"),
        (Some(Reason::ShutDown), _) => Some("shut down"),
        (Some(Reason::MarkedDown), _) => Some("marked down"),
        (Some(Reason::ForcedDown), _) => Some("forced down"),
        (Some(Reason::SlowReports), _) => Some("slow reports"),
        (Some(Reason::NeverReported), _) => Some("never reported"),
        (Some(Reason::Undetermined), _) => Some("reason not known yet"),
        (None, Urgency::Warning) => Doubt::of(status).map(|doubt| match doubt {
            Doubt::SharedRow => "several writers",
            Doubt::Clock => "clock is off",
            Doubt::Processes => "some processes are down",
            Doubt::Duplicates => "several rows with this name",
        }),
        (None, Urgency::Unknown) => Some(if status.last_heartbeat.is_some() {
            "database clock jumped"
        } else {
            "time unreadable"
        }),
        (None, _) => None,
    }
}

/// Returns a span to a tenth of a second.
pub(crate) fn seconds(span: TimeDelta) -> String {
    format!("{:.1} s", span.as_seconds_f64())
}

/// Returns the warning about a table without services.
pub(crate) fn no_services(project: &Project) -> String {
    let check = "check that this is the right database";
    let check = project.words.empty.unwrap_or(check);
    format!("the table has no services; {check}")
}

/// Returns the scheduler's verdict where it differs from the API's.
pub(crate) fn scheduler(status: &ServiceStatus) -> Option<&'static str> {
    match (status.up, status.up_for_scheduler) {
        (Some(true), Some(false)) => Some("down for the scheduler"),
        (Some(false), Some(true)) => Some("up for the scheduler"),
        _ => None,
    }
}

/// Returns the apparent age of the last heartbeat. The creation of the row, or a stamp of the service's start, is none.
pub(crate) fn heartbeat(status: &ServiceStatus) -> String {
    let service = &status.service;
    if service.stamp != Stamp::Unreadable && !service.has_reported() {
        return "never".to_owned();
    }
    match (status.heartbeat_age, service.last_heartbeat()) {
        (Some(span), _) if span < TimeDelta::zero() => format!("{} ahead", age(span.abs())),
        (Some(span), _) => format!("{} ago", age(span)),
        (None, Stamp::Unreadable) => "unreadable".to_owned(),
        (None, _) => "never".to_owned(),
    }
}

/// Returns when a state began; `now` is the snapshot's time.
pub(crate) fn since(since: Since, now: NaiveDateTime) -> String {
    let (Since::Exactly(lasted) | Since::AtLeast(lasted)) = since;
    let began = moment(now - lasted, now);
    let lasted = span(lasted.to_std().unwrap_or_default());
    match since {
        Since::Exactly(_) => format!("since {began} UTC, for {lasted}"),
        Since::AtLeast(_) => format!("since before {began} UTC, for at least {lasted}"),
    }
}

/// Returns a time of day, with the date unless it is the date of `now`.
pub(crate) fn moment(time: NaiveDateTime, now: NaiveDateTime) -> String {
    let format = if time.date() == now.date() {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    time.format(format).to_string()
}

/// Returns the minutes that an hour spent in each state, the worst first.
pub(crate) fn hour(hour: &Hour) -> String {
    let states = State::ALL.into_iter().rev().map(Some).chain([None]);
    let parts = states.filter_map(|state| {
        let minutes = hour.minutes.iter().filter(|minute| **minute == state);
        let name = match state {
            None => "not observed".to_owned(),
            Some(State::ListedAsUp) => "down, but listed as up".to_owned(),
            Some(state) if state.is_down() => {
                format!("down, {}", state.as_str().replace('_', " "))
            }
            Some(state) => state.as_str().to_owned(),
        };
        let count = minutes.count();
        (count > 0).then(|| format!("{count} min {name}"))
    });
    parts.collect::<Vec<String>>().join("; ")
}

/// Returns signed seconds with one decimal. The minus is U+2212, as wide as the plus; zero has no sign.
pub(crate) fn signed(span: TimeDelta) -> String {
    if span.abs() < TimeDelta::milliseconds(50) {
        return "0.0".to_owned();
    }
    format!("{:+.1}", span.as_seconds_f64()).replace('-', "−")
}

/// Returns a time span in its two largest units, in whole seconds.
pub(crate) fn span(span: Duration) -> String {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX / 1_000);
    age(TimeDelta::seconds(seconds)).replace(".0 s", " s")
}

/// Returns an age: seconds with one decimal below two minutes, then the two largest units.
pub(crate) fn age(age: TimeDelta) -> String {
    let sign = if age < TimeDelta::zero() { "-" } else { "" };
    let age = age.abs();
    let (days, hours) = (age.num_days(), age.num_hours() % 24);
    let (minutes, seconds) = (age.num_minutes() % 60, age.num_seconds() % 60);
    if age < TimeDelta::minutes(2) {
        format!("{sign}{:.1} s", age.as_seconds_f64())
    } else if age < TimeDelta::hours(1) {
        format!("{sign}{minutes} min {seconds} s")
    } else if age < TimeDelta::days(1) {
        format!("{sign}{hours} h {minutes} min")
    } else {
        format!("{sign}{days} d {hours} h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::history::MINUTES;
    use crate::heartbeat::service::Service;
    use crate::heartbeat::time::HostTime;

    #[test]
    fn a_start_is_by_the_databases_clock_and_marked_if_inexact() {
        let now = fixture::now("2026-03-30 00:54:14").0;
        let exact = Since::Exactly(TimeDelta::seconds(100));
        let open = Since::AtLeast(TimeDelta::seconds(7_200));
        assert_eq!(since(exact, now), "since 00:52:34 UTC, for 100 s");
        assert_eq!(
            since(open, now),
            "since before 2026-03-29 22:54:14 UTC, for at least 2 h 0 min"
        );
    }

    #[test]
    fn neither_a_new_row_nor_a_start_is_a_heartbeat() {
        use Stamp::{At, Never, Unreadable};
        let time = At(HostTime(fixture::now("2026-03-30 00:54:04").0));
        for (heartbeats, stamp, expected) in [
            (0, Never, "never"),
            (0, time, "never"),
            (0, Unreadable, "unreadable"),
            (7, time, "10.0 s ago"),
        ] {
            let mut service = fixture::created(fixture::stamped(stamp), time);
            service.heartbeats = Some(heartbeats);
            let status = ServiceStatus {
                heartbeat_age: (stamp != Unreadable).then(|| TimeDelta::seconds(10)),
                ..fixture::status(service, Some(true))
            };
            assert_eq!(heartbeat(&status), expected, "{heartbeats} {stamp:?}");
        }
    }

    #[test]
    fn a_place_has_zone_and_cluster_if_known() {
        for (zone, cluster, expected) in [
            (Some("az1"), Some("c1@ceph"), "az1, cluster c1@ceph"),
            (None, Some("c1@ceph"), "cluster c1@ceph"),
            (Some("az1"), None, "az1"),
            (None, None, ""),
        ] {
            let service = fixture::service("cinder-volume", "block1");
            let service = fixture::with(service, |facts| {
                facts.availability_zone = zone.map(Into::into);
                facts.cluster_name = cluster.map(Into::into);
            });
            assert_eq!(place(&disabled(service)), expected);
        }
    }

    /// A disabled service that is down.
    fn disabled(mut service: Service) -> ServiceStatus {
        service.disabled = Some(true);
        fixture::status(service, Some(false))
    }

    #[test]
    fn the_start_of_a_disabled_services_state_is_that_of_down() {
        let status = disabled(fixture::service("cinder-volume", "block1"));
        assert_eq!(state(&status, Urgency::Disabled), "disabled, down");
        assert_eq!(lasting(&status, Urgency::Disabled), "down");
    }

    #[test]
    fn an_hour_lists_the_worst_state_first() {
        let mut minutes = [Some(State::Up); MINUTES];
        minutes[0] = None;
        minutes[3] = Some(State::ClockSkew);
        minutes[4] = Some(State::ListedAsUp);
        let since = Since::Exactly(TimeDelta::zero());
        assert_eq!(
            hour(&Hour { minutes, since }),
            "1 min down, clock skew; 1 min down, but listed as up; 57 min up; 1 min not observed"
        );
    }

    #[test]
    fn zero_has_no_sign() {
        for (milliseconds, expected) in [
            (-49, "0.0"),
            (-51, "−0.1"),
            (0, "0.0"),
            (51, "+0.1"),
            (74_940, "+74.9"),
        ] {
            assert_eq!(signed(TimeDelta::milliseconds(milliseconds)), expected);
        }
    }

    #[test]
    fn ages_are_in_the_two_largest_units() {
        for (seconds, expected) in [
            (0, "0.0 s"),
            (-75, "-75.0 s"),
            (119, "119.0 s"),
            (141, "2 min 21 s"),
            (3_700, "1 h 1 min"),
            (-90_000, "-1 d 1 h"),
        ] {
            assert_eq!(age(TimeDelta::seconds(seconds)), expected);
        }
    }
}
