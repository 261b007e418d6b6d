//! Every query of the dashboard, on a real Prometheus that scrapes two exporters of one database.

mod panels;

use std::collections::BTreeMap;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, intervals};
use crate::support::prometheus::{Prometheus, Release};
use crate::support::server::Server;
use crate::support::writer::{BINARY, Clock, Writer};
use crate::support::{folder, free_port};
use panels::Dashboard;

/// The faults during the queries, in this order.
#[derive(Debug, Clone, Copy)]
enum State {
    Healthy,
    /// One service stopped, and the clock of another was set ahead.
    Trouble,
    Restarted,
    /// The database is unreachable, and its services are withheld.
    Away,
}

/// Whether a query returns data in each [`State`]: `+` for yes, `-` for no, `?` for either.
const GIVES: [(u64, &str, &str); 74] = [
    // At a glance.
    (2, "A", "+++-"),
    (3, "A", "+++-"),
    (4, "A", "+++-"),
    (5, "A", "++++"),
    (6, "A", "++++"),
    (7, "A", "+++-"),
    (7, "B", "+++-"),
    (8, "A", "+++-"),
    (9, "A", "+++-"),
    (10, "A", "++++"),
    // Services over time: down at the end, down before, never down.
    // Without a state at the end, what was down before is in the second group.
    (12, "A", "-??-"),
    (12, "B", "----"),
    (12, "C", "+++-"),
    // The table.
    (14, "A", "+++-"),
    (14, "B", "+++-"),
    (14, "C", "+++-"),
    (14, "D", "+++-"),
    (14, "E", "+++-"),
    (14, "F", "+++-"),
    (14, "G", "+++-"),
    (14, "H", "+++-"),
    (14, "I", "+++-"),
    (14, "J", "-++-"),
    (14, "K", "+++-"),
    // Ages.
    (16, "A", "+++-"),
    (16, "B", "+++?"),
    (16, "C", "+++?"),
    // Clocks.
    (18, "A", "+++-"),
    (18, "B", "+++-"),
    (18, "C", "+++-"),
    (18, "D", "+++-"),
    (18, "E", "+++-"),
    (19, "A", "+++-"),
    (19, "B", "+++-"),
    (19, "C", "+++-"),
    (19, "D", "+++?"),
    (19, "E", "+++?"),
    (20, "A", "+++-"),
    (20, "B", "+++-"),
    (20, "C", "+++?"),
    (20, "D", "+++?"),
    (21, "A", "++??"),
    (21, "B", "++??"),
    (21, "C", "++++"),
    (21, "D", "-???"),
    // Intervals.
    (23, "A", "+++-"),
    (23, "B", "+++?"),
    (23, "C", "+++?"),
    (24, "A", "?++?"),
    (24, "B", "+++?"),
    // The services of this test stamp their own rows.
    (36, "A", "----"),
    (36, "B", "----"),
    (37, "A", "----"),
    (37, "B", "----"),
    // Clusters.
    (26, "A", "+++-"),
    (27, "A", "+++-"),
    (27, "B", "+++-"),
    // The exporter.
    (29, "A", "++++"),
    (29, "B", "++++"),
    (30, "A", "++++"),
    (31, "A", "++++"),
    (31, "B", "++++"),
    (31, "C", "++++"),
    (32, "A", "++++"),
    (32, "B", "++++"),
    (33, "A", "++++"),
    (34, "A", "++++"),
    (35, "A", "++++"),
    (35, "B", "++++"),
    (35, "C", "++++"),
    (35, "D", "++++"),
    (35, "E", "++++"),
    (35, "F", "++++"),
    (35, "G", "++++"),
];

fn by_name<const N: usize>(values: [(&str, f64); N]) -> BTreeMap<String, f64> {
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Starts an exporter on a fixed port.
fn exporter(url: &str, address: &str) -> Exporter {
    let listen = format!("--web.listen-address={address}");
    let intervals = intervals(8, 1);
    let arguments = [
        listen.as_str(),
        &intervals,
        "--poll.stale-after=2s",
        "--database.query-timeout=900ms",
        "--skew.visibility-delay=200ms",
    ];
    Exporter::start(url, &arguments)
}

/// Starts a Prometheus with one alert; another test has the rules.
fn prometheus(release: Release, targets: &[String]) -> Prometheus {
    let rules = folder("rules").join("rules.yml");
    let alert = "groups:\n- name: test\n  rules:\n  - alert: OpenStackServiceDown\n    \
                 expr: openstack_service_up == 0\n    labels: {severity: critical}\n";
    std::fs::write(&rules, alert).unwrap();
    Prometheus::of_release(release, targets, "", "", Some(&rules))
}

/// Starts services with a heartbeat every second, and one that an operator disabled, which is not counted.
fn services(database: &Database) -> [Writer; 6] {
    let start = |host, ahead| {
        let every = Duration::from_secs(1);
        Writer::every(every, database, host, Clock::new(ahead, 0), every / 2)
    };
    let services = [
        start("steady", 0),
        start("skewed", 0),
        start("stopped", 0),
        start("ahead", 7),
        start("behind", -3),
        start("disabled", 0),
    ];
    database.execute(&[
        "UPDATE services SET disabled = true WHERE host = 'disabled'",
        "UPDATE services SET cluster_name = 'c1@lvm' WHERE host = 'steady'",
    ]);
    database.insert_cluster("c1@lvm", "false", false);
    services
}

fn shows_that_all_is_well(dashboard: &Dashboard) {
    dashboard.check(State::Healthy);
    assert_eq!(dashboard.value(2, "A"), Some(0.0));
    let none = by_name([("none", 0.0)]);
    assert_eq!(dashboard.values(3, "A", "reason"), none);
    assert_eq!(dashboard.value(4, "A"), Some(1.0), "ahead by 7 s");
    assert_eq!(dashboard.value(7, "A"), Some(6.0));
    assert_eq!(dashboard.value(7, "B"), Some(1.0));
    let choices = dashboard.choices();
    assert_eq!(choices["job"], ["heartbeat"]);
    assert_eq!(choices["instance"].len(), 2);
    assert_eq!(choices["database"], ["cinder"]);
    assert_eq!(choices["binary"], [BINARY]);
    let hosts = ["ahead", "behind", "disabled", "skewed", "steady", "stopped"];
    assert_eq!(choices["host"], hosts);
    assert_eq!(choices["one_host"], hosts);
    assert_eq!(choices["one_database"], ["cinder"]);
}

fn shows_the_trouble(dashboard: &Dashboard) {
    dashboard.check(State::Trouble);
    dashboard.check_names();
    let reasons = &dashboard.choices()["reason"];
    let both = ["clock_skew", "stopped"].map(str::to_owned);
    assert!(
        both.iter().all(|reason| reasons.contains(reason)),
        "{reasons:?}"
    );
    assert_eq!(dashboard.value(9, "A"), Some(1.0), "the skewed one is used");
    let states = by_name([("skewed", 8.0), ("stopped", 9.0)]);
    assert_eq!(dashboard.values(12, "A", "host"), states);
    let others = by_name([
        ("ahead", 0.0),
        ("behind", 0.0),
        ("disabled", -1.0),
        ("steady", 0.0),
    ]);
    assert_eq!(dashboard.values(12, "C", "host"), others);
    assert_eq!(dashboard.values(14, "J", "host"), states);
    let (lower, upper) = (
        dashboard.value(18, "A").unwrap(),
        dashboard.value(18, "B").unwrap(),
    );
    assert!(
        lower <= 20.0 && 20.0 <= upper && upper - lower < 4.0,
        "{lower} to {upper}"
    );
    assert_eq!(dashboard.value(18, "E"), Some(-7.0));
    let annotation = &dashboard.json["annotations"]["list"][0]["target"]["expr"];
    let annotation = dashboard.fill(annotation.as_str().unwrap());
    let alerts = dashboard.prometheus.query(&annotation);
    assert!(
        alerts.iter().any(|alert| alert.labels["host"] == "stopped"),
        "{alerts:?}"
    );
}

#[test]
fn every_query_returns_the_data_of_its_panel() {
    every_query_returns_data(Release::Oldest);
}

#[test]
fn every_query_returns_the_data_of_its_panel_with_type_and_unit_labels() {
    if Release::all().contains(&Release::Labelling) {
        every_query_returns_data(Release::Labelling);
    }
}

fn every_query_returns_data(release: Release) {
    let mut server = Server::start(Engine::Postgres);
    let database = Database::on(Engine::Postgres, &server.url());
    let [_steady, skewed, stopped, ahead, _behind, _disabled] = services(&database);
    let addresses = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let url = database.url();
    let [first, _second] = [0, 1].map(|index: usize| exporter(&url, &addresses[index]));
    let prometheus = prometheus(release, &addresses);
    let dashboard = Dashboard::new(&prometheus, &addresses);

    prometheus.wait_for("both exporters know all clocks", |prometheus| {
        let known = |name: &str| prometheus.query(&format!("openstack_service_{name}")).len() == 12;
        known("clock_skew_upper_bound_seconds")
            && known("clock_skew_seconds")
            && known("report_interval_seconds")
            && dashboard.rates() > 0
    });
    shows_that_all_is_well(&dashboard);

    skewed.set_clock(20);
    stopped.stop();
    prometheus.wait_for("the clock is seen to be set", |_| {
        dashboard.values(21, "D", "host").contains_key("skewed")
    });
    dashboard.wait_for(2, "A", Some(2.0));
    let reasons = by_name([("clock_skew", 1.0), ("stopped", 1.0)]);
    prometheus.wait_for("the reasons are known", |_| {
        dashboard.values(3, "A", "reason") == reasons
    });
    dashboard.wait_for(4, "A", Some(2.0));
    shows_the_trouble(&dashboard);

    // The other exporter takes over. The first has no history after its restart.
    drop(first);
    prometheus.wait_for("an exporter is away", |prometheus| {
        prometheus.value("sum(up)") == Some(1.0)
    });
    assert_eq!(dashboard.value(2, "A"), Some(2.0));
    let scraped = dashboard.values(35, "A", "instance");
    assert_eq!(scraped.get(&addresses[0]), Some(&0.0));
    let _first = exporter(&url, &addresses[0]);
    prometheus.wait_for("the exporter is back", |prometheus| {
        prometheus.query("openstack_service_up").len() == 12
    });
    assert_eq!(dashboard.value(2, "A"), Some(2.0));
    assert_eq!(dashboard.values(3, "A", "reason"), reasons);
    prometheus.wait_for("it has rates", |_| dashboard.rates() > 1);
    dashboard.check(State::Restarted);

    skewed.set_clock(-20);
    let recovered = by_name([("skewed", 0.0)]);
    prometheus.wait_for("recovered services are shown as up", |_| {
        dashboard.values(12, "B", "host") == recovered
    });

    // With its clock ahead, the stopped service is still listed as up for a while.
    ahead.stop();
    dashboard.wait_for(8, "A", Some(1.0));
    assert_eq!(dashboard.values(12, "A", "host").get("ahead"), Some(&10.0));

    server.kill();
    dashboard.wait_for(2, "A", None);
    dashboard.check(State::Away);
    assert_eq!(dashboard.value(5, "A"), Some(0.0));
    assert!(dashboard.value(6, "A").unwrap() >= 2.0);
}
