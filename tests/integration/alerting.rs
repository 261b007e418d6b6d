//! From a heartbeat that fails to come to the page: the exporter, the shipped rules on a real Prometheus, the shipped
//! example on a real Alertmanager.

use std::time::Duration;

use openstack_heartbeat_exporter::bundle;
use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::alertmanager::{Alertmanager, Inbox, Notification};
use crate::support::database::Database;
use crate::support::exporter::Exporter;
use crate::support::prometheus::Prometheus;
use crate::support::server::Server;
use crate::support::writer::{BINARY, Clock, Writer};
use crate::support::{folder, wait_for};

/// All durations beside expressions are so many times shorter.
const FASTER: u64 = 10;
const SERVICE_DOWN_TIME: &str = "--cinder.service-down-time=6";
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Shortens the durations of a file: of rules those of `for`, of Alertmanager those of its routes.
fn faster(text: &str) -> String {
    let keys = [
        "for:",
        "keep_firing_for:",
        "group_wait:",
        "group_interval:",
        "repeat_interval:",
    ];
    let mut shortened = 0;
    let mut lines = Vec::new();
    for line in text.lines() {
        let body = line.trim_start().trim_start_matches("- ");
        match body.split_once(' ') {
            Some((key, duration)) if keys.contains(&key) => {
                let duration = humantime::parse_duration(duration).unwrap();
                let shorter = duration.as_millis() / u128::from(FASTER);
                let indent = line.find(key).unwrap();
                lines.push(format!("{}{key} {shorter}ms", &line[..indent]));
                shortened += 1;
            }
            _ => lines.push(line.to_owned()),
        }
    }
    assert!(shortened > 5, "nothing to shorten in:\n{text}");
    lines.join("\n") + "\n"
}

/// Everything from the database's rows to the inbox.
struct Chain {
    inbox: Inbox,
    _exporter: Exporter,
    prometheus: Prometheus,
    _alertmanager: Alertmanager,
}

impl Chain {
    fn start(database: &Database) -> Self {
        let exporter = Exporter::start(
            &database.url(),
            &[
                SERVICE_DOWN_TIME,
                "--cinder.report-interval=2",
                "--poll.stale-after=3s",
                "--database.query-timeout=900ms",
            ],
        );
        let inbox = Inbox::start();
        let example = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/alerts/alertmanager.example.yml"
        ));
        let example = example.unwrap();
        let here = format!("http://{}/", inbox.address);
        assert!(example.contains("http://127.0.0.1:9095/"));
        let example = example.replace("http://127.0.0.1:9095/", &here);
        let alertmanager = Alertmanager::start(&faster(&example));
        let rules = folder("rules").join("openstack-heartbeat.rules.yml");
        std::fs::write(&rules, faster(bundle::RULES)).unwrap();
        let prometheus = Prometheus::with_configuration(&format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n\
             rule_files: ['{}']\n\
             alerting:\n  alertmanagers:\n  - static_configs:\n    - targets: ['{}']\n\
             scrape_configs:\n- job_name: heartbeat\n  static_configs:\n  - targets: ['{}']\n",
            rules.display(),
            alertmanager.address(),
            exporter.address()
        ));
        Self {
            inbox,
            _exporter: exporter,
            prometheus,
            _alertmanager: alertmanager,
        }
    }

    /// Waits until so many notifications came, and returns the last.
    fn wait_for_notification(&self, number: usize) -> Notification {
        wait_for(
            &format!("notification {number}"),
            Duration::from_mins(2),
            || self.inbox.notifications().len() >= number,
            || self.describe(),
        );
        self.inbox.notifications().pop().unwrap()
    }

    /// Checks that within so many seconds nobody is told anything.
    fn stays_silent(&self, seconds: u64) {
        let before = self.inbox.notifications().len();
        std::thread::sleep(Duration::from_secs(seconds));
        assert_eq!(
            self.inbox.notifications().len(),
            before,
            "{}",
            self.describe()
        );
    }

    fn firing(&self) -> usize {
        self.prometheus.query("ALERTS{alertstate='firing'}").len()
    }

    fn describe(&self) -> String {
        format!(
            "{:#?}\n{:?}",
            self.inbox.notifications(),
            self.prometheus.query("ALERTS")
        )
    }
}

/// Checks that this is one page about one alert, and returns its description.
fn page(notification: &Notification, status: &str, name: &str, host: Option<&str>) -> String {
    assert_eq!(notification.receiver, "page", "{notification:?}");
    assert_eq!(notification.status, status, "{notification:?}");
    assert_eq!(notification.names(), [name], "{notification:?}");
    let alert = &notification.alerts[0];
    assert_eq!(alert["labels"]["host"].as_str(), host, "{notification:?}");
    let url = alert["annotations"]["runbook_url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/docs/runbooks/{name}.md")), "{url}");
    let description = alert["annotations"]["description"].as_str().unwrap();
    description.to_owned()
}

#[test]
fn each_fault_makes_one_page_that_names_host_reason_and_what_to_do() {
    let server = Server::start(Engine::MySql);
    let database = Database::on(Engine::MySql, &server.url());
    let hosts = [
        "block1@lvm",
        "block2@lvm",
        "block3@lvm",
        "controller",
        "network",
    ];
    let start = |host, number: u64| {
        Writer::every(
            REPORT_INTERVAL,
            &database,
            host,
            Clock::new(0, 0),
            Duration::from_millis(100 + 350 * number),
        )
    };
    let writers: Vec<Writer> = hosts
        .into_iter()
        .zip(0..)
        .map(|(host, n)| start(host, n))
        .collect();
    let chain = Chain::start(&database);
    let known = "openstack_service_clock_skew_upper_bound_seconds";
    chain
        .prometheus
        .wait_for("all clocks are known", |prometheus| {
            prometheus.query(known).len() == hosts.len()
        });
    assert_eq!(chain.firing(), 0, "{}", chain.describe());

    // A service stops.
    writers[0].stop();
    let told = chain.wait_for_notification(1);
    let description = page(&told, "firing", "OpenStackServiceDown", Some("block1@lvm"));
    assert_eq!(told.alerts[0]["labels"]["reason"], "stopped");
    assert_eq!(told.alerts[0]["labels"]["machine"], "block1");
    let says = format!("{BINARY} on block1@lvm is down: its heartbeats stopped, the last one ");
    assert!(description.starts_with(&says), "{description}");
    assert!(
        description
            .ends_with("See whether the process runs, then its log, the database and the driver."),
        "{description}"
    );
    // Longer than the interval at which a group that changed is told again.
    chain.stays_silent(35);
    let _again = start(hosts[0], 0);
    let told = chain.wait_for_notification(2);
    page(
        &told,
        "resolved",
        "OpenStackServiceDown",
        Some("block1@lvm"),
    );

    // A clock is set forward. The service is down as well, and nobody is told to look at the service.
    writers[1].set_clock(40);
    let told = chain.wait_for_notification(3);
    let description = page(
        &told,
        "firing",
        "OpenStackServiceClockSkewed",
        Some("block2@lvm"),
    );
    assert!(
        description.contains(" ahead of the database's")
            && description.contains("chronyc tracking"),
        "{description}"
    );
    let unusable = "openstack_service_up{host='block2@lvm'}";
    assert_eq!(chain.prometheus.value(unusable), Some(0.0));
    chain.stays_silent(35);
    writers[1].set_clock(-40);
    let told = chain.wait_for_notification(4);
    page(
        &told,
        "resolved",
        "OpenStackServiceClockSkewed",
        Some("block2@lvm"),
    );

    // The database hangs, and with it every service.
    server.stop();
    let told = chain.wait_for_notification(5);
    page(
        &told,
        "firing",
        "OpenStackHeartbeatDatabaseUnreachable",
        None,
    );
    assert_eq!(told.alerts[0]["labels"]["database"], "cinder");
    chain.stays_silent(20);
    server.go_on();
    let told = chain.wait_for_notification(6);
    page(
        &told,
        "resolved",
        "OpenStackHeartbeatDatabaseUnreachable",
        None,
    );
    chain.stays_silent(20);
    assert_eq!(chain.firing(), 0, "{}", chain.describe());
}
