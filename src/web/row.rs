//! One service as the status page shows it: texts and charts.

use chrono::TimeDelta;

use super::chart::{self, Run, SkewChart};
use super::query::segment;
use crate::heartbeat::budget::Budget;
use crate::heartbeat::history::Hour;
use crate::heartbeat::skew::ClockSkew;
use crate::heartbeat::time::HostTime;
use crate::heartbeat::urgency::Urgency;
use crate::report::view::ListedService;
use crate::report::{advice, documentation, words};

/// A service, ready for the templates.
#[derive(Debug)]
pub(crate) struct ServiceRow<'a> {
    /// Source and primary key, by which a refresh finds the row again.
    pub id: String,
    /// Name of the source.
    pub database: &'a str,
    /// Determines order, symbol and colour.
    pub urgency: Urgency,
    pub binary: &'a str,
    /// `HOST` or `HOST@BACKEND`.
    pub host: &'a str,
    /// Zone and cluster.
    pub place: String,
    /// The state in one or two words.
    pub state: &'static str,
    /// Why it is down, or another remark.
    pub reason: Option<&'static str>,
    /// The scheduler's state where it differs from the API's.
    pub scheduler: Option<&'static str>,
    /// The state whose start is `since`.
    pub lasting: &'static str,
    pub since: Option<String>,
    /// Apparent age of the last heartbeat.
    pub heartbeat: String,
    /// Time of the last heartbeat by the host's clock.
    pub stamp: Option<String>,
    pub skew: Option<SkewCell>,
    /// Its processes, where each has a row.
    pub processes: Option<String>,
    /// Chart of the last hour.
    pub runs: Vec<Run>,
    /// The last hour in words.
    pub hour: String,
    /// What is wrong and what to check.
    pub advice: Option<String>,
    /// The operator's reason for disabling it.
    pub disabled_reason: Option<&'a str>,
    /// Name of the runbook.
    pub runbook: Option<&'static str>,
    /// URL of the service in the JSON API, relative to the page.
    pub json: String,
}

/// A clock skew as text and chart.
#[derive(Debug)]
pub(crate) struct SkewCell {
    /// The estimate, or its lower bound.
    pub text: String,
    pub bounds: String,
    /// Whether the estimate is within the budget.
    pub allowed: bool,
    pub chart: SkewChart,
}

impl<'a> ServiceRow<'a> {
    /// Prepares a service for the page.
    pub(crate) fn new(listed: ListedService<'a>, hour: Option<&Hour>) -> Self {
        let ListedService {
            database,
            status,
            snapshot,
            ..
        } = listed;
        let service = &status.service;
        let facts = &service.facts;
        let urgency = Urgency::of(status);
        let budget = snapshot.limits_of(service).budget;
        let now = snapshot.now.0;
        let stamp = |HostTime(stamp)| format!("{} UTC", words::moment(stamp, now));
        let skew = status.observed.clock_skew;
        let names = [database, &facts.binary, &facts.host].map(segment);
        Self {
            id: format!("{database}-{}", service.id),
            database,
            urgency,
            binary: &facts.binary,
            host: &facts.host,
            place: words::place(status),
            state: words::state(status, urgency),
            reason: words::remark(status, urgency),
            scheduler: words::scheduler(status),
            lasting: words::lasting(status, urgency),
            since: hour.map(|hour| words::since(hour.since, now)),
            heartbeat: words::heartbeat(status),
            stamp: status
                .last_heartbeat
                .filter(|_| service.has_reported())
                .map(stamp),
            skew: skew.and_then(|skew| SkewCell::new(&skew, budget)),
            processes: words::processes(status),
            runs: hour.map(chart::runs).unwrap_or_default(),
            hour: hour.map(words::hour).unwrap_or_default(),
            advice: advice::advice(listed),
            disabled_reason: service.disabled_reason.as_deref(),
            runbook: documentation::runbook(status, budget),
            json: format!("api/v1/services/{}", names.join("/")),
        }
    }
}

impl SkewCell {
    /// Returns `None` before a heartbeat is observed, unless the host is proven to be more than a second ahead.
    fn new(skew: &ClockSkew, budget: Budget) -> Option<Self> {
        let bounds = skew.bounds;
        let lower = words::signed(bounds.lower);
        let (text, bounds) = match (skew.estimate, bounds.upper.map(words::signed)) {
            (Some(estimate), Some(upper)) => {
                let estimate = words::signed(estimate);
                (format!("{estimate} s"), format!("{lower} … {upper} s"))
            }
            _ if bounds.lower > TimeDelta::seconds(1) => {
                (format!("> {lower} s"), "no upper bound yet".to_owned())
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::snapshot::Snapshot;
    use crate::report::view::Listed;

    fn snapshot() -> Snapshot {
        let reading = fixture::reading(vec![fixture::service("cinder-volume", "a/b@ж")]);
        fixture::snapshot(reading)
    }

    #[test]
    fn a_row_links_to_its_json_with_any_name() {
        let snapshot = snapshot();
        let mut services = Listed::read("c1", &snapshot).services(|_| true);
        let row = ServiceRow::new(services.next().unwrap(), None);
        assert_eq!(row.json, "api/v1/services/c1/cinder-volume/a%2Fb@%D0%B6");
        assert_eq!((row.state, row.heartbeat.as_str()), ("down", "never"));
    }

    #[test]
    fn a_skew_is_shown_with_its_bounds_once_something_is_proven() {
        let snapshot = snapshot();
        let behind = ("−74.9 s", "−76.2 … −73.6 s", false);
        let ahead = ("+3.0 s", "+2.0 … +4.0 s", true);
        let unbounded = ("> +74.5 s", "no upper bound yet", false);
        for (estimate, lower, upper, expected) in [
            (Some(-74_900), -76_200, Some(-73_600), Some(behind)),
            (Some(3_000), 2_000, Some(4_000), Some(ahead)),
            (None, 74_500, None, Some(unbounded)),
            (None, -141_000, None, None),
        ] {
            let skew = fixture::skew(estimate, lower, upper);
            let cell = SkewCell::new(
                &skew,
                snapshot.limits_of(&snapshot.services[0].service).budget,
            );
            let shown = cell.as_ref().map(|c| (&*c.text, &*c.bounds, c.allowed));
            assert_eq!(shown, expected);
        }
    }
}
