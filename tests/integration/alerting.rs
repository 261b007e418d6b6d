//! From a missing heartbeat to the page: the exporter, the shipped rules on a real Prometheus, and the shipped example
//! on a real Alertmanager.

use std::collections::BTreeSet;
use std::time::Duration;

use openstack_heartbeat_exporter::cli::embedded;
use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::alertmanager::{Alertmanager, Inbox, Notification};
use crate::support::database::Database;
use crate::support::exporter::{Exporter, intervals};
use crate::support::prometheus::{Prometheus, Release};
use crate::support::server::Server;
use crate::support::writer::{BINARY, Clock, Writer};
use crate::support::{folder, wait_for};

/// All durations outside expressions are shortened by this factor.
const FASTER: u64 = 10;
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Shortens the durations of a file: `for` in rules, those of routes for Alertmanager.
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

/// Returns the shipped example with receivers at this test.
fn example(inbox: &Inbox) -> String {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/alerts/alertmanager.example.yml"
    );
    let text = std::fs::read_to_string(file).unwrap();
    let there = "http://127.0.0.1:9095/";
    assert!(text.contains(there));
    text.replace(there, &format!("http://{}/", inbox.address))
}

/// Everything from the database rows to the inbox.
struct Chain {
    inbox: Inbox,
    _exporter: Exporter,
    prometheus: Prometheus,
    _alertmanager: Alertmanager,
}

impl Chain {
    /// `release` is the Prometheus, or the newest Alertmanager with it.
    fn start(database: &Database, release: Release) -> Self {
        let exporter = Exporter::start(
            &database.url(),
            &[
                &intervals(6, 2),
                "--poll.stale-after=3s",
                "--database.query-timeout=900ms",
            ],
        );
        let inbox = Inbox::start();
        let example = faster(&example(&inbox));
        let alertmanager = match release {
            Release::Oldest => Alertmanager::start(&example),
            _ => Alertmanager::start_newest(&example),
        };
        let rules = folder("rules").join("openstack-heartbeat.rules.yml");
        std::fs::write(&rules, faster(embedded::RULES)).unwrap();
        let sections = format!(
            "alerting:\n  alertmanagers:\n  - static_configs:\n    - targets: ['{}']\n",
            alertmanager.address()
        );
        let targets = [exporter.address().to_string()];
        let prometheus =
            Prometheus::of_release(release, &targets, &sections, "", Some(rules.as_path()));
        Self {
            inbox,
            _exporter: exporter,
            prometheus,
            _alertmanager: alertmanager,
        }
    }

    /// Waits for this number of notifications, and returns the last.
    fn wait_for_notification(&self, number: usize) -> Notification {
        wait_for(
            &format!("notification {number}"),
            Duration::from_mins(2),
            || self.inbox.notifications().len() >= number,
            || self.describe(),
        );
        self.inbox.notifications().pop().unwrap()
    }

    /// Checks that no notification arrives for longer than the interval after which a changed group is sent again.
    fn stays_silent(&self) {
        let before = self.inbox.notifications().len();
        std::thread::sleep(Duration::from_secs(5 * 60 / FASTER + 4));
        let after = self.inbox.notifications().len();
        assert_eq!(after, before, "{}", self.describe());
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

/// Checks that the notification is one page about one alert, and returns its description.
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

/// Starts five services, each on its own host, and everything behind them; returns when their clocks are known.
fn cloud(database: &Database, release: Release) -> (Vec<Writer>, Chain) {
    let writers: Vec<Writer> = (0..5).map(|number| service(database, number)).collect();
    let chain = Chain::start(database, release);
    let known = "openstack_service_clock_skew_upper_bound_seconds";
    chain
        .prometheus
        .wait_for("all clocks are known", |prometheus| {
            prometheus.query(known).len() == writers.len()
        });
    assert_eq!(chain.firing(), 0, "{}", chain.describe());
    (writers, chain)
}

/// Starts one of five services.
fn service(database: &Database, number: usize) -> Writer {
    let hosts = [
        "block1@lvm",
        "block2@lvm",
        "block3@lvm",
        "controller",
        "network",
    ];
    let phase =
        Duration::from_millis(100) + Duration::from_millis(350) * u32::try_from(number).unwrap();
    Writer::every(
        REPORT_INTERVAL,
        database,
        hosts[number],
        Clock::new(0, 0),
        phase,
    )
}

#[test]
fn a_stopped_service_and_a_hanging_database_page_once_each() {
    let server = Server::start(Engine::MySql);
    let database = Database::on(Engine::MySql, &server.url());
    let (writers, chain) = cloud(&database, Release::Oldest);

    writers[0].stop();
    let told = chain.wait_for_notification(1);
    let description = page(&told, "firing", "OpenStackServiceDown", Some("block1@lvm"));
    assert_eq!(told.alerts[0]["labels"]["reason"], "stopped");
    assert_eq!(told.alerts[0]["labels"]["machine"], "block1");
    let says = format!("{BINARY} on block1@lvm is down: its heartbeats stopped. ");
    assert!(description.starts_with(&says), "{description}");
    let remedy = "and what else it needs. The runbook names that for each project.";
    assert!(description.ends_with(remedy), "{description}");
    chain.stays_silent();
    let _again = service(&database, 0);
    let told = chain.wait_for_notification(2);
    page(
        &told,
        "resolved",
        "OpenStackServiceDown",
        Some("block1@lvm"),
    );

    // The database hangs, and every service with it.
    server.stop();
    let told = chain.wait_for_notification(3);
    page(
        &told,
        "firing",
        "OpenStackHeartbeatDatabaseUnreachable",
        None,
    );
    assert_eq!(told.alerts[0]["labels"]["database"], "cinder");
    chain.stays_silent();
    server.go_on();
    let told = chain.wait_for_notification(4);
    page(
        &told,
        "resolved",
        "OpenStackHeartbeatDatabaseUnreachable",
        None,
    );
    chain.stays_silent();
    assert_eq!(chain.firing(), 0, "{}", chain.describe());
}

#[test]
fn a_clock_step_and_services_that_stop_together_page_once_each() {
    let database = Database::new(Engine::MySql);
    let (writers, chain) = cloud(&database, Release::Labelling.or_oldest());

    // The service is down too, and no notification blames the service.
    writers[1].set_clock(40);
    let told = chain.wait_for_notification(1);
    let description = page(
        &told,
        "firing",
        "OpenStackServiceClockSkewed",
        Some("block2@lvm"),
    );
    assert!(
        description.contains(" ahead of the database's"),
        "{description}"
    );
    assert!(description.contains("chronyc tracking"), "{description}");
    let unusable = "openstack_service_up{host='block2@lvm'}";
    assert_eq!(chain.prometheus.value(unusable), Some(0.0));
    chain.stays_silent();
    writers[1].set_clock(-40);
    let told = chain.wait_for_notification(2);
    page(
        &told,
        "resolved",
        "OpenStackServiceClockSkewed",
        Some("block2@lvm"),
    );

    // Three of five services stop together, and start together.
    for writer in &writers[2..] {
        writer.stop();
    }
    let told = chain.wait_for_notification(3);
    page(&told, "firing", "OpenStackMostServicesDown", None);
    chain.stays_silent();
    let _again: Vec<Writer> = (2..5).map(|number| service(&database, number)).collect();
    let told = chain.wait_for_notification(4);
    page(&told, "resolved", "OpenStackMostServicesDown", None);
    chain.stays_silent();
    assert_eq!(chain.firing(), 0, "{}", chain.describe());
}

#[test]
fn warnings_are_muted_by_their_cause_and_pages_are_not() {
    let cases = [
        (
            "HeartbeatDatabaseUnreachable critical",
            "ServiceFlapping warning",
            true,
        ),
        (
            "HeartbeatDatabaseUnreachable critical",
            "ServiceDown critical",
            false,
        ),
        (
            "MostServicesDown critical",
            "SchedulerUsesDownService warning",
            true,
        ),
        ("MostServicesDown critical", "ClusterDown critical", false),
        ("ServiceDown critical", "ServiceFlapping warning", true),
        (
            "ServiceFlapping warning",
            "SchedulerUsesDownService warning",
            false,
        ),
        (
            "HeartbeatIntervalsMisconfigured warning",
            "ServiceHeartbeatSlow warning",
            true,
        ),
        (
            "HeartbeatIntervalsMisconfigured warning",
            "ServiceFlapping warning",
            false,
        ),
        (
            "HeartbeatReferenceClockSuspect warning",
            "ServiceClockSkewHigh warning",
            true,
        ),
        (
            "HeartbeatReferenceClockSuspect warning",
            "ServiceClockSkewed critical",
            false,
        ),
    ];
    let inbox = Inbox::start();
    for alertmanager in [Alertmanager::start, Alertmanager::start_newest] {
        mutes(&alertmanager(&example(&inbox)), &cases);
    }
}

/// Checks which alerts mute which.
fn mutes(alertmanager: &Alertmanager, cases: &[(&str, &str, bool)]) {
    alertmanager.wait_until_ready();
    let labels = |alert: &str, region: &str, database: &str| {
        let (name, severity) = alert.split_once(' ').unwrap();
        let service = match name {
            "HeartbeatIntervalsMisconfigured" => "binary=cinder-volume",
            _ if name.starts_with("Heartbeat") || name.starts_with("Most") => "",
            "ClusterDown" => "binary=cinder-volume cluster=c1",
            _ => "binary=cinder-volume host=block1",
        };
        format!(
            "alertname=OpenStack{name} severity={severity} region={region} database={database} {service}"
        )
    };
    for (number, (source, target, _)) in cases.iter().enumerate() {
        let region = number.to_string();
        alertmanager.add(&labels(source, &region, "cinder"));
        alertmanager.add(&labels(target, &region, "cinder"));
        // The same fault in another cloud or another database mutes nothing here.
        alertmanager.add(&labels(target, &format!("not-{number}"), "cinder"));
        alertmanager.add(&labels(target, &region, "other"));
    }
    let expected: BTreeSet<(String, String)> = cases
        .iter()
        .enumerate()
        .filter(|(_, (_, _, muted))| *muted)
        .map(|(number, (_, target, _))| {
            let name = target.split_once(' ').unwrap().0;
            (format!("OpenStack{name}"), number.to_string())
        })
        .collect();
    wait_for(
        "the muted alerts",
        Duration::from_secs(20),
        || alertmanager.inhibited() == expected,
        || format!("{:?}", alertmanager.inhibited()),
    );
}
