//! The shipped rules find the same in each Prometheus and in `VictoriaMetrics`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openstack_heartbeat_exporter::cli::embedded;
use openstack_heartbeat_exporter::config::database_url::Engine;

use tokio::time::Instant;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, intervals};
use crate::support::prometheus::{EXTERNAL, Prometheus, Release};
use crate::support::server::Server;
use crate::support::writer::{Clock, Writer};
use crate::support::{folder, free_port};

/// What is wrong in the cloud, as alert and host; with a cluster, its name.
const FAULTS: [(&str, &str); 16] = [
    ("OpenStackClusterDegraded", "half@lvm"),
    ("OpenStackClusterDown", "gone@lvm"),
    ("OpenStackHeartbeatDatabaseUnreachable", ""),
    ("OpenStackHeartbeatIntervalsMisconfigured", ""),
    ("OpenStackHeartbeatReferenceClockSuspect", ""),
    ("OpenStackHeartbeatRowsRejected", ""),
    ("OpenStackHeartbeatStandstill", ""),
    ("OpenStackSchedulerUsesDownService", "ahead"),
    ("OpenStackServiceAbandoned", "abandoned"),
    ("OpenStackServiceClockSkewed", "ahead"),
    ("OpenStackServiceDisabled", "disabled"),
    ("OpenStackServiceDown", "gone"),
    ("OpenStackServiceDown", "half"),
    ("OpenStackServiceDown", "never"),
    ("OpenStackServiceHeartbeatSlow", "slow"),
    ("OpenStackServiceSharedRow", "shared"),
];

/// Starts the services that beat.
fn writers(database: &Database) -> Vec<Writer> {
    let start = |host, ahead, interval, phase| {
        let (interval, phase) = (
            Duration::from_millis(interval),
            Duration::from_millis(phase),
        );
        Writer::every(interval, database, host, Clock::new(ahead, 0), phase)
    };
    vec![
        start("good1", 0, 2000, 100),
        start("good2", 0, 2000, 500),
        start("good3", 0, 2000, 900),
        start("good4", 0, 2000, 1300),
        start("ahead", 40, 2000, 300),
        start("slow", 0, 4500, 700),
        start("shared", 0, 2000, 200),
        start("shared", 3, 2000, 1200),
        start("other-half", 0, 2000, 1100),
    ]
}

/// Adds the services that do not beat, and the clusters.
fn insert(database: &Database) {
    let [minutes, days] = [-600, -8 * 24 * 3600].map(|seconds| database.now(seconds));
    for (host, columns) in [
        (
            "half",
            [
                ("updated_at", minutes.as_str()),
                ("cluster_name", "'half@lvm'"),
            ],
        ),
        (
            "gone",
            [("updated_at", &minutes), ("cluster_name", "'gone@lvm'")],
        ),
        ("never", [("updated_at", "NULL"), ("created_at", &minutes)]),
        ("abandoned", [("updated_at", &days), ("created_at", &days)]),
        (
            "disabled",
            [("disabled", database.boolean(true)), ("created_at", &days)],
        ),
    ] {
        let host = format!("'{host}'");
        database.insert(&[&[("host", host.as_str())], columns.as_slice()].concat());
    }
    database.insert(&[("host", "NULL")]);
    for cluster in ["half@lvm", "gone@lvm"] {
        database.insert_cluster(cluster, "NULL", false);
    }
    database.execute(&["UPDATE services SET cluster_name = 'half@lvm' WHERE host = 'other-half'"]);
}

/// Adds the services of a cloud in which none sends heartbeats any more.
fn insert_stopped(database: &Database) {
    for (host, seconds) in [("still1", -12), ("still1@lvm", -11), ("still2", -10)] {
        let (host, stamp) = (format!("'{host}'"), database.now(seconds));
        database.insert(&[("host", &host), ("updated_at", &stamp)]);
    }
}

/// Returns the alerts whose expression holds, each with all its labels, but for the state and the external one.
fn alerts(prometheus: &Prometheus) -> BTreeSet<BTreeMap<String, String>> {
    let alerts = prometheus.query("ALERTS").into_iter();
    alerts
        .map(|mut series| {
            series.labels.remove("alertstate");
            series.labels.remove(EXTERNAL[0]);
            series.labels
        })
        // An interval of a shared row, from before its writers were known, may count for three minutes.
        .filter(|labels| {
            let is = |name: &str, value: &str| labels.get(name).is_some_and(|found| found == value);
            !(is("alertname", "OpenStackServiceHeartbeatSlow") && is("host", "shared"))
        })
        .collect()
}

/// Returns alert, and host or cluster.
fn named(alerts: &BTreeSet<BTreeMap<String, String>>) -> BTreeSet<(&str, &str)> {
    let named = alerts.iter().map(|labels| {
        let label = |name: &str| labels.get(name).map(String::as_str);
        let subject = label("host").or(label("cluster"));
        (label("alertname").unwrap(), subject.unwrap_or_default())
    });
    named.collect()
}

#[test]
fn the_rules_find_the_same_faults_everywhere() {
    let database = Database::new(Engine::MySql);
    let _writers = writers(&database);
    insert(&database);
    let exporter = |url: &str| Exporter::start(url, &[&intervals(6, 5)]);
    let mut server = Server::start(Engine::MySql);
    server.shut_down();
    server.restart_ahead(60);
    let ahead = Database::on(Engine::MySql, &server.url());
    let unreachable = format!("mysql://u:p@127.0.0.1:{}/cinder", free_port());
    let still = Database::new(Engine::MySql);
    insert_stopped(&still);
    let urls = [&database.url(), &ahead.url(), &unreachable, &still.url()];
    let exporters = urls.map(|url| exporter(url));

    let targets = exporters
        .iter()
        .map(|exporter| exporter.address().to_string());
    let targets: Vec<String> = targets.collect();
    // Four clouds, not four exporters of one.
    let job = "  relabel_configs:\n  - {source_labels: [__address__], target_label: region}\n";
    let rules = folder("rules").join("openstack-heartbeat.rules.yml");
    std::fs::write(&rules, embedded::RULES).unwrap();
    let all = Release::all();
    let all = all.into_iter().map(|release| {
        let prometheus = Prometheus::of_release(release, &targets, "", job, Some(&rules));
        (release, prometheus)
    });
    let all: Vec<(Release, Prometheus)> = all.collect();

    let expected = BTreeSet::from(FAULTS);
    let labels = RefCell::new(BTreeMap::new());
    for (release, prometheus) in &all {
        let begun = Instant::now();
        let what = format!("{release:?} finds all faults");
        // vmalert takes some seconds for each rule that reads what another rule recorded.
        prometheus.wait_for_at_most(Duration::from_mins(2), &what, |prometheus| {
            let alerts = alerts(prometheus);
            let found = named(&alerts);
            let differs: Vec<_> = found.symmetric_difference(&expected).collect();
            eprintln!("{:.1?} {release:?}: {differs:?}", begun.elapsed());
            let is_same = differs.is_empty();
            if is_same {
                labels.borrow_mut().insert(format!("{release:?}"), alerts);
            }
            is_same
        });
    }
    let labels = labels.into_inner();
    let distinct: BTreeSet<_> = labels.values().collect();
    assert_eq!(distinct.len(), 1, "{labels:#?}");
}
