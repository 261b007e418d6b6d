//! Several sources in one exporter: each is polled, reloaded and reported by itself.

use std::path::PathBuf;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use tokio::time::Instant;

use crate::binary::{listing, outcome};
use crate::reload::connections;
use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::folder;
use crate::support::server::Server;

const UP: &str = "openstack_service_up";
const DATABASE_UP: &str = "openstack_heartbeat_database_up";
const POLLS: &str = "openstack_heartbeat_poll_duration_seconds_count";

/// Four databases beside the one of a test, whose services stay up.
const HEALTHY: [&str; 4] = ["healthy1", "healthy2", "healthy3", "healthy4"];

/// Returns the settings of the sources [`HEALTHY`], each with its own SQLite database, for the end of a file.
pub(crate) fn healthy() -> String {
    let line = |name| {
        let url = listing(&[("healthy", 3, true)]).url();
        format!(
            "sources.{name}: {{project: cinder, database.url: '{url}', service-down-time: 3600}}\n"
        )
    };
    HEALTHY.map(line).concat()
}

/// Returns whether all of [`HEALTHY`] are read and shown.
pub(crate) fn are_healthy(metrics: &Metrics) -> bool {
    let is_one = |name, database| of(metrics, name, database) == Some(1.0);
    let is_healthy = |database| is_one(UP, database) && is_one(DATABASE_UP, database);
    HEALTHY.into_iter().all(is_healthy)
}

/// Returns how often each of [`HEALTHY`] was polled.
pub(crate) fn healthy_polls(metrics: &Metrics) -> [f64; 4] {
    HEALTHY.map(|database| of(metrics, POLLS, database).unwrap())
}

/// Waits until each of [`HEALTHY`] was polled again, by the same poller, and is shown all the time.
pub(crate) fn wait_for_healthy_polls(exporter: &Exporter, before: [f64; 4]) {
    exporter.wait_for("polls of the healthy sources", |metrics| {
        let now = healthy_polls(metrics);
        let mut pairs = before.iter().zip(&now);
        let goes_on = pairs.clone().all(|(before, now)| now >= before);
        assert!(goes_on && are_healthy(metrics), "{before:?}\n{}", metrics.0);
        pairs.all(|(before, now)| now > before)
    });
}

/// Returns the settings of sources of Cinder: name, URL, and further settings that begin with a comma.
pub(crate) fn settings(sources: &[(&str, &str, &str)]) -> String {
    let line = |(name, url, more): &(&str, &str, &str)| {
        format!("  {name}: {{project: cinder, database.url: '{url}'{more}}}\n")
    };
    let lines: String = sources.iter().map(line).collect();
    format!("sources:\n{lines}")
}

/// Writes a settings file.
pub(crate) fn file(text: &str) -> PathBuf {
    let file = folder("sources").join("settings.yml");
    std::fs::write(&file, text).unwrap();
    file
}

fn serve(file: &PathBuf, arguments: &[&str]) -> Exporter {
    let mut command = program(&["serve", "--poll.interval=200ms", "--config.file"]);
    Exporter::spawn(command.arg(file).args(arguments))
}

/// Returns the value of a series of one database.
pub(crate) fn of(metrics: &Metrics, name: &str, database: &str) -> Option<f64> {
    metrics.value(name, &[("database", database)])
}

/// An SQLite database with one service that is up.
fn small() -> Database {
    listing(&[("block1", 3, true)])
}

#[test]
fn a_reload_adds_changes_and_removes_sources_and_touches_no_other() {
    let kept = Database::new(Engine::MySql);
    kept.insert(&[]);
    let (user, url) = kept.reader("heart-beat");
    let databases = [small(), small(), small()];
    let [changed, gone, new] = databases.each_ref().map(Database::url);
    let same = ("kept", url.as_str(), "");
    let sources = [same, ("changed", &changed, ""), ("gone", &gone, "")];
    let healthy = healthy();
    let file = file(&(settings(&sources) + &healthy));
    let exporter = serve(&file, &["--web.enable-lifecycle"]);
    let all_up = |names: &'static [&str]| {
        move |metrics: &Metrics| names.iter().all(|name| of(metrics, UP, name) == Some(1.0))
    };
    let are_up = all_up(&["kept", "changed", "gone"]);
    let before = exporter.wait_for("all sources", |it| are_up(it) && are_healthy(it));
    let polls = healthy_polls(&before);
    let connection = connections(&kept, &user);
    assert_eq!(connection.len(), 1);

    let limit = ", service-down-time: 1";
    let text = settings(&[same, ("changed", &changed, limit), ("new", &new, "")]);
    std::fs::write(&file, text + &healthy).unwrap();
    let response = exporter.request("POST", "/-/reload", &[]);
    assert_eq!(response.status, 200, "{}", response.text());
    let are_shown = all_up(&["kept", "new"]);
    let after = exporter.wait_for("the new source and the new limit", |metrics| {
        are_shown(metrics) && of(metrics, UP, "changed") == Some(0.0)
    });
    assert!(!after.0.contains("database=\"gone\""), "{}", after.0);
    wait_for_healthy_polls(&exporter, polls);
    assert!(of(&after, POLLS, "kept") > of(&before, POLLS, "kept"));
    assert!(of(&after, POLLS, "changed") > of(&before, POLLS, "changed"));
    assert_eq!(connections(&kept, &user), connection);
    let named = "sources.changed.service-down-time, sources.new, sources.gone";
    exporter.wait_for_log(&format!("changed=\"{named}\""));
    exporter.wait_for_log("msg=\"the source is no longer read\" database=gone");
}

#[test]
fn sources_that_hang_or_are_refused_delay_and_hide_no_other() {
    let server = Server::start(Product::MariaDb);
    let hanging = Database::on(Engine::MySql, &server.url());
    hanging.insert(&[]);
    let sources = settings(&[
        ("hanging", &hanging.url(), ""),
        ("refused", "mysql://u:p@127.0.0.1:1/cinder", ""),
    ]);
    let file = file(&(sources + &healthy()));
    let limits = [
        "--database.query-timeout=2s",
        "--database.connect-timeout=2s",
        "--poll.stale-after=3s",
        "--web.enable-lifecycle",
    ];
    let exporter = serve(&file, &limits);
    exporter.wait_for("all sources", |metrics| {
        of(metrics, UP, "hanging") == Some(1.0) && are_healthy(metrics)
    });
    assert_eq!(exporter.get("/-/ready").status, 200);
    server.stop();
    let is_read = |metrics: &Metrics| of(metrics, DATABASE_UP, "hanging") == Some(1.0);
    let before = exporter.wait_for("the hanging source fails", |metrics| !is_read(metrics));

    // Each poll of the hanging source lasts for ten intervals.
    let polls = |metrics: &Metrics, database| of(metrics, POLLS, database).unwrap();
    let failed = polls(&before, "hanging");
    let after = exporter.wait_for("two more failures", |metrics| {
        assert!(are_healthy(metrics), "{}", metrics.0);
        polls(metrics, "hanging") >= failed + 2.0
    });
    for (before, after) in healthy_polls(&before).iter().zip(healthy_polls(&after)) {
        assert!(after - before >= 5.0, "{before} to {after} polls");
    }
    exporter.wait_for("its state is withheld", |metrics| {
        of(metrics, UP, "hanging").is_none()
    });
    add_source(&exporter, &file);
    server.go_on();
    exporter.wait_for("the database is back", is_read);
}

/// Asserts that a reload adds a source at once, though another hangs.
fn add_source(exporter: &Exporter, file: &PathBuf) {
    let polls = healthy_polls(&exporter.metrics());
    let text = std::fs::read_to_string(file).unwrap();
    let more = format!(
        "sources.more: {{project: cinder, database.url: '{}'}}\n",
        small().url()
    );
    std::fs::write(file, text + &more).unwrap();
    let asked = Instant::now();
    assert_eq!(exporter.request("POST", "/-/reload", &[]).status, 200);
    // A poll of the hanging source takes two seconds.
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
    exporter.wait_for("the new source", |metrics| {
        of(metrics, UP, "more") == Some(1.0)
    });
    wait_for_healthy_polls(exporter, polls);
}

#[test]
fn commands_read_all_sources_and_tell_which_one_fails() {
    let up = small();
    let down = listing(&[("block2", 500, true)]);
    let check = |sources: &[(&str, &str, &str)], code: i32| {
        let file = file(&settings(sources)).display().to_string();
        let arguments = ["services", "--wait=0", "--config.file", &file];
        let listed = outcome(&arguments, &[]);
        assert_eq!(listed.code, code, "{}{}", listed.stdout, listed.stderr);
        let connected = outcome(&["check-config", "--connect", "--config.file", &file], &[]);
        (listed, connected)
    };
    let (up, down) = (up.url(), down.url());
    let refused = ("refused", "mysql://u:p@127.0.0.1:1/cinder", "");
    let (listed, connected) = check(&[("one", &up, ""), ("two", &down, "")], 1);
    assert!(listed.stdout.contains("| Database | "), "{}", listed.stdout);
    assert_eq!(connected.code, 0, "{}", connected.stderr);
    for line in ["one: connected to ", "two: connected to "] {
        assert_eq!(
            connected.stdout.matches(line).count(),
            1,
            "{}",
            connected.stdout
        );
    }
    let (listed, connected) = check(&[("one", &up, ""), refused], 2);
    assert!(listed.stdout.contains("block1"), "{}", listed.stdout);
    for stderr in [listed.stderr, connected.stderr] {
        assert!(
            stderr.contains("error: refused: cannot connect"),
            "{stderr}"
        );
    }
    assert_eq!(connected.code, 2);
    assert!(
        connected.stdout.contains("one: connected to "),
        "{}",
        connected.stdout
    );
    check(&[("two", &down, ""), refused], 1);
    check(&[refused], 2);
}

#[test]
fn services_that_are_excluded_or_above_the_limit_are_left_out() {
    let database = listing(&[("a", 3, true), ("b", 3, true), ("c", 3, true)]);
    let url = database.url();
    let file = file(&settings(&[
        ("excluded", &url, ", exclude: ['cinder-volume/a', '*/c*']"),
        ("limited", &url, ", limit: 2"),
    ]));
    let exporter = serve(&file, &[]);
    let hosts = |metrics: &Metrics, database: &str| {
        let up = |host: &&str| {
            let labels = [("database", database), ("host", *host)];
            metrics.value(UP, &labels).is_some()
        };
        ["a", "b", "c"].into_iter().filter(up).collect::<String>()
    };
    exporter.wait_for("the services", |metrics| {
        (hosts(metrics, "excluded"), hosts(metrics, "limited")) == ("b".into(), "ab".into())
    });
    let log = exporter.wait_for_log("services are left out");
    assert!(log.contains("database=limited limit=2 surplus=1"), "{log}");
    std::thread::sleep(Duration::from_secs(1));
    let log = exporter.terminate_for_log();
    assert_eq!(log.matches("services are left out").count(), 1, "{log}");
}
