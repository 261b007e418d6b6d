//! Services whose rows one of several servers stamps, as nova-conductor and neutron-server do.

use std::sync::Arc;

use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::service::{Facts, Reading, Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{Bounds, Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::snapshot::Snapshot;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project;

use super::random::Random;
use super::world::{date, reading, span, stored};
use super::{COLUMNS, quantile, times};

const POLL: f64 = 5.0;
const UNTIL: f64 = 1_500.0;
const VISIBILITY_DELAY: f64 = 2.0;
/// For how long a stamp counts.
const WINDOW: f64 = 300.0;

/// A project, with the program of its services, its limit and its interval.
#[derive(Clone, Copy)]
struct Kind {
    /// Name of the project.
    project: &'static str,
    binary: &'static str,
    limit: f64,
    interval: f64,
    is_two_sided: bool,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.project)
    }
}

const KINDS: [Kind; 2] = [
    Kind {
        project: "nova",
        binary: "nova-compute",
        limit: 60.0,
        interval: 10.0,
        is_two_sided: true,
    },
    Kind {
        project: "neutron",
        binary: "neutron-l3-agent",
        limit: 75.0,
        interval: 30.0,
        is_two_sided: false,
    },
];

/// Servers, services, and what happens to them.
#[derive(Debug, Clone)]
struct Cloud {
    kind: Kind,
    services: usize,
    /// Clocks of the servers − the database's.
    clocks: Vec<f64>,
    /// When the clock of a server is set, and by how much.
    steps: Vec<(f64, usize, f64)>,
    /// Whether the servers take messages in turn; otherwise at random.
    in_turn: bool,
    /// When no message is processed, and for how long. All that were sent meanwhile are processed after it, or none.
    pauses: Vec<(f64, f64)>,
    keeps_messages: bool,
    /// Chance that a service is killed at some time.
    killed: f64,
    /// When the table is restored, and how old the backup is.
    restored: Option<(f64, f64)>,
    /// When the exporter's machine is suspended, and for how long.
    suspended: Option<(f64, f64)>,
    /// Chance that a write becomes visible late, within the longest delay.
    slow: f64,
}

impl Cloud {
    fn clock(&self, server: usize, time: f64) -> f64 {
        let steps = self.steps.iter();
        let steps = steps.filter(|step| step.1 == server && step.0 <= time);
        self.clocks[server] + steps.map(|step| step.2).sum::<f64>()
    }
}

/// The row of a service from a moment on.
#[derive(Debug, Clone, Copy)]
struct Version {
    visible: f64,
    /// When the message was processed.
    processed: f64,
    /// The server's clock − the database's.
    clock: f64,
    /// Whether it is that of a backup.
    is_old: bool,
}

/// Returns the versions of the row of a service.
fn versions(random: &mut Random, cloud: &Cloud, turn: &mut usize) -> Vec<Version> {
    let mut due = random.between(-2.0, -1.0) * cloud.kind.interval;
    let until = if random.chance(cloud.killed) {
        random.between(0.0, UNTIL)
    } else {
        UNTIL
    };
    let mut versions: Vec<Version> = vec![];
    while due < until {
        let pause = cloud.pauses.iter();
        let pause = pause
            .copied()
            .find(|(at, length)| *at <= due && due < at + length);
        let processed = match pause {
            Some((at, length)) if cloud.keeps_messages => {
                Some(at + length + random.between(0.0, 0.5))
            }
            Some(_) => None,
            None => Some(due + random.between(0.002, 0.05)),
        };
        if let Some(processed) = processed {
            // One message of a service after the other.
            let last = versions.last().map(|last| last.processed);
            let processed = last.map_or(processed, |last| last.max(processed));
            let server = if cloud.in_turn {
                *turn += 1;
                *turn % cloud.clocks.len()
            } else {
                (random.unit() * cloud.clocks.len() as f64) as usize
            };
            let slow = if random.chance(cloud.slow) {
                VISIBILITY_DELAY
            } else {
                0.02
            };
            let visible = processed + random.between(0.001, slow);
            let last = versions
                .last()
                .map_or(visible, |last| last.visible.max(visible));
            versions.push(Version {
                visible: last,
                processed,
                clock: cloud.clock(server, processed),
                is_old: false,
            });
        }
        due += cloud.kind.interval + random.between(-0.02, 0.02);
    }
    if let Some((at, age)) = cloud.restored {
        let backup = versions
            .iter()
            .rev()
            .find(|version| version.visible <= at - age);
        if let Some(backup) = backup.copied() {
            let place = versions.partition_point(|version| version.visible <= at);
            let old = Version {
                visible: at,
                is_old: true,
                ..backup
            };
            // A service that was dead already shows the same stamp as before.
            if versions[place - 1].processed.to_bits() != old.processed.to_bits() {
                versions.insert(place, old);
            }
        }
    }
    versions
}

/// What one read shows, and the truth.
struct Moment<'a> {
    time: f64,
    watched: f64,
    snapshot: &'a Snapshot,
    /// The versions that the read shows, by service.
    rows: &'a [Option<Version>],
    /// The clocks that stamped what reads showed within the window.
    clocks: &'a [f64],
}

fn simulate(seed: u64, cloud: &Cloud, column: Quantum, mut look: impl FnMut(&Moment)) -> usize {
    let mut random = Random(seed);
    let kind = cloud.kind;
    let database = random.between(-1e6, 1e6).round() + 2e9;
    let mut turn = 0;
    let tables: Vec<Vec<Version>> = (0..cloud.services)
        .map(|_| versions(&mut random, cloud, &mut turn))
        .collect();
    let intervals = Intervals {
        service_down_time: span(kind.limit),
        report_interval: span(kind.interval),
    };
    let tolerances = Tolerances {
        visibility_delay: span(VISIBILITY_DELAY),
        bus_delay: span(0.0),
        max_drift_ppm: 1_000,
        poll_interval: span(POLL),
    };
    let project = project::find(kind.project).expect("it is known");
    let mut tracker = Tracker::new(project, intervals, tolerances);
    let facts: Vec<Arc<Facts>> = (0..cloud.services)
        .map(|index| {
            Arc::new(Facts {
                binary: kind.binary.into(),
                host: format!("host{index:04}").into(),
                ..Facts::default()
            })
        })
        .collect();
    let mut time = random.unit() * 50.0;
    let (start, mut stood, mut suspended) = (time, 0.0, cloud.suspended);
    // When a stamp was read, and the clock behind it.
    let mut stamps: Vec<(f64, f64)> = vec![];
    let mut last: Vec<Option<(HostTime, Version)>> = vec![None; cloud.services];
    let mut reads = 0;
    while time < UNTIL {
        time += POLL * random.between(5.0 / 6.0, 7.0 / 6.0);
        if let Some((at, length)) = suspended
            && at < time
        {
            suspended = None;
            time += length;
            stood += length;
        }
        let happens = time + random.between(0.001, 0.003);
        let mut rows: Vec<Option<Version>> = tables
            .iter()
            .map(|versions| {
                let landed = versions.partition_point(|version| version.visible <= happens);
                landed.checked_sub(1).map(|last| versions[last])
            })
            .collect();
        let shown = rows.iter().enumerate().filter_map(|(index, row)| {
            let row = (*row)?;
            Some(Service {
                id: i64::try_from(index).expect("few rows").into(),
                heartbeats: None,
                stamp: Stamp::At(stored(row.processed + row.clock + database, column)),
                facts: facts[index].clone(),
                ..Service::default()
            })
        });
        let services: Vec<Service> = shown.collect();
        let Some(first) = services.first().cloned() else {
            continue;
        };
        for (row, last) in rows.iter_mut().zip(&mut last) {
            let Some(row) = row else { continue };
            let stamp = stored(row.processed + row.clock + database, column);
            match last {
                // An equal stamp is no news.
                Some((known, version)) if *known == stamp => *row = *version,
                _ => {
                    *last = Some((stamp, *row));
                    if !row.is_old {
                        stamps.push((happens, row.clock));
                    }
                }
            }
        }
        stamps.retain(|(at, _)| happens - at <= WINDOW + 1.0);
        let now = DatabaseTime(date(happens + database));
        let reading = Reading {
            rows: services.len(),
            services,
            ..reading(now, column, first)
        };
        let read = Read {
            sent: Monotonic(span(time - stood)),
            answered: Monotonic(span(time - stood + 0.004)),
        };
        let snapshot = tracker.observe(reading, read, ClockOffset::default());
        reads += rows.len();
        let clocks: Vec<f64> = stamps.iter().map(|(_, clock)| *clock).collect();
        look(&Moment {
            time: happens,
            watched: happens - start,
            snapshot: &snapshot,
            rows: &rows,
            clocks: &clocks,
        });
    }
    reads
}

/// Returns whether bounds contain a skew in seconds.
fn contain(bounds: Bounds, skew: f64) -> bool {
    bounds.lower.as_seconds_f64() <= skew + 1e-6
        && bounds
            .upper
            .is_none_or(|upper| upper.as_seconds_f64() >= skew - 1e-6)
}

/// What is wrong with a published snapshot.
#[derive(Debug, Default)]
struct Faults {
    spread: usize,
    servers: usize,
    row: usize,
    reason: usize,
    undetermined: usize,
}

impl Faults {
    fn look(&mut self, seed: u64, cloud: &Cloud, moment: &Moment) {
        if let Some(servers) = moment.snapshot.servers {
            let clocks = || moment.clocks.iter().copied();
            let spread = clocks().fold(f64::MIN, f64::max) - clocks().fold(f64::MAX, f64::min);
            self.spread += usize::from(servers.proven.as_seconds_f64() > spread.max(0.0) + 1e-6);
            let mut distinct: Vec<i64> = clocks().map(|clock| (clock * 1e6) as i64).collect();
            distinct.sort_unstable();
            distinct.dedup();
            self.servers += usize::from(servers.servers > distinct.len());
        }
        for status in &moment.snapshot.services {
            let before = self.row + self.reason;
            let row: usize = status.service.facts.host[4..].parse().expect("a number");
            let row = moment.rows[row].expect("it is shown");
            let observed = &status.observed;
            assert_eq!((observed.clock_skew, observed.clock_steps), (None, None));
            if let Some(bounds) = observed.server_clock
                && bounds.upper.is_some()
            {
                let is_within = contain(bounds, row.clock);
                let hull = moment.snapshot.servers.map(|servers| servers.bounds);
                let is_within = is_within && hull.is_none_or(|hull| contain(hull, row.clock));
                self.row += usize::from(!is_within);
            }
            let silence = moment.time - row.processed;
            let kind = cloud.kind;
            // The time that the reader may need to be certain.
            let proven = kind.limit + VISIBILITY_DELAY + 2.0 * POLL;
            let is_right = match observed.reason {
                None => {
                    status.up != Some(false)
                        && (silence <= proven
                            || moment.watched <= proven
                            || cloud.suspended.is_some()
                            || cloud.restored.is_some())
                }
                Some(Reason::Stopped) => silence > kind.limit,
                Some(Reason::ServerClock) => {
                    // By a clock that is right, the API would list it as up.
                    let is_late = silence <= kind.limit && silence - row.clock > kind.limit - 1.0;
                    let is_early = kind.is_two_sided && row.clock - silence > kind.limit - 1.0;
                    let is_off = is_late && row.clock < 0.0 || is_early;
                    is_off && !row.is_old
                }
                Some(Reason::Undetermined) => {
                    self.undetermined += 1;
                    status.up == Some(false)
                }
                Some(_) => false,
            };
            self.reason += usize::from(!is_right);
            if self.row + self.reason > before && before < 3 {
                println!(
                    "seed {seed} at {:.1}: {:?}, clock {:?}, row {row:.1?}, silence {silence:.1}, servers {:?}, {cloud:.1?}",
                    moment.time, observed.reason, observed.server_clock, moment.snapshot.servers
                );
            }
        }
    }
}

fn cloud(random: &mut Random) -> Cloud {
    let kind = random.choice(&KINDS);
    let far = [0.0, 0.3, -3.0, 20.0, -20.0, 75.0, -75.0, 200.0, -1_000.0];
    let near = [0.0, 0.1, -0.2, 0.5];
    let are_near = random.chance(0.4);
    let of: &[f64] = if are_near { &near } else { &far };
    let count = random.choice(&[1, 2, 2, 3, 5]);
    let clocks: Vec<f64> = (0..count)
        .map(|_| random.choice(of) + random.between(-0.01, 0.01))
        .collect();
    let at = random.between(100.0, 1_400.0);
    let step = (at, 0, random.choice(&[-75.0, 75.0, -5.0, 3_600.0]));
    let steps = if random.chance(0.3) {
        vec![step]
    } else {
        vec![]
    };
    let is_restored = are_near && steps.is_empty() && random.chance(0.4);
    let pause = (random.between(100.0, 1_300.0), random.between(5.0, 200.0));
    let restored = (random.between(200.0, 1_400.0), random.between(70.0, 150.0));
    Cloud {
        kind,
        services: random.choice(&[1, 3, 8, 30]),
        clocks,
        steps,
        in_turn: random.chance(0.5),
        pauses: if random.chance(0.4) {
            vec![pause]
        } else {
            vec![]
        },
        keeps_messages: random.chance(0.5),
        killed: random.choice(&[0.0, 0.2, 1.0]),
        // A clock that happens to be behind by the age of the backup would be blamed for it.
        restored: is_restored.then_some(restored),
        suspended: random
            .chance(0.2)
            .then_some((random.between(200.0, 1_200.0), random.between(5.0, 300.0))),
        slow: random.choice(&[0.0, 0.02, 0.5]),
    }
}

#[test]
fn the_clocks_of_servers_are_never_misjudged_and_no_service_is_blamed_for_them() {
    let (mut reads, mut faults) = (0, Faults::default());
    for seed in 0..400 * times() {
        let cloud = cloud(&mut Random(seed ^ 0x05E2_7E25));
        let (_, column) = COLUMNS[seed as usize % 2];
        reads += simulate(seed, &cloud, column, |moment| {
            faults.look(seed, &cloud, moment);
        });
    }
    println!("servers: {faults:?} in {reads} reads of rows");
    let Faults {
        spread,
        servers,
        row,
        reason,
        ..
    } = faults;
    assert_eq!((spread, servers, row, reason), (0, 0, 0, 0));
}

/// Clocks, services, and the least and the greatest spread that may be estimated.
type Spread = (&'static [f64], usize, f64, f64);

#[test]
fn the_spread_of_servers_is_estimated_closely() {
    for kind in KINDS {
        for (database, column) in COLUMNS {
            for (clocks, services, least, most) in [
                (&[0.0] as &[f64], 300, -0.01, 0.1),
                (&[0.0, 3.0], 300, 2.0, 3.1),
                (&[0.0, 3.0], 3, 0.0, 3.2),
                (&[0.0, 2.5, 5.0, 7.5, 10.0], 300, 9.0, 10.1),
            ] as [Spread; 4]
            {
                let (mut estimates, mut proven, mut servers) = (vec![], vec![], vec![]);
                for seed in 0..4 {
                    let cloud = Cloud {
                        kind,
                        services,
                        clocks: clocks.to_vec(),
                        steps: vec![],
                        in_turn: false,
                        pauses: vec![],
                        keeps_messages: false,
                        killed: 0.0,
                        restored: None,
                        suspended: None,
                        slow: 0.0,
                    };
                    simulate(seed, &cloud, column, |moment| {
                        if let Some(spread) =
                            moment.snapshot.servers.filter(|_| moment.watched > WINDOW)
                        {
                            estimates.push(spread.estimate.as_seconds_f64());
                            proven.push(spread.proven.as_seconds_f64());
                            servers.push(spread.servers as f64);
                        }
                    });
                }
                let [low, middle, high] =
                    [0.05, 0.5, 0.95].map(|share| quantile(&mut estimates, share));
                let [proven, servers] =
                    [&mut proven, &mut servers].map(|values| quantile(values, 0.5));
                let true_spread = clocks.last().unwrap() - clocks[0];
                println!(
                    "servers, {}, {database}, {services} services, {} clocks over {true_spread} s: estimate {middle:.2} \
                     ({low:.2} to {high:.2}), proven {proven:.2}, at least {servers} servers",
                    kind.project,
                    clocks.len(),
                );
                assert!(least <= low && high <= most, "{low} to {high}");
            }
        }
    }
}
