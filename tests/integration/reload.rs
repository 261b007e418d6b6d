//! Reloads of the configuration: settings that are applied, kept, and refused.

use std::path::PathBuf;
use std::time::Duration;

use openstack_heartbeat_exporter::cli::embedded;
use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::sources::{
    are_healthy, file, healthy, healthy_polls, of, settings, wait_for_healthy_polls,
};
use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics, program, project};
use crate::support::folder;
use crate::support::prometheus::Prometheus;
use crate::support::writer::{BINARY, Clock, Writer};

const SUCCESSFUL: &str = "openstack_heartbeat_config_last_reload_successful";
const TIMESTAMP: &str = "openstack_heartbeat_config_last_reload_success_timestamp_seconds";
const DOWN_TIME: &str = "openstack_heartbeat_service_down_time_seconds";
const CANARY: &str = "s3cret-canary";

/// A YAML file, and an exporter that reads it, of five SQLite databases with one service each.
struct Case {
    file: PathBuf,
    exporter: Exporter,
    /// The end of each version of the file.
    sources: String,
}

impl Case {
    fn start(settings: &str, arguments: &[&str]) -> Self {
        let database = Database::new(Engine::Sqlite);
        database.insert(&[]);
        let sources = format!("sources.cinder.project: cinder\n{}", healthy());
        let file = file(&format!("{settings}{sources}"));
        let mut command = program(&["serve", "--poll.interval=200ms", "--config.file"]);
        command.arg(&file).args(arguments);
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url());
        let exporter = Exporter::spawn(&mut command);
        exporter.wait_for("all sources", |metrics| {
            of(metrics, "openstack_service_up", "cinder").is_some() && are_healthy(metrics)
        });
        Self {
            file,
            exporter,
            sources,
        }
    }

    /// Writes other settings and returns status and text of a reload over HTTP.
    fn reload(&self, settings: &str) -> (u16, String) {
        std::fs::write(&self.file, format!("{settings}{}", self.sources)).unwrap();
        let response = self.exporter.request("POST", "/-/reload", &[]);
        (response.status, response.text().to_owned())
    }
}

fn value(metrics: &Metrics, name: &str) -> f64 {
    metrics.value(name, &[]).unwrap()
}

#[test]
fn a_signal_applies_another_cinder_conf_and_keeps_the_connection() {
    let database = Database::new(Engine::MySql);
    database.insert(&[("updated_at", &database.now(-100))]);
    let conf = folder("reload").join("cinder.conf");
    let write = |seconds: u32| {
        let text = format!("[DEFAULT]\nservice_down_time = {seconds}\n");
        std::fs::write(&conf, text).unwrap();
    };
    write(60);
    let (user, url) = database.reader("heart-beat");
    let exporter = Exporter::start(&url, &[&project(&conf)]);
    let up = |metrics: &Metrics| metrics.service("openstack_service_up", BINARY, "block1");
    let before = exporter.wait_for_services();
    assert_eq!(up(&before), Some(0.0));
    let connection = connections(&database, &user);
    assert_eq!(connection.len(), 1);

    write(600);
    exporter.signal("HUP");
    let after = exporter.wait_for("the service is up", |metrics| up(metrics) == Some(1.0));
    assert_eq!(
        (value(&before, DOWN_TIME), value(&after, DOWN_TIME)),
        (60.0, 600.0)
    );
    assert!(value(&after, TIMESTAMP) > value(&before, TIMESTAMP));
    let polls = "openstack_heartbeat_poll_duration_seconds_count";
    assert!(value(&after, polls) > value(&before, polls));
    assert_eq!(connections(&database, &user), connection);
    exporter.wait_for_log("changed=sources.cinder.service-down-time");
}

/// Returns the ids of a user's connections.
pub(crate) fn connections(database: &Database, user: &str) -> Vec<i64> {
    use sqlx::Connection as _;
    crate::support::block_on(async {
        let url = database.superuser_url();
        let mut connection = sqlx::mysql::MySqlConnection::connect(&url).await.unwrap();
        let sql = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = ?";
        let query = sqlx::query_scalar(sql).bind(user.to_owned());
        let numbers = query.fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        numbers
    })
}

#[test]
fn a_rotated_password_is_applied_and_nothing_is_forgotten() {
    for engine in [Engine::MySql, Engine::Postgres] {
        rotate(engine);
    }
}

fn rotate(engine: Engine) {
    let database = Database::new(engine);
    let writer = Writer::every(
        Duration::from_secs(1),
        &database,
        "block1",
        Clock::new(0, 0),
        Duration::ZERO,
    );
    let (user, url) = database.reader("old-password");
    let file = folder("reload").join("password");
    std::fs::write(&file, "old-password\n").unwrap();
    let yaml = file.with_extension("yml");
    let url = url.replace(":old-password@", "@");
    let (shown, flag) = (file.display(), format!("--config.file={}", yaml.display()));
    let more = format!(", database.password-file: '{shown}'");
    let settings = settings(&[("cinder", &url, &more)]) + &healthy();
    std::fs::write(&yaml, settings).unwrap();
    let mut command = program(&["serve", "--poll.interval=200ms", &flag]);
    let exporter = Exporter::spawn(command.arg("--web.enable-lifecycle"));

    let upper = "openstack_service_clock_skew_upper_bound_seconds";
    let bound = |metrics: &Metrics| metrics.service(upper, BINARY, "block1");
    exporter.wait_for("the clock is bounded", |metrics| bound(metrics).is_some());
    // A new tracker would never find the bound again.
    writer.stop();
    let account = match engine {
        Engine::MySql => format!("USER '{user}'@'%' IDENTIFIED BY"),
        _ => format!("ROLE {user} PASSWORD"),
    };
    let kill = match engine {
        Engine::MySql => format!("KILL USER '{user}'"),
        _ => format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"
        ),
    };
    database.execute(&[&format!("ALTER {account} 'new-password'"), &kill]);
    let failed = exporter.wait_for_failure("auth");
    let polls = healthy_polls(&failed);

    std::fs::write(&file, "new-password\n").unwrap();
    let response = exporter.request("POST", "/-/reload", &[]);
    assert_eq!(response.status, 200, "{}", response.text());
    let after = exporter.wait_for("the database is back", |metrics| {
        of(metrics, "openstack_heartbeat_database_up", "cinder") == Some(1.0)
    });
    wait_for_healthy_polls(&exporter, polls);
    let kept = |metrics: &Metrics| bound(metrics).unwrap();
    assert!(
        (kept(&failed) - kept(&after)).abs() < 1.0,
        "{engine:?}\n{}\n{}",
        failed.0,
        after.0
    );
    let beats =
        |metrics: &Metrics| metrics.service("openstack_service_heartbeats_total", BINARY, "block1");
    assert_eq!(beats(&failed), beats(&after));
    let failures = |metrics: &Metrics| {
        let name = "openstack_heartbeat_poll_failures_total";
        let labels = [("database", "cinder"), ("class", "auth")];
        metrics.value(name, &labels).unwrap()
    };
    assert!(failures(&after) >= failures(&failed));
    for password in ["old-password", "new-password"] {
        assert!(!exporter.log().contains(password), "{}", exporter.log());
    }
}

#[test]
fn a_wrong_configuration_keeps_the_old_one_in_full_and_names_all_faults() {
    let case = Case::start(
        "sources.cinder.service-down-time: 90\n",
        &["--web.enable-lifecycle"],
    );
    let before = case.exporter.metrics();
    let polls = healthy_polls(&before);
    let prometheus = Prometheus::start(case.exporter.address());
    let wrong = format!(
        "sources: {{cinder: {{service-down-time: 120, report-interval: often}}}}\nlog.level: loud\n\
         database: {{url: 'mysql://u:{CANARY}@h:x/cinder', passwort: '{CANARY}'}}\n"
    );
    let (status, text) = case.reload(&wrong);
    assert_eq!(status, 500);
    case.exporter.wait_for_log("reload failed");
    for fault in ["often", "loud", "database.passwort"] {
        assert!(text.contains(fault), "{text}");
        case.exporter.wait_for_log(fault);
    }
    assert!(!text.contains(CANARY), "{text}");
    assert!(
        !case.exporter.log().contains(CANARY),
        "{}",
        case.exporter.log()
    );
    let metrics = case.exporter.metrics();
    assert!(value(&metrics, SUCCESSFUL) < 0.5);
    let down_time = |metrics: &Metrics| of(metrics, DOWN_TIME, "cinder");
    let settings = |metrics: &Metrics| (metrics.value(TIMESTAMP, &[]), down_time(metrics));
    assert_eq!(settings(&metrics), settings(&before));
    // The shipped alert with a shorter `for`.
    let (_, rule) = embedded::RULES
        .split_once("- alert: OpenStackHeartbeatConfigReloadFailed\n    expr: >-\n")
        .unwrap();
    let (expression, _) = rule.split_once("    for:").unwrap();
    prometheus.wait_for("the alert holds", |prometheus| {
        !prometheus.query(expression).is_empty()
    });

    let (status, text) = case.reload("sources: {cinder: {service-down-time: 120}}\n");
    assert_eq!((status, text.as_str()), (200, "reloaded\n"));
    let metrics = case.exporter.metrics();
    assert!(value(&metrics, SUCCESSFUL) > 0.5);
    assert!(value(&metrics, TIMESTAMP) > value(&before, TIMESTAMP));
    case.exporter
        .wait_for("a poll with the new settings", |metrics| {
            down_time(metrics) == Some(120.0)
        });
    wait_for_healthy_polls(&case.exporter, polls);
    prometheus.wait_for("the alert is over", |prometheus| {
        prometheus.query(expression).is_empty()
    });
}

#[test]
fn a_request_reloads_only_if_enabled_and_by_two_methods() {
    let case = Case::start("sources.cinder.service-down-time: 90\n", &[]);
    for method in ["POST", "PUT"] {
        let response = case.exporter.request(method, "/-/reload", &[]);
        assert_eq!(response.status, 403);
        assert!(response.text().contains("--web.enable-lifecycle"));
    }
    let case = Case::start("", &["--web.enable-lifecycle"]);
    for method in ["GET", "HEAD", "DELETE"] {
        let response = case.exporter.request(method, "/-/reload", &[]);
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.headers["allow"], "POST, PUT");
    }
    for method in ["POST", "PUT"] {
        let response = case.exporter.request(method, "/-/reload", &[]);
        assert_eq!(response.status, 200, "{method}");
    }
    case.exporter.wait_for("requests are counted", |metrics| {
        let counted = |code| {
            let labels = [("path", "/-/reload"), ("code", code)];
            metrics.value("openstack_heartbeat_http_requests_total", &labels)
        };
        (counted("405"), counted("200")) == (Some(3.0), Some(2.0))
    });
}

#[test]
fn settings_that_need_a_restart_are_named_and_the_rest_is_applied() {
    let case = Case::start("", &["--web.enable-lifecycle"]);
    let (status, text) = case.reload(
        "log: {level: error, format: json}\nweb.telemetry-path: /other\npoll.stale-after: 99s\n",
    );
    assert_eq!(status, 200);
    assert!(
        text.contains("need a restart: web.telemetry-path, log.format"),
        "{text}"
    );
    assert_eq!(case.exporter.get("/other").status, 404);
    assert_eq!(case.exporter.get("/metrics").status, 200);
    let page = case.exporter.get("/");
    assert!(page.text().contains("99000"), "{}", page.text());

    let (status, _) = case.reload("web.telemetry-path: /other\n");
    assert_eq!(status, 200);
    // The log has its old level again.
    let log = case.exporter.wait_for_log("after a restart");
    assert_eq!(log.matches("configuration reloaded").count(), 1, "{log}");
}

#[test]
fn concurrent_reload_requests_are_all_answered() {
    let case = Case::start("", &["--web.enable-lifecycle"]);
    let polls = healthy_polls(&case.exporter.metrics());
    let address = case.exporter.address();
    let clients: Vec<_> = (0..40)
        .map(|_| {
            std::thread::spawn(move || {
                crate::support::http::request(address, "POST", "/-/reload", &[])
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap().unwrap().status, 200);
    }
    wait_for_healthy_polls(&case.exporter, polls);
}
