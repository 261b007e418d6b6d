//! Processes that send heartbeats, a database with one row, and its reader.
//!
//! Seconds are `f64` here: true times are floats, and only a stored stamp becomes a time.

use std::iter::Peekable;
use std::slice::Iter;

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::service::{Reading, Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{ClockSkew, Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::status::Observed;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project::cinder;

use super::clock::{Clocks, Disturbances, UNDISTURBED};
use super::random::Random;

/// The default of `service_down_time`.
pub(crate) const DOWN: f64 = 60.0;
/// One hour.
pub(crate) const HOUR: f64 = 3600.0;

/// One write of the row.
#[derive(Clone, Copy)]
struct Write {
    stamped: f64,
    visible: f64,
    /// The host's clock at the stamp.
    shown: f64,
    /// Whether it is a heartbeat; otherwise a service's start.
    beat: bool,
}

/// One process that writes heartbeats, and its faults.
#[derive(Clone)]
pub(crate) struct Process {
    /// Host's clock − database's clock at the start.
    pub(crate) ahead: f64,
    pub(crate) max_drift: f64,
    pub(crate) disturbances: Disturbances,
    pub(crate) interval: f64,
    /// Each heartbeat comes at its time ± this.
    pub(crate) jitter: f64,
    /// Chance that a heartbeat is late by up to 8 s.
    pub(crate) late: f64,
    /// Chance that a heartbeat fails.
    pub(crate) lost: f64,
    /// How long each heartbeat takes, where the loop waits for an interval after it.
    pub(crate) walk: f64,
    /// Whole seconds, at most so many and drawn each time, by which the loop waits longer.
    pub(crate) whole_seconds: f64,
    /// Every n-th heartbeat is late by 2 s; 0 for none.
    pub(crate) task: usize,
    /// Chance that a write takes up to `longest_delay` to become visible.
    pub(crate) delayed: f64,
    pub(crate) longest_delay: f64,
    /// Start and end of the time without a running process.
    pub(crate) gone: Vec<(f64, f64)>,
}

pub(crate) const HEALTHY: Process = Process {
    ahead: 0.0,
    max_drift: 20e-6,
    disturbances: UNDISTURBED,
    interval: 10.0,
    jitter: 0.1,
    late: 0.0,
    lost: 0.0,
    walk: 0.0,
    whole_seconds: 0.0,
    task: 0,
    delayed: 0.01,
    longest_delay: 0.094,
    gone: Vec::new(),
};

impl Process {
    /// Returns all writes until a time, in the order in which they become visible.
    ///
    /// The loop waits on the host's monotonic clock.
    fn writes(&self, random: &mut Random, clocks: &Clocks, until: f64) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        let mut due = random.between(-2.0, -1.0) * self.interval;
        let mut was_gone = false;
        let mut number = 0;
        while clocks.when(due) < until {
            let time = clocks.when(due);
            let gone = self
                .gone
                .iter()
                .find(|gone| gone.0 <= time && time < gone.1);
            if let Some(gone) = gone {
                was_gone = true;
                if gone.1 >= until {
                    break;
                }
                due = clocks.monotonic(gone.1) + random.unit();
                continue;
            }
            let mut stamped = clocks.when(due + random.between(-self.jitter, self.jitter));
            if random.chance(self.late) {
                stamped += random.between(0.0, 8.0_f64.min(0.9 * self.interval));
            }
            number += 1;
            if self.task > 0 && number % self.task == 0 {
                stamped += 2.0;
            }
            // The loop writes one heartbeat after the other.
            let earliest = writes.last().map_or(stamped, |last| last.visible + 1e-4);
            stamped = stamped.max(earliest);
            let delay = if random.chance(self.delayed) {
                random.between(0.0, self.longest_delay)
            } else {
                random.between(0.004, 0.009)
            };
            if !random.chance(self.lost) {
                writes.push(Write {
                    stamped,
                    visible: stamped + delay,
                    shown: stamped + clocks.ahead(stamped),
                    beat: !was_gone,
                });
            }
            was_gone = false;
            due += self.interval + self.walk * random.between(0.6, 1.4);
            if self.whole_seconds > 0.0 {
                due += random.between(0.0, self.whole_seconds + 1.0).floor();
            }
        }
        writes
    }
}

/// A time in which the exporter does not run.
#[derive(Clone, Copy)]
pub(crate) struct Interruption {
    pub(crate) at: f64,
    pub(crate) length: f64,
    /// Whether the monotonic axis stands still, as while its machine is suspended.
    pub(crate) axis_stands: bool,
    /// Whether it falls into the next read.
    pub(crate) within_read: bool,
}

/// How the rows are read.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) poll: f64,
    pub(crate) column: Quantum,
    pub(crate) visibility_delay: f64,
    pub(crate) max_drift_ppm: u32,
    pub(crate) report_interval: f64,
    /// The limit of the rules.
    pub(crate) down: f64,
    /// Whether the rows count heartbeats.
    pub(crate) counted: bool,
    pub(crate) until: f64,
    /// Rate of the monotonic axis − 1.
    pub(crate) drift: f64,
    /// Sorted by time.
    pub(crate) interruptions: Vec<Interruption>,
    /// Chance that a read is slow, and how long it then takes.
    pub(crate) slow: (f64, f64),
    /// Clocks of the servers behind the address − the database's clock. Each read may be answered by another one.
    pub(crate) servers: Vec<f64>,
    /// How far the servers' rows may lag, in turn.
    pub(crate) lags: Vec<f64>,
    /// When the table is restored from a backup, and how old the backup is.
    pub(crate) restored: Option<(f64, f64)>,
}

pub(crate) const READER: Reader = Reader {
    poll: 5.0,
    column: Quantum::MICROSECOND,
    visibility_delay: 2.0,
    max_drift_ppm: 1_000,
    report_interval: 10.0,
    down: DOWN,
    counted: true,
    until: HOUR,
    drift: 0.0,
    interruptions: Vec::new(),
    slow: (0.01, 0.5),
    servers: Vec::new(),
    lags: Vec::new(),
    restored: None,
};

/// The published values and the true ones after one read.
pub(crate) struct Moment<'a> {
    /// When the database answered.
    pub(crate) time: f64,
    pub(crate) observed: &'a Observed,
    pub(crate) published: Option<ClockSkew>,
    pub(crate) reason: Option<Reason>,
    /// The published verdict of the API.
    pub(crate) listed: Option<bool>,
    /// Whether the API would list the row as up, as it is in the database.
    pub(crate) listed_in_table: bool,
    /// Whether API and scheduler would list the row as up, as it is in the database.
    pub(crate) up: bool,
    /// Host clock − database clock, of the last writer.
    pub(crate) truth: f64,
    /// Time since the last heartbeat was stamped.
    pub(crate) silence: f64,
    /// Time of the visible stamp.
    pub(crate) stamped: f64,
    /// The limit of the rules.
    pub(crate) limit: f64,
    /// Heartbeats since the first read.
    pub(crate) heartbeats: i64,
}

impl Moment<'_> {
    pub(crate) fn width(&self) -> Option<f64> {
        let bounds = self.published?.bounds;
        Some((bounds.upper? - bounds.lower).as_seconds_f64())
    }

    pub(crate) fn error(&self) -> Option<f64> {
        let estimate = self.published?.estimate?;
        Some((estimate.as_seconds_f64() - self.truth).abs())
    }

    /// Returns whether the skew is outside the published bounds.
    pub(crate) fn misses(&self, skew: f64) -> bool {
        let Some(ClockSkew { bounds, .. }) = self.published else {
            return false;
        };
        // True times are floats, with an error of a nanosecond.
        let above = bounds.lower.as_seconds_f64() <= skew + 1e-9;
        let below = bounds
            .upper
            .is_none_or(|upper| skew - 1e-9 <= upper.as_seconds_f64());
        !(above && below)
    }
}

/// Returns seconds as a span.
pub(crate) fn span(seconds: f64) -> TimeDelta {
    TimeDelta::nanoseconds((seconds * 1e9).round() as i64)
}

/// Returns the time so many seconds after 1970, in whole microseconds.
pub(crate) fn date(seconds: f64) -> NaiveDateTime {
    DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::microseconds((seconds * 1e6).floor() as i64)
}

/// Returns the stamp as the column stores it.
pub(crate) fn stored(shown: f64, column: Quantum) -> HostTime {
    HostTime(match column {
        Quantum::TRUNCATED => date(shown.floor()),
        Quantum::ROUNDED => date(shown.round()),
        Quantum::UNKNOWN => date(if shown.to_bits().is_multiple_of(2) {
            shown.floor()
        } else {
            shown.round()
        }),
        _ => date(shown),
    })
}

/// The row from a moment on.
#[derive(Clone, Copy)]
struct Version {
    visible: f64,
    heartbeats: i64,
    write: Write,
    /// Number of the process that wrote it.
    by: usize,
    /// When the last heartbeat was stamped.
    last_heartbeat: f64,
}

/// All versions of the row, in order.
struct Table(Vec<Version>);

impl Table {
    fn new(mut writes: Vec<(Write, usize)>, restored: Option<(f64, f64)>) -> Self {
        writes.sort_by(|a, b| a.0.visible.total_cmp(&b.0.visible));
        let mut table = Self(Vec::new());
        let mut restored = restored;
        let (mut heartbeats, mut last_heartbeat) = (1_000, f64::NAN);
        for (write, by) in writes {
            if let Some((at, age)) = restored
                && at < write.visible
            {
                restored = None;
                if let Some(backup) = table.at(at - age) {
                    heartbeats = backup.heartbeats;
                    table.0.push(Version {
                        visible: at,
                        ..backup
                    });
                }
            }
            if write.beat {
                heartbeats += 1;
                last_heartbeat = write.stamped;
            }
            table.0.push(Version {
                visible: write.visible,
                heartbeats,
                write,
                by,
                last_heartbeat,
            });
        }
        table
    }

    fn at(&self, time: f64) -> Option<Version> {
        let landed = self.0.partition_point(|version| version.visible <= time);
        Some(self.0[landed.checked_sub(1)?])
    }

    /// Returns when the row was stamped as it is at a time. Where nothing counts, an equal stamp is no new one.
    fn stamped(&self, time: f64, reader: &Reader) -> f64 {
        let landed = self.0.partition_point(|version| version.visible <= time);
        let rows = self.0[..landed].iter().rev();
        let mut equal = rows.map_while({
            let mut last = None;
            move |version| {
                let row = service(*version, reader);
                let shown = (row.heartbeats, row.stamp);
                (*last.get_or_insert(shown) == shown).then_some(version.write.stamped)
            }
        });
        let newest = equal.next().unwrap_or(f64::NAN);
        equal.last().unwrap_or(newest)
    }
}

/// Returns a reading of one service.
pub(crate) fn reading(now: DatabaseTime, quantum: Quantum, service: Service) -> Reading {
    Reading {
        now,
        quantum,
        server: None,
        read_only: false,
        replayed: None,
        services: vec![service],
        clusters: vec![],
        rejected: vec![],
        rows: 1,
    }
}

fn service(version: Version, reader: &Reader) -> Service {
    Service {
        heartbeats: reader.counted.then_some(version.heartbeats),
        stamp: Stamp::At(stored(version.write.shown, reader.column)),
        ..Service::default()
    }
}

/// When the exporter reads.
struct Schedule<'a> {
    reader: &'a Reader,
    interruptions: Peekable<Iter<'a, Interruption>>,
    /// When the last read was answered.
    last: f64,
    /// For how long the axis stood still so far.
    stood: f64,
    /// The axis at the start.
    origin: f64,
}

/// One read.
struct Timing {
    /// When the database answers.
    happens: f64,
    /// On the axis.
    read: Read,
}

impl Schedule<'_> {
    fn axis(&self, time: f64) -> Monotonic {
        let passed = (time - self.stood) * (1.0 + self.reader.drift);
        Monotonic(span(self.origin + passed))
    }

    /// Returns the next read; `None` at the end of the simulation.
    fn next(&mut self, random: &mut Random) -> Option<Timing> {
        let mut sent = self.last + self.reader.poll * random.between(5.0 / 6.0, 7.0 / 6.0);
        let mut within_read = None;
        while let Some(interruption) = self.interruptions.next_if(|next| next.at <= sent) {
            if interruption.within_read {
                within_read = Some(interruption);
            } else if interruption.axis_stands {
                sent += interruption.length;
                self.stood += interruption.length;
            } else {
                sent = sent.max(interruption.at + interruption.length);
            }
        }
        if sent > self.reader.until {
            return None;
        }
        let axis = self.axis(sent);
        let is_slow = random.chance(self.reader.slow.0);
        let longer = if is_slow { self.reader.slow.1 } else { 0.0 };
        let mut answered = sent + random.between(0.001, 0.003) + longer;
        let mut happens = random.between(sent, answered);
        if let Some(interruption) = within_read {
            answered += interruption.length;
            // The statement left before the interruption or after it.
            if random.chance(0.5) {
                happens += interruption.length;
            }
            if interruption.axis_stands {
                self.stood += interruption.length;
            }
        }
        self.last = answered;
        let read = Read {
            sent: axis,
            answered: self.axis(answered),
        };
        Some(Timing { happens, read })
    }
}

/// Lets processes write one row, reads it, and passes each moment to `look`; returns the number of reads.
pub(crate) fn simulate(
    seed: u64,
    processes: &[Process],
    reader: &Reader,
    mut look: impl FnMut(&Moment),
) -> usize {
    let mut random = Random(seed);
    let origin = random.between(0.0, 1e6);
    let database = random.between(-1e6, 1e6).round();
    let clocks: Vec<Clocks> = processes
        .iter()
        .map(|process| {
            let clock = (process.ahead + database, process.max_drift);
            Clocks::new(&mut random, clock, &process.disturbances, reader.until)
        })
        .collect();
    let mut writes: Vec<(Write, usize)> = Vec::new();
    for (number, process) in processes.iter().enumerate() {
        let own = process.writes(&mut random, &clocks[number], reader.until);
        writes.extend(own.into_iter().map(|write| (write, number)));
    }
    let table = Table::new(writes, reader.restored);

    let intervals = Intervals {
        service_down_time: span(reader.down),
        report_interval: span(reader.report_interval),
    };
    let tolerances = Tolerances {
        visibility_delay: span(reader.visibility_delay),
        bus_delay: span(30.0),
        max_drift_ppm: reader.max_drift_ppm,
        poll_interval: span(reader.poll),
    };
    let rules = &cinder::PROJECT.rules;
    let mut tracker = Tracker::new(&cinder::PROJECT, intervals, tolerances);
    let mut schedule = Schedule {
        reader,
        interruptions: reader.interruptions.iter().peekable(),
        last: 0.0,
        stood: 0.0,
        origin,
    };
    // Whether the exporter's clock is set right after a suspension of its machine.
    let is_set_right = seed.is_multiple_of(2);
    let mut reads = 0;
    let mut first = None;
    while let Some(Timing { happens, read }) = schedule.next(&mut random) {
        let server = (random.unit() * reader.servers.len().max(1) as f64) as usize;
        let clock = database + reader.servers.get(server).copied().unwrap_or_default();
        let lag = reader.lags.get(server).copied().unwrap_or_default();
        let Some((version, truth)) = table.at(happens - lag).zip(table.at(happens)) else {
            continue;
        };
        let now = DatabaseTime(date(happens + clock));
        let reading = Reading {
            server: Some(format!("server{server}").into()),
            ..reading(now, reader.column, service(version, reader))
        };
        let behind = if is_set_right { 0.0 } else { schedule.stood };
        let against_exporter = ClockOffset {
            offset: span(clock + behind),
            error: TimeDelta::zero(),
        };
        let mut snapshot = tracker.observe(reading, read, against_exporter);
        let status = snapshot.services.remove(0);
        let row = service(truth, reader);
        let listed_in_table = rules.is_up(&row, now, &intervals) == Some(true);
        reads += 1;
        look(&Moment {
            time: happens,
            observed: &status.observed,
            published: status.observed.clock_skew,
            reason: status.observed.reason,
            listed: status.up,
            listed_in_table,
            up: listed_in_table && rules.is_up_for_scheduler(&row, now, &intervals) == Some(true),
            truth: clocks[version.by].ahead(happens) - clock,
            silence: happens - truth.last_heartbeat,
            stamped: table.stamped(happens - lag, reader),
            limit: reader.down,
            heartbeats: version.heartbeats - *first.get_or_insert(version.heartbeats),
        });
    }
    reads
}
