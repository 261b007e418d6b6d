//! The services as a person or a script reads them: a table with advice, JSON, CSV.

pub mod detail;
mod table;

use chrono::{NaiveDateTime, TimeDelta};
use serde::Serialize;

pub use self::table::table;

use crate::heartbeat::advice;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::service::Stamp;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};

/// What is listed of a service, by the names of Cinder's API and of our metrics.
#[derive(Debug, Default, Serialize)]
struct Entry<'a> {
    binary: &'a str,
    host: &'a str,
    zone: Option<&'a str>,
    status: &'static str,
    /// `up`, `down`, or null when the row does not tell.
    state: Option<&'static str>,
    /// The same by the scheduler's rule.
    state_for_scheduler: Option<&'static str>,
    /// Null when the service never wrote its row; by the clock of the service's host, UTC.
    updated_at: Option<String>,
    /// Apparent, negative when the host's clock is ahead.
    heartbeat_age_seconds: Option<f64>,
    /// Positive when the host is ahead.
    clock_skew_seconds: Option<f64>,
    clock_skew_lower_bound_seconds: Option<f64>,
    clock_skew_upper_bound_seconds: Option<f64>,
    clock_steps: Option<u64>,
    report_interval_seconds: Option<f64>,
    writers: Option<u32>,
    report_count: i64,
    cluster: Option<&'a str>,
    frozen: Option<bool>,
    disabled_reason: Option<&'a str>,
    reason: Option<&'static str>,
    advice: Option<String>,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    /// The database's clock when the rows were read, UTC.
    now: String,
    reference_clock_suspect: bool,
    services: Vec<Entry<'a>>,
}

/// Returns whether every enabled service is up, `None` when that can't be told: some time is unreadable and
/// nothing is known to be down, a service's row is missing, or there is no service at all.
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
        || snapshot.hidden() > 0;
    (!unknown).then_some(true)
}

/// Returns how many enabled services are down for a reason that is not known yet.
#[must_use]
pub fn unexplained(snapshot: &Snapshot) -> usize {
    let enabled = |status: &&ServiceStatus| !status.service.disabled && is_down(status);
    let down = snapshot.services.iter().filter(enabled);
    down.filter(|status| !is_explained(status)).count()
}

fn is_explained(status: &ServiceStatus) -> bool {
    match status.observed.reason {
        None | Some(Reason::Undetermined) => false,
        // A clock ahead is proven at once; whether most hosts share that skew takes a heartbeat of each.
        Some(Reason::ClockSkew) => {
            status.observed.writers.is_some()
                || status
                    .observed
                    .clock_skew
                    .is_some_and(|skew| skew.estimate.is_some())
        }
        Some(_) => true,
    }
}

/// Returns whether the API lists the service as down.
#[must_use]
pub fn is_down(status: &ServiceStatus) -> bool {
    status.up == Some(false)
}

/// Returns comma-separated values with a line of headings (RFC 4180), with the fields of [`json`].
#[must_use]
pub fn csv(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let shown = snapshot.services.iter().filter(|status| shown(status));
    let text = lines(shown.map(|status| entry(status, snapshot)));
    if text.is_empty() {
        // The headings come with the first row, even an empty one.
        let heading = lines([Entry::default()]);
        return heading.split_inclusive('\n').take(1).collect();
    }
    text
}

fn lines<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for entry in entries {
        writer
            .serialize(entry)
            .expect("flat rows of one type are written to memory");
    }
    let bytes = writer.into_inner().expect("flushing memory can't fail");
    String::from_utf8(bytes).expect("text was written")
}

/// Returns a JSON object: the database's time, and the services.
#[must_use]
pub fn json(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    document(&page(snapshot, shown))
}

/// Returns the same in one line.
#[must_use]
pub fn json_line(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    ended(serde_json::to_string(&page(snapshot, shown)))
}

fn page(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> Page<'_> {
    let services = snapshot.services.iter().filter(|status| shown(status));
    Page {
        now: utc(snapshot.now.0),
        reference_clock_suspect: snapshot.reference_clock_suspect,
        services: services.map(|status| entry(status, snapshot)).collect(),
    }
}

fn document(page: &impl Serialize) -> String {
    ended(serde_json::to_string_pretty(page))
}

fn ended(json: serde_json::Result<String>) -> String {
    json.expect("texts and numbers are always JSON") + "\n"
}

fn entry<'a>(status: &'a ServiceStatus, snapshot: &Snapshot) -> Entry<'a> {
    let service = &status.service;
    let facts = &service.facts;
    let observed = &status.observed;
    let skew = observed.clock_skew;
    Entry {
        binary: &facts.binary,
        host: &facts.host,
        zone: facts.availability_zone.as_deref(),
        status: enabled(status),
        state: state(status.up),
        state_for_scheduler: state(status.up_for_scheduler),
        updated_at: match service.updated_at {
            Stamp::At(stamp) => Some(utc(stamp.0)),
            Stamp::Never | Stamp::Unreadable => None,
        },
        heartbeat_age_seconds: status.heartbeat_age.map(seconds),
        clock_skew_seconds: skew.and_then(|skew| skew.estimate).map(seconds),
        clock_skew_lower_bound_seconds: skew.map(|skew| seconds(skew.bounds.lower)),
        clock_skew_upper_bound_seconds: skew.and_then(|skew| skew.bounds.upper).map(seconds),
        clock_steps: observed.clock_steps,
        report_interval_seconds: observed.report_interval.map(seconds),
        writers: observed.writers,
        report_count: service.report_count,
        cluster: facts.cluster_name.as_deref(),
        frozen: facts.frozen_backend(),
        disabled_reason: service.disabled_reason.as_deref(),
        reason: observed.reason.map(Reason::as_str),
        advice: advice::advice(status, snapshot),
    }
}

/// Returns seconds with the six digits that the metrics have, and so the same number.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of nearly three centuries need 53 bits"
)]
fn seconds(span: TimeDelta) -> f64 {
    span.num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6
}

fn enabled(status: &ServiceStatus) -> &'static str {
    if status.service.disabled {
        "disabled"
    } else {
        "enabled"
    }
}

fn state(up: Option<bool>) -> Option<&'static str> {
    up.map(|up| if up { "up" } else { "down" })
}

fn utc(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Returns an age as people say it: seconds with a tenth below two minutes, then the two largest units.
#[must_use]
pub fn age(age: TimeDelta) -> String {
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

    #[test]
    fn ages_are_said_in_the_two_largest_units() {
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
