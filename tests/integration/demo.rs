//! The demo: the whole story is shown at once, and goes on.

use serde_json::Value;

use crate::support::exporter::{Exporter, Metrics, program};

/// Services that are up, and how far their clocks are ahead in seconds.
const BEATING: [(&str, &str, f64); 7] = [
    ("cinder-backup", "controller", 0.0),
    ("cinder-volume", "block2@lvmdriver-b21", 0.0),
    ("cinder-volume", "block2@lvmdriver-b22", 0.0),
    ("cinder-volume", "network@lvmdriver-network", 3.0),
    ("manila-data", "controller", 0.0),
    ("manila-scheduler", "controller", 0.0),
    ("manila-share", "storage1@generic", 0.0),
];

/// Services that are not, with their state in the API and the reason.
const OTHERS: [(&str, &str, &str, &str); 4] = [
    ("cinder-scheduler", "controller", "down", "stopped"),
    ("cinder-volume", "block1", "down", "clock_skew"),
    ("manila-share", "storage2@generic", "unseen", "stopped"),
    ("manila-share", "storage3@generic", "warning", "shut_down"),
];

fn start() -> Exporter {
    let exporter = Exporter::spawn(&mut program(&["demo", "--poll.interval=200ms"]));
    // The first poll of each database.
    exporter.wait_for("both databases", |metrics| {
        metrics.count("openstack_service_up") == BEATING.len() + OTHERS.len()
    });
    exporter
}

/// Ends the demo. A killed one would leave its databases behind.
fn end(demo: Exporter) {
    assert_eq!(demo.terminate().code(), Some(0));
}

/// Checks that the clock skew has narrow bounds on both sides, which enclose the truth.
#[track_caller]
fn check_skew(service: &Value, truth: f64) {
    let [lower, upper] = ["lower", "upper"]
        .map(|side| service[format!("clock_skew_{side}_bound_seconds")].as_f64())
        .map(Option::unwrap);
    assert!(lower <= truth + 0.1 && truth - 0.1 <= upper, "{service}");
    assert!(upper - lower < 3.0, "{service}");
}

#[test]
fn the_first_polls_show_reasons_bounds_and_the_last_hour() {
    let exporter = start();
    let api = exporter.get("/api/v1/services");
    let api: Value = serde_json::from_slice(&api.body).unwrap();
    let found = |binary: &str, host: &str| {
        let mut services = api["services"].as_array().unwrap().iter();
        let is_it = |service: &&Value| service["binary"] == binary && service["host"] == host;
        services.find(is_it).unwrap()
    };
    for (binary, host, skew) in BEATING {
        let service = found(binary, host);
        assert_eq!(service["state"], "up", "{service}");
        assert_eq!(service["reason"], Value::Null, "{service}");
        check_skew(service, skew);
    }
    for (binary, host, state, reason) in OTHERS {
        let service = found(binary, host);
        assert_eq!(service["state"], state, "{service}");
        assert_eq!(service["reason"], reason, "{service}");
    }
    check_skew(found("cinder-volume", "block1"), -75.0);
    let page = exporter.get("/");
    for (what, expected) in [
        ("down: clock skew", 34..=36),
        ("down: stopped", 6..=8),
        ("listed as up: stopped", 10..=12),
    ] {
        let card = page.text().split(what).nth(1).unwrap();
        let lasted = card.split(", for ").nth(1).unwrap();
        let minutes = lasted.split(' ').next().unwrap();
        let minutes: u32 = minutes.parse().unwrap();
        assert!(expected.contains(&minutes), "{what}: {lasted}");
    }
    end(exporter);
}

#[test]
fn heartbeats_go_on_as_simulated() {
    let exporter = start();
    let beats = |metrics: &Metrics, (binary, host, _): (&str, &str, f64)| {
        metrics.service("openstack_service_heartbeats_total", binary, host)
    };
    let first = exporter.metrics();
    let metrics = exporter.wait_for("a heartbeat of each", |metrics| {
        let mut services = BEATING.into_iter();
        services.all(|service| beats(metrics, service) > beats(&first, service))
    });
    let names = BEATING.map(|(binary, host, _)| (binary, host));
    let others = OTHERS.map(|(binary, host, ..)| (binary, host));
    for (binary, host) in names.into_iter().chain(others) {
        let value = |name| metrics.service(name, binary, host);
        // The clock of this host was set once, in the simulated hour.
        let steps = if host == "block1" { 1.0 } else { 0.0 };
        let counted = value("openstack_service_clock_steps_total");
        assert_eq!(counted, Some(steps), "{host}");
        let conflicts = value("openstack_service_clock_conflicts_total");
        assert_eq!(conflicts, Some(0.0), "{host}");
    }
    for (binary, host, truth) in BEATING {
        let name = "openstack_service_clock_skew_seconds";
        let estimate = metrics.service(name, binary, host).unwrap();
        assert!((estimate - truth).abs() < 1.5, "{host}: {estimate}");
        let interval = "openstack_service_report_interval_seconds";
        let interval = metrics.service(interval, binary, host).unwrap();
        assert!((interval - 10.0).abs() < 0.1, "{host}: {interval}");
    }
    end(exporter);
}

#[test]
fn it_prints_its_address_and_removes_its_databases() {
    let exporter = start();
    let (address, text) = (exporter.address(), exporter.stdout());
    assert!(
        text.contains(&format!("http://{address}/metrics")),
        "{text}"
    );
    let log = exporter.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    let file = log.split("sqlite:///").nth(1).unwrap();
    let folder = file.split("/cinder.sqlite").next().unwrap().to_owned();
    assert!(std::path::Path::new(&folder).is_dir(), "{folder}");
    end(exporter);
    let is_left = std::path::Path::new(&folder).exists();
    assert!(!is_left, "{folder} is left behind");
}
