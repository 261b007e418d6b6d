//! The status page at `/`: what is down, why, since when and what to do; then all services, most urgent first.
//!
//! Of ten thousand services a page shows a hundred: only these are put into words.

use std::collections::BTreeSet;

use askama::Template;

use super::asset;
use super::chart::Budget;
use super::condition::{self, Condition, Counts, Trouble};
use super::documentation::{self, DOCUMENTATION};
use super::query::Query;
use super::row::Row;
use super::server::Site;
use super::words;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};
use crate::heartbeat::urgency::Urgency;
use crate::picture::{Gallery, Picture};

/// Services in the table at most.
const PAGE_ROWS: usize = 100;
/// Services that are explained on top at most; the table has all.
const MOST_URGENT: usize = 12;

/// A filter by state, with a link that sets it.
#[derive(Debug)]
struct Chip {
    urgency: Urgency,
    label: &'static str,
    count: usize,
    link: String,
    chosen: bool,
}

/// What is known of the services, where anything is.
#[derive(Debug)]
struct Services<'a> {
    urgent: Vec<Row<'a>>,
    /// Urgent ones that are not explained on top.
    further: usize,
    rows: Vec<Row<'a>>,
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
    down: usize,
    age_seconds: Option<u64>,
    /// Milliseconds between two refreshes.
    refresh: u128,
    /// The same in whole seconds, for a page without scripts.
    refresh_seconds: u64,
    metrics: &'a str,
    query: &'a Query,
}

/// Returns the page.
#[must_use]
pub fn render(site: &Site, query: &Query) -> String {
    let picture = site.gallery.latest();
    let counts = picture
        .as_ref()
        .map(|picture| Counts::of(&picture.snapshot));
    let services = picture
        .as_deref()
        .zip(counts)
        .map(|(picture, counts)| services(picture, &counts, query, &site.gallery));
    let page = Page {
        condition: Condition::of(counts.as_ref(), &site.gallery),
        trouble: condition::trouble(&site.gallery),
        services,
        down: counts.map_or(0, |counts| counts.get(Urgency::Down)),
        age_seconds: site.gallery.age().map(|age| age.as_secs()),
        refresh: site.poll_interval.as_millis().max(1_000),
        refresh_seconds: site.poll_interval.as_secs().max(5),
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
        documentation::address("OpenStackHeartbeatReferenceClockSuspect")
    }

    fn icon(&self) -> String {
        asset::address(match self.condition.kind {
            "down" | "unseen" => "down.svg",
            "up" => "up.svg",
            _ => "unknown.svg",
        })
    }
}

fn services<'a>(
    picture: &'a Picture,
    counts: &Counts,
    query: &Query,
    gallery: &Gallery,
) -> Services<'a> {
    let snapshot = &picture.snapshot;
    let found = ordered(snapshot, |status| query.shows(status));
    let pages = found.len().div_ceil(PAGE_ROWS).max(1);
    let page = query.page.min(pages);
    let from = (page - 1) * PAGE_ROWS;
    let to = found.len().min(from + PAGE_ROWS);
    // Whoever filters or turns the page has read what is on top.
    let urgent = if query.is_everything() && page == 1 {
        let urgent = found
            .iter()
            .take_while(|status| Urgency::of(status) <= Urgency::Unseen);
        urgent.take(MOST_URGENT).copied().collect()
    } else {
        Vec::new()
    };
    let budget = Budget::of(&snapshot.intervals);
    let link = |page| query.link(query.state, page);
    let urgent = rows(&urgent, snapshot, gallery);
    let mut shown = rows(&found[from..to], snapshot, gallery);
    for row in &mut shown {
        // It stands on top already.
        if urgent.iter().any(|explained| explained.id == row.id) {
            row.advice = None;
        }
    }
    Services {
        further: counts.get(Urgency::Down) + counts.get(Urgency::Unseen) - urgent.len(),
        urgent,
        rows: shown,
        chips: chips(counts, query),
        binaries: snapshot
            .services
            .iter()
            .map(|status| status.service.binary.as_str())
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

fn rows<'a>(shown: &[&'a ServiceStatus], snapshot: &Snapshot, gallery: &Gallery) -> Vec<Row<'a>> {
    let hours = gallery.hours(shown.iter().map(|status| status.service.id));
    shown
        .iter()
        .zip(&hours)
        .map(|(status, hour)| Row::new(status, hour.as_ref(), snapshot))
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
        Urgency::Disabled => "disabled",
    }
}
