//! The published state after sequences of snapshots and failures.

use chrono::TimeDelta;

use super::super::demand::REMEMBERED;
use super::super::metrics_page::FRESH;
use super::*;
use crate::heartbeat::fixture;
use crate::heartbeat::history::MINUTES;

#[test]
fn a_snapshot_is_withheld_once_its_age_reaches_the_limit() {
    let latest = Latest::fixture();
    assert!(latest.rendered().is_none());
    latest.show_one_of(TimeDelta::seconds(20));
    assert!(latest.rendered().is_some());
    latest.show_one_of(TimeDelta::seconds(30));
    assert!(latest.rendered().is_none());
    assert!(latest.view().snapshot.is_none());
    latest.show_one();
    assert!(latest.rendered().is_some());
}

#[test]
fn a_new_limit_applies_to_the_published_snapshot() {
    let latest = Latest::fixture();
    latest.show_one_of(TimeDelta::seconds(10));
    latest.reconfigure(Duration::from_secs(10), Duration::from_secs(2));
    assert!(latest.rendered().is_none());
    latest.reconfigure(Duration::from_secs(20), Duration::from_secs(2));
    assert!(latest.rendered().is_some());
    assert_eq!(latest.view().poll_interval, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn an_outage_lasts_from_its_first_failure_to_the_next_snapshot() {
    let latest = Latest::fixture();
    assert_eq!(latest.view().outage, None);
    latest.fail(Class::Connect, Duration::ZERO);
    tokio::time::advance(Duration::from_secs(5)).await;
    latest.fail(Class::Timeout, Duration::ZERO);
    let outage = Outage {
        lasted: Duration::from_secs(5),
        class: Class::Timeout,
    };
    assert_eq!(latest.view().outage, Some(outage));
    latest.show_one();
    assert_eq!(latest.view().outage, None);
    assert_eq!(*latest.polls().borrow(), 3);
}

#[test]
fn a_withheld_snapshot_keeps_its_age_and_its_history() {
    let latest = Latest::fixture();
    assert_eq!(latest.view().age, None);
    latest.show_one_of(TimeDelta::seconds(120));
    assert!(latest.view().age >= Some(Duration::from_mins(2)));
    let shown = fixture::service("cinder-volume", "block1");
    let other = fixture::service("cinder-volume", "block2");
    let hours = latest.hours([&shown, &other]);
    let minutes = hours[0].unwrap().minutes;
    assert_eq!(minutes[MINUTES - 2..], [None, None]);
    assert!(minutes[MINUTES - 3].is_some());
    assert_eq!(hours[1], None);
}

#[tokio::test(start_paused = true)]
async fn only_recently_requested_formats_are_rendered_in_advance() {
    let latest = Latest::fixture();
    latest.ask(Format::OpenMetrics, Encoding::Gzip);
    let shown = latest.show_one();
    assert!(shown.is_rendered(Format::OpenMetrics, Encoding::Gzip));
    assert!(!shown.is_rendered(Format::Text, Encoding::Identity));

    tokio::time::advance(REMEMBERED).await;
    let shown = latest.show_one();
    for encoding in Encoding::ALL {
        assert!(!shown.is_rendered(Format::OpenMetrics, encoding));
    }
}

#[tokio::test(start_paused = true)]
async fn a_scrape_gathers_own_metrics_that_are_no_longer_fresh() {
    let latest = Latest::fixture();
    let page = || {
        let page = latest.page();
        let pieces = page.pieces(Format::Text, Encoding::Identity);
        String::from_utf8(pieces.concat()).unwrap()
    };
    let asked = "path=\"/asked\"";
    assert!(!page().contains(asked));
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
