//! Worlds in which something happens that the estimator cannot see, or sees late: how long it is wrong.

use openstack_heartbeat_exporter::heartbeat::skew::Quantum;

use super::clock::{Disturbances, UNDISTURBED};
use super::random::Random;
use super::world::{DOWN, HEALTHY, HOUR, Interruption, Process, READER, Reader, simulate};
use super::{COLUMNS, KINDS, is_right, quantile, times};

/// Number of simulated runs of each world and column.
const RUNS: u64 = 40;
/// For how many report intervals a heartbeat counts.
const REMEMBERED: f64 = 30.0;

/// A process, its reader, and when the estimator may be wrong.
struct Run {
    process: Process,
    reader: Reader,
    /// Start and end of the disturbances.
    disturbed: Vec<(f64, f64)>,
}

struct World {
    name: &'static str,
    /// For how long after a disturbance bounds and verdicts may be wrong.
    allowed: f64,
    /// For how long after a disturbance reasons may be wrong.
    reasons_allowed: f64,
    run: fn(&mut Random, Reader) -> Run,
}

/// A world in which nothing may ever be wrong.
const SOUND: World = World {
    name: "",
    allowed: 0.0,
    reasons_allowed: 0.0,
    run: |_, _| unreachable!("each world has its own"),
};

/// How often the published values were wrong.
#[derive(Default)]
struct Errors {
    reads: usize,
    /// The widths of the bounds, where there are two, from the tenth minute on.
    widths: Vec<f64>,
    /// Reads with bounds on both sides.
    bounded: usize,
    /// Errors within the allowed time.
    allowed: usize,
    /// The longest time after a disturbance.
    longest: f64,
    misses: usize,
    reasons: usize,
    verdicts: usize,
}

fn run(world: &World, column: Quantum, counted: bool) -> Errors {
    let mut errors = Errors::default();
    for seed in 0..RUNS * times() {
        let mut random = Random(seed ^ 0x00D1_5EA5);
        let reader = Reader {
            column,
            counted,
            ..READER
        };
        let Run {
            process,
            reader,
            disturbed,
        } = (world.run)(&mut random, reader);
        let reads = simulate(seed, std::slice::from_ref(&process), &reader, |moment| {
            errors.bounded += usize::from(moment.width().is_some());
            let settled = moment.width().filter(|_| moment.time > 600.0);
            errors.widths.extend(settled);
            let miss = moment.misses(moment.truth);
            let reason = !is_right(moment, &process);
            let verdict = moment
                .listed
                .is_some_and(|listed| listed != moment.listed_in_table);
            let last = disturbed.iter().rev().find(|from| from.0 <= moment.time);
            let since = last.map_or(f64::INFINITY, |last| moment.time - last.1);
            for (is_wrong, allowed, count) in [
                (miss, world.allowed, &mut errors.misses),
                (verdict, world.allowed, &mut errors.verdicts),
                (reason, world.reasons_allowed, &mut errors.reasons),
            ] {
                if is_wrong && since <= allowed {
                    errors.allowed += 1;
                    errors.longest = errors.longest.max(since);
                } else {
                    *count += usize::from(is_wrong);
                }
            }
        });
        errors.reads += reads;
    }
    errors
}

/// Moments a quarter of an hour apart, on average.
fn moments(random: &mut Random) -> Vec<f64> {
    let mut times = Vec::new();
    let mut time = random.between(100.0, 400.0);
    while time < HOUR {
        times.push(time);
        time += random.between(600.0, 1200.0);
    }
    times
}

/// The exporter does not run for 1 s to 1 h. In half of the runs the service stops meanwhile.
fn interrupted(random: &mut Random, reader: Reader, axis_stands: bool, within_read: bool) -> Run {
    let mut interruptions = Vec::new();
    let mut gone = Vec::new();
    let mut time = 0.0;
    for pause in 0..3 {
        time += random.between(60.0, 400.0);
        let length = random.between(0.0, HOUR.ln()).exp();
        interruptions.push(Interruption {
            at: time,
            length,
            axis_stands,
            within_read,
        });
        if pause == 2 && random.chance(0.5) {
            gone.push((time + random.between(-30.0, length), f64::INFINITY));
        }
        time += length;
    }
    let process = Process {
        delayed: 0.2,
        longest_delay: 2.0,
        gone,
        ..HEALTHY
    };
    Run {
        process,
        reader: Reader {
            interruptions,
            until: time + 900.0,
            ..reader
        },
        disturbed: vec![],
    }
}

fn paused(random: &mut Random, reader: Reader) -> Run {
    let pauses: Vec<(f64, f64)> = moments(random)
        .into_iter()
        .map(|time| (time, time + random.between(0.5, 5.0)))
        .collect();
    Run {
        process: Process {
            disturbances: Disturbances {
                pauses: pauses.clone(),
                ..UNDISTURBED
            },
            ..HEALTHY
        },
        reader,
        disturbed: pauses,
    }
}

/// Slewed as chrony does by default, by so many seconds.
fn slewed(random: &mut Random, reader: Reader, by: f64) -> Run {
    const RATE: f64 = 0.083_333;
    let slews: Vec<(f64, f64, f64)> = moments(random)
        .into_iter()
        .map(|time| {
            let rate = RATE * random.choice(&[-1.0, 1.0]);
            (time, time + by / RATE, rate)
        })
        .collect();
    Run {
        disturbed: slews.iter().map(|slew| (slew.0, slew.1)).collect(),
        process: Process {
            disturbances: Disturbances {
                slews,
                ..UNDISTURBED
            },
            ..HEALTHY
        },
        reader,
    }
}

fn late(interval: f64, poll: f64, chance: f64, reader: Reader) -> Run {
    Run {
        process: Process {
            interval,
            jitter: 0.0,
            late: chance,
            delayed: 0.1,
            longest_delay: 2.0,
            ..HEALTHY
        },
        reader: Reader {
            poll,
            report_interval: interval,
            ..reader
        },
        disturbed: vec![],
    }
}

const WORLDS: [World; 17] = [
    World {
        name: "exporter suspended for 1 s to 1 h",
        run: |random, reader| interrupted(random, reader, true, false),
        ..SOUND
    },
    World {
        name: "exporter suspended within a read",
        run: |random, reader| interrupted(random, reader, true, true),
        ..SOUND
    },
    World {
        name: "exporter frozen for 1 s to 1 h",
        run: |random, reader| interrupted(random, reader, false, false),
        ..SOUND
    },
    World {
        name: "exporter frozen within a read",
        run: |random, reader| interrupted(random, reader, false, true),
        ..SOUND
    },
    World {
        name: "exporter 200 ppm fast, host 480 ppm slow",
        run: |_, reader| Run {
            process: Process {
                disturbances: Disturbances {
                    slews: vec![(-100.0, f64::INFINITY, -480e-6)],
                    ..UNDISTURBED
                },
                delayed: 0.2,
                longest_delay: 2.0,
                ..HEALTHY
            },
            reader: Reader {
                drift: 200e-6,
                ..reader
            },
            disturbed: vec![],
        },
        ..SOUND
    },
    World {
        name: "host paused for 0.5 to 5 s",
        allowed: REMEMBERED * 10.0,
        run: paused,
        ..SOUND
    },
    World {
        name: "host slewed by 2 s",
        allowed: REMEMBERED * 10.0,
        run: |random, reader| slewed(random, reader, 2.0),
        ..SOUND
    },
    World {
        name: "host slewed by 30 s",
        allowed: REMEMBERED * 10.0,
        run: |random, reader| slewed(random, reader, 30.0),
        ..SOUND
    },
    World {
        name: "late heartbeats, P 15, R 10",
        run: |_, reader| late(10.0, 15.0, 0.03, reader),
        ..SOUND
    },
    World {
        name: "late heartbeats, P 5, R 1",
        run: |_, reader| late(1.0, 5.0, 0.03, reader),
        ..SOUND
    },
    World {
        name: "late heartbeats, P 60, R 10",
        run: |_, reader| late(10.0, 60.0, 0.03, reader),
        ..SOUND
    },
    World {
        name: "reads of 70 s",
        run: |_, reader| Run {
            process: HEALTHY,
            reader: Reader {
                slow: (0.02, 70.0),
                ..reader
            },
            disturbed: vec![],
        },
        ..SOUND
    },
    World {
        name: "three servers, 0.9 s apart",
        run: |_, reader| Run {
            process: Process {
                delayed: 0.2,
                longest_delay: 2.0,
                ..HEALTHY
            },
            reader: Reader {
                servers: vec![0.0, 0.9, -0.9],
                ..reader
            },
            disturbed: vec![],
        },
        ..SOUND
    },
    World {
        name: "three servers, exporter suspended",
        run: |random, reader| {
            let servers = vec![0.0, 0.9, -0.9];
            interrupted(random, Reader { servers, ..reader }, true, false)
        },
        ..SOUND
    },
    World {
        name: "replica behind by up to 20 s, D 22",
        run: |_, reader| Run {
            process: HEALTHY,
            reader: Reader {
                servers: vec![0.0, 0.0, 0.0],
                lags: vec![0.0, 5.0, 20.0],
                visibility_delay: 22.0,
                ..reader
            },
            disturbed: vec![],
        },
        ..SOUND
    },
    World {
        name: "table restored from a backup",
        allowed: 2.0 + DOWN + 20.0,
        reasons_allowed: 2.0 + DOWN + 20.0,
        run: |random, reader| {
            let at = random.between(300.0, 1200.0);
            Run {
                process: HEALTHY,
                reader: Reader {
                    restored: Some((at, random.between(20.0, 1200.0))),
                    ..reader
                },
                disturbed: vec![(at, at)],
            }
        },
    },
    World {
        name: "restored while set right by 1 h",
        allowed: 2.0 + DOWN + 20.0,
        reasons_allowed: 2.0 + DOWN + 20.0,
        run: |random, reader| {
            let at = random.between(300.0, 1200.0);
            Run {
                process: Process {
                    ahead: HOUR,
                    disturbances: Disturbances {
                        steps: vec![(at, -HOUR)],
                        ..UNDISTURBED
                    },
                    ..HEALTHY
                },
                reader: Reader {
                    restored: Some((at, random.between(20.0, 290.0))),
                    ..reader
                },
                disturbed: vec![(at, at)],
            }
        },
    },
];

#[test]
fn a_disturbance_is_forgotten_in_time() {
    let mut failed = Vec::new();
    let columns = COLUMNS.into_iter();
    let kinds: Vec<_> = columns
        .flat_map(|column| KINDS.map(|kind| (column, kind)))
        .collect();
    for world in &WORLDS {
        for ((column_name, column), (kind, counted)) in kinds.clone() {
            let mut errors = run(world, column, counted);
            let width = quantile(&mut errors.widths, 0.5);
            let share = |count: usize| 100.0 * count as f64 / errors.reads as f64;
            println!(
                "{}, {column_name}, {kind}: bounded {:.1} % of the time, width {width:.2} s; misses {:.3} %, wrong reasons {:.3} %, wrong verdicts \
                 {:.3} %; in the allowed time {:.2} %, at most {:.0} s after the disturbance; {} reads",
                world.name,
                share(errors.bounded),
                share(errors.misses),
                share(errors.reasons),
                share(errors.verdicts),
                share(errors.allowed),
                errors.longest,
                errors.reads,
            );
            if errors.misses + errors.reasons + errors.verdicts > 0 {
                failed.push(world.name);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
