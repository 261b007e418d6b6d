//! Real Ironic on the same database: the exporter agrees with its API, and knows why a conductor is down.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use tokio::time::Instant;

use crate::support::clock::HostClock;
use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::ironic::Ironic;
use crate::support::process::Process;

/// A fifth of Ironic's defaults.
const OPTIONS: &str = "heartbeat_interval = 2\nheartbeat_timeout = 12";
const TIMEOUT: i64 = 12;
const INTERVAL: i64 = 2;

const BINARY: &str = "ironic-conductor";

/// A few polls, and a whole second of the column.
const PROMPT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum Life {
    Starts,
    Beats,
    /// Killed, or suspended.
    Silent(Instant),
    /// Shut down by its administrator.
    ShutDown(Instant),
}

struct Conductor {
    host: &'static str,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    life: Life,
    process: Option<Process>,
}

impl Conductor {
    fn start(ironic: &Ironic, host: &'static str, ahead: i64) -> Self {
        Self {
            host,
            ahead,
            life: Life::Starts,
            process: Some(ironic.conductor(host, &HostClock::new(ahead))),
        }
    }

    /// Returns the reasons that are right now; the empty one is that of a conductor that is up. `None`: any is.
    fn reasons(&self) -> Option<&'static [&'static str]> {
        let limit = Duration::from_secs(TIMEOUT.unsigned_abs());
        let interval = Duration::from_secs(INTERVAL.unsigned_abs());
        Some(match self.life {
            Life::Starts => return None,
            Life::Beats if self.ahead < -TIMEOUT => &["clock_skew"],
            Life::Beats if self.ahead < INTERVAL - TIMEOUT => &["", "clock_skew"],
            Life::Beats => &[""],
            // The last heartbeat may be an interval old, and its stamp looks up to a second older.
            Life::Silent(since) if since.elapsed() + 2 * interval < limit => &[""],
            Life::Silent(since) if since.elapsed() < limit + PROMPT => {
                &["", "undetermined", "stopped"]
            }
            Life::Silent(_) => &["stopped"],
            Life::ShutDown(since) if since.elapsed() < PROMPT => &["", "shut_down"],
            Life::ShutDown(_) => &["shut_down"],
        })
    }
}

/// An Ironic, its conductors, and the exporter that reads them.
struct Cloud {
    ironic: Ironic,
    exporter: Exporter,
    conductors: Vec<Conductor>,
    /// Comparisons of one conductor with Ironic, and those that were not possible because it changed.
    compared: usize,
    skipped: usize,
}

impl Cloud {
    fn start(engine: Engine) -> Self {
        let database = Database::of("ironic", engine);
        let ironic = Ironic::start(&database, OPTIONS);
        let project = format!("--project=ironic={}", ironic.config_file());
        // Heartbeats come every two seconds, and a read must not hide one.
        let delay = "--skew.visibility-delay=1500ms";
        let mut command = program(&["serve", "--poll.interval=100ms", delay, &project]);
        // Its own user, with the printed grants.
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url());
        let exporter = Exporter::spawn(&mut command);
        let conductors = [
            ("steady", 0),
            ("killed", 0),
            ("suspended", 0),
            ("shut-down", 0),
            ("inside", INTERVAL - TIMEOUT + 1),
            ("between", INTERVAL - TIMEOUT - 1),
            ("outside", -TIMEOUT - 1),
            ("ahead", 3 * TIMEOUT),
        ];
        let conductors = conductors.map(|(host, ahead)| Conductor::start(&ironic, host, ahead));
        let mut cloud = Self {
            ironic,
            exporter,
            conductors: conductors.into(),
            compared: 0,
            skipped: 0,
        };
        cloud.settle();
        cloud
    }

    fn conductor(&mut self, host: &str) -> &mut Conductor {
        let mut conductors = self.conductors.iter_mut();
        conductors.find(|it| it.host == host).unwrap()
    }

    /// Checks samples until every conductor that starts beats.
    fn settle(&mut self) {
        let started = Instant::now();
        let starts = |it: &Conductor| matches!(it.life, Life::Starts);
        while self.conductors.iter().any(starts) {
            let page = self.check();
            for conductor in self.conductors.iter_mut().filter(|it| starts(it)) {
                let (_, bound) = page.bounds(BINARY, conductor.host);
                let online = page.service("openstack_service_up", BINARY, conductor.host);
                let settled = page.reason(conductor.host) != "shut_down" && online.is_some();
                if bound.is_some() && settled {
                    conductor.life = Life::Beats;
                }
            }
            let is_late = started.elapsed() > Duration::from_mins(2);
            assert!(!is_late, "{}\n{}", self.ironic.log(), page.0);
        }
    }

    /// Polls between two questions to Ironic, and checks what it said twice of one heartbeat: between two, it may have said
    /// something else for a moment.
    fn check(&mut self) -> Metrics {
        let before = self.ironic.alive();
        let page = self.exporter.next_page("ironic");
        let after = self.ironic.alive();
        for (host, said) in &after {
            if before.get(host) != Some(said) {
                self.skipped += 1;
                continue;
            }
            self.compared += 1;
            let up = page.service("openstack_service_up", BINARY, host);
            let expected = Some(f64::from(u8::from(said.0)));
            assert_eq!(up, expected, "{host}: {}", page.0);
        }
        for conductor in &self.conductors {
            let Conductor {
                host, ahead, life, ..
            } = conductor;
            let given = page.reason(host);
            let reasons = conductor.reasons();
            let is_right = reasons.is_none_or(|reasons| reasons.contains(&given));
            assert!(is_right, "{host} {life:?} {given}\n{}", page.0);
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let ahead = *ahead as f64;
            let (lower, upper) = page.bounds(BINARY, host);
            let is_bounded = lower.is_none_or(|lower| lower <= ahead)
                && upper.is_none_or(|upper| ahead <= upper);
            assert!(is_bounded, "{host} {lower:?} {upper:?}\n{}", page.0);
            let steps = page.service("openstack_service_clock_steps_total", BINARY, host);
            assert!(matches!(steps, None | Some(0.0)), "{host}: {}", page.0);
        }
        assert_eq!(page.count("openstack_service_heartbeats_total"), 0);
        page
    }

    /// Checks samples for some seconds.
    fn watch(&mut self, seconds: i64) {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(seconds.unsigned_abs()) {
            self.check();
        }
    }
}

/// Conductors with right and wrong clocks run, are killed, suspended, shut down and started again.
fn conductors_live_and_die(engine: Engine) {
    let mut cloud = Cloud::start(engine);
    cloud.watch(3 * INTERVAL);
    let killed = cloud.conductor("killed");
    killed.process.as_ref().unwrap().kill_all();
    killed.life = Life::Silent(Instant::now());
    let suspended = cloud.conductor("suspended");
    suspended.process.as_ref().unwrap().signal_all("STOP");
    suspended.life = Life::Silent(Instant::now());
    let leaving = cloud.conductor("shut-down");
    leaving.process.as_ref().unwrap().signal("TERM");
    leaving.life = Life::ShutDown(Instant::now());
    cloud.watch(TIMEOUT + 3 * INTERVAL);

    let suspended = cloud.conductor("suspended");
    suspended.process.as_ref().unwrap().signal_all("CONT");
    suspended.life = Life::Starts;
    for host in ["killed", "shut-down"] {
        cloud.conductor(host).process = None;
        let started = Conductor::start(&cloud.ironic, host, 0);
        *cloud.conductor(host) = started;
    }
    // A dead conductor whose clock is ahead is listed as alive for as long.
    let ahead = cloud.conductor("ahead");
    ahead.process.as_ref().unwrap().kill_all();
    ahead.life = Life::Silent(Instant::now());
    cloud.settle();
    cloud.watch(TIMEOUT + INTERVAL);
    eprintln!(
        "Ironic: {} comparisons, {} skipped",
        cloud.compared, cloud.skipped
    );
    assert!(cloud.compared > cloud.skipped);
}

#[test]
fn ironic_and_the_exporter_agree_on_mariadb() {
    conductors_live_and_die(Engine::MySql);
}

#[test]
fn ironic_and_the_exporter_agree_on_postgresql() {
    conductors_live_and_die(Engine::Postgres);
}
