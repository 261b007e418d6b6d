//! The services as a table for a terminal, followed by advice on those with a fault.

use std::fmt::Write as _;

use chrono::TimeDelta;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, Table, presets};

use super::advice;
use super::words::{self, age, enabled, verdict};
use crate::heartbeat::cause::Reason;
use crate::heartbeat::skew::ClockSkew;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::{Doubt, Urgency};
use crate::report::view::{Listed, ListedService};

const COLUMNS: usize = 11;
const DATABASE: usize = 0;
const ZONE: usize = 3;
const STATE: usize = 5;
const UPDATED_AT: usize = 6;
const SKEW: usize = 8;
const PROCESSES: usize = 9;
const REASON: usize = 10;

/// Columns dropped on a narrow terminal: the age also gives the time, and most clouds have one zone.
const DISPENSABLE: [usize; 2] = [UPDATED_AT, ZONE];

/// The database, the headings of OpenStack's own lists of services, then our own.
const HEADINGS: [&str; COLUMNS] = [
    "Database",
    "Binary",
    "Host",
    "Zone",
    "Status",
    "State",
    "Updated At",
    "Age",
    "Skew",
    "Processes",
    "Reason",
];

/// Returns a table and, below it, advice. It is coloured; strip the colours where they are unwanted. The columns of the
/// database and of the processes appear where they say something. On a narrow terminal the table lacks the zone and the
/// time.
#[must_use]
pub fn table(sources: &[Listed], shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.enforce_styling();
    table.set_header(HEADINGS);
    let mut notes = String::new();
    for listed in sources.iter().flat_map(|source| source.services(&shown)) {
        table.add_row(cells(listed));
        if let Some(advice) = advice::advice(listed) {
            let facts = &listed.status.service.facts;
            let name = format!("{} on {}", facts.binary, facts.host);
            let name = words::of_source(sources.len(), listed.database, &name);
            let _ = writeln!(notes, "\n{}: {}", printable(&name), printable(&advice));
        }
    }
    for source in sources {
        for note in source.snapshot.into_iter().flat_map(notes_on) {
            let note = words::of_source(sources.len(), source.database, &note);
            let _ = writeln!(notes, "\n{note}");
        }
    }
    let snapshots = || sources.iter().filter_map(|source| source.snapshot);
    let mut statuses = snapshots().flat_map(|it| &it.services);
    let has_processes = statuses.any(|status| status.processes.is_some());
    for (index, is_shown) in [(DATABASE, sources.len() > 1), (PROCESSES, has_processes)] {
        if let Some(column) = table.column_mut(index).filter(|_| !is_shown) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    fit(&mut table);
    format!("{table}\n{notes}")
}

/// Returns what is to be said about the services of one source together.
fn notes_on(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let standstill = snapshot.standstill.map(|silence| {
        let advice = advice::standstill(snapshot.project);
        format!("{} {advice}", advice::no_heartbeats(silence))
    });
    let suspect = snapshot.suspect.map(|suspect| {
        let advice = advice::suspect(suspect);
        format!("Most hosts share one clock skew. {advice}")
    });
    standstill.into_iter().chain(suspect)
}

/// Hides columns until the table fits the terminal, if standard output is a terminal.
fn fit(table: &mut Table) {
    let Some(terminal) = table.width() else {
        return;
    };
    // Each column that is shown has a space on both sides, and a border.
    let widths = table.column_max_content_widths();
    let widths: Vec<usize> = widths
        .iter()
        .zip(table.column_iter())
        .map(|(width, column)| match column.constraint() {
            Some(ColumnConstraint::Hidden) => 0,
            _ => usize::from(*width) + 3,
        })
        .collect();
    let mut width = 1 + widths.iter().sum::<usize>();
    for index in DISPENSABLE {
        if width > terminal.into()
            && let Some(column) = table.column_mut(index)
        {
            column.set_constraint(ColumnConstraint::Hidden);
            width -= widths[index];
        }
    }
}

/// Returns a row in colours: red for down, yellow for doubtful, dim for disabled or abandoned.
fn cells(listed: ListedService<'_>) -> impl Iterator<Item = Cell> {
    let status = listed.status;
    let urgency = Urgency::of(status);
    let reason = status.observed.reason;
    let is_skewed = reason == Some(Reason::ClockSkew) || Doubt::of(status) == Some(Doubt::Clock);
    let texts = row(listed).into_iter().enumerate();
    texts.map(move |(column, text)| {
        let cell = Cell::new(printable(&text));
        match (urgency, column) {
            (Urgency::Disabled | Urgency::Abandoned, _) => cell.add_attribute(Attribute::Dim),
            (_, SKEW | REASON) if is_skewed => cell.fg(Color::DarkYellow),
            (Urgency::Unknown, STATE) => cell.fg(Color::DarkYellow),
            (Urgency::Down | Urgency::ListedAsUp, STATE | REASON) => cell.fg(Color::DarkRed),
            _ => cell,
        }
    })
}

fn row(listed: ListedService) -> [String; COLUMNS] {
    let status = listed.status;
    let service = &status.service;
    let facts = &service.facts;
    let observed = &status.observed;
    let zone = facts.availability_zone.as_deref();
    let stamp = service.stamp.time();
    let stamp = stamp.map(|stamp| stamp.0.format("%Y-%m-%dT%H:%M:%S").to_string());
    [
        listed.database.to_owned(),
        facts.binary.to_string(),
        facts.host.to_string(),
        zone.unwrap_or_default().to_owned(),
        enabled(status).unwrap_or_default().to_owned(),
        verdict(status.up).unwrap_or("unknown").to_owned(),
        stamp.unwrap_or_default(),
        status.heartbeat_age.map(age).unwrap_or_default(),
        observed.clock_skew.map(skew).unwrap_or_default(),
        words::processes(status).unwrap_or_default(),
        observed.reason.map_or("", Reason::as_str).replace('_', " "),
    ]
}

/// Returns the text with its control characters escaped.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

/// Returns a skew as `+74.9 s ± 1.3`; before the first observed heartbeat, the lower bound of a host that is ahead.
fn skew(skew: ClockSkew) -> String {
    let lower = skew.bounds.lower;
    match (skew.estimate, skew.margin()) {
        (Some(estimate), Some(margin)) => {
            let (estimate, margin) = (estimate.as_seconds_f64(), margin.as_seconds_f64());
            format!("{estimate:+.1} s ± {margin:.1}")
        }
        _ if lower > TimeDelta::seconds(1) => format!("> {:+.1} s", lower.as_seconds_f64()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::status::Processes;
    use crate::project::heat;

    #[test]
    fn the_margin_of_a_skew_is_the_farther_bound() {
        for (estimate, lower, upper, expected) in [
            (Some(74_900), 74_000, Some(76_600), "+74.9 s ± 1.7"),
            (Some(-40), -1_000, Some(1_000), "-0.0 s ± 1.0"),
            (None, 74_500, None, "> +74.5 s"),
            (None, -141_000, None, ""),
        ] {
            let text = skew(fixture::skew(estimate, lower, upper));
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn the_database_is_named_where_there_are_several() {
        let service = fixture::service("cinder-volume", "block1");
        let snapshot = fixture::snapshot(fixture::reading(vec![service]));
        let snapshot = Snapshot {
            standstill: Some(TimeDelta::seconds(95)),
            ..snapshot
        };
        let [first, second] = ["c1", "c2"].map(|name| Listed::read(name, &snapshot));
        let one = table(&[first], |_| true);
        assert!(!one.contains("Database") && !one.contains("c1"), "{one}");
        assert!(one.contains("\nNo service has sent a heartbeat for 95 s."));
        let two = table(&[first, second], |_| true);
        for part in ["Database", "c1: No service", "c2: No service"] {
            assert!(two.contains(part), "{two}");
        }
    }

    #[test]
    fn processes_have_a_column_where_rows_are_processes() {
        let service = fixture::service("heat-engine", "control1");
        let mut snapshot = fixture::snapshot_of(&heat::PROJECT, fixture::reading(vec![service]));
        let of = |down| Processes {
            all: 4,
            down,
            leftovers: 1,
        };
        for (processes, expected) in [(of(1), "| 1 of 4 down |"), (of(0), "| 4         |")] {
            snapshot.services[0].processes = Some(processes);
            let table = table(&[Listed::read("heat", &snapshot)], |_| true);
            assert!(table.contains("| Processes "), "{table}");
            assert!(table.contains(expected), "{table}");
        }
        let service = fixture::service("cinder-volume", "block1");
        let other = fixture::snapshot(fixture::reading(vec![service]));
        let table = table(&[Listed::read("cinder", &other)], |_| true);
        assert!(!table.contains("Processes"), "{table}");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31m\nb ж"), "a\\u{1b}[31m\\nb ж");
    }
}
