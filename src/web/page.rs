//! The status page at `/`: urgent services with advice, then all services, most urgent first.
//!
//! A page shows 100 of 10,000 services; only these are rendered.

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
use crate::report::advice;
use crate::report::condition::{self, Condition, Counts, Trouble};
use crate::report::documentation::{self, DOCUMENTATION, STANDSTILL, SUSPECT};
use crate::report::words;

/// Maximum number of rows in the table.
const PAGE_ROWS: usize = 100;
/// Maximum number of cards.
const MAX_CARDS: usize = 12;

/// Minimum number of seconds between two reloads of a page without scripts.
const MIN_RELOAD: u64 = 60;

/// A state's filter: its label, number of services and link.
#[derive(Debug)]
struct StateFilter {
    urgency: Urgency,
    label: &'static str,
    count: usize,
    link: String,
    active: bool,
}

/// The parts of the page that need a snapshot.
#[derive(Debug)]
struct Services<'a> {
    cards: Vec<ServiceRow<'a>>,
    /// Texts and links to urgent services without a card.
    more: Vec<(String, String)>,
    /// Number of urgent services, with a card or without.
    urgent_total: usize,
    rows: Vec<ServiceRow<'a>>,
    filters: Vec<StateFilter>,
    binaries: BTreeSet<&'a str>,
    /// Number of services that match the filters.
    matching: usize,
    all: usize,
    /// Number of the first row shown, from 1.
    first: usize,
    last: usize,
    page: usize,
    pages: usize,
    previous: Option<String>,
    next: Option<String>,
    behind: String,
    ahead: String,
    read_at: String,
    /// What to check where most hosts share one clock skew.
    suspect: Option<&'static str>,
    /// Whether no service sends heartbeats.
    standstill: bool,
    /// Number of rows that can't be read, or only in part.
    rejected: usize,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    condition: Condition,
    trouble: Option<Trouble>,
    services: Option<Services<'a>>,
    age_seconds: Option<u64>,
    /// Milliseconds between two refreshes by the script.
    refresh: u128,
    /// Seconds between two reloads without scripts; `None` with a filter, since a reload would clear a form in use.
    reload: Option<u64>,
    /// URL of this page, for the refresh link without scripts.
    refresh_link: String,
    /// Age in milliseconds from which the page is marked as stale.
    stale_after: u128,
    metrics: &'a str,
    query: &'a Query,
}

/// Renders the page.
pub(crate) fn render(site: &Site, query: &Query) -> String {
    let view = site.latest.view();
    let snapshot = view.snapshot.as_deref();
    let counts = snapshot.map(Counts::of);
    let counted = snapshot.zip(counts.as_ref());
    let services = counted.map(|(shown, counts)| services(shown, counts, query, &site.latest));
    let age = view.age.filter(|_| services.is_some());
    let interval = view.poll_interval;
    let page = Page {
        condition: Condition::of(counts.as_ref(), &view),
        trouble: condition::trouble(&view),
        age_seconds: age.map(|age| age.as_secs()),
        services,
        refresh: interval.as_millis().max(1_000),
        reload: (*query == Query::parse(None)).then_some(interval.as_secs().max(MIN_RELOAD)),
        refresh_link: query.link(query.state, query.page),
        stale_after: view.stale_after.as_millis(),
        metrics: site.telemetry_path.trim_start_matches('/'),
        query,
    };
    page.render().expect("writing to a string can't fail")
}

impl Page<'_> {
    /// A text that changes whenever the page must announce its headline to screen readers.
    fn announcement_key(&self) -> String {
        let trouble = self.trouble.as_ref().map_or("", |trouble| trouble.remedy);
        format!("{} {} {trouble}", self.condition.kind, self.condition.short)
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
    let all = snapshot.services.iter();
    let mut matching: Vec<_> = all.filter(|status| query.shows(status)).collect();
    // Equally urgent services stay in the order of binary and host.
    matching.sort_by_cached_key(|status| Urgency::of(status));
    let pages = matching.len().div_ceil(PAGE_ROWS).max(1);
    let page = query.page.min(pages);
    let start = (page - 1) * PAGE_ROWS;
    let end = matching.len().min(start + PAGE_ROWS);
    // Only the first unfiltered page has cards.
    let candidates = if query.is_unfiltered() && page == 1 {
        &matching[..end.min(MAX_CARDS)]
    } else {
        &[]
    };
    let urgent = candidates.partition_point(|status| Urgency::of(status) <= Urgency::ListedAsUp);
    let cards = rows(&candidates[..urgent], snapshot, latest);
    let budget = Budget::of(&snapshot.intervals);
    let services = snapshot.services.iter();
    let binaries = services.map(|status| &*status.service.facts.binary);
    let link = |page| query.link(query.state, page);
    let mut rows = rows(&matching[start..end], snapshot, latest);
    for row in &mut rows {
        // Its card has both.
        if cards.iter().any(|card| card.id == row.id) {
            row.advice = None;
            row.runbook = None;
        }
    }
    Services {
        more: more_links(counts, &cards),
        urgent_total: counts.get(Urgency::Down) + counts.get(Urgency::ListedAsUp),
        cards,
        rows,
        filters: state_filters(counts, query),
        binaries: binaries.collect(),
        matching: matching.len(),
        all: snapshot.services.len(),
        first: start + 1,
        last: end,
        page,
        pages,
        previous: (page > 1).then(|| link(page - 1)),
        next: (page < pages).then(|| link(page + 1)),
        behind: words::span(budget.behind.to_std().unwrap_or_default()),
        ahead: words::span(budget.ahead.to_std().unwrap_or_default()),
        read_at: snapshot.now.0.format("%H:%M:%S").to_string(),
        suspect: snapshot.suspect.map(advice::suspect),
        standstill: snapshot.standstill.is_some(),
        rejected: snapshot.rejected.len(),
    }
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

/// Returns a link for each urgency that has services without a card.
fn more_links(counts: &Counts, cards: &[ServiceRow]) -> Vec<(String, String)> {
    [Urgency::Down, Urgency::ListedAsUp]
        .into_iter()
        .filter_map(|urgency| {
            let shown = cards.iter().filter(|row| row.urgency == urgency).count();
            let count = counts.get(urgency) - shown;
            let text = format!("{count} more {}", label(urgency));
            (count > 0).then(|| (text, Query::default().link(Some(urgency), 1)))
        })
        .collect()
}

fn state_filters(counts: &Counts, query: &Query) -> Vec<StateFilter> {
    Urgency::ALL
        .into_iter()
        .map(|urgency| StateFilter {
            urgency,
            label: label(urgency),
            count: counts.get(urgency),
            link: query.link(Some(urgency), 1),
            active: query.state == Some(urgency),
        })
        // Empty states are noise, except for the two that every reader checks.
        .filter(|filter| match filter.urgency {
            Urgency::Down | Urgency::Up => true,
            _ => filter.count > 0 || filter.active,
        })
        .collect()
}

fn label(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Down => "down",
        Urgency::ListedAsUp => "down, but listed as up",
        Urgency::Unknown => "unknown",
        Urgency::Warning => "warning",
        Urgency::Up => "up",
        Urgency::Abandoned => "abandoned",
        Urgency::Disabled => "disabled",
    }
}
