//! Real Heat on the same database: the exporter agrees with its list, process by process, and knows why an engine is down.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use tokio::time::Instant;

use crate::support::clock::HostClock;
use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::heat::Heat;
use crate::support::process::Process;
use crate::support::wait_for;

/// A fifteenth of Heat's default. With less, a whole second of the column would hide a clock just inside the limit.
const INTERVAL: i64 = 4;
const LIMIT: i64 = 2 * INTERVAL;

const BINARY: &str = "heat-engine";

/// The processes of an engine that have a row.
const WORKERS: f64 = 2.0;

/// A few polls, and a whole second of the column.
const PROMPT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum Life {
    Starts,
    Beats,
    /// One worker of two is suspended.
    Halved(Instant),
    /// Killed, or suspended.
    Silent(Instant),
    /// Killed while its successor starts, so that the old rows stay.
    Crashed(Instant),
    /// Shut down by its administrator.
    ShutDown(Instant),
}

struct Host {
    name: &'static str,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    life: Life,
    process: Option<Process>,
}

impl Host {
    fn start(heat: &Heat, name: &'static str, ahead: i64) -> Self {
        Self {
            name,
            ahead,
            life: Life::Starts,
            process: Some(heat.engine(name, &HostClock::new(ahead))),
        }
    }

    /// Returns the reasons that are right now; the empty one is that of an engine that is up. `None`: any is.
    fn reasons(&self) -> Option<&'static [&'static str]> {
        let limit = Duration::from_secs(LIMIT.unsigned_abs());
        Some(match self.life {
            Life::Starts => return None,
            Life::Beats if self.ahead < -LIMIT => &["clock_skew"],
            Life::Beats if self.ahead < INTERVAL - LIMIT => &["", "clock_skew"],
            Life::Beats | Life::Halved(_) | Life::Crashed(_) | Life::ShutDown(_) => &[""],
            Life::Silent(since) if since.elapsed() < limit + PROMPT => {
                &["", "undetermined", "stopped"]
            }
            Life::Silent(_) => &["stopped"],
        })
    }

    /// Returns how many processes there are, and how many of these are down; `None` while that changes.
    fn processes(&self) -> Option<(f64, f64)> {
        let limit = Duration::from_secs(LIMIT.unsigned_abs());
        let is_over = |since: Instant| since.elapsed() > limit + PROMPT;
        match self.life {
            Life::Beats if self.ahead >= INTERVAL - LIMIT => Some((WORKERS, 0.0)),
            Life::Halved(since) if is_over(since) => Some((WORKERS, 1.0)),
            Life::Silent(since) if is_over(since) => Some((WORKERS, WORKERS)),
            Life::Crashed(since) if is_over(since) => Some((WORKERS, 0.0)),
            _ => None,
        }
    }
}

/// Returns how many processes of an engine there are, and how many of these are down.
fn processes(page: &Metrics, host: &str) -> (f64, f64) {
    let shown = |name| page.service(name, BINARY, host).unwrap_or_default();
    (
        shown("openstack_service_processes"),
        shown("openstack_service_processes_down"),
    )
}

/// A Heat, its engines, and the exporter that reads them.
struct Cloud {
    heat: Heat,
    exporter: Exporter,
    hosts: Vec<Host>,
    /// Comparisons of one engine with Heat, and those that were not possible because it changed.
    compared: usize,
    skipped: usize,
    /// Widths of the bounds of the clock skew of the engine that runs undisturbed, in seconds.
    widths: Vec<f64>,
}

impl Cloud {
    fn start(engine: Engine) -> Self {
        let database = Database::of("heat", engine);
        let heat = Heat::start(&database, &format!("periodic_interval = {INTERVAL}"));
        let project = format!("--project=heat={}", heat.config_file());
        // Heartbeats come every few seconds, and a read must not hide one.
        let delay = "--skew.visibility-delay=1500ms";
        let mut command = program(&["serve", "--poll.interval=100ms", delay, &project]);
        // Its own user, with the printed grants.
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url());
        let exporter = Exporter::spawn(&mut command);
        let hosts = [
            ("steady", 0),
            ("halved", 0),
            ("killed", 0),
            ("crashed", 0),
            ("suspended", 0),
            ("shut-down", 0),
            ("inside", INTERVAL - LIMIT + 2),
            ("between", INTERVAL - LIMIT - 1),
            ("outside", -LIMIT - 1),
            ("ahead", 4 * LIMIT),
        ];
        let hosts = hosts.map(|(name, ahead)| Host::start(&heat, name, ahead));
        let mut cloud = Self {
            heat,
            exporter,
            hosts: hosts.into(),
            compared: 0,
            skipped: 0,
            widths: Vec::new(),
        };
        cloud.settle();
        cloud
    }

    fn host(&mut self, name: &str) -> &mut Host {
        let mut hosts = self.hosts.iter_mut();
        hosts.find(|it| it.name == name).unwrap()
    }

    /// Signals all processes of an engine, and notes that none of them beats from now on.
    fn silence(&mut self, name: &str, act: impl FnOnce(&Process)) {
        let host = self.host(name);
        act(host.process.as_ref().unwrap());
        host.life = Life::Silent(Instant::now());
    }

    /// Kills an engine just before the processes of its successor create their rows. Heat removes older rows when it starts.
    fn crash(&mut self, name: &'static str) {
        let successor = Host::start(&self.heat, name, 0);
        let process = successor.process.as_ref().unwrap();
        wait_for(
            "the processes start",
            Duration::from_mins(1),
            || process.log().contains("Starting engine_worker"),
            || process.log(),
        );
        *self.host(name) = Host {
            life: Life::Crashed(Instant::now()),
            ..successor
        };
    }

    /// Checks samples until all processes of every engine that starts beat.
    fn settle(&mut self) {
        let started = Instant::now();
        let starts = |it: &Host| matches!(it.life, Life::Starts);
        while self.hosts.iter().any(starts) {
            let page = self.check();
            for host in self.hosts.iter_mut().filter(|it| starts(it)) {
                let (_, bound) = page.bounds(BINARY, host.name);
                let (all, down) = processes(&page, host.name);
                let is_ahead = host.ahead >= INTERVAL - LIMIT;
                if bound.is_some() && all >= WORKERS && (down == 0.0 || !is_ahead) {
                    host.life = Life::Beats;
                }
            }
            let is_late = started.elapsed() > Duration::from_mins(3);
            assert!(!is_late, "{}\n{}", self.heat.log(), page.0);
        }
    }

    /// Polls between two questions to Heat, and checks what it said twice of the same heartbeats.
    fn check(&mut self) -> Metrics {
        let before = self.heat.engines();
        let page = self.exporter.next_page("heat");
        let after = self.heat.engines();
        for host in &self.hosts {
            let of_host = |engines: &[_]| -> Vec<_> {
                let its = |it: &&crate::support::heat::Engine| it.host == host.name;
                engines.iter().filter(its).cloned().collect()
            };
            let said = of_host(&after);
            if of_host(&before) != said {
                self.skipped += 1;
                continue;
            }
            self.compared += 1;
            let up = said.iter().filter(|it| it.status == "up").count();
            let shown = page.service("openstack_service_up", BINARY, host.name);
            let expected = (!said.is_empty()).then_some(f64::from(u8::from(up > 0)));
            assert_eq!(shown, expected, "{} {said:?}\n{}", host.name, page.0);
            let (all, down) = processes(&page, host.name);
            // Heat does not know that an engine stopped whose clock is ahead.
            let is_unseen = host.ahead > 0 && matches!(host.life, Life::Silent(_));
            let is_equal = (all - down - f64::from(u32::try_from(up).unwrap())).abs() < 0.5;
            assert!(is_equal || is_unseen, "{} {said:?}\n{}", host.name, page.0);
        }
        for host in &self.hosts {
            host.check(&page);
        }
        let (lower, upper) = page.bounds(BINARY, "steady");
        let width = upper.zip(lower).map(|(upper, lower)| upper - lower);
        self.widths.extend(width);
        assert_eq!(page.count("openstack_service_duplicate_rows"), 0);
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

impl Host {
    /// Checks reason, processes and bounds.
    fn check(&self, page: &Metrics) {
        let Self {
            name, ahead, life, ..
        } = self;
        let given = page.reason(name);
        let reasons = self.reasons();
        let is_right = reasons.is_none_or(|reasons| reasons.contains(&given));
        assert!(is_right, "{name} {life:?} {given}\n{}", page.0);
        let counted = processes(page, name);
        let is_right = self.processes().is_none_or(|expected| counted == expected);
        assert!(is_right, "{name} {life:?} {counted:?}\n{}", page.0);
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let ahead = *ahead as f64;
        let (lower, upper) = page.bounds(BINARY, name);
        let is_bounded =
            lower.is_none_or(|lower| lower <= ahead) && upper.is_none_or(|upper| ahead <= upper);
        assert!(is_bounded, "{name} {lower:?} {upper:?}\n{}", page.0);
        let steps = page.service("openstack_service_clock_steps_total", BINARY, name);
        assert!(matches!(steps, None | Some(0.0)), "{name}: {}", page.0);
        if let Life::ShutDown(since) = life
            && since.elapsed() > 2 * PROMPT
        {
            // Its rows are marked as deleted.
            assert_eq!(page.service("openstack_service_up", BINARY, name), None);
        }
    }
}

/// Engines with right and wrong clocks run, are killed, suspended, shut down and started again.
fn engines_live_and_die(engine: Engine) {
    let mut cloud = Cloud::start(engine);
    cloud.watch(3 * INTERVAL);
    cloud.crash("crashed");
    cloud.silence("killed", Process::kill_all);
    cloud.silence("suspended", |process| process.signal_all("STOP"));
    let halved = cloud.host("halved");
    halved.process.as_ref().unwrap().signal_worker("STOP");
    halved.life = Life::Halved(Instant::now());
    let leaving = cloud.host("shut-down");
    leaving.process.as_ref().unwrap().signal("TERM");
    leaving.life = Life::ShutDown(Instant::now());
    cloud.watch(LIMIT + 4 * INTERVAL);
    let rows = cloud.heat.engines().into_iter();
    let left_over = rows.filter(|it| it.host == "crashed" && it.status == "down");
    assert_eq!(left_over.count(), 2);

    let suspended = cloud.host("suspended");
    suspended.process.as_ref().unwrap().signal_all("CONT");
    suspended.life = Life::Starts;
    for name in ["killed", "shut-down"] {
        cloud.host(name).process = None;
        let started = Host::start(&cloud.heat, name, 0);
        *cloud.host(name) = started;
    }
    // A dead engine whose clock is ahead is listed as up for as long.
    cloud.silence("ahead", Process::kill_all);
    cloud.settle();
    cloud.watch(LIMIT + INTERVAL);
    cloud.widths.sort_by(f64::total_cmp);
    eprintln!(
        "Heat: {} comparisons, {} skipped; the median width of the bounds is {:.3} s",
        cloud.compared,
        cloud.skipped,
        cloud.widths[cloud.widths.len() / 2]
    );
    assert!(cloud.compared > cloud.skipped);
}

#[test]
fn heat_and_the_exporter_agree_on_mariadb() {
    engines_live_and_die(Engine::MySql);
}

#[test]
fn heat_and_the_exporter_agree_on_postgresql() {
    engines_live_and_die(Engine::Postgres);
}
