//! The services as JSON: all services, or one with its last hour.

use serde::Serialize;

use super::record::{Record, utc};
use crate::heartbeat::history::{Hour, Since};
use crate::heartbeat::reference::Suspect;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::state::State;
use crate::heartbeat::status::ServiceStatus;

/// What is said about the snapshot as a whole.
#[derive(Debug, Serialize)]
struct Head {
    /// The database's clock when the rows were read, UTC.
    now: String,
    /// Most hosts share one skew, and the exporter's clock agrees with them: the database's clock is probably off.
    reference_clock_suspect: bool,
    /// Most hosts share one skew, and the exporter's clock does not agree with them.
    most_hosts_skewed: bool,
    /// Seconds without a heartbeat of any service, while the table stands still.
    standstill_seconds: Option<i64>,
}

impl Head {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            now: utc(snapshot.now.0),
            reference_clock_suspect: snapshot.suspect == Some(Suspect::Database),
            most_hosts_skewed: snapshot.suspect == Some(Suspect::Hosts),
            standstill_seconds: snapshot.standstill.map(|silence| silence.num_seconds()),
        }
    }
}

#[derive(Debug, Serialize)]
struct ServicesDocument<'a> {
    #[serde(flatten)]
    head: Head,
    services: Vec<Record<'a>>,
}

#[derive(Debug, Serialize)]
struct ServiceDocument<'a> {
    #[serde(flatten)]
    head: Head,
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
}

/// Returns a JSON object: the database's time and the services.
#[must_use]
pub fn services(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    pretty(&list(snapshot, shown))
}

/// Returns the object of [`services`] on one line.
pub(crate) fn services_line(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    terminated(serde_json::to_string(&list(snapshot, shown)))
}

fn list(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> ServicesDocument<'_> {
    let services = snapshot.services.iter().filter(|status| shown(status));
    let records = services.map(|status| Record::new(status, snapshot));
    ServicesDocument {
        head: Head::of(snapshot),
        services: records.collect(),
    }
}

fn pretty(page: &impl Serialize) -> String {
    terminated(serde_json::to_string_pretty(page))
}

fn terminated(json: serde_json::Result<String>) -> String {
    json.expect("strings and numbers always serialise") + "\n"
}

/// Returns a JSON object: the database's time, one service with the fields of [`services`], and its last hour.
#[must_use]
pub fn service(status: &ServiceStatus, hour: Option<&Hour>, snapshot: &Snapshot) -> String {
    let since = hour.map(|hour| {
        let (Since::Exactly(lasted) | Since::AtLeast(lasted)) = hour.since;
        let is_exact = matches!(hour.since, Since::Exactly(_));
        (utc(snapshot.now.0 - lasted), is_exact)
    });
    let (since, since_is_exact) = since.unzip();
    let page = ServiceDocument {
        head: Head::of(snapshot),
        service: Record::new(status, snapshot),
        since,
        since_is_exact,
        history: hour.map(|hour| HistoryDocument {
            slot_seconds: 60,
            states: hour.minutes.map(|minute| minute.map(State::as_str)).into(),
        }),
    };
    pretty(&page)
}
