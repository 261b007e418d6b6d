//! One service as the page says it, in words and drawings.

use std::fmt::Write as _;

use chrono::{NaiveDateTime, TimeDelta};

use super::chart::{self, Budget, Run, SkewChart};
use super::documentation;
use super::query::encoded;
use crate::heartbeat::advice;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::history::{Hour, Since, State};
use crate::heartbeat::service::{HostTime, Stamp};
use crate::heartbeat::skew::ClockSkew;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};
use crate::heartbeat::urgency::Urgency;
use crate::listing;

/// A service, ready to be written.
#[derive(Debug)]
pub struct Row<'a> {
    /// Primary key, by which the page finds the row again after a refresh.
    pub id: i64,
    /// Decides the order, the symbol and the colour.
    pub urgency: Urgency,
    /// Program.
    pub binary: &'a str,
    /// `HOST` or `HOST@BACKEND`.
    pub host: &'a str,
    /// Zone and cluster.
    pub place: String,
    /// The state in a word or two.
    pub state: &'static str,
    /// Why, or what is remarkable.
    pub reason: Option<&'static str>,
    /// The scheduler's view where it differs from the API's.
    pub scheduler: Option<&'static str>,
    /// When the state began.
    pub since: Option<String>,
    /// Apparent age of the last heartbeat.
    pub heartbeat: String,
    /// The last heartbeat by the clock of the service's host.
    pub stamp: Option<String>,
    /// What is known of the host's clock.
    pub skew: Option<Skew>,
    /// The last hour.
    pub runs: Vec<Run>,
    /// The same in words.
    pub hour: String,
    /// What is wrong and what to look at.
    pub advice: Option<String>,
    /// The operator's reason.
    pub disabled_reason: Option<&'a str>,
    /// The name of the runbook.
    pub runbook: Option<&'static str>,
    /// Address of the same as JSON, relative to the page.
    pub json: String,
}

/// A skew in words and as a drawing.
#[derive(Debug)]
pub struct Skew {
    /// The estimate, or what is proven of it.
    pub text: String,
    /// The bounds.
    pub bounds: String,
    /// Whether the estimate is within the budget.
    pub allowed: bool,
    /// The drawing.
    pub chart: SkewChart,
}

impl<'a> Row<'a> {
    /// Returns a service as the page says it.
    #[must_use]
    pub fn new(status: &'a ServiceStatus, hour: Option<&Hour>, snapshot: &Snapshot) -> Self {
        let service = &status.service;
        let urgency = Urgency::of(status);
        let budget = Budget::of(&snapshot.intervals);
        Self {
            id: service.id,
            urgency,
            binary: &service.binary,
            host: &service.host,
            place: place(status),
            state: state(status, urgency),
            reason: remark(status, urgency),
            scheduler: scheduler(status),
            since: hour.map(|hour| since(hour.since, snapshot.now.0)),
            heartbeat: heartbeat(status),
            stamp: status
                .last_heartbeat
                .map(|HostTime(stamp)| format!("{} UTC", moment(stamp, snapshot.now.0))),
            skew: status
                .observed
                .clock_skew
                .and_then(|skew| Skew::new(&skew, budget)),
            runs: hour.map(chart::runs).unwrap_or_default(),
            hour: hour.map(hour_in_words).unwrap_or_default(),
            advice: advice::advice(status, snapshot),
            disabled_reason: service.disabled_reason.as_deref(),
            runbook: documentation::runbook(status),
            json: format!(
                "api/v1/services/{}/{}",
                encoded(&service.binary),
                encoded(&service.host)
            ),
        }
    }

    /// Returns the address of the runbook.
    #[must_use]
    pub fn runbook_address(&self) -> String {
        self.runbook.map(documentation::address).unwrap_or_default()
    }
}

impl Skew {
    /// Returns `None` when nothing worth saying is proven: before a heartbeat, of a host that is not ahead.
    fn new(skew: &ClockSkew, budget: Budget) -> Option<Self> {
        let bounds = skew.bounds;
        let (text, bounds) = match (skew.estimate, bounds.upper) {
            (Some(estimate), Some(upper)) => (
                format!("{} s", signed(estimate)),
                format!("{} … {} s", signed(bounds.lower), signed(upper)),
            ),
            _ if bounds.lower > TimeDelta::seconds(1) => (
                format!("> {} s", signed(bounds.lower)),
                "no upper bound yet".to_owned(),
            ),
            _ => return None,
        };
        Some(Self {
            text,
            bounds,
            allowed: budget.allows(skew.estimate.unwrap_or(skew.bounds.lower)),
            chart: SkewChart::new(skew, budget),
        })
    }
}

fn place(status: &ServiceStatus) -> String {
    let service = &status.service;
    let mut place = service.availability_zone.clone().unwrap_or_default();
    if let Some(cluster) = &service.cluster_name {
        let _ = write!(place, ", cluster {cluster}");
    }
    place
}

fn state(status: &ServiceStatus, urgency: Urgency) -> &'static str {
    match (urgency, status.up) {
        (Urgency::Down, _) => "down",
        (Urgency::Unseen, _) => "fails unseen",
        (Urgency::Unknown, _) => "unknown",
        (Urgency::Warning | Urgency::Up, _) => "up",
        (Urgency::Disabled, Some(true)) => "disabled, up",
        (Urgency::Disabled, Some(false)) => "disabled, down",
        (Urgency::Disabled, None) => "disabled",
    }
}

fn remark(status: &ServiceStatus, urgency: Urgency) -> Option<&'static str> {
    match (status.observed.reason, urgency) {
        (Some(Reason::ClockSkew), _) => Some("clock skew"),
        (Some(Reason::Stopped), _) => Some("stopped"),
        (Some(Reason::SlowReports), _) => Some("slow reports"),
        (Some(Reason::NeverReported), _) => Some("never reported"),
        (Some(Reason::Undetermined), _) => Some("reason not known yet"),
        (None, Urgency::Warning) if status.observed.writers.is_some() => Some("several writers"),
        (None, Urgency::Warning) => Some("clock is off"),
        (None, Urgency::Unknown) => Some("its time can’t be read"),
        (None, _) => None,
    }
}

fn scheduler(status: &ServiceStatus) -> Option<&'static str> {
    match (status.up, status.up_for_scheduler) {
        (Some(true), Some(false)) => Some("down for the scheduler"),
        (Some(false), Some(true)) => Some("up for the scheduler"),
        _ => None,
    }
}

fn heartbeat(status: &ServiceStatus) -> String {
    match (status.heartbeat_age, status.service.last_heartbeat()) {
        (Some(age), _) if age < TimeDelta::zero() => {
            format!("{} ahead", listing::age(age.abs()))
        }
        (Some(age), _) => format!("{} ago", listing::age(age)),
        (None, Stamp::Unreadable) => "unreadable".to_owned(),
        (None, _) => "never".to_owned(),
    }
}

/// Returns when a state began, `now` being the picture's time.
fn since(since: Since, now: NaiveDateTime) -> String {
    let (Since::Exactly(lasted) | Since::AtLeast(lasted)) = since;
    let began = moment(now - lasted, now);
    let lasted = listing::age(TimeDelta::seconds(lasted.num_seconds()));
    let lasted = lasted.replace(".0 s", " s");
    match since {
        Since::Exactly(_) => format!("since {began} UTC, for {lasted}"),
        Since::AtLeast(_) => format!("since before {began} UTC, for {lasted} at least"),
    }
}

/// Returns a time of day, with its date unless it is today.
fn moment(time: NaiveDateTime, now: NaiveDateTime) -> String {
    let format = if time.date() == now.date() {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    time.format(format).to_string()
}

/// Returns what an hour was spent with, the worst first.
fn hour_in_words(hour: &Hour) -> String {
    let minutes = |state| {
        hour.minutes
            .iter()
            .filter(|minute| **minute == state)
            .count()
    };
    let mut parts: Vec<String> = Vec::new();
    for state in State::ALL.into_iter().rev() {
        let count = minutes(Some(state));
        if count > 0 {
            let name = state.as_str().replace('_', " ");
            let down = if state.is_down() { "down, " } else { "" };
            parts.push(format!("{count} min {down}{name}"));
        }
    }
    match minutes(None) {
        0 => {}
        empty => parts.push(format!("{empty} min not observed")),
    }
    parts.join("; ")
}

/// Returns seconds with a tenth and a sign, with the minus that is as wide as the plus.
fn signed(span: TimeDelta) -> String {
    format!("{:+.1}", span.as_seconds_f64()).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::heartbeat::history::MINUTES;
    use crate::heartbeat::liveness::Intervals;
    use crate::heartbeat::service::{Reading, fixture};
    use crate::heartbeat::skew::{Bounds, Quantum};

    fn snapshot() -> Snapshot {
        let reading = Reading {
            now: fixture::now("2026-03-30 00:54:14"),
            quantum: Quantum::MICROSECOND,
            services: vec![fixture::service("cinder-volume", "a/b@ж")],
            clusters: vec![],
            rejected: vec![],
            rows: 1,
        };
        let intervals = Intervals {
            service_down_time: TimeDelta::seconds(60),
            report_interval: TimeDelta::seconds(10),
        };
        Snapshot::new(reading, intervals, HashMap::new(), None)
    }

    #[test]
    fn a_beginning_is_said_by_the_databases_clock_and_with_its_doubt() {
        let now = fixture::now("2026-03-30 00:54:14").0;
        let span = TimeDelta::seconds;
        for (began, expected) in [
            (Since::Exactly(span(100)), "since 00:52:34 UTC, for 100 s"),
            (
                Since::AtLeast(span(7_200)),
                "since before 2026-03-29 22:54:14 UTC, for 2 h 0 min at least",
            ),
        ] {
            assert_eq!(since(began, now), expected);
        }
    }

    #[test]
    fn a_row_links_to_its_json_whatever_its_name() {
        let snapshot = snapshot();
        let row = Row::new(&snapshot.services[0], None, &snapshot);
        assert_eq!(row.json, "api/v1/services/cinder-volume/a%2Fb@%D0%B6");
        assert_eq!((row.state, row.heartbeat.as_str()), ("down", "never"));
    }

    #[test]
    fn an_hour_is_said_worst_first() {
        let mut minutes = [Some(State::Up); MINUTES];
        minutes[0] = None;
        minutes[3] = Some(State::ClockSkew);
        let since = Since::Exactly(TimeDelta::zero());
        assert_eq!(
            hour_in_words(&Hour { minutes, since }),
            "1 min down, clock skew; 58 min up; 1 min not observed"
        );
    }

    #[test]
    fn a_skew_is_said_with_its_bounds_as_soon_as_something_is_proven() {
        let snapshot = snapshot();
        let span = TimeDelta::milliseconds;
        for (estimate, lower, upper, expected) in [
            (
                Some(-74_900),
                -76_200,
                Some(-73_600),
                Some(("−74.9 s", "−76.2 … −73.6 s", false)),
            ),
            (
                Some(3_000),
                2_000,
                Some(4_000),
                Some(("+3.0 s", "+2.0 … +4.0 s", true)),
            ),
            (
                None,
                74_500,
                None,
                Some(("> +74.5 s", "no upper bound yet", false)),
            ),
            (None, -141_000, None, None),
        ] {
            let skew = ClockSkew {
                estimate: estimate.map(span),
                bounds: Bounds {
                    lower: span(lower),
                    upper: upper.map(span),
                },
            };
            let skew = Skew::new(&skew, Budget::of(&snapshot.intervals));
            let said = skew
                .as_ref()
                .map(|skew| (skew.text.as_str(), skew.bounds.as_str(), skew.allowed));
            assert_eq!(said, expected);
        }
    }
}
