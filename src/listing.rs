//! The services as a person or a script reads them: a table with advice, JSON, CSV.

pub mod detail;

use std::fmt::Write as _;

use chrono::{NaiveDateTime, TimeDelta};
use comfy_table::{Cell, Table, presets};
use serde::Serialize;

use crate::heartbeat::advice;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::service::Stamp;
use crate::heartbeat::skew::ClockSkew;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};

/// The headings of `openstack volume service list`, and what it can't tell.
const HEADINGS: [&str; 9] = [
    "Binary",
    "Host",
    "Zone",
    "Status",
    "State",
    "Updated At",
    "Age",
    "Skew",
    "Reason",
];

/// What to say where most hosts share a skew.
const SUSPECT: &str = "\nMost hosts share one clock skew: it is rather the clock of the database's server that is off, or \
                       its reads lag.\n";

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

/// Returns whether it is known why each enabled service that is down is down.
#[must_use]
pub fn is_explained(snapshot: &Snapshot) -> bool {
    let enabled = |status: &&ServiceStatus| !status.service.disabled && is_down(status);
    let mut down = snapshot.services.iter().filter(enabled);
    down.all(|status| {
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
    })
}

/// Returns whether the API lists the service as down.
#[must_use]
pub fn is_down(status: &ServiceStatus) -> bool {
    status.up == Some(false)
}

/// Returns a table for a terminal, and below it what to do about the services that need it.
#[must_use]
pub fn table(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header(HEADINGS);
    let mut advices = String::new();
    for status in snapshot.services.iter().filter(|status| shown(status)) {
        table.add_row(row(status).map(|text| Cell::new(printable(&text))));
        if let Some(advice) = advice::advice(status, snapshot) {
            let name = format!(
                "{} on {}",
                status.service.facts.binary, status.service.facts.host
            );
            let _ = writeln!(advices, "\n{}: {}", printable(&name), printable(&advice));
        }
    }
    if snapshot.reference_clock_suspect {
        advices.push_str(SUSPECT);
    }
    if !is_explained(snapshot) {
        let down_time = snapshot.intervals.service_down_time.num_seconds();
        let _ = writeln!(
            advices,
            "\nNot everything is known yet; --wait {} tells the rest.",
            down_time + 15
        );
    }
    format!("{table}\n{advices}")
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
    let services = snapshot.services.iter().filter(|status| shown(status));
    let page = Page {
        now: utc(snapshot.now.0),
        reference_clock_suspect: snapshot.reference_clock_suspect,
        services: services.map(|status| entry(status, snapshot)).collect(),
    };
    document(&page)
}

fn document(page: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(page).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn row(status: &ServiceStatus) -> [String; 9] {
    let service = &status.service;
    let facts = &service.facts;
    let updated_at = match service.updated_at {
        Stamp::At(stamp) => stamp.0.format("%Y-%m-%dT%H:%M:%S").to_string(),
        Stamp::Never | Stamp::Unreadable => String::new(),
    };
    [
        facts.binary.to_string(),
        facts.host.to_string(),
        facts
            .availability_zone
            .as_deref()
            .unwrap_or_default()
            .to_owned(),
        enabled(status).to_owned(),
        state(status.up).unwrap_or("unknown").to_owned(),
        updated_at,
        status.heartbeat_age.map(age).unwrap_or_default(),
        status
            .observed
            .clock_skew
            .as_ref()
            .map(skew)
            .unwrap_or_default(),
        status
            .observed
            .reason
            .map_or("", Reason::as_str)
            .replace('_', " "),
    ]
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

/// Returns a text that can do nothing to a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
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

/// Returns a skew as `+74.9 s ± 1.3`; before a heartbeat was observed, what causality proves of a host ahead.
fn skew(skew: &ClockSkew) -> String {
    let lower = skew.bounds.lower;
    match (skew.estimate, skew.margin()) {
        (Some(estimate), Some(margin)) => format!(
            "{:+.1} s ± {:.1}",
            estimate.as_seconds_f64(),
            margin.as_seconds_f64()
        ),
        _ if lower > TimeDelta::seconds(1) => format!("> {:+.1} s", lower.as_seconds_f64()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::skew::Bounds;

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

    #[test]
    fn a_skew_is_said_with_the_farther_of_its_bounds() {
        let span = TimeDelta::milliseconds;
        for (estimate, lower, upper, expected) in [
            (Some(74_900), 74_000, Some(76_600), "+74.9 s ± 1.7"),
            (Some(-40), -1_000, Some(1_000), "-0.0 s ± 1.0"),
            (None, 74_500, None, "> +74.5 s"),
            (None, -141_000, None, ""),
        ] {
            let text = skew(&ClockSkew {
                estimate: estimate.map(span),
                bounds: Bounds {
                    lower: span(lower),
                    upper: upper.map(span),
                },
            });
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31m\nb ж"), "a\\u{1b}[31m\\nb ж");
    }
}
