//! Real Manila on the same database: the exporter agrees with Manila, and knows why a service is down.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use tokio::time::Instant;

use crate::support::clock::HostClock;
use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::manila::{BACKEND, DATA, Manila, SCHEDULER, SHARE};
use crate::support::openstack;
use crate::support::process::Process;
use crate::support::wait_for;

/// A fifth of Manila's defaults. Each `periodic_interval`, a scheduler marks services as down.
const OPTIONS: &str = "service_down_time = 12\nreport_interval = 2\nperiodic_interval = 12";
const SERVICE_DOWN_TIME: Duration = Duration::from_secs(12);
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// A few polls.
const PROMPT: Duration = Duration::from_secs(1);

/// After so many heartbeats Manila lists a started service as up, and every reason is known.
const SETTLED: f64 = 3.0;

/// Seconds by which clocks are off: three times the limit.
const AHEAD: i64 = 36;

/// What a service does.
#[derive(Debug, Clone, Copy)]
enum Life {
    /// Started, or continued, with this count of heartbeats.
    Starts(f64),
    Beats,
    /// Killed, or suspended.
    Silent(Instant),
    /// Shut down by its administrator.
    ShutDown(Instant),
}

/// A service of Manila.
struct Service {
    binary: &'static str,
    /// As in its row.
    host: String,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    life: Life,
    process: Option<Process>,
}

impl Service {
    /// Starts the service of a host.
    fn start(manila: &Manila, binary: &'static str, name: &str, ahead: i64) -> Self {
        let host = match binary {
            SHARE => format!("{name}@{BACKEND}"),
            _ => name.to_owned(),
        };
        let process = manila.service(binary, name, &HostClock::new(ahead));
        Self {
            binary,
            host,
            ahead,
            life: Life::Starts(0.0),
            process: Some(process),
        }
    }

    /// Returns the reasons that are right now; the empty one is that of a service that is up. `None`: any is.
    fn reasons(&self) -> Option<&'static [&'static str]> {
        Some(match self.life {
            Life::Starts(_) => return None,
            Life::Beats if self.ahead == 0 => &["", "marked_down"],
            Life::Beats => &["clock_skew"],
            Life::Silent(since) if since.elapsed() + REPORT_INTERVAL < SERVICE_DOWN_TIME => &[""],
            Life::Silent(since) if since.elapsed() < SERVICE_DOWN_TIME + PROMPT => {
                &["", "undetermined", "stopped"]
            }
            Life::Silent(_) => &["stopped"],
            Life::ShutDown(since) if since.elapsed() < PROMPT => &["", "shut_down"],
            Life::ShutDown(_) => &["shut_down"],
        })
    }

    /// Returns the published count of heartbeats.
    fn heartbeats(&self, page: &Metrics) -> f64 {
        let name = "openstack_service_heartbeats_total";
        page.service(name, self.binary, &self.host).unwrap_or(0.0)
    }
}

/// What Manila says of a service.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    binary: String,
    host: String,
    /// By the API: `up`, `down` or `stopped`.
    listed: String,
    /// By the API: the last change of the row.
    updated_at: Option<String>,
    status: String,
    /// By `manila-manage`: `up` or `down`.
    printed: String,
}

/// A page of the exporter, and what Manila said while it was polled.
struct Sample {
    page: Metrics,
    /// Without the services of which Manila said one thing before the poll, and another one after it.
    told: Vec<Told>,
}

/// What the exporter publishes of a service.
#[derive(Debug)]
struct Published {
    up: Option<f64>,
    up_for_scheduler: Option<f64>,
    enabled: Option<f64>,
    /// Empty if none.
    reason: String,
    lower: Option<f64>,
    upper: Option<f64>,
    steps: Option<f64>,
    writers: Option<f64>,
}

impl Published {
    fn new(page: &Metrics, binary: &str, host: &str) -> Self {
        let labels = [("database", "manila"), ("binary", binary), ("host", host)];
        let value = |name| page.value(name, &labels);
        let labels = labels.map(|(label, value)| format!("{label}=\"{value}\""));
        let reasons = page.0.lines().filter(|line| {
            line.starts_with("openstack_service_down_reason{")
                && line.ends_with(" 1")
                && labels.iter().all(|label| line.contains(label))
        });
        let reasons: Vec<&str> = reasons
            .map(|line| {
                let (_, rest) = line.split_once("reason=\"").unwrap();
                rest.split_once('"').unwrap().0
            })
            .collect();
        assert!(reasons.len() < 2, "{reasons:?} of {host}");
        Self {
            up: value("openstack_service_up"),
            up_for_scheduler: value("openstack_service_up_for_scheduler"),
            enabled: value("openstack_service_enabled"),
            reason: reasons.concat(),
            lower: value("openstack_service_clock_skew_lower_bound_seconds"),
            upper: value("openstack_service_clock_skew_upper_bound_seconds"),
            steps: value("openstack_service_clock_steps_total"),
            writers: value("openstack_service_writers"),
        }
    }

    /// Returns whether no bound excludes a clock that is some seconds ahead.
    fn admits(&self, ahead: i64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let ahead = ahead as f64;
        self.lower.is_none_or(|lower| lower <= ahead)
            && self.upper.is_none_or(|upper| ahead <= upper)
    }

    /// Returns whether a reason stands exactly where something is to be explained. A stop may hide from Manila.
    fn is_explained(&self) -> bool {
        let up = self.up == Some(1.0) && self.up_for_scheduler == Some(1.0);
        match self.reason.as_str() {
            "" => up,
            "stopped" => true,
            _ => !up,
        }
    }
}

/// A Manila, its services, and the exporter that reads them.
struct Cloud {
    manila: Manila,
    exporter: Exporter,
    services: Vec<Service>,
    /// Comparisons of one service with Manila, and those that were not possible because it changed.
    compared: usize,
    skipped: usize,
}

/// Starts the exporter with Manila's own manila.conf. On MariaDB it has its own user, with the printed grants. On
/// PostgreSQL the URL is Manila's, too.
fn exporter(database: &Database, manila: &Manila) -> Exporter {
    let project = format!("--project=manila={}", manila.config_file());
    let mut command = program(&["serve", "--poll.interval=100ms", &project]);
    if database.engine == Engine::MySql {
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url());
    }
    Exporter::spawn(&mut command)
}

impl Cloud {
    /// Starts services and waits until all beat and every reason is known.
    fn start(engine: Engine) -> Self {
        let database = Database::of("manila", engine);
        let manila = Manila::start(&database, OPTIONS);
        let exporter = exporter(&database, &manila);
        let services = [
            (SCHEDULER, "scheduler", 0),
            (DATA, "suspended", 0),
            (SHARE, "steady", 0),
            (SHARE, "killed", 0),
            (SHARE, "shut-down", 0),
            (SHARE, "ahead", AHEAD),
            (SHARE, "behind", -AHEAD),
        ];
        let services = services
            .map(|(binary, host, ahead)| Service::start(&manila, binary, host, ahead))
            .into();
        let mut cloud = Self {
            manila,
            exporter,
            services,
            compared: 0,
            skipped: 0,
        };
        wait_for(
            "Manila has services",
            Duration::from_mins(1),
            || !cloud.manila.services().is_empty(),
            || cloud.manila.log(),
        );
        cloud.settle();
        cloud
    }

    /// Checks samples until every service that starts beats.
    fn settle(&mut self) {
        let started = Instant::now();
        while self
            .services
            .iter()
            .any(|service| matches!(service.life, Life::Starts(_)))
        {
            let Sample { page, .. } = self.check();
            for service in &mut self.services {
                if let Life::Starts(count) = service.life
                    && service.heartbeats(&page) >= count + SETTLED
                {
                    service.life = Life::Beats;
                }
            }
            let is_late = started.elapsed() > Duration::from_mins(2);
            assert!(!is_late, "{}\n{}", self.manila.log(), page.0);
        }
    }

    /// Starts a service again that was killed or shut down.
    fn restart(&mut self, host: &str) {
        let page = self.exporter.metrics();
        let name = host.strip_suffix("@dummy").unwrap();
        let started = Service::start(&self.manila, SHARE, name, 0);
        let service = self.service(host);
        let count = service.heartbeats(&page);
        *service = Service {
            life: Life::Starts(count),
            ..started
        };
    }

    fn service(&mut self, host: &str) -> &mut Service {
        let mut services = self.services.iter_mut();
        services.find(|service| service.host == host).unwrap()
    }

    /// Asks Manila of the services in both of its lists: one may have started between them.
    fn ask(&self) -> Vec<Told> {
        let printed = self.manila.service_list();
        let told = self.manila.services().into_iter().filter_map(|service| {
            let is_same = |other: &&openstack::Service| {
                (&other.binary, &other.host) == (&service.binary, &service.host)
            };
            Some(Told {
                printed: printed.iter().find(is_same)?.state.clone(),
                binary: service.binary,
                host: service.host,
                listed: service.state,
                updated_at: service.updated_at,
                status: service.status,
            })
        });
        told.collect()
    }

    /// Polls between two questions to Manila: what it says the same twice, it would have said at the poll.
    fn sample(&mut self) -> Sample {
        let before = self.ask();
        let page = self.exporter.next_page("manila");
        let after = self.ask();
        let told: Vec<Told> = after
            .into_iter()
            .filter(|told| before.contains(told))
            .collect();
        self.compared += told.len();
        self.skipped += before.len() - told.len();
        Sample { page, told }
    }

    /// Takes a sample and checks it.
    fn check(&mut self) -> Sample {
        let sample = self.sample();
        let flag = |state: &str| Some(f64::from(u8::from(state == "up")));
        for told in &sample.told {
            let ours = Published::new(&sample.page, &told.binary, &told.host);
            let context = || format!("{ours:?}\n{told:?}\n{}", sample.page.0);
            assert_eq!(ours.up, flag(&told.listed), "{}", context());
            assert_eq!(ours.up_for_scheduler, flag(&told.printed), "{}", context());
            let enabled = told.status == "enabled";
            assert_eq!(ours.enabled == Some(1.0), enabled, "{}", context());
        }
        for service in &self.services {
            let ours = Published::new(&sample.page, service.binary, &service.host);
            let Service { host, life, .. } = service;
            let context = || format!("{host} {life:?} {ours:?}\n{}", sample.page.0);
            let reasons = service.reasons();
            let is_right = reasons.is_none_or(|reasons| reasons.contains(&ours.reason.as_str()));
            assert!(
                is_right && (reasons.is_none() || ours.is_explained()),
                "{}",
                context()
            );
            assert!(ours.admits(service.ahead), "{}", context());
            let is_whole = matches!((ours.steps, ours.writers), (None | Some(0.0), None));
            assert!(is_whole, "{}", context());
        }
        sample
    }

    /// Checks samples for some time.
    fn watch(&mut self, time: Duration) -> Vec<Sample> {
        let started = Instant::now();
        let mut samples = Vec::new();
        while started.elapsed() < time {
            samples.push(self.check());
        }
        samples
    }
}

/// Services with right and wrong clocks run, are disabled, killed, suspended, shut down and restarted; and at
/// last a scheduler whose clock is ahead marks all others as down.
fn services_live_and_die(engine: Engine) {
    let mut cloud = Cloud::start(engine);
    cloud.manila.set("disable", SHARE, "steady@dummy");
    cloud.watch(SERVICE_DOWN_TIME);
    shut_down(&mut cloud);
    go_silent(&mut cloud);
    come_back(&mut cloud);
    marked_by_a_scheduler_ahead(&mut cloud);
    let (compared, skipped) = (cloud.compared, cloud.skipped);
    eprintln!("{engine:?}: {compared} comparisons, {skipped} not possible");
    assert!(compared > skipped);
}

/// Manila's API says `stopped`, which is kept although `manila-manage` says `up` at first.
fn shut_down(cloud: &mut Cloud) {
    let service = cloud.service("shut-down@dummy");
    service.process.as_ref().unwrap().signal("TERM");
    let is_listed = |told: Told| told.host == "shut-down@dummy" && told.listed == "stopped";
    wait_for(
        "manila-share has shut down",
        Duration::from_secs(30),
        || cloud.ask().into_iter().any(is_listed),
        || cloud.manila.log(),
    );
    cloud.service("shut-down@dummy").life = Life::ShutDown(Instant::now());
}

/// A killed and a suspended service are reported as stopped before the API says so, and also while `manila-manage` says
/// `up` because a scheduler has marked them.
fn go_silent(cloud: &mut Cloud) {
    let suspended = cloud.service("suspended");
    suspended.process.as_ref().unwrap().signal_all("STOP");
    suspended.life = Life::Silent(Instant::now());
    let killed = cloud.service("killed@dummy");
    killed.process = None;
    killed.life = Life::Silent(Instant::now());
    let samples = cloud.watch(SERVICE_DOWN_TIME * 4);
    for (binary, host) in [(SHARE, "killed@dummy"), (DATA, "suspended")] {
        let mut said = Vec::new();
        for sample in &samples {
            let Some(told) = sample.told.iter().find(|told| told.host == host) else {
                continue;
            };
            let ours = Published::new(&sample.page, binary, host);
            said.push((told.listed.clone(), told.printed.clone(), ours.reason));
        }
        let first = |is: &dyn Fn(&(String, String, String)) -> bool| said.iter().position(is);
        let reported = first(&|(_, _, reason)| reason == "stopped");
        let listed = first(&|(listed, _, _)| listed == "down");
        let fresh = first(&|(_, printed, reason)| printed == "up" && reason == "stopped");
        assert!(reported.is_some() && fresh.is_some(), "{said:?}");
        assert!(listed.is_some() && reported <= listed, "{said:?}");
    }
}

/// Restarted and continued services are up after a few heartbeats.
fn come_back(cloud: &mut Cloud) {
    let page = cloud.exporter.metrics();
    let suspended = cloud.service("suspended");
    suspended.process.as_ref().unwrap().signal_all("CONT");
    suspended.life = Life::Starts(suspended.heartbeats(&page));
    cloud.restart("killed@dummy");
    cloud.restart("shut-down@dummy");
    cloud.settle();
    cloud.watch(SERVICE_DOWN_TIME);
}

/// The marks say nothing of the clocks of the services that are marked.
fn marked_by_a_scheduler_ahead(cloud: &mut Cloud) {
    let scheduler = Service::start(&cloud.manila, SCHEDULER, "scheduler-ahead", AHEAD);
    cloud.services.push(scheduler);
    cloud.settle();
    let samples = cloud.watch(SERVICE_DOWN_TIME * 3);
    let is_marked = |sample: &Sample| {
        let steady = Published::new(&sample.page, SHARE, "steady@dummy");
        steady.reason == "marked_down"
    };
    assert!(samples.iter().any(is_marked));
}

/// Checks the tables of some releases, with a service whose stored state, where it has one, contradicts its times.
fn check_release(product: Product, releases: &str, sql: &str) {
    let database = Database::of_release("manila", product, sql);
    let quote = match database.engine {
        Engine::MySql => '`',
        _ => '"',
    };
    let (now, no) = (database.now(0), database.boolean(false));
    let has_state = sql.contains("state ");
    let (column, value) = if has_state {
        (", state", ", 'down'")
    } else {
        ("", "")
    };
    database.execute(&[
        "INSERT INTO availability_zones (id, name, deleted) VALUES ('z1', 'north', 'False')",
        &format!(
            "INSERT INTO services (host, {quote}binary{quote}, topic, report_count, created_at, updated_at, disabled, deleted, \
             availability_zone_id{column}) \
             VALUES ('block1@nfs', 'manila-share', 'manila-share', 7, {now}, {now}, {no}, 0, 'z1'{value})"
        ),
    ]);
    let metrics = Exporter::start(&database.url(), &["--project=manila"]).wait_for_services();
    let up = metrics.service("openstack_service_up", SHARE, "block1@nfs");
    assert_eq!(up, Some(f64::from(u8::from(!has_state))), "{releases}");
    let scheduler = metrics.service("openstack_service_up_for_scheduler", SHARE, "block1@nfs");
    assert_eq!(scheduler, Some(1.0), "{releases}");
    let zone = "database=\"manila\",binary=\"manila-share\",host=\"block1@nfs\",availability_zone=\"north\"";
    assert!(metrics.0.contains(zone), "{releases}: {}", metrics.0);
}

#[test]
fn the_tables_of_each_release_are_read_with_the_printed_grants() {
    for (product, dialect) in [
        (Product::MariaDb, "mariadb"),
        (Product::Postgres, "postgres"),
    ] {
        for releases in ["8-10", "11-15", "16-17", "18", "19-23"] {
            let path = format!("tests/data/manila/{releases}.{dialect}.sql");
            let sql = std::fs::read_to_string(path).unwrap();
            check_release(product, releases, &sql);
        }
    }
}

#[test]
fn manila_and_the_exporter_agree_on_mariadb() {
    services_live_and_die(Engine::MySql);
}

#[test]
fn manila_and_the_exporter_agree_on_postgresql() {
    services_live_and_die(Engine::Postgres);
}
