//! Published clock skews and down reasons, with writers of known clock skew and with real Cinder.

use std::iter::zip;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use tokio::time::Instant;

use crate::support::cinder::{Cinder, SCHEDULER};
use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program, project};
use crate::support::wait_for;
use crate::support::writer::{BINARY, Clock, Writer};

/// The published clock of one service, and its down reason.
#[derive(Debug)]
struct Published {
    lower: Option<f64>,
    upper: Option<f64>,
    estimate: Option<f64>,
    steps: Option<f64>,
    interval: Option<f64>,
    writers: Option<f64>,
    heartbeats: Option<f64>,
    reason: Option<Reason>,
}

impl Published {
    fn new(metrics: &Metrics, binary: &str, host: &str) -> Self {
        // Searching the whole page for each value would be slow.
        let label = format!("host=\"{host}\"");
        let lines = metrics.0.lines().filter(|line| line.contains(&label));
        let metrics = Metrics(lines.collect::<Vec<&str>>().join("\n"));
        let value = |name| metrics.service(name, binary, host);
        let holds = |reason: &Reason| {
            let label = ("reason", reason.as_str());
            let labels = [("binary", binary), ("host", host), label];
            metrics.value("openstack_service_down_reason", &labels) == Some(1.0)
        };
        let mut reasons = Reason::ALL.into_iter().filter(holds);
        let reason = reasons.next();
        assert_eq!(reasons.next(), None, "two reasons for {host}");
        Self {
            lower: value("openstack_service_clock_skew_lower_bound_seconds"),
            upper: value("openstack_service_clock_skew_upper_bound_seconds"),
            estimate: value("openstack_service_clock_skew_seconds"),
            steps: value("openstack_service_clock_steps_total"),
            interval: value("openstack_service_report_interval_seconds"),
            writers: value("openstack_service_writers"),
            heartbeats: value("openstack_service_heartbeats_total"),
            reason,
        }
    }

    /// Returns the width of the bounds, once both are known.
    fn width(&self) -> Option<f64> {
        Some(self.upper? - self.lower?)
    }

    /// Returns whether no bound excludes a skew.
    fn admits(&self, skew: f64) -> bool {
        self.lower.is_none_or(|lower| lower <= skew) && self.upper.is_none_or(|upper| skew <= upper)
    }
}

/// Services whose clocks run on undisturbed: seconds ahead, drift in ppm, and why the service is down.
const STEADY: [(&str, i64, i32, Option<Reason>); 7] = [
    ("exact", 0, 0, None),
    ("ahead-5", 5, 0, None),
    ("ahead-40", 40, 0, None),
    ("ahead-75", 75, 0, Some(Reason::ClockSkew)),
    ("behind-40", -40, 0, None),
    ("behind-75", -75, 0, Some(Reason::ClockSkew)),
    ("drifting", 0, 500, None),
];

/// Exporters of each engine. All services of an exporter share the chance of its poll times, so that only the
/// median over this many exporters is steady.
const EXPORTERS: usize = 4;

/// From then on, every reason is known, and nearly all bounds are [`NARROW`].
const SETTLED: Duration = Duration::from_secs(90);

/// Seconds beyond the resolution of the column: 7 s on MariaDB and MySQL, 6 s elsewhere.
const NARROW: f64 = 6.0;

/// One bound in this many may be wider, if the polls of an exporter ran in step with the heartbeats.
const WIDE: usize = 20;

/// The times of the medians, and their limits: seconds beyond the resolution of the column.
const END: Duration = Duration::from_mins(5);
const MEDIAN: f64 = 2.8;

/// Cinder's default.
const SERVICE_DOWN_TIME: f64 = 60.0;

/// One database, the services that write its rows, and the exporters that read them.
struct Fleet {
    product: Product,
    database: Database,
    steady: [Writer; 7],
    /// These stop; Cinder still lists one as up, because of its clock.
    stopped: [Writer; 2],
    /// Its clock is stepped.
    set: Writer,
    /// Its row is removed.
    removed: Writer,
    /// These write one row.
    shared: [Writer; 2],
    exporters: Vec<Exporter>,
}

impl Fleet {
    fn start(product: Product) -> Self {
        let database = Database::new(product);
        let start = |host, ahead, drift_ppm, phase| {
            let clock = Clock::new(ahead, drift_ppm);
            Writer::start(&database, host, clock, Duration::from_millis(phase))
        };
        let mut phases = (0..).step_by(10_000 / 7);
        let steady =
            STEADY.map(|(host, ahead, drift, _)| start(host, ahead, drift, phases.next().unwrap()));
        let stopped = [
            start("stopped", 0, 0, 1_000),
            start("stopped-ahead", 40, 0, 4_000),
        ];
        let shared = [start("shared", 0, 0, 2_000), start("shared", 30, 0, 7_000)];
        let set = start("set", 0, 0, 6_000);
        let removed = start("removed", -20, 0, 9_000);
        let url = database.url();
        let exporter =
            || Exporter::spawn(program(&["serve"]).env("OPENSTACK_HEARTBEAT_DATABASE_URL", &url));
        let exporters: Vec<Exporter> = std::iter::repeat_with(exporter).take(EXPORTERS).collect();
        for exporter in &exporters {
            exporter.wait_for_services();
        }
        Self {
            product,
            database,
            steady,
            stopped,
            set,
            removed,
            shared,
            exporters,
        }
    }

    /// Returns the resolution of the column `updated_at` in seconds.
    fn quantum(&self) -> f64 {
        match self.product.engine() {
            Engine::MySql => 1.0,
            _ => 0.0,
        }
    }

    /// Returns the longest time that the database took to acknowledge a heartbeat. The bounds hold up to
    /// `skew.visibility-delay`.
    fn slowest(&self) -> Duration {
        let writers = self.steady.iter().chain(&self.stopped).chain(&self.shared);
        let writers = writers.chain([&self.set, &self.removed]);
        writers.map(Writer::slowest).max().unwrap()
    }

    /// Asserts the invariants.
    fn check(&self, metrics: &Metrics, elapsed: Duration) {
        let now = polled_at(metrics);
        let context = |host| {
            let (product, slowest) = (self.product, self.slowest());
            let metrics = &metrics.0;
            format!("{host} on {product:?} after {elapsed:?}, slowest write {slowest:?}\n{metrics}")
        };
        for (writer, (host, .., reason)) in zip(&self.steady, STEADY) {
            assert!(writer.is_running(), "{}", context(host));
            let published = Published::new(metrics, BINARY, host);
            assert!(published.admits(writer.skew(now)), "{}", context(host));
            assert_eq!(published.steps, Some(0.0), "{}", context(host));
            assert_eq!(published.writers, None, "{}", context(host));
            let early = elapsed < SETTLED && published.reason == Some(Reason::Undetermined);
            assert!(published.reason == reason || early, "{}", context(host));
            let bounded = published.width().is_some() && published.estimate.is_some();
            assert!(bounded || elapsed < SETTLED, "{}", context(host));
        }
        for writer in self.stopped.iter().chain([&self.removed, &self.shared[0]]) {
            let host = writer.host;
            let published = Published::new(metrics, BINARY, host);
            let age = "openstack_service_heartbeat_age_seconds";
            let age = metrics.service(age, BINARY, host);
            let silent = age.is_some_and(|age| age + writer.skew(now) > SERVICE_DOWN_TIME);
            match published.reason {
                Some(Reason::ClockSkew | Reason::SlowReports) => panic!("{}", context(host)),
                Some(Reason::Stopped) => assert!(silent, "{}", context(host)),
                _ => {}
            }
        }
    }

    /// Returns the widths of the bounds of the steady clocks, beyond the resolution of the column.
    fn widths(&self, metrics: &Metrics) -> impl Iterator<Item = f64> {
        let published = STEADY.map(|(host, ..)| Published::new(metrics, BINARY, host));
        let widths = published.map(|published| published.width().unwrap() - self.quantum());
        widths.into_iter()
    }

    /// Returns the errors of the estimates for the steady clocks.
    fn errors(&self, metrics: &Metrics) -> impl Iterator<Item = f64> {
        let now = polled_at(metrics);
        self.steady.iter().map(move |writer| {
            let published = Published::new(metrics, BINARY, writer.host);
            (published.estimate.unwrap() - writer.skew(now)).abs()
        })
    }
}

/// Returns the time of the page by the database clock.
fn polled_at(metrics: &Metrics) -> f64 {
    let time = metrics.value("openstack_heartbeat_last_poll_timestamp_seconds", &[]);
    time.unwrap()
}

/// Returns the percentile of the values.
fn quantile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

/// Fleets under observation: every scrape is checked against the invariants.
struct Watch {
    fleets: Vec<Fleet>,
    started: Instant,
    scrapes: usize,
    /// All widths of bounds from [`SETTLED`] on.
    widths: Vec<f64>,
}

impl Watch {
    fn start() -> Self {
        Self {
            fleets: Product::all().into_iter().map(Fleet::start).collect(),
            started: Instant::now(),
            scrapes: 0,
            widths: Vec::new(),
        }
    }

    /// Scrapes and checks every exporter.
    fn scrape(&mut self) -> Vec<(&Fleet, Metrics)> {
        let elapsed = self.started.elapsed();
        let pages = self.fleets.iter().flat_map(|fleet| {
            let pages = fleet.exporters.iter().map(Exporter::metrics);
            pages.map(move |metrics| (fleet, metrics))
        });
        let pages: Vec<(&Fleet, Metrics)> = pages.collect();
        for (fleet, metrics) in &pages {
            fleet.check(metrics, elapsed);
            if elapsed >= SETTLED {
                self.widths.extend(fleet.widths(metrics));
            }
        }
        self.scrapes += pages.len();
        pages
    }

    /// Watches until each exporter has met a condition.
    fn until(&mut self, what: &str, limit: Duration, met: impl Fn(&Fleet, &Metrics) -> bool) {
        let begun = Instant::now();
        let mut reached = vec![None; self.fleets.len() * EXPORTERS];
        while reached.contains(&None) {
            std::thread::sleep(Duration::from_secs(1));
            for ((fleet, metrics), reached) in zip(self.scrape(), &mut reached) {
                if reached.is_none() && met(fleet, &metrics) {
                    *reached = Some(begun.elapsed());
                }
                assert!(
                    reached.is_some() || begun.elapsed() < limit,
                    "{what}: not within {limit:?} on {:?}\n{}",
                    fleet.product,
                    metrics.0
                );
            }
        }
        let (first, last) = (reached.iter().min(), reached.iter().max());
        let [first, last] = [first, last].map(|time| time.copied().flatten().unwrap());
        eprintln!("{what}: after {first:.1?} to {last:.1?}");
    }

    /// Prints the widths of the bounds and the errors of the estimates. Returns the median width beyond the
    /// resolution of the column, first of all, then of each product.
    fn figures(&mut self) -> (f64, Vec<f64>) {
        let elapsed = self.started.elapsed();
        let pages = self.scrape();
        let of = |product: Option<Product>| {
            let chosen = |fleet: &Fleet| product.is_none_or(|product| product == fleet.product);
            let pages = || pages.iter().filter(|(fleet, _)| chosen(fleet));
            let widths = pages().flat_map(|(fleet, metrics)| fleet.widths(metrics));
            let mut widths: Vec<f64> = widths.collect();
            let errors = pages().flat_map(|(fleet, metrics)| fleet.errors(metrics));
            let mut errors: Vec<f64> = errors.collect();
            let [width, widest] = [50, 100].map(|percent| quantile(&mut widths, percent));
            let [error, worst] = [50, 100].map(|percent| quantile(&mut errors, percent));
            let quantum = pages().next().filter(|_| product.is_some());
            let quantum = quantum.map_or(0.0, |(fleet, _)| fleet.quantum());
            eprintln!(
                "after {elapsed:.0?} on {}: bounds {:.2} s wide (median), {:.2} s at most; estimates wrong by \
                 {error:.3} s (median), {worst:.3} s at most",
                product.map_or(
                    "all, the second of MariaDB and MySQL left out".to_owned(),
                    |product| format!("{product:?}")
                ),
                width + quantum,
                widest + quantum,
            );
            width
        };
        let each = Product::all().into_iter().map(|product| of(Some(product)));
        let each = each.collect();
        (of(None), each)
    }
}

/// Returns whether the clock step of the service is shown, and asserts that its skew is right from then on.
fn is_set(fleet: &Fleet, metrics: &Metrics) -> bool {
    let published = Published::new(metrics, BINARY, "set");
    if published.steps == Some(0.0) {
        return false;
    }
    let right = published.steps == Some(1.0)
        && published.reason == Some(Reason::ClockSkew)
        && published.width().is_some()
        && published.admits(75.0);
    assert!(right, "{published:?} on {:?}", fleet.product);
    true
}

/// Returns whether both stopped services are shown as stopped.
fn are_stopped(metrics: &Metrics) -> bool {
    let stopped = ["stopped", "stopped-ahead"];
    stopped
        .iter()
        .all(|host| Published::new(metrics, BINARY, host).reason == Some(Reason::Stopped))
}

/// Steps a clock, removes a row, recognises a shared row and stops services, and checks what is shown of each.
/// Returns how often each exporter took the clocks of the shared row for a clock step before it knew better.
fn disturb(watch: &mut Watch) -> Vec<Option<f64>> {
    let minute = Duration::from_mins(1);
    for fleet in &watch.fleets {
        fleet.set.set_clock(75);
    }
    watch.until("a clock is set", minute, is_set);

    for fleet in &watch.fleets {
        let (yes, now) = (fleet.database.boolean(true), fleet.database.now(0));
        let remove = format!(
            "UPDATE services SET deleted = {yes}, deleted_at = {now} WHERE host = 'removed'"
        );
        fleet.database.execute(&[&remove]);
    }
    watch.until("a new row starts over", minute, |_, metrics| {
        let published = Published::new(metrics, BINARY, "removed");
        published.heartbeats == Some(1.0)
            && published.lower.is_some()
            && published.upper.is_none()
            && published.steps == Some(0.0)
    });

    watch.until("a row has two writers", minute, |_, metrics| {
        Published::new(metrics, BINARY, "shared").writers == Some(2.0)
    });
    let pages = watch.scrape().into_iter();
    let steps = pages.map(|(_, metrics)| Published::new(&metrics, BINARY, "shared").steps);
    let steps = steps.collect();

    for fleet in &watch.fleets {
        fleet.stopped.iter().for_each(Writer::stop);
    }
    watch.until("services stopped", minute + minute, |_, metrics| {
        are_stopped(metrics)
    });
    steps
}

/// Asserts that the disturbed services are still shown correctly.
fn check_disturbed(fleet: &Fleet, metrics: &Metrics, steps: Option<f64>) {
    let on = fleet.product;
    assert!(is_set(fleet, metrics) && are_stopped(metrics), "on {on:?}");
    let removed = Published::new(metrics, BINARY, "removed");
    let known = removed.width().is_some() && removed.admits(-20.0);
    assert!(known, "{removed:?} on {on:?}");
    let shared = Published::new(metrics, BINARY, "shared");
    let known = shared.writers == Some(2.0) && shared.steps == steps && shared.width().is_none();
    assert!(known, "{shared:?} on {on:?}, after {steps:?} steps");
}

#[test]
fn published_clock_skews_are_true() {
    let mut watch = Watch::start();
    let started = watch.started;
    let minute = Duration::from_mins(1);
    watch.until("settled", SETTLED + minute, |_, _| {
        started.elapsed() >= SETTLED
    });
    watch.figures();
    let steps = disturb(&mut watch);
    watch.until("all bounds are narrow", minute, |fleet, metrics| {
        fleet.widths(metrics).all(|width| width <= NARROW)
    });
    watch.until("the end", END, |_, _| started.elapsed() >= END);

    let (all, each) = watch.figures();
    for ((fleet, metrics), steps) in zip(watch.scrape(), steps) {
        check_disturbed(fleet, &metrics, steps);
    }
    let bounds = watch.widths.len();
    let wide = watch.widths.iter().filter(|width| **width > NARROW).count();
    let slowest = watch.fleets.iter().map(Fleet::slowest).max();
    eprintln!(
        "{} scrapes of {} steady clocks without a miss; {wide} of {bounds} bounds were wide; slowest write {:.1?}",
        watch.scrapes,
        STEADY.len(),
        slowest.unwrap()
    );
    assert!(wide * WIDE <= bounds, "{wide} of {bounds}");
    assert!(all <= MEDIAN, "{all}");
    // A quarter of the exporters depends more on chance.
    let luck = 0.4;
    assert!(
        each.iter().all(|median| *median <= MEDIAN + luck),
        "{each:?}"
    );
}

/// A scheduler that is stopped, continued, disabled and removed.
fn a_scheduler_is_told_from_its_clock(product: Product) {
    let database = Database::new(product);
    let cinder = Cinder::start(&database, "service_down_time = 6\nreport_interval = 2");
    let file = cinder.config_file();
    let exporter = Exporter::start(&database.url(), &[&project(&file)]);
    let scheduler = cinder.scheduler("controller");
    let published = |metrics: &Metrics| Published::new(metrics, SCHEDULER, "controller");
    let beats = |metrics: &Metrics| published(metrics).heartbeats;
    let up = |metrics: &Metrics| {
        let up = metrics.service("openstack_service_up", SCHEDULER, "controller");
        up == Some(1.0) && published(metrics).reason.is_none()
    };
    let wait = |what: &str, condition: &dyn Fn(&Metrics) -> bool| {
        let begun = Instant::now();
        let mut metrics = exporter.metrics();
        wait_for(
            what,
            Duration::from_mins(1),
            || {
                metrics = exporter.metrics();
                condition(&metrics)
            },
            || format!("{}\n{}", scheduler.log(), exporter.metrics().0),
        );
        eprintln!("on {product:?}: {what}, after {:.1?}", begun.elapsed());
        metrics
    };
    // Its clock is the clock of this machine and of the database.
    let check = |metrics: &Metrics| {
        let published = published(metrics);
        assert!(
            published.admits(0.0) && published.steps == Some(0.0),
            "{published:?}"
        );
    };

    let before = wait("the clock is known", &|metrics| {
        up(metrics) && beats(metrics) >= Some(5.0) && published(metrics).width().is_some()
    });
    check(&before);

    let begun = Instant::now();
    cinder.disable("controller");
    wait("it is disabled", &|metrics| {
        metrics.service("openstack_service_enabled", SCHEDULER, "controller") == Some(0.0)
    });
    wait("it beats on", &|metrics| {
        check(metrics);
        assert!(published(metrics).interval.is_some(), "forgotten");
        beats(metrics) >= beats(&before).map(|beats| beats + 3.0)
    });
    let after = exporter.metrics();
    let [narrow, wide] = [&before, &after].map(|metrics| published(metrics).width().unwrap());
    // 500 ppm to both sides. The bounds include the duration of the two reads, and a heartbeat may be late.
    let aged = begun.elapsed().as_secs_f64() * 2.0 * 500e-6;
    assert!(wide <= narrow + aged + 0.25, "{narrow} s and then {wide} s");

    // Right after a heartbeat, it stops outside a transaction.
    let before = beats(&exporter.metrics());
    wait("a heartbeat", &|metrics| beats(metrics) > before);
    scheduler.signal("STOP");
    wait("it stopped", &|metrics| {
        published(metrics).reason == Some(Reason::Stopped)
    });
    scheduler.signal("CONT");
    let metrics = wait("it goes on", &|metrics| up(metrics));
    check(&metrics);

    // More than a new row can have when it is first read.
    wait("it beats on", &|metrics| beats(metrics) >= Some(12.0));
    let metrics = std::thread::scope(|scope| {
        // It may end late, after the first heartbeat of the new row.
        scope.spawn(|| cinder.manage(&[], &["service", "remove", SCHEDULER, "controller"]));
        wait("a new row starts over", &|metrics| {
            let published = published(metrics);
            published.heartbeats.is_some_and(|beats| beats < 5.0)
                && published.lower.is_some()
                && published.upper.is_none()
        })
    });
    check(&metrics);
    let metrics = wait("its clock is known again", &|metrics| {
        published(metrics).width().is_some()
    });
    check(&metrics);
}

#[test]
fn a_stopped_scheduler_is_distinguished_from_a_skewed_clock_on_mariadb() {
    a_scheduler_is_told_from_its_clock(Product::MariaDb);
}

#[test]
fn a_stopped_scheduler_is_distinguished_from_a_skewed_clock_on_postgresql() {
    a_scheduler_is_told_from_its_clock(Product::Postgres);
}

#[test]
fn a_stopped_scheduler_is_distinguished_from_a_skewed_clock_on_mysql() {
    if Product::servers().contains(&Product::MySql) {
        a_scheduler_is_told_from_its_clock(Product::MySql);
    }
}
