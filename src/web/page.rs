//! The status page at `/`: urgent services with advice, then all services, most urgent first.
//!
//! A page shows 100 of 10,000 services; only these are rendered.

use std::borrow::Cow;
use std::collections::BTreeSet;

use askama::Template;

use super::asset;
use super::chart;
use super::query::Query;
use super::row::ServiceRow;
use super::site::Site;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::urgency::Urgency;
use crate::publish::latest::Latest;
use crate::report::advice;
use crate::report::condition::{self, Condition, Counts, Trouble};
use crate::report::documentation::{self, DOCUMENTATION, STANDSTILL, SUSPECT};
use crate::report::view::{Listed, ListedService, View};
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
    /// The clock budget in words, if all services have the same.
    budget: Option<String>,
    read_at: String,
    notices: Vec<Notice>,
}

/// A notice about all services of one source.
#[derive(Debug)]
struct Notice {
    what: String,
    advice: Cow<'static, str>,
    /// Name of the runbook.
    runbook: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    condition: Condition,
    troubles: Vec<Trouble>,
    /// Whether the last poll of a source failed.
    is_unreadable: bool,
    /// The names of all sources if there are several; else none.
    databases: Vec<&'a str>,
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
    let views = &site.latest.views();
    let counts = Counts::shown(views);
    let shown = views.iter().filter(|view| view.snapshot.is_some());
    // The page is as old as the source that is stale first.
    let oldest = shown.min_by_key(|view| {
        view.stale_after
            .saturating_sub(view.age.unwrap_or_default())
    });
    let known = counts.as_ref().zip(oldest);
    let services = known.map(|(counts, oldest)| {
        let read_at = oldest.snapshot.as_ref().map(|shown| shown.now.0);
        let read_at = read_at.map(|now| now.format("%H:%M:%S").to_string());
        services(views, counts, query, site, read_at.unwrap_or_default())
    });
    let intervals = views.iter().map(|view| view.poll_interval);
    let interval = intervals.min().unwrap_or_default();
    let databases = views.iter().map(|view| &*view.database);
    let page = Page {
        condition: Condition::of(counts.as_ref(), views),
        troubles: condition::search_trouble(site.latest.search())
            .into_iter()
            .chain(condition::troubles(views))
            .collect(),
        is_unreadable: views.iter().any(|view| view.outage.is_some()),
        databases: databases.filter(|_| views.len() > 1).collect(),
        age_seconds: oldest.and_then(|view| view.age).map(|age| age.as_secs()),
        services,
        refresh: interval.as_millis().max(1_000),
        reload: (*query == Query::parse(None)).then_some(interval.as_secs().max(MIN_RELOAD)),
        refresh_link: query.link(query.state, query.page),
        stale_after: oldest.map_or(0, |view| view.stale_after.as_millis()),
        metrics: site.telemetry_path.trim_start_matches('/'),
        query,
    };
    page.render().expect("writing to a string can't fail")
}

impl Page<'_> {
    /// A text that changes whenever the page must announce its headline to screen readers.
    fn announcement_key(&self) -> String {
        let remedies = self.troubles.iter().map(|trouble| trouble.remedy);
        let remedies: Vec<&str> = remedies.collect();
        let Condition { kind, short, .. } = &self.condition;
        format!("{kind} {short} {}", remedies.join(" "))
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
    views: &'a [View],
    counts: &Counts,
    query: &Query,
    site: &Site,
    read_at: String,
) -> Services<'a> {
    let latest = &site.latest;
    let listed = || views.iter().map(View::listed);
    let sources = listed().filter(|source| query.shows_source(source.database));
    let matching = sources.flat_map(|source| source.services(|status| query.shows(status)));
    let mut matching: Vec<ListedService> = matching.collect();
    // Equally urgent services stay in the order of database, binary and host.
    matching.sort_by_cached_key(|listed| Urgency::of(listed.status));
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
    let urgent =
        candidates.partition_point(|listed| Urgency::of(listed.status) <= Urgency::ListedAsUp);
    let cards = rows(&candidates[..urgent], latest);
    let link = |page| query.link(query.state, page);
    let mut rows = rows(&matching[start..end], latest);
    for row in &mut rows {
        // Its card has both.
        if cards.iter().any(|card| card.id == row.id) {
            row.advice = None;
            row.runbook = None;
        }
    }
    let snapshots = || views.iter().filter_map(|view| view.snapshot.as_deref());
    let binaries = snapshots().flat_map(|snapshot| snapshot.limits.keys());
    Services {
        more: more_links(counts, &cards),
        urgent_total: counts.get(Urgency::Down) + counts.get(Urgency::ListedAsUp),
        cards,
        rows,
        filters: state_filters(counts, query),
        binaries: binaries.map(|binary| &**binary).collect(),
        matching: matching.len(),
        all: snapshots().map(|snapshot| snapshot.services.len()).sum(),
        first: start + 1,
        last: end,
        page,
        pages,
        previous: (page > 1).then(|| link(page - 1)),
        next: (page < pages).then(|| link(page + 1)),
        budget: common_budget(snapshots()),
        read_at,
        notices: listed()
            .flat_map(|source| notices(views.len(), source))
            .collect(),
    }
}

/// Returns the clock budget in words, if all services have the same.
fn common_budget<'a>(snapshots: impl Iterator<Item = &'a Snapshot>) -> Option<String> {
    let limits = snapshots.flat_map(|snapshot| snapshot.limits.values());
    let mut budgets = limits.map(|limits| limits.budget);
    let first = budgets.next()?;
    let behind = words::span_of(first.behind);
    let ahead = first.ahead.map(words::span_of);
    budgets.all(|budget| budget == first).then(|| match ahead {
        Some(ahead) => format!("{behind} behind to {ahead} ahead"),
        None => format!("from {behind} behind on"),
    })
}

/// Returns what is said about the services of one of so many sources together.
fn notices(sources: usize, source: Listed) -> Vec<Notice> {
    let Some(snapshot) = source.snapshot else {
        return Vec::new();
    };
    let standstill = snapshot.standstill.map(|_| Notice {
        what: "No service sends heartbeats.".to_owned(),
        advice: advice::standstill(snapshot.project).into(),
        runbook: Some(STANDSTILL),
    });
    let suspect = snapshot.suspect.map(|suspect| Notice {
        what: "Most hosts share one clock skew.".to_owned(),
        advice: advice::suspect(suspect).into(),
        runbook: Some(SUSPECT),
    });
    let rows = match snapshot.rejected.len() {
        0 => None,
        1 => Some("1 row".to_owned()),
        rows => Some(format!("{rows} rows")),
    };
    let rejected = rows.map(|rows| Notice {
        what: format!("{rows} can’t be read, or only in part."),
        advice:
            "Rows without a valid name are not shown here; the exporter’s log lists all of them."
                .into(),
        runbook: None,
    });
    let notices = [standstill, suspect, rejected].into_iter().flatten();
    let named = notices.map(|notice| Notice {
        what: words::of_source(sources, source.database, &notice.what),
        ..notice
    });
    named.collect()
}

fn rows<'a>(shown: &[ListedService<'a>], latest: &Latest) -> Vec<ServiceRow<'a>> {
    let row = |listed: &ListedService<'a>| {
        let hours = latest.hours(listed.database, [&listed.status.service]);
        ServiceRow::new(*listed, hours.first().and_then(Option::as_ref))
    };
    shown.iter().map(row).collect()
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

#[cfg(test)]
mod tests;
