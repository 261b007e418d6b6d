//! The published state after sequences of snapshots and failures.

use chrono::TimeDelta;

use super::super::demand::REMEMBERED;
use super::super::metrics_page::FRESH;
use super::*;
use crate::heartbeat::failure::Class;
use crate::heartbeat::fixture;
use crate::heartbeat::history::MINUTES;
use crate::report::view::Outage;

/// Returns the view of the source `cinder`.
fn view(latest: &Latest) -> View {
    let mut views = latest.views().into_iter();
    views.find(|view| &*view.database == "cinder").unwrap()
}

fn page(latest: &Latest) -> String {
    let page = latest.page();
    let pieces = page.pieces(Format::Text, Encoding::Identity);
    String::from_utf8(pieces.concat()).unwrap()
}

#[test]
fn a_snapshot_is_withheld_once_its_age_reaches_the_limit() {
    let (latest, entry) = Latest::fixture();
    let is_shown = || {
        let is_listed = view(&latest).snapshot.is_some();
        assert_eq!(page(&latest).contains("block1"), is_listed);
        assert_eq!(!latest.published().rendered.is_empty(), is_listed);
        // The limits are no states.
        let limit = "openstack_heartbeat_service_down_time_seconds{";
        let is_known = view(&latest).age.is_some();
        assert_eq!(page(&latest).contains(limit), is_known);
        is_listed
    };
    assert!(!is_shown());
    entry.show_one_of(TimeDelta::seconds(20));
    assert!(is_shown());
    entry.show_one_of(TimeDelta::seconds(30));
    assert!(!is_shown());
    entry.show_one();
    assert!(is_shown());
}

#[test]
fn a_new_limit_applies_to_the_published_snapshot() {
    let (latest, entry) = Latest::fixture();
    entry.show_one_of(TimeDelta::seconds(10));
    let reconfigure = |stale_after| {
        entry.reconfigure(EntrySettings {
            stale_after: Duration::from_secs(stale_after),
            poll_interval: Duration::from_secs(2),
            ..EntrySettings::fixture()
        });
        view(&latest)
    };
    assert!(reconfigure(10).snapshot.is_none());
    assert!(reconfigure(20).snapshot.is_some());
    assert_eq!(view(&latest).poll_interval, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn an_outage_lasts_from_its_first_failure_to_the_next_snapshot() {
    let (latest, entry) = Latest::fixture();
    assert_eq!(view(&latest).outage, None);
    entry.fail(Class::Connect, Duration::ZERO);
    tokio::time::advance(Duration::from_secs(5)).await;
    entry.fail(Class::Timeout, Duration::ZERO);
    let outage = Outage {
        lasted: Duration::from_secs(5),
        class: Class::Timeout,
    };
    assert_eq!(view(&latest).outage, Some(outage));
    entry.show_one();
    assert_eq!(view(&latest).outage, None);
    assert_eq!(*latest.polls().borrow(), 3);
}

#[test]
fn a_withheld_snapshot_keeps_its_age_and_its_history() {
    let (latest, entry) = Latest::fixture();
    assert_eq!(view(&latest).age, None);
    entry.show_one_of(TimeDelta::seconds(120));
    assert!(view(&latest).age >= Some(Duration::from_mins(2)));
    let shown = fixture::service("cinder-volume", "block1");
    let other = fixture::service("cinder-volume", "block2");
    let hours = latest.hours("cinder", [&shown, &other]);
    let minutes = hours[0].unwrap().minutes;
    assert_eq!(minutes[MINUTES - 2..], [None, None]);
    assert!(minutes[MINUTES - 3].is_some());
    assert_eq!(hours[1], None);
    assert_eq!(latest.hours("manila", [&shown]), [None]);
}

#[tokio::test(start_paused = true)]
async fn only_recently_requested_encodings_are_rendered_in_advance() {
    let (latest, entry) = Latest::fixture();
    latest.ask(Format::OpenMetrics, Encoding::Gzip);
    let shown = entry.show_one();
    assert!(shown.is_rendered(Encoding::Gzip));
    assert!(!shown.is_rendered(Encoding::Identity));

    tokio::time::advance(REMEMBERED).await;
    let shown = entry.show_one();
    for encoding in Encoding::ALL {
        assert!(!shown.is_rendered(encoding));
    }
}

#[tokio::test(start_paused = true)]
async fn a_scrape_gathers_own_metrics_that_are_no_longer_fresh() {
    let (latest, _entry) = Latest::fixture();
    let page = || page(&latest);
    page();
    let asked = "path=\"/asked\"";
    latest.telemetry().answered("/asked", 200);
    assert!(!page().contains(asked));
    // Nothing is refreshed, because no format was requested.
    latest.refresh();
    assert!(!page().contains(asked));
    latest.ask(Format::Text, Encoding::Identity);
    latest.refresh();
    assert!(page().contains(asked));
    latest.telemetry().answered("/asked", 404);
    tokio::time::advance(FRESH).await;
    assert!(page().contains("404"));
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_once_every_source_was_polled() {
    let (latest, entry) = Latest::fixture();
    let other = latest.add("manila", EntrySettings::fixture());
    assert!(!latest.is_ready());
    entry.show_one();
    assert!(!latest.is_ready());
    other.fail(Class::Timeout, Duration::ZERO);
    assert!(latest.is_ready());
    let added = latest.add("nova", EntrySettings::fixture());
    assert!(!latest.is_ready());
    latest.remove("nova");
    assert!(latest.is_ready());
    added.fail(Class::Timeout, Duration::ZERO);
    assert_eq!(latest.views().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_family_of_several_sources_is_described_once() {
    let (latest, entry) = Latest::fixture();
    entry.show_one();
    latest.add("manila", EntrySettings::fixture()).show_one();
    for format in Format::ALL {
        let page = latest.page();
        let text = page.pieces(format, Encoding::Identity).concat();
        let text = String::from_utf8(text).unwrap();
        for prefix in ["# HELP ", "# TYPE "] {
            let mut names: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix(prefix)?.split(' ').next())
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
        for database in ["cinder", "manila"] {
            let sample = format!(
                "\nopenstack_service_up{{database=\"{database}\",binary=\"cinder-volume\",host=\"block1\"}} 0\n"
            );
            assert!(text.contains(&sample), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_of_one_source_renders_nothing_of_another_again() {
    let (latest, entry) = Latest::fixture();
    latest.ask(Format::Text, Encoding::Gzip);
    let other = latest.add("manila", EntrySettings::fixture());
    let of_other = other.show_one();
    let bytes = of_other.gzip()[0].bytes.as_ptr();
    entry.show_one();
    entry.fail(Class::Query, Duration::ZERO);
    let page = latest.page();
    let pieces = page.pieces(Format::Text, Encoding::Gzip);
    assert!(pieces.iter().any(|piece| piece.as_ptr() == bytes));
}

#[tokio::test(start_paused = true)]
async fn a_removed_source_leaves_nothing_behind() {
    let (latest, _entry) = Latest::fixture();
    tokio::time::advance(FRESH).await;
    let before = page(&latest);
    let other = latest.add("manila", EntrySettings::fixture());
    other.show_one();
    other.fail(Class::Query, Duration::ZERO);
    assert!(page(&latest).contains("database=\"manila\""));
    latest.remove("manila");
    let is_manila = |page: &str| page.contains("manila") || page.contains("block1");
    assert!(!is_manila(&page(&latest)));
    // A poll that was running ends.
    other.show_one();
    assert!(!is_manila(&page(&latest)));
    let again = latest.add("manila", EntrySettings::fixture());
    other.show_one();
    assert!(!page(&latest).contains("block1"));
    again.show_one();
    assert!(page(&latest).contains("block1"));
    latest.remove("manila");
    let names = |page: &str| -> Vec<String> {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    };
    assert_eq!(names(&page(&latest)), names(&before));
}
