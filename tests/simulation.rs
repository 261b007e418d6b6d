//! Hosts with clocks of known error, read as the exporter reads them: the published bounds must always hold.
//!
//! Every run is determined by its seed. `cargo test --release --test simulation -- --nocapture` prints the figures, and
//! with `HEARTBEAT_TEST_TIMES=9` those of nine times as many runs.

#![expect(clippy::print_stdout, reason = "the figures are the output")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "all numbers are far below 2^53"
)]

#[path = "simulation/bus.rs"]
mod bus;
#[path = "simulation/clock.rs"]
mod clock;
#[path = "simulation/disturbed.rs"]
mod disturbed;
#[path = "simulation/projects.rs"]
mod projects;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/servers.rs"]
mod servers;
#[path = "simulation/shared.rs"]
mod shared;
#[path = "simulation/world.rs"]
mod world;

use clock::{Disturbances, UNDISTURBED};
use std::env;

use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::heartbeat::skew::Quantum;
use random::Random;
use world::{DOWN, HEALTHY, Moment, Process, READER, Reader, simulate};

/// The resolution of a stamp in the two usual databases.
const COLUMNS: [(&str, Quantum); 2] = [
    ("MariaDB", Quantum::TRUNCATED),
    ("PostgreSQL", Quantum::MICROSECOND),
];

/// Whether rows count heartbeats, or only show the stamp of the last one.
const KINDS: [(&str, bool); 2] = [("counted", true), ("stamps alone", false)];

/// Returns how many times as many runs there are as usual: `HEARTBEAT_TEST_TIMES`, or 1.
fn times() -> u64 {
    env::var("HEARTBEAT_TEST_TIMES").map_or(1, |times| times.parse().expect("a whole number"))
}

/// Returns the value below which this share of all lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

#[test]
fn the_truth_is_always_within_the_bounds() {
    for (kind, counted) in KINDS {
        check_coverage(kind, counted);
    }
}

fn check_coverage(kind: &str, counted: bool) {
    let (mut reads, mut misses, mut withdrawn) = (0, 0, 0);
    for seed in 0..1_600 * times() {
        let mut random = Random(seed ^ 0x00C0_FFEE);
        let intervals = if counted {
            [10.0, 10.0, 5.0, 30.0]
        } else {
            [10.0, 10.0, 60.0, 2.0]
        };
        let interval = random.choice(&intervals);
        let poll = random.choice(&[5.0, 5.0, 5.0, 2.0, 10.0, 15.0]);
        let process = Process {
            ahead: random.choice(&[0.0, 0.4, -3.0, 75.0, -75.0, 5_000.0]),
            max_drift: random.choice(&[0.0, 20e-6, 499e-6, 999e-6]),
            interval,
            late: 0.03,
            lost: 0.02,
            delayed: random.choice(&[0.01, 0.2, 1.0]),
            longest_delay: 2.0,
            walk: if counted { 0.0 } else { 0.005 },
            ..HEALTHY
        };
        let column = random.choice(&[
            Quantum::TRUNCATED,
            Quantum::MICROSECOND,
            Quantum::ROUNDED,
            Quantum::UNKNOWN,
        ]);
        let reader = Reader {
            poll,
            column,
            counted,
            report_interval: random.choice(&[interval, 10.0]),
            ..READER
        };
        reads += simulate(seed, &[process], &reader, |moment| {
            misses += usize::from(moment.misses(moment.truth));
            withdrawn += usize::from(moment.published.is_none());
            assert_eq!(moment.observed.writers, None, "seed {seed}");
        });
    }
    println!("coverage, {kind}: {misses} misses in {reads} reads, {withdrawn} of them withdrawn");
    assert!(reads > 1_000_000);
    assert_eq!(misses, 0);
}

#[test]
fn the_truth_is_within_the_bounds_from_the_first_heartbeat_shown_after_a_step() {
    for (kind, counted) in KINDS {
        let reader = Reader { counted, ..READER };
        check_steps(kind, &HEALTHY, &reader);
    }
    for kind in projects::kinds() {
        // Between rare polls, a clock can be set back by as much as it advanced, so that the stamp seems unchanged.
        if kind.reader.poll < kind.process.interval {
            check_steps(kind.name, &kind.process, &kind.reader);
        }
    }
}

fn check_steps(kind: &str, process: &Process, reader: &Reader) {
    let (mut reads, mut judged, mut misses) = (0, 0, 0);
    let (interval, until) = (process.interval, 360.0 * process.interval);
    for seed in 0..(6_000.0 / interval) as u64 {
        let mut random = Random(seed ^ 0x0057_EB50);
        let mut steps = Vec::new();
        let mut time = 60.0;
        while time < until {
            // Equal steps in two successive intervals look like another interval.
            time += random.between(5.0, 30.0) * interval;
            let size = random.between(0.0, 6.5).exp() * 5.0;
            // Whole intervals look like heartbeats that were lost.
            let size = random.choice(&[size, (size / interval).ceil() * interval]);
            steps.push((time, size * random.choice(&[-1.0, 1.0])));
        }
        let process = Process {
            disturbances: Disturbances {
                steps: steps.clone(),
                ..UNDISTURBED
            },
            max_drift: 100e-6,
            ..process.clone()
        };
        let reader = Reader {
            column: COLUMNS[seed as usize % 2].1,
            until,
            ..reader.clone()
        };
        reads += simulate(seed, &[process], &reader, |moment| {
            let last = steps.iter().rev().find(|step| step.0 <= moment.time);
            let shown = last.is_none_or(|step| step.0 <= moment.stamped);
            if shown && moment.heartbeats >= 4 {
                judged += 1;
                misses += usize::from(moment.misses(moment.truth));
            }
            assert_eq!(moment.observed.writers, None, "seed {seed}");
        });
    }
    println!(
        "coverage with steps of 5 s and more, {kind}: {misses} misses in {judged} of {reads} reads"
    );
    assert_eq!(misses, 0);
}

#[test]
fn the_bounds_narrow_and_the_estimate_is_close() {
    for (name, column) in COLUMNS {
        for (visibility_delay, widest) in [(2.0, [3.6, 2.7]), (0.25, [1.9, 0.9])] {
            let (mut widths, mut errors) = ([vec![], vec![], vec![]], vec![]);
            let mut later = vec![];
            for seed in 0..200 {
                let ahead = Random(seed ^ 0x00AB_CDEF).between(-5.0, 5.0);
                let reader = Reader {
                    column,
                    visibility_delay,
                    ..READER
                };
                let process = Process { ahead, ..HEALTHY };
                let mut last = 0.0;
                simulate(seed, &[process], &reader, |moment| {
                    let passes = |at: f64| last < at && at <= moment.time;
                    for (at, widths) in [60.0, 300.0, 3_590.0].into_iter().zip(&mut widths) {
                        widths.extend(moment.width().filter(|_| passes(at)));
                    }
                    later.extend(moment.width().filter(|_| moment.time > 600.0));
                    errors.extend(moment.error().filter(|_| passes(600.0)));
                    last = moment.time;
                });
            }
            let medians = widths.map(|mut widths| quantile(&mut widths, 0.5));
            let width = quantile(&mut later, 0.5);
            let error = quantile(&mut errors, 0.5);
            println!(
                "{name}, visibility delay {visibility_delay} s: width {:.2} s after 1 min, {:.2} s after 5 min, \
                 {:.2} s after 60 min, {width:.2} s from 10 to 60 min; error of the estimate after 10 min {error:.3} s \
                 (p95 {:.3} s)",
                medians[0],
                medians[1],
                medians[2],
                quantile(&mut errors, 0.95),
            );
            let column = usize::from(name == "PostgreSQL");
            assert!(width <= widest[column], "{name}: {width} s");
            assert!(error <= [0.35, 0.1][column], "{name}: {error}");
        }
    }
}

#[test]
fn a_clock_set_by_75_seconds_is_shown_in_time() {
    for (name, column) in COLUMNS {
        let mut delays = Vec::new();
        for seed in 0..1_000 {
            let step = Random(seed ^ 0x0001_2345).between(300.0, 320.0);
            let by = if seed % 2 == 0 { 75.0 } else { -75.0 };
            let process = Process {
                disturbances: Disturbances {
                    steps: vec![(step, by)],
                    ..UNDISTURBED
                },
                ..HEALTHY
            };
            let reader = Reader {
                column,
                until: 400.0,
                ..READER
            };
            let mut shown = None;
            simulate(seed, &[process], &reader, |moment| {
                let proven = moment.time > step
                    && moment.misses(moment.truth - by)
                    && !moment.misses(moment.truth);
                if proven && shown.is_none() {
                    shown = Some(moment.time - step);
                }
            });
            delays.extend(shown);
        }
        let (median, p95, last) = (
            quantile(&mut delays, 0.5),
            quantile(&mut delays, 0.95),
            quantile(&mut delays, 1.0),
        );
        println!(
            "{name}: a step of 75 s is proven after {median:.1} s (p95 {p95:.1} s, at most {last:.1} s)"
        );
        assert_eq!(delays.len(), 1_000);
        assert!(last <= 10.0 + 1.17 * 5.0 + 2.0);
    }
}

/// The behaviour of a service, and the intervals that Cinder's rules use for it.
struct Scenario {
    name: &'static str,
    process: Process,
    /// Whether the clock is the fault while the process runs.
    skewed: bool,
}

fn scenarios() -> Vec<Scenario> {
    let never = f64::INFINITY;
    let case = |name, skewed, process| Scenario {
        name,
        process,
        skewed,
    };
    let ahead = |ahead| Process { ahead, ..HEALTHY };
    let set = |by| Process {
        disturbances: Disturbances {
            steps: vec![(900.0, by)],
            ..UNDISTURBED
        },
        ..HEALTHY
    };
    let gone = |ahead, from, until| Process {
        ahead,
        gone: vec![(from, until)],
        ..HEALTHY
    };
    let slow = |ahead| Process {
        ahead,
        interval: 90.0,
        ..HEALTHY
    };
    vec![
        case("healthy", false, HEALTHY),
        case("40 s behind", false, ahead(-40.0)),
        case("75 s behind", true, ahead(-75.0)),
        case("75 s ahead", true, ahead(75.0)),
        case("65 s ahead (alternates)", true, ahead(65.0)),
        case("55 s behind (alternates)", true, ahead(-55.0)),
        case("set 75 s ahead while running", true, set(75.0)),
        case("set 75 s behind while running", true, set(-75.0)),
        case("stopped", false, gone(0.0, 900.0, never)),
        case(
            "stopped before the first read",
            false,
            gone(0.0, -8.0, never),
        ),
        case("stopped, 40 s ahead", false, gone(40.0, 900.0, never)),
        case("stopped, 40 s behind", false, gone(-40.0, 900.0, never)),
        case("stopped, 200 s ahead", false, gone(200.0, 900.0, never)),
        case("stopped, 1 h ahead", false, gone(3600.0, 900.0, never)),
        case("interval 90 s", false, slow(0.0)),
        case("interval 90 s and 75 s behind", false, slow(-75.0)),
        case(
            "down for two minutes and back",
            false,
            gone(0.0, 900.0, 1020.0),
        ),
    ]
}

/// Returns whether the published reason is the true one.
fn is_right(moment: &Moment, process: &Process) -> bool {
    let stopped = process
        .gone
        .iter()
        .any(|gone| gone.0 <= moment.time && moment.time < gone.1);
    let limit = moment.limit;
    let slow = process.interval > limit;
    let silent = moment.silence > limit;
    match moment.reason {
        None => moment.up || moment.listed.is_none(),
        Some(Reason::Stopped) => silent && (stopped || !slow),
        Some(Reason::ClockSkew) => {
            !moment.up && (moment.truth > limit || !silent && moment.truth < -1.0)
        }
        Some(Reason::SlowReports) => !moment.up && slow && silent && !stopped,
        Some(Reason::Undetermined) => !moment.up,
        // Every process has reported, and nothing else says that it is down.
        Some(_) => false,
    }
}

#[test]
fn the_reason_is_never_wrong() {
    for (kind, counted) in KINDS {
        check_reasons(kind, counted);
    }
}

fn check_reasons(kind: &str, counted: bool) {
    for (column_name, column) in COLUMNS {
        for Scenario {
            name,
            process,
            skewed,
        } in scenarios()
        {
            let slow = process.interval > DOWN;
            let (mut reads, mut down, mut undetermined, mut wrong) = (0, 0, 0, 0);
            let mut stopped_after = Vec::new();
            for seed in 0..30 {
                let reader = Reader {
                    column,
                    report_interval: process.interval,
                    counted,
                    until: 1_800.0,
                    ..READER
                };
                let mut noticed = false;
                reads += simulate(seed, std::slice::from_ref(&process), &reader, |moment| {
                    wrong += usize::from(!is_right(moment, &process));
                    down += usize::from(!moment.up);
                    undetermined += usize::from(moment.reason == Some(Reason::Undetermined));
                    if moment.reason == Some(Reason::Stopped) && !noticed {
                        noticed = true;
                        stopped_after.push(moment.silence);
                    }
                    assert_eq!(moment.observed.writers, None);
                });
                // If our configuration has another interval, the interval of the service must be observed first.
                let reader = Reader {
                    report_interval: 10.0,
                    ..reader
                };
                simulate(seed, std::slice::from_ref(&process), &reader, |moment| {
                    let known = !slow || moment.observed.report_interval.is_some();
                    wrong += usize::from(known && !is_right(moment, &process));
                });
            }
            let share = 100.0 * undetermined as f64 / (down as f64).max(1.0);
            let mut line = format!("{kind}, {column_name}, {name}: {wrong} wrong in {reads} reads");
            if down > 0 {
                line = format!("{line}, undetermined {share:.2} % of the time down");
            }
            if !stopped_after.is_empty() {
                let median = quantile(&mut stopped_after, 0.5);
                line = format!("{line}, stopped known {median:.1} s after the last heartbeat");
            }
            println!("{line}");
            assert_eq!(wrong, 0, "{kind}, {column_name}, {name}");
            if skewed {
                assert!(share <= 2.5, "{kind}, {column_name}, {name}: {share} %");
            }
        }
    }
}

/// Every way in which one process can look like several.
fn single_writers() -> Vec<(&'static str, Process)> {
    let often = Process {
        interval: 5.0,
        ..HEALTHY
    };
    let irregular = Process {
        late: 0.1,
        lost: 0.05,
        delayed: 0.3,
        longest_delay: 2.0,
        ..HEALTHY
    };
    let every = |interval, process: &Process| Process {
        interval,
        ..process.clone()
    };
    let jittery = |jitter, process: &Process| Process {
        jitter,
        ..process.clone()
    };
    let delayed = |task, process: &Process| Process {
        task,
        ..process.clone()
    };
    let gone = |gone, process: &Process| Process {
        gone,
        ..process.clone()
    };
    let restarts = |every: f64| {
        let times = (1..40_i32).map(|turn| f64::from(turn) * every);
        times.map(|time| (time, time + 3.0)).collect()
    };
    let pauses = vec![(300.0, 320.0), (340.0, 430.0), (500.0, 525.0)];
    let to_and_fro = |by: f64, process: &Process| Process {
        disturbances: Disturbances {
            steps: (1..30_i32)
                .map(|turn| (f64::from(turn) * 60.0, by * f64::from(1 - turn % 2 * 2)))
                .collect(),
            ..UNDISTURBED
        },
        ..process.clone()
    };
    vec![
        ("healthy", HEALTHY),
        ("irregular", irregular.clone()),
        ("every 5 s instead of 10", often.clone()),
        ("every 5 s, irregular", every(5.0, &irregular)),
        ("every 5 s, jitter 0.5 s", jittery(0.5, &often)),
        ("every 3.3 s", every(3.3, &HEALTHY)),
        ("jitter 1 s", jittery(1.0, &HEALTHY)),
        ("every second one delayed", delayed(2, &HEALTHY)),
        ("every sixth one delayed", delayed(6, &HEALTHY)),
        (
            "every 30 s, every second delayed",
            every(30.0, &delayed(2, &HEALTHY)),
        ),
        ("every 5 s, every twelfth delayed", delayed(12, &often)),
        ("restarted every 40 s", gone(restarts(40.0), &HEALTHY)),
        (
            "every 5 s, restarted every 67 s",
            gone(restarts(67.0), &often),
        ),
        ("set to and fro", to_and_fro(75.0, &HEALTHY)),
        ("every 5 s, set to and fro by 5 s", to_and_fro(5.0, &often)),
        ("paused", gone(pauses, &HEALTHY)),
    ]
}

#[test]
fn one_writer_is_never_taken_for_several() {
    let mut reads = 0;
    for (name, process) in single_writers() {
        for seed in 0..40 {
            for poll in [1.0, 5.0, 15.0] {
                let (_, column) = COLUMNS[usize::from(seed % 2 == 0)];
                let reader = Reader {
                    poll,
                    column,
                    until: 1_800.0,
                    ..READER
                };
                reads += simulate(seed, std::slice::from_ref(&process), &reader, |moment| {
                    assert_eq!(moment.observed.writers, None, "{name}, seed {seed}");
                });
            }
        }
    }
    println!("one writer taken for several: never in {reads} reads");
}

/// The observations of a row with several writers over an hour.
#[derive(Default)]
struct Sharing {
    known_after: Option<f64>,
    wrong_numbers: usize,
    steps: u64,
    steps_once_known: u64,
}

fn share(seed: u64, number: u32, apart: f64, column: Quantum) -> Sharing {
    let processes: Vec<Process> = (0..number)
        .map(|turn| Process {
            ahead: f64::from(turn) * apart,
            ..HEALTHY
        })
        .collect();
    let mut sharing = Sharing::default();
    let mut steps_when_known = 0;
    simulate(seed, &processes, &Reader { column, ..READER }, |moment| {
        sharing.steps = moment.observed.clock_steps.unwrap_or_default();
        let Some(writers) = moment.observed.writers else {
            return;
        };
        if sharing.known_after.is_none() {
            sharing.known_after = Some(moment.time);
            steps_when_known = sharing.steps;
        }
        sharing.wrong_numbers += usize::from(writers != number);
        sharing.steps_once_known = sharing.steps - steps_when_known;
    });
    sharing
}

#[test]
fn several_writers_are_counted_and_not_taken_for_a_clock_step() {
    const RUNS: u64 = 200;
    for (name, column) in COLUMNS {
        for (number, apart) in [
            (2, 0.0),
            (2, 5.0),
            (2, 75.0),
            (3, 5.0),
            (3, 40.0),
            (4, 75.0),
        ] {
            let runs: Vec<Sharing> = (0..RUNS)
                .map(|seed| share(seed, number, apart, column))
                .collect();
            let mut known: Vec<f64> = runs.iter().filter_map(|run| run.known_after).collect();
            let mut steps: Vec<f64> = runs.iter().map(|run| run.steps as f64).collect();
            let later: u64 = runs.iter().map(|run| run.steps_once_known).sum();
            println!(
                "{name}, {number} writers {apart} s apart: known in {} of {RUNS} runs, after {:.0} s (p95 {:.0} s); \
                 steps in an hour: {:.0} (p95 {:.0}), once known {later} in all runs",
                known.len(),
                quantile(&mut known, 0.5),
                quantile(&mut known, 0.95),
                quantile(&mut steps, 0.5),
                quantile(&mut steps, 0.95),
            );
            // Writers with evenly spaced stamps look like one.
            assert!(known.len() as u64 >= RUNS * 3 / 4);
            assert_eq!(runs.iter().map(|run| run.wrong_numbers).sum::<usize>(), 0);
            assert!(quantile(&mut steps, 0.95) <= 15.0 && later == 0);
        }
    }
}

/// The clouds in which others stamp the row of a service too.
fn shared_clouds() -> Vec<(&'static str, shared::Cloud)> {
    use shared::{Cloud, QUIET};
    let off = |service, scheduler, api| Cloud {
        service,
        scheduler,
        api,
        ..QUIET
    };
    let gone = |until, says_goodbye| Cloud {
        gone: Some((900.0, until)),
        says_goodbye,
        ..QUIET
    };
    vec![
        ("all clocks right", QUIET),
        ("service 75 s ahead", off(75.0, 0.0, 0.0)),
        ("service 75 s behind", off(-75.0, 0.0, 0.0)),
        ("service 40 s behind", off(-40.0, 0.0, 0.0)),
        ("scheduler 75 s ahead", off(0.0, 75.0, 0.0)),
        ("scheduler 75 s behind", off(0.0, -75.0, 0.0)),
        ("both 75 s off", off(75.0, -75.0, 0.0)),
        (
            "toggled by an API 300 s ahead",
            Cloud {
                toggled: 0.05,
                ..off(0.0, 0.0, 300.0)
            },
        ),
        (
            "old release, toggled by an API 300 s behind",
            Cloud {
                toggled: 0.05,
                stores_state: false,
                ..off(0.0, 0.0, -300.0)
            },
        ),
        ("killed", gone(1e9, false)),
        (
            "killed, with a scheduler 75 s ahead",
            Cloud {
                scheduler: 75.0,
                ..gone(1e9, false)
            },
        ),
        ("killed and started after 3 s", gone(903.0, false)),
        ("killed and started after 5 min", gone(1_200.0, false)),
        (
            "toggled by an API 300 s ahead, read from a replica that lags",
            Cloud {
                toggled: 0.05,
                lag: 1.5,
                ..off(0.0, 0.0, 300.0)
            },
        ),
        (
            "toggled by an API 300 s ahead, restored from a backup",
            Cloud {
                toggled: 0.05,
                restored: Some((900.0, 600.0)),
                ..off(0.0, 0.0, 300.0)
            },
        ),
        ("shut down", gone(1e9, true)),
        ("shut down and started after 5 min", gone(1_200.0, true)),
    ]
}

#[test]
fn stamps_of_others_prove_nothing_about_a_host() {
    for (name, cloud) in shared_clouds() {
        let (mut reads, mut known, mut misses, mut wrong) = (0, 0, 0, 0);
        let (mut gone, mut undetermined) = (0, 0);
        for seed in 0..40 * times() {
            reads += shared::simulate(seed, &cloud, |moment| {
                known += usize::from(moment.status.observed.clock_skew.is_some());
                misses += usize::from(moment.misses());
                if !moment.is_right() && wrong < 3 {
                    println!(
                        "{name}, seed {seed}: {:?} {:?} silent {:.1} state {}",
                        moment.status.up,
                        moment.status.observed.reason,
                        moment.silence,
                        moment.state
                    );
                }
                wrong += usize::from(!moment.is_right());
                let reason = moment.status.observed.reason;
                gone += usize::from(matches!(reason, Some(Reason::Stopped | Reason::ShutDown)));
                undetermined += usize::from(reason == Some(Reason::Undetermined));
            });
        }
        println!(
            "{name}: {misses} misses, {wrong} wrong reasons, skew known in {known} of {reads} reads"
        );
        assert_eq!((misses, wrong), (0, 0), "{name}");
        assert!(known * 2 > reads || cloud.gone.is_some(), "{name}: {known}");
        assert_eq!(
            gone > 0,
            cloud.gone.is_some_and(|it| it.1 > 1_000.0),
            "{name}"
        );
        // A stamp of the API counts until the next heartbeat.
        let few = undetermined * 20 < reads || cloud.toggled > 0.0;
        assert!(few, "{name}: {undetermined}");
    }
}
