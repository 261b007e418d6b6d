//! The page with one source, and with several.

use std::time::Duration;

use super::*;
use crate::heartbeat::failure::Class;
use crate::heartbeat::status::Processes;
use crate::heartbeat::time::ClockOffset;
use crate::publish::latest::EntrySettings;
use crate::source::Poll;

/// Returns the page of two sources with one service each; the poll after that of `manila` failed.
fn two() -> Site {
    let (latest, entry) = Latest::fixture();
    entry.show_one();
    let other = latest.add("manila", EntrySettings::fixture());
    other.show_one();
    other.fail(Class::Auth, Duration::ZERO);
    Site::fixture(latest)
}

fn page(site: &Site, query: &str) -> String {
    render(site, &Query::parse(Some(query)))
}

#[tokio::test(start_paused = true)]
async fn one_source_is_not_named() {
    let (latest, entry) = Latest::fixture();
    let site = Site::fixture(latest);
    assert!(page(&site, "").contains("No current data from the database"));
    entry.show_one();
    entry.fail(Class::Auth, Duration::ZERO);
    let page = page(&site, "");
    assert!(page.contains("<strong>The database has been unreadable"));
    assert!(page.contains("Database read "));
    assert!(page.contains(", database unreadable) OpenStack"), "{page}");
    for part in ["Database</th>", "name=\"database\"", "class=\"database\""] {
        assert!(!page.contains(part), "{part}: {page}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_sources_are_counted_together_and_named() {
    let site = two();
    let page = page(&site, "");
    for part in [
        "2 down of 2 · manila: as of ",
        "<strong>manila: The database has been unreadable",
        "Oldest data read ",
        "<title>(2 down, a database is unreadable) OpenStack",
        "<th scope=\"col\" role=\"columnheader\">Database</th>",
        "id=\"row-cinder-1\"",
        "id=\"row-manila-1\"",
        "href=\"api/v1/services/manila/cinder-volume/block1\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("cinder: The database"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn the_filter_by_source_keeps_the_others_out() {
    let site = two();
    let page = page(&site, "database=manila&state=down");
    assert!(page.contains("<option selected>manila</option>"), "{page}");
    assert!(page.contains("id=\"row-manila-1\""), "{page}");
    assert!(!page.contains("id=\"row-cinder-1\""), "{page}");
    // Other links keep it.
    assert!(page.contains("?database=manila&#38;state=up"), "{page}");
    assert!(page.contains("2 services need attention"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_source_in_the_filter_is_visible() {
    let (latest, entry) = Latest::fixture();
    entry.show_one();
    for site in [Site::fixture(latest), two()] {
        let page = page(&site, "database=gone");
        assert!(page.contains("name=\"database\""), "{page}");
        assert!(page.contains("<option selected>gone</option>"), "{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_poll_is_no_fault_of_a_database() {
    let (latest, entry) = Latest::fixture();
    entry.show_one();
    let _second = latest.add("manila", EntrySettings::fixture());
    let site = Site::fixture(latest);
    let page = page(&site, "");
    assert!(page.contains("The first poll is running"), "{page}");
    assert!(!page.contains("unreadable)"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn several_sources_without_snapshots_are_not_one_database() {
    let (latest, _entry) = Latest::fixture();
    let _second = latest.add("manila", EntrySettings::fixture());
    let page = page(&Site::fixture(latest), "");
    assert!(page.contains("No current data from any database"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn the_number_of_processes_is_shown_where_each_has_a_row() {
    let (latest, entry) = Latest::fixture();
    let rendered = entry.show_one();
    let site = Site::fixture(latest);
    assert!(!page(&site, "").contains("Processes"));
    let mut snapshot = (*rendered.snapshot).clone();
    snapshot.services[0].processes = Some(Processes {
        all: 4,
        down: 1,
        leftovers: 0,
    });
    entry.show(Poll {
        snapshot,
        sent: rendered.taken,
        took: Duration::ZERO,
        clock: ClockOffset::default(),
    });
    let page = page(&site, "");
    for part in [
        "<dt>Processes</dt><dd>1 of 4 down</dd>",
        "<span class=\"minor\">Processes: 1 of 4 down</span>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}
