//! One service as JSON, with its last hour.

use chrono::TimeDelta;
use serde::Serialize;

use super::{Entry, document, entry, utc};
use crate::heartbeat::history::{Hour, Since};
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};
use crate::heartbeat::state::State;

#[derive(Debug, Serialize)]
struct Page<'a> {
    /// The database's clock when the rows were read, UTC.
    now: String,
    reference_clock_suspect: bool,
    service: Entry<'a>,
    /// When the state began, by the database's clock; null as long as there is no history.
    since: Option<String>,
    /// Whether it was seen to begin; otherwise it began before `since`.
    since_is_exact: Option<bool>,
    history: Option<History>,
}

#[derive(Debug, Serialize)]
struct History {
    slot_seconds: u32,
    /// The oldest first, the last being the present minute; null for a minute without a picture.
    states: Vec<Option<&'static str>>,
}

/// Returns a JSON object: the database's time, the service with the fields of [`json`](super::json), and its last
/// hour.
#[must_use]
pub fn json(status: &ServiceStatus, hour: Option<&Hour>, snapshot: &Snapshot) -> String {
    let since = hour.map(|hour| match hour.since {
        Since::Exactly(lasted) => (began(lasted, snapshot), true),
        Since::AtLeast(lasted) => (began(lasted, snapshot), false),
    });
    let (since, since_is_exact) = since.unzip();
    let page = Page {
        now: utc(snapshot.now.0),
        reference_clock_suspect: snapshot.reference_clock_suspect,
        service: entry(status, snapshot),
        since,
        since_is_exact,
        history: hour.map(|hour| History {
            slot_seconds: 60,
            states: hour.minutes.map(|minute| minute.map(State::as_str)).into(),
        }),
    };
    document(&page)
}

fn began(lasted: TimeDelta, snapshot: &Snapshot) -> String {
    utc(snapshot.now.0 - lasted)
}
