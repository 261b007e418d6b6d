//! Heartbeats that a message bus carries to one program, which writes all rows, as Designate's do.

use std::sync::Arc;

use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::service::{Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::status::ServiceStatus;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project;

use super::random::Random;
use super::world::{date, reading, span};
use super::{quantile, times};

const INTERVAL: f64 = 10.0;
/// Two intervals.
const LIMIT: f64 = 20.0;
const POLL: f64 = 5.0;
const UNTIL: f64 = 1_800.0;
/// `skew.bus-delay` and `skew.visibility-delay`.
const BUS_DELAY: f64 = 30.0;
const VISIBILITY_DELAY: f64 = 2.0;
/// Older rows are marked DOWN, in half an hour of real time.
const MARKED: f64 = 60.0;

/// A process, the bus, and the program that writes the rows.
#[derive(Debug, Clone, Default)]
struct Cloud {
    /// Host's clock − database's clock at the start.
    ahead: f64,
    /// When the clock is set, and by how much.
    steps: Vec<(f64, f64)>,
    /// Chance that a heartbeat is on its way for up to `longest`.
    late: f64,
    longest: f64,
    /// Chance that a heartbeat is lost.
    lost: f64,
    /// When the program that writes the rows stands still, and for how long.
    pauses: Vec<(f64, f64)>,
    /// When the process is killed, and when it is started again.
    gone: Option<(f64, f64)>,
    /// Whether it is shut down, and not killed.
    says_goodbye: bool,
}

impl Cloud {
    fn ahead(&self, time: f64) -> f64 {
        let steps = self.steps.iter().filter(|step| step.0 <= time);
        self.ahead + steps.map(|step| step.1).sum::<f64>()
    }

    fn is_gone(&self, time: f64) -> bool {
        self.gone
            .is_some_and(|(from, to)| from <= time && time < to)
    }
}

/// A message of the process.
#[derive(Clone, Copy)]
struct Message {
    sent: f64,
    arrives: f64,
    status: &'static str,
}

/// The row from a moment on.
#[derive(Clone, Copy)]
struct Version {
    visible: f64,
    stamp: f64,
    status: &'static str,
    /// When the message was sent.
    sent: f64,
}

/// Returns the messages that arrive, in the order in which they do.
fn messages(random: &mut Random, cloud: &Cloud) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut due = random.between(-40.0, -30.0);
    let mut was_gone = false;
    while due < UNTIL {
        let is_gone = cloud.is_gone(due);
        let goodbye = is_gone && !was_gone && cloud.says_goodbye;
        let delay = if random.chance(cloud.late) {
            random.between(0.0, cloud.longest)
        } else {
            random.between(0.01, 0.1)
        };
        if (!is_gone || goodbye) && !random.chance(cloud.lost) {
            let mut arrives = due + delay;
            if let Some((from, length)) = cloud
                .pauses
                .iter()
                .find(|pause| pause.0 <= arrives && arrives < pause.0 + pause.1)
            {
                // All that waited are handled at once, in any order.
                arrives = from + length + random.between(0.0, 0.05);
            }
            messages.push(Message {
                sent: due,
                arrives: arrives.min(due + BUS_DELAY),
                status: if goodbye { "STOPPED" } else { "UP" },
            });
        }
        was_gone = is_gone;
        due += INTERVAL + random.between(-0.05, 0.05);
    }
    messages.sort_by(|a, b| a.arrives.total_cmp(&b.arrives));
    messages
}

/// Returns all versions of the row.
fn versions(
    random: &mut Random,
    cloud: &Cloud,
    messages: &[Message],
    database: f64,
) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        let slow = if random.chance(0.02) {
            VISIBILITY_DELAY
        } else {
            0.01
        };
        let visible = message.arrives + random.between(0.0, slow);
        let last = versions.last().copied();
        let version = Version {
            visible: last.map_or(visible, |last| last.visible.max(visible)),
            stamp: (message.sent + cloud.ahead(message.sent) + database).floor(),
            status: message.status,
            sent: message.sent,
        };
        versions.push(version);
        // A producer looks right after the row becomes too old, by a clock that is right.
        let next = messages.get(number + 1).map_or(UNTIL, |next| next.arrives);
        let marked =
            (version.stamp - database + MARKED).max(version.visible + random.between(0.0, 9.0));
        if version.status == "UP" && marked < next {
            versions.push(Version {
                visible: marked,
                status: "DOWN",
                ..version
            });
        }
    }
    versions
}

/// What one read shows, and the truth.
struct Moment<'a> {
    time: f64,
    status: &'a ServiceStatus,
    row: Version,
    /// Host clock − database clock.
    truth: f64,
    /// Time since the last message was sent that did not get lost.
    silence: f64,
    /// Whether a read has shown a message from after the last step.
    is_shown: bool,
    /// Whether the process was started so lately that its first message may be on its way.
    is_starting: bool,
}

impl Moment<'_> {
    fn width(&self) -> Option<f64> {
        let bounds = self.status.observed.clock_skew?.bounds;
        Some((bounds.upper? - bounds.lower).as_seconds_f64())
    }

    fn misses(&self) -> bool {
        self.status.observed.clock_skew.is_some_and(|skew| {
            let (lower, upper) = (skew.bounds.lower, skew.bounds.upper);
            lower > span(self.truth + 1e-6) || upper.is_some_and(|it| it < span(self.truth - 1e-6))
        })
    }

    /// Returns whether the published verdict and reason are true ones.
    fn is_right(&self) -> bool {
        // A stop is known within two polls of the limit, once the last heartbeat has arrived.
        let proven = LIMIT + 2.0 * BUS_DELAY + VISIBILITY_DELAY + 12.0;
        let is_up = self.status.up == Some(self.row.status == "UP");
        is_up
            && match self.status.observed.reason {
                None => self.row.status == "UP" && self.silence <= proven,
                Some(Reason::Stopped) => {
                    let is_silent = self.silence > LIMIT || self.is_starting;
                    is_silent && self.row.status != "STOPPED"
                }
                Some(Reason::ShutDown) => self.row.status == "STOPPED",
                Some(Reason::MarkedDown) => {
                    self.row.status == "DOWN" && self.silence <= LIMIT + BUS_DELAY
                }
                Some(Reason::ClockSkew) => self.row.status == "DOWN" && self.truth < -LIMIT,
                Some(Reason::Undetermined) => self.row.status == "DOWN" && self.silence <= proven,
                Some(_) => false,
            }
    }
}

fn simulate(seed: u64, cloud: &Cloud, column: Quantum, mut look: impl FnMut(&Moment)) -> usize {
    let mut random = Random(seed);
    let database = random.between(-1e6, 1e6).round() + 2e9;
    let messages = messages(&mut random, cloud);
    let versions = versions(&mut random, cloud, &messages, database);
    let mut sent: Vec<f64> = messages.iter().map(|message| message.sent).collect();
    sent.sort_by(f64::total_cmp);
    let intervals = Intervals {
        service_down_time: span(LIMIT),
        report_interval: span(INTERVAL),
    };
    let tolerances = Tolerances {
        visibility_delay: span(VISIBILITY_DELAY),
        bus_delay: span(BUS_DELAY),
        max_drift_ppm: 1_000,
        poll_interval: span(POLL),
    };
    let mut tracker = Tracker::new(
        project::find("designate").expect("it is known"),
        intervals,
        tolerances,
    );
    let (mut time, mut reads) = (random.unit() * 100.0, 0);
    let start = time;
    let (mut stamp, mut newest) = (f64::NAN, f64::NEG_INFINITY);
    while time < UNTIL {
        time += POLL * random.between(5.0 / 6.0, 7.0 / 6.0);
        let happens = time + random.between(0.001, 0.003);
        let landed = versions.partition_point(|version| version.visible <= happens);
        let Some(row) = landed.checked_sub(1).map(|last| versions[last]) else {
            continue;
        };
        let service = Service {
            heartbeats: None,
            stamp: Stamp::At(HostTime(date(row.stamp))),
            shown: Some(Arc::from(row.status)),
            ..Service::default()
        };
        let now = DatabaseTime(date(happens + database));
        let reading = reading(now, column, service);
        let read = Read {
            sent: Monotonic(span(time)),
            answered: Monotonic(span(time + 0.004)),
        };
        let snapshot = tracker.observe(reading, read, ClockOffset::default());
        reads += 1;
        // The same stamp is no news.
        if stamp.to_bits() != row.stamp.to_bits() {
            (stamp, newest) = (row.stamp, newest.max(row.sent));
        }
        let step = cloud.steps.iter().rev().find(|step| step.0 <= happens);
        let last = sent.partition_point(|sent| *sent <= happens);
        look(&Moment {
            time: happens - start,
            status: &snapshot.services[0],
            row,
            truth: cloud.ahead(happens),
            silence: happens - sent[last.max(1) - 1],
            is_starting: cloud.gone.is_some_and(|(_, to)| {
                (to..to + INTERVAL + BUS_DELAY + VISIBILITY_DELAY).contains(&happens)
            }),
            is_shown: step.is_none_or(|step| step.0 <= newest),
        });
    }
    reads
}

/// Moments a few minutes apart, on average.
fn moments(random: &mut Random) -> Vec<f64> {
    let mut times = Vec::new();
    let mut time = random.between(100.0, 200.0);
    while time < UNTIL {
        times.push(time);
        time += random.between(100.0, 300.0);
    }
    times
}

/// A cloud in which heartbeats come late, out of order and not at all, clocks are set, and processes die.
fn cloud(random: &mut Random) -> Cloud {
    let ahead = random.choice(&[0.0, 0.4, -3.0, 75.0, -75.0, 5_000.0, -2_000.0]);
    // A loss and the longest delay together are more than the limit allows for.
    let loses = random.chance(0.3);
    let late = random.choice(&[0.0, 0.02, 0.3, 1.0]);
    let (late, longest, lost) = if loses {
        (late, 15.0, 0.01)
    } else {
        (late, BUS_DELAY, 0.0)
    };
    let pauses = moments(random);
    let pauses = if random.chance(0.5) { pauses } else { vec![] };
    let pauses = pauses
        .into_iter()
        .map(|at| (at, random.between(1.0, longest)));
    let pauses = pauses.collect();
    let mut steps = Vec::new();
    if random.chance(0.4) {
        for time in moments(random) {
            let size = random.between(0.0, 6.5).exp() * 5.0;
            let size = random.choice(&[size, (size / INTERVAL).ceil() * INTERVAL]);
            steps.push((time, size * random.choice(&[-1.0, 1.0])));
        }
    }
    let from = random.between(200.0, 1_000.0);
    let gone = (from, from + random.choice(&[30.0, 300.0, f64::INFINITY]));
    Cloud {
        ahead,
        steps,
        late,
        longest,
        lost,
        pauses,
        gone: random.chance(0.4).then_some(gone),
        says_goodbye: random.chance(0.5),
    }
}

#[test]
fn what_a_bus_carries_late_and_out_of_order_is_never_misjudged() {
    let (mut reads, mut misses, mut wrong, mut withdrawn) = (0, 0, 0, 0);
    for seed in 0..600 * times() {
        let cloud = cloud(&mut Random(seed ^ 0x000B_0511));
        let column = [Quantum::TRUNCATED, Quantum::MICROSECOND][seed as usize % 2];
        reads += simulate(seed, &cloud, column, |moment| {
            withdrawn += usize::from(moment.status.observed.clock_skew.is_none());
            let miss = moment.is_shown && moment.misses();
            // The reason of a clock that was just set may still be that of the clock before.
            let is_wrong = cloud.steps.is_empty() && !moment.is_right();
            if (miss || is_wrong) && misses + wrong < 3 {
                println!(
                    "seed {seed} at {:.1}: {:?}, row {:?}, silence {:.1}, truth {:.1}, {cloud:?}",
                    moment.time,
                    moment.status.observed,
                    moment.row.status,
                    moment.silence,
                    moment.truth,
                );
            }
            misses += usize::from(miss);
            wrong += usize::from(is_wrong);
            assert_eq!(moment.status.observed.writers, None);
            assert_eq!(moment.status.observed.clock_conflicts, Some(0));
            if cloud.steps.is_empty() {
                assert_eq!(moment.status.observed.clock_steps, Some(0), "{cloud:?}");
            }
        });
    }
    println!(
        "bus: {misses} misses, {wrong} wrong reasons in {reads} reads, {withdrawn} of them withdrawn"
    );
    assert_eq!((misses, wrong), (0, 0));
}

#[test]
fn a_set_clock_is_a_step_where_a_late_heartbeat_does_not_explain_it() {
    for by in [-75.0, 75.0, -3_600.0, 3_600.0] {
        for seed in 0..100 {
            let steps = vec![(900.0, by)];
            let cloud = Cloud {
                steps,
                late: 0.1,
                longest: BUS_DELAY,
                ..Cloud::default()
            };
            let mut counted = None;
            simulate(seed, &cloud, Quantum::TRUNCATED, |moment| {
                counted = moment.status.observed.clock_steps;
            });
            assert_eq!(counted, Some(1), "{by}, seed {seed}");
        }
    }
}

#[test]
fn the_bounds_are_as_wide_as_the_bus_delay_and_the_estimate_is_close() {
    for (late, widest) in [(0.0, 47.0), (0.1, 80.0)] {
        let (mut widths, mut errors) = (vec![], vec![]);
        for seed in 0..200 {
            let cloud = Cloud {
                ahead: Random(seed ^ 0x00AB_CDEF).between(-5.0, 5.0),
                late,
                longest: BUS_DELAY,
                ..Cloud::default()
            };
            simulate(seed, &cloud, Quantum::TRUNCATED, |moment| {
                if moment.time > 300.0 {
                    widths.extend(moment.width());
                    let skew = moment.status.observed.clock_skew;
                    let estimate = skew.and_then(|skew| skew.estimate);
                    errors.extend(estimate.map(|it| (it.as_seconds_f64() - moment.truth).abs()));
                }
            });
        }
        let [width, most] = [0.5, 1.0].map(|share| quantile(&mut widths, share));
        let [error, worst] = [0.5, 0.95].map(|share| quantile(&mut errors, share));
        println!(
            "bus, {late} late: width {width:.1} s, at most {most:.1} s, after 5 min; error of the estimate {error:.2} s \
             (p95 {worst:.2} s)"
        );
        assert!(most <= widest, "{most}");
        assert!(error < 1.5, "{error}");
    }
}
