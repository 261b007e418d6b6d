//! The services as JSON: all services, or one with its last hour.

use std::collections::BTreeMap;

use serde::Serialize;

use super::record::{Record, utc};
use crate::heartbeat::cause::Reason;
use crate::heartbeat::failure::Class;
use crate::heartbeat::history::{Hour, Since};
use crate::heartbeat::reference::Suspect;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::state::State;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::Urgency;
use crate::report::view::{Listed, ListedService, PollFailure};

/// A source as a whole; null where its services are unknown.
#[derive(Debug, Serialize)]
struct Database<'a> {
    #[serde(rename = "database")]
    name: &'a str,
    /// Whether the last poll succeeded, and its snapshot is not older than `poll.stale-after`.
    up: bool,
    /// Class of its failure.
    class: Option<&'static str>,
    /// The database's clock when the rows were read, UTC.
    now: Option<String>,
    /// Most hosts share one skew, and the exporter's clock agrees with them: the database's clock is probably off.
    reference_clock_suspect: Option<bool>,
    /// Most hosts share one skew, and the exporter's clock does not agree with them.
    most_hosts_skewed: Option<bool>,
    /// Seconds without a heartbeat of any service, while the table stands still.
    standstill_seconds: Option<i64>,
}

impl<'a> Database<'a> {
    fn of(source: &Listed<'a>) -> Self {
        let suspects = |suspect| source.snapshot.map(|shown| shown.suspect == Some(suspect));
        let standstill = source.snapshot.and_then(|shown| shown.standstill);
        Self {
            name: source.database,
            up: source.failure.is_none() && source.snapshot.is_some(),
            class: source
                .failure
                .and_then(PollFailure::class)
                .map(Class::as_str),
            now: source.snapshot.map(|shown| utc(shown.now.0)),
            reference_clock_suspect: suspects(Suspect::Database),
            most_hosts_skewed: suspects(Suspect::Hosts),
            standstill_seconds: standstill.map(|silence| silence.num_seconds()),
        }
    }
}

#[derive(Debug, Serialize)]
struct ServicesDocument<'a> {
    databases: Vec<Database<'a>>,
    services: Vec<Record<'a>>,
}

#[derive(Debug, Serialize)]
struct ServiceDocument<'a> {
    databases: [Database<'a>; 1],
    service: Record<'a>,
    /// When the state began, by the database's clock; null without history.
    since: Option<String>,
    /// Whether its start was observed; if not, it began before `since`.
    since_is_exact: Option<bool>,
    history: Option<HistoryDocument>,
}

#[derive(Debug, Serialize)]
struct HistoryDocument {
    slot_seconds: u32,
    /// The oldest first, the current minute last; null for a minute without a snapshot.
    states: Vec<Option<&'static str>>,
    /// The reason of each state that has one.
    reasons: Vec<Option<&'static str>>,
}

/// Returns a JSON object: the databases and the services of all of them.
#[must_use]
pub fn services(sources: &[Listed], shown: impl Fn(&ServiceStatus) -> bool) -> String {
    pretty(&document(sources, shown)) + "\n"
}

/// Returns the object of [`services`] on one line.
pub(crate) fn services_line(sources: &[Listed], shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let line = serde_json::to_string(&document(sources, shown));
    line.expect(ALWAYS) + "\n"
}

/// Returns the services of one source as [`services`] has them, without the brackets of the list; empty without
/// services.
pub(crate) fn records(source: Listed, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let list = [(
        "services",
        source.services(shown).map(Record::new).collect::<Vec<_>>(),
    )];
    let object = pretty(&BTreeMap::from(list));
    let inner = object
        .split_once('[')
        .and_then(|(_, rest)| rest.rsplit_once(']'));
    inner.map_or("", |(inner, _)| inner).trim_end().to_owned()
}

/// Returns the beginning of [`services`]: the [`records`] of each source follow, with commas between, then [`END`].
pub(crate) fn beginning(sources: &[Listed]) -> String {
    let object = pretty(&document(sources, |_| false));
    let end = "]\n}";
    object.strip_suffix(end).unwrap_or(&object).to_owned()
}

/// The end of [`services`] after [`records`].
pub(crate) const END: &str = "\n  ]\n}\n";

fn document<'a>(
    sources: &[Listed<'a>],
    shown: impl Fn(&ServiceStatus) -> bool,
) -> ServicesDocument<'a> {
    let services = sources.iter().flat_map(|source| source.services(&shown));
    ServicesDocument {
        databases: sources.iter().map(Database::of).collect(),
        services: services.map(Record::new).collect(),
    }
}

const ALWAYS: &str = "strings and numbers always serialise";

fn pretty(page: &impl Serialize) -> String {
    serde_json::to_string_pretty(page).expect(ALWAYS)
}

/// Returns a JSON object: the database, one service of its snapshot with the fields of [`services`], and its last hour.
#[must_use]
pub fn service(
    source: &Listed,
    snapshot: &Snapshot,
    status: &ServiceStatus,
    hour: Option<&Hour>,
) -> String {
    let service = ListedService {
        database: source.database,
        status,
        snapshot,
    };
    let since = hour.map(|hour| {
        let (Since::Exactly(lasted) | Since::AtLeast(lasted)) = hour.since;
        let is_exact = matches!(hour.since, Since::Exactly(_));
        (utc(snapshot.now.0 - lasted), is_exact)
    });
    let (since, since_is_exact) = since.unzip();
    let state = |state| Urgency::of_state(state).as_str();
    let reason = |state: State| state.reason().map(Reason::as_str);
    let page = ServiceDocument {
        databases: [Database::of(source)],
        service: Record::new(service),
        since,
        since_is_exact,
        history: hour.map(|hour| HistoryDocument {
            slot_seconds: 60,
            states: hour.minutes.map(|minute| minute.map(state)).into(),
            reasons: hour.minutes.map(|minute| minute.and_then(reason)).into(),
        }),
    };
    pretty(&page) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;

    #[test]
    fn a_document_in_parts_is_the_whole_document() {
        let of = |hosts: &[&str]| {
            let services = hosts
                .iter()
                .map(|host| fixture::service("cinder-volume", host));
            fixture::snapshot(fixture::reading(services.collect()))
        };
        let (two, none) = (of(&["a]", "b["]), of(&[]));
        let failed = Listed {
            database: "failed",
            snapshot: None,
            failure: Some(PollFailure::Database(Class::Auth)),
        };
        let [first, empty, last] = [("c1", &two), ("c2", &none), ("c3", &two)]
            .map(|(database, snapshot)| Listed::read(database, snapshot));
        for sources in [&[first][..], &[first, failed, empty, last]] {
            let records = sources.iter().map(|source| records(*source, |_| true));
            let records: Vec<String> = records.filter(|records| !records.is_empty()).collect();
            let parts = beginning(sources) + &records.join(",") + END;
            assert_eq!(parts, services(sources, |_| true));
        }
        let empty = beginning(&[empty]) + END;
        assert!(serde_json::from_str::<serde_json::Value>(&empty).is_ok());
    }

    #[test]
    fn a_source_whose_rows_could_not_be_evaluated_is_not_up() {
        let snapshot = fixture::snapshot(fixture::reading(vec![]));
        let source = Listed {
            failure: Some(PollFailure::Evaluation),
            ..Listed::read("cinder", &snapshot)
        };
        let document = services(&[source], |_| true);
        let expected = "\"up\": false,\n      \"class\": null,";
        assert!(document.contains(expected), "{document}");
    }
}
