//! The services as a person or a script reads them: a table, JSON, CSV.

use chrono::{NaiveDateTime, TimeDelta};
use comfy_table::{Cell, Table, presets};
use serde::Serialize;

use crate::heartbeat::cause::Reason;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};

/// The headings of `openstack volume service list`, and the age.
const HEADINGS: [&str; 7] = [
    "Binary",
    "Host",
    "Zone",
    "Status",
    "State",
    "Updated At",
    "Age",
];

/// What is listed of a service, by the names of Cinder's API where it has one.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    binary: &'a str,
    host: &'a str,
    zone: Option<&'a str>,
    status: &'static str,
    /// `up`, `down`, or null when the row does not tell.
    state: Option<&'static str>,
    /// The same by the scheduler's rule.
    state_for_scheduler: Option<&'static str>,
    /// Last heartbeat by the clock of the service's host, UTC.
    updated_at: Option<String>,
    /// Apparent, negative when the host's clock is ahead.
    heartbeat_age_seconds: Option<f64>,
    report_count: i64,
    cluster: Option<&'a str>,
    frozen: Option<bool>,
    disabled_reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    /// The database's clock when the rows were read, UTC.
    now: String,
    services: Vec<Entry<'a>>,
}

/// Returns whether every enabled service is up, `None` when that can't be told: some time is unreadable and
/// nothing is known to be down, a row is missing, or there is no service at all.
#[must_use]
pub fn all_up(snapshot: &Snapshot) -> Option<bool> {
    let mut enabled = snapshot
        .services
        .iter()
        .filter(|status| !status.service.disabled);
    if enabled.clone().any(is_down) {
        return Some(false);
    }
    let unknown = enabled.any(|status| status.up.is_none())
        || snapshot.services.is_empty()
        || !snapshot.rejected.is_empty();
    (!unknown).then_some(true)
}

/// Returns whether it is known why each service that is down is down.
#[must_use]
pub fn is_explained(snapshot: &Snapshot) -> bool {
    let mut down = snapshot.services.iter().filter(|status| is_down(status));
    down.all(|status| {
        let reason = status.observed.reason;
        reason.is_some_and(|reason| reason != Reason::Undetermined)
    })
}

/// Returns whether the API lists the service as down.
#[must_use]
pub fn is_down(status: &ServiceStatus) -> bool {
    status.up == Some(false)
}

/// Returns a table for a terminal.
#[must_use]
pub fn table(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header(HEADINGS);
    for status in snapshot.services.iter().filter(|status| shown(status)) {
        table.add_row(row(status).map(Cell::new));
    }
    format!("{table}\n")
}

/// Returns comma-separated values with a line of headings (RFC 4180).
#[must_use]
pub fn csv(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = snapshot.services.iter().filter(|status| shown(status));
    let headings = HEADINGS.map(str::to_owned);
    for row in std::iter::once(headings).chain(rows.map(row)) {
        writer
            .write_record(row)
            .expect("rows of one length are written to memory");
    }
    let bytes = writer.into_inner().expect("flushing memory can't fail");
    String::from_utf8(bytes).expect("text was written")
}

/// Returns a JSON object: the database's time, and the services.
#[must_use]
pub fn json(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let services = snapshot.services.iter().filter(|status| shown(status));
    let page = Page {
        now: time(snapshot.now.0),
        services: services.map(entry).collect(),
    };
    let mut text = serde_json::to_string_pretty(&page).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn row(status: &ServiceStatus) -> [String; 7] {
    let entry = entry(status);
    [
        entry.binary.to_owned(),
        entry.host.to_owned(),
        entry.zone.unwrap_or_default().to_owned(),
        entry.status.to_owned(),
        entry.state.unwrap_or("unknown").to_owned(),
        entry.updated_at.unwrap_or_default(),
        status.heartbeat_age.map(age).unwrap_or_default(),
    ]
}

fn entry(status: &ServiceStatus) -> Entry<'_> {
    let state = |up: bool| if up { "up" } else { "down" };
    let service = &status.service;
    Entry {
        binary: &service.binary,
        host: &service.host,
        zone: service.availability_zone.as_deref(),
        status: if service.disabled {
            "disabled"
        } else {
            "enabled"
        },
        state: status.up.map(state),
        state_for_scheduler: status.up_for_scheduler.map(state),
        updated_at: status.last_heartbeat.map(|stamp| time(stamp.0)),
        heartbeat_age_seconds: status.heartbeat_age.map(chrono::TimeDelta::as_seconds_f64),
        report_count: service.report_count,
        cluster: service.cluster_name.as_deref(),
        frozen: service.frozen,
        disabled_reason: service.disabled_reason.as_deref(),
    }
}

fn time(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

/// Returns an age as people say it: seconds with a tenth below two minutes, then the two largest units.
fn age(age: TimeDelta) -> String {
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
