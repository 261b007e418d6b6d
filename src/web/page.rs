//! The status page at `/`: what is down, why, since when and what to do; then all services, most urgent first.
//!
//! Of ten thousand services a page shows a hundred: only these are put into words.

use std::collections::BTreeSet;

use askama::Template;

use super::asset;
use super::chart;
use super::query::Query;
use super::row::ServiceRow;
use super::site::Site;
use crate::heartbeat::budget::Budget;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::Urgency;
use crate::publish::latest::Latest;
use crate::report::condition::{self, Condition, Counts, Trouble};
use crate::report::documentation::{self, DOCUMENTATION};
use crate::report::words;

/// Services in the table at most.
const PAGE_ROWS: usize = 100;
/// Services that are explained on top at most; the table has all.
const MOST_URGENT: usize = 12;

/// Seconds between two refreshes of a page without scripts, at least.
const LEAST_RELOAD: u64 = 60;

/// A filter by state, with a link that sets it.
#[derive(Debug)]
struct Chip {
    urgency: Urgency,
    label: &'static str,
    count: usize,
    link: String,
    chosen: bool,
}

/// Services that need somebody and are not explained on top.
#[derive(Debug)]
struct Further {
    /// How many, and what they do.
    text: String,
    link: String,
}

/// What is known of the services, where anything is.
#[derive(Debug)]
struct Services<'a> {
    urgent: Vec<ServiceRow<'a>>,
    further: Vec<Further>,
    /// Urgent ones, on top or not.
    needing: usize,
    rows: Vec<ServiceRow<'a>>,
    chips: Vec<Chip>,
    binaries: BTreeSet<&'a str>,
    /// Number of services that the filters leave.
    found: usize,
    all: usize,
    /// Numbers of the first and the last row shown.
    from: usize,
    to: usize,
    page: usize,
    pages: usize,
    previous: Option<String>,
    next: Option<String>,
    behind: String,
    ahead: String,
    read_at: String,
    suspect: bool,
    /// Rows that can't be read, or not in full.
    rejected: usize,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    condition: Condition,
    trouble: Option<Trouble>,
    services: Option<Services<'a>>,
    age_seconds: Option<u64>,
    /// Milliseconds between two refreshes.
    refresh: u128,
    /// Seconds between two refreshes of a page without scripts; `None` where that would take a filter from whoever
    /// types it.
    reload: Option<u64>,
    /// This page once more, for a page without scripts.
    again: String,
    /// Milliseconds from which on what is shown is too old to be true.
    stale_after: u128,
    metrics: &'a str,
    query: &'a Query,
}

/// Returns the page.
#[must_use]
pub(crate) fn render(site: &Site, query: &Query) -> String {
    let view = site.latest.view();
    let snapshot = view.snapshot.as_deref();
    let counts = snapshot.map(Counts::of);
    let services = snapshot
        .zip(counts)
        .map(|(snapshot, counts)| services(snapshot, &counts, query, &site.latest));
    let page = Page {
        condition: Condition::of(counts.as_ref(), &view),
        trouble: condition::trouble(&view),
        age_seconds: view
            .age
            .filter(|_| services.is_some())
            .map(|age| age.as_secs()),
        services,
        refresh: view.poll_interval.as_millis().max(1_000),
        reload: (*query == Query::parse(None))
            .then(|| view.poll_interval.as_secs().max(LEAST_RELOAD)),
        again: query.link(query.state, query.page),
        stale_after: view.stale_after.as_millis(),
        metrics: site.telemetry_path.trim_start_matches('/'),
        query,
    };
    page.render()
        .expect("texts and numbers are written to memory")
}

impl Page<'_> {
    fn version() -> &'static str {
        concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_REVISION"), ")")
    }

    fn suspect_runbook() -> String {
        documentation::address(documentation::SUSPECT)
    }

    /// What differs between two pages when there is something to announce.
    fn mood(&self) -> String {
        let trouble = self.trouble.as_ref().map_or("", |trouble| trouble.remedy);
        format!("{} {} {trouble}", self.condition.kind, self.condition.short)
    }

    fn unknown_icon() -> String {
        asset::url("unknown.svg")
    }

    fn icon(&self) -> String {
        asset::url(match self.condition.kind {
            "down" | "unseen" => "down.svg",
            "up" => "up.svg",
            _ => "unknown.svg",
        })
    }
}

fn services<'a>(
    snapshot: &'a Snapshot,
    counts: &Counts,
    query: &Query,
    latest: &Latest,
) -> Services<'a> {
    let found = ordered(snapshot, |status| query.shows(status));
    let pages = found.len().div_ceil(PAGE_ROWS).max(1);
    let page = query.page.min(pages);
    let from = (page - 1) * PAGE_ROWS;
    let to = found.len().min(from + PAGE_ROWS);
    // Whoever filters or turns the page has read what is on top.
    let urgent = if query.is_unfiltered() && page == 1 {
        let urgent = found
            .iter()
            .take_while(|status| Urgency::of(status) <= Urgency::Unseen);
        urgent.take(MOST_URGENT).copied().collect()
    } else {
        Vec::new()
    };
    let budget = Budget::of(&snapshot.intervals);
    let link = |page| query.link(query.state, page);
    let urgent = rows(&urgent, snapshot, latest);
    let mut shown = rows(&found[from..to], snapshot, latest);
    for row in &mut shown {
        // It stands on top already.
        if urgent.iter().any(|explained| explained.id == row.id) {
            row.advice = None;
            row.runbook = None;
        }
    }
    Services {
        further: further(counts, &urgent),
        needing: counts.get(Urgency::Down) + counts.get(Urgency::Unseen),
        urgent,
        rows: shown,
        chips: chips(counts, query),
        binaries: snapshot
            .services
            .iter()
            .map(|status| &*status.service.facts.binary)
            .collect(),
        found: found.len(),
        all: snapshot.services.len(),
        from: from + 1,
        to,
        page,
        pages,
        previous: (page > 1).then(|| link(page - 1)),
        next: (page < pages).then(|| link(page + 1)),
        behind: words::span(budget.behind.to_std().unwrap_or_default()),
        ahead: words::span(budget.ahead.to_std().unwrap_or_default()),
        read_at: snapshot.now.0.format("%H:%M:%S").to_string(),
        suspect: snapshot.reference_clock_suspect,
        rejected: snapshot.rejected.len(),
    }
}

/// Returns the services to show, the most urgent first, those alike by binary and host.
fn ordered(snapshot: &Snapshot, shows: impl Fn(&ServiceStatus) -> bool) -> Vec<&ServiceStatus> {
    let mut found: Vec<(Urgency, &ServiceStatus)> = snapshot
        .services
        .iter()
        .filter(|status| shows(status))
        .map(|status| (Urgency::of(status), status))
        .collect();
    found.sort_by_key(|(urgency, _)| *urgency);
    found.into_iter().map(|(_, status)| status).collect()
}

fn rows<'a>(
    shown: &[&'a ServiceStatus],
    snapshot: &Snapshot,
    latest: &Latest,
) -> Vec<ServiceRow<'a>> {
    let hours = latest.hours(shown.iter().map(|status| &status.service));
    shown
        .iter()
        .zip(&hours)
        .map(|(status, hour)| ServiceRow::new(status, hour.as_ref(), snapshot))
        .collect()
}

/// Returns what to say of the urgent services that `shown` leaves out, one by one urgency.
fn further(counts: &Counts, shown: &[ServiceRow]) -> Vec<Further> {
    [Urgency::Down, Urgency::Unseen]
        .into_iter()
        .filter_map(|urgency| {
            let explained = shown.iter().filter(|row| row.urgency == urgency).count();
            let count = counts.get(urgency) - explained;
            let what = match (urgency, count) {
                (_, 0) => return None,
                (Urgency::Down, 1) => "is down",
                (Urgency::Down, _) => "are down",
                (_, 1) => "fails unseen",
                (_, _) => "fail unseen",
            };
            Some(Further {
                text: format!("{count} more {what}"),
                link: Query::default().link(Some(urgency), 1),
            })
        })
        .collect()
}

fn chips(counts: &Counts, query: &Query) -> Vec<Chip> {
    Urgency::ALL
        .into_iter()
        .map(|urgency| Chip {
            urgency,
            label: label(urgency),
            count: counts.get(urgency),
            link: query.link(Some(urgency), 1),
            chosen: query.state == Some(urgency),
        })
        // What there is none of is noise, except for what everybody looks for.
        .filter(|chip| {
            chip.count > 0 || chip.chosen || matches!(chip.urgency, Urgency::Down | Urgency::Up)
        })
        .collect()
}

fn label(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Down => "down",
        Urgency::Unseen => "failing unseen",
        Urgency::Unknown => "unknown",
        Urgency::Warning => "worth a look",
        Urgency::Up => "up",
        Urgency::Abandoned => "abandoned",
        Urgency::Disabled => "disabled",
    }
}
