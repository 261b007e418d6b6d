//! Designate's table, on the schema of its own migrations, with rows as its services were seen to write.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics};
use crate::support::folder;

const ENGINES: [(Engine, &str); 2] = [(Engine::MySql, "mariadb"), (Engine::Postgres, "postgres")];

/// Creates the table of some releases.
fn create(engine: Engine, name: &str, release: &str) -> Database {
    let path = format!("tests/data/designate/8-23.{name}.sql");
    let mut sql = std::fs::read_to_string(path).unwrap();
    if release == "8-22" {
        // The last word of the enumeration.
        sql = sql.replace(",'STOPPED'", "").replace(", 'STOPPED'", "");
        assert!(!sql.contains("'STOPPED'"), "{sql}");
    }
    Database::of_release("designate", engine, &sql)
}

/// Adds the row of a service with the time of its last heartbeat, in seconds from now.
fn insert(database: &Database, id: u8, (service, host): (&str, &str), age: i64, status: &str) {
    let (created, stamp) = (database.now(-86_400), database.now(-age));
    // Text of 32 digits, or a type of its own.
    let id = format!("0f683e6892074382b9094dd8f4e9d3{id:02x}");
    database.execute(&[&format!(
        "INSERT INTO service_statuses VALUES ('{id}', {created}, {stamp}, '{service}', '{host}', {stamp}, '{status}', \
         '{{}}', '{{}}')"
    )]);
}

/// Writes a heartbeat that was stamped some seconds ago.
fn beat(database: &Database, host: &str, age: i64) {
    let (now, stamp) = (database.now(0), database.now(-age));
    database.execute(&[&format!(
        "UPDATE service_statuses SET heartbeated_at = {stamp}, updated_at = {now}, status = 'UP' WHERE hostname = '{host}'"
    )]);
}

/// Reads with the printed grants, an interval in seconds, and a bus that delays heartbeats by at most 3 s.
fn read(database: &Database, interval: f64) -> Exporter {
    let file = folder("designate").join("designate.conf");
    let text = format!("[heartbeat_emitter]\nheartbeat_interval = {interval}\n");
    std::fs::write(&file, text).unwrap();
    let (_, url) = database.reader("heart-beat");
    let project = format!("--project=designate={}", file.display());
    Exporter::start(
        &url,
        &[
            &project,
            "--skew.bus-delay=3s",
            "--skew.visibility-delay=1s",
        ],
    )
}

fn standstill(metrics: &Metrics) -> Option<f64> {
    metrics.value("openstack_heartbeat_standstill", &[])
}

#[test]
fn the_tables_of_all_releases_show_the_word_that_the_api_shows() {
    for (engine, name) in ENGINES {
        for (release, last) in [("8-22", "WARNING"), ("23", "STOPPED")] {
            let database = create(engine, name, release);
            // Age, word, and the reason that the first read gives.
            let rows = [
                ("central", "fresh", 5, "UP", None),
                ("worker", "killed", 7_200, "UP", None),
                ("worker", "ahead", -7_200, "UP", None),
                ("producer", "marked", 7_200, "DOWN", Some("undetermined")),
                (
                    "mdns",
                    "other",
                    7_200,
                    last,
                    (last == "STOPPED").then_some("shut_down"),
                ),
            ];
            for (id, (service, host, age, word, _)) in (1..).zip(rows) {
                insert(&database, id, (service, host), age, word);
            }
            let exporter = read(&database, 10.0);
            let metrics = exporter.wait_for_services();
            for (service, host, _, word, reason) in rows {
                let binary = format!("designate-{service}");
                let up = metrics.service("openstack_service_up", &binary, host);
                assert_eq!(
                    up,
                    Some(f64::from(u8::from(word == "UP"))),
                    "{host}\n{}",
                    metrics.0
                );
                if let Some(reason) = reason {
                    let expected = format!("host=\"{host}\",reason=\"{reason}\"}} 1");
                    assert!(metrics.0.contains(&expected), "{expected}\n{}", metrics.0);
                }
            }
            assert_eq!(metrics.count("openstack_service_up_for_scheduler"), 0);
            let log = exporter.terminate_for_log();
            assert!(!log.contains("level=WARN"), "{log}");
        }
    }
}

#[test]
fn late_heartbeats_out_of_order_are_neither_steps_nor_stops_but_a_killed_service_is_one() {
    for (engine, name) in ENGINES {
        let database = create(engine, name, "23");
        for (id, host) in [(1, "dns1"), (2, "dns2"), (3, "killed")] {
            insert(&database, id, ("worker", host), 0, "UP");
        }
        let exporter = read(&database, 1.0);
        exporter.wait_for_services();
        // More than the limit and the bus delay.
        for turn in 0..13 {
            std::thread::sleep(Duration::from_millis(900));
            // Each fourth one goes back by up to three seconds.
            beat(&database, "dns1", if turn % 4 == 3 { 3 } else { 0 });
            beat(&database, "dns2", 0);
            let metrics = exporter.metrics();
            let reasons = metrics.0.lines();
            let reasons = reasons.filter(|line| line.starts_with("openstack_service_down_reason"));
            let mut others =
                reasons.filter(|line| !line.contains("host=\"killed\",reason=\"stopped\""));
            assert_eq!(others.next(), None);
        }
        let metrics = exporter.metrics();
        for host in ["dns1", "dns2"] {
            let value = |name| metrics.service(name, "designate-worker", host);
            assert_eq!(value("openstack_service_clock_steps_total"), Some(0.0));
            assert_eq!(value("openstack_service_clock_conflicts_total"), Some(0.0));
            assert_eq!(value("openstack_service_writers"), None);
            let (lower, upper) = metrics.bounds("designate-worker", host);
            let (lower, upper) = (lower.unwrap(), upper.unwrap());
            assert!(lower <= 0.0 && 3.0 <= upper, "{lower} to {upper}");
        }
        let stopped = "host=\"killed\",reason=\"stopped\"} 1";
        assert!(metrics.0.contains(stopped), "{}", metrics.0);
        let up = metrics.service("openstack_service_up", "designate-worker", "killed");
        assert_eq!(up, Some(1.0));
    }
}

#[test]
fn a_frozen_central_is_one_standstill_and_blames_no_service() {
    let database = create(Engine::MySql, "mariadb", "23");
    let hosts = ["dns1", "dns2", "dns3"];
    for (id, host) in (1..).zip(hosts) {
        insert(&database, id, ("worker", host), 0, "UP");
    }
    let beat_all = |age| {
        for host in hosts {
            beat(&database, host, age);
        }
    };
    let exporter = read(&database, 1.0);
    for _ in 0..5 {
        beat_all(0);
        std::thread::sleep(Duration::from_secs(1));
    }
    let metrics = exporter.wait_for("a standstill", |metrics| standstill(metrics) == Some(1.0));
    assert_eq!(
        metrics.count("openstack_service_down_reason"),
        0,
        "{}",
        metrics.0
    );
    let page = exporter.get("/");
    let advice = "Check first whether designate-central runs";
    assert!(page.text().contains(advice), "{}", page.text());
    // All that waited come at once.
    for age in [4, 2, 3] {
        beat_all(age);
    }
    exporter.wait_for("heartbeats", |metrics| standstill(metrics) == Some(0.0));
}
