//! Processes that beat, the clocks of their hosts, a database that keeps one row, and a reader of it.
//!
//! Seconds are `f64` here: the truth is a float, and only what a column keeps of it becomes a time.

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use openstack_heartbeat_exporter::heartbeat::cause::{self, Reason};
use openstack_heartbeat_exporter::heartbeat::liveness::{self, Intervals};
use openstack_heartbeat_exporter::heartbeat::service::{Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{
    Assumptions, ClockSkew, Monotonic, Quantum, Read, Row, Skew,
};
use openstack_heartbeat_exporter::heartbeat::time::{DatabaseTime, HostTime};

/// Cinder's `service_down_time`.
pub(crate) const DOWN: f64 = 60.0;
/// One hour.
pub(crate) const HOUR: f64 = 3600.0;

/// `SplitMix64`: small, fast, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn choice<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.unit() * of.len() as f64) as usize]
    }
}

/// The host's clock less the true time: pieces of constant drift.
#[derive(Clone)]
struct Clock(Vec<(f64, f64, f64)>);

impl Clock {
    /// The clock of a process's host, whose drift changes every ten minutes.
    fn new(random: &mut Random, process: &Process, database: f64, until: f64) -> Self {
        let ahead = process.ahead + database;
        let mut turns: Vec<(f64, f64)> = process.steps.clone();
        let mut turn = -100.0;
        while turn < until {
            turns.push((turn, 0.0));
            turn += random.between(100.0, 1100.0);
        }
        turns.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut pieces: Vec<(f64, f64, f64)> = Vec::new();
        for (turn, step) in turns {
            let (since, skew, drift) = pieces.last().copied().unwrap_or((turn, ahead, 0.0));
            let share = random.between(-1.0, 1.0);
            let drift_now = random.choice(&[-1.0, 1.0, share]) * process.max_drift;
            pieces.push((turn, skew + drift * (turn - since) + step, drift_now));
        }
        Self(pieces)
    }

    fn skew(&self, time: f64) -> f64 {
        let after = self.0.partition_point(|piece| piece.0 <= time);
        let (since, skew, drift) = self.0[after.max(1) - 1];
        skew + drift * (time - since)
    }
}

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

/// One process that writes heartbeats, and everything that befalls it.
#[derive(Clone)]
pub(crate) struct Process {
    /// Host's clock − database's clock at the start.
    pub(crate) ahead: f64,
    pub(crate) max_drift: f64,
    pub(crate) steps: Vec<(f64, f64)>,
    pub(crate) interval: f64,
    /// Each heartbeat comes at its time ± this.
    pub(crate) jitter: f64,
    /// Chance that a heartbeat is late by up to 8 s.
    pub(crate) late: f64,
    /// Chance that a heartbeat fails.
    pub(crate) lost: f64,
    /// Every so many heartbeats one is late by 2 s, if not 0.
    pub(crate) task: usize,
    /// Chance that a write needs up to `longest_delay` to be seen.
    pub(crate) delayed: f64,
    pub(crate) longest_delay: f64,
    /// From when till when no process runs.
    pub(crate) gone: Vec<(f64, f64)>,
}

pub(crate) const HEALTHY: Process = Process {
    ahead: 0.0,
    max_drift: 20e-6,
    steps: Vec::new(),
    interval: 10.0,
    jitter: 0.1,
    late: 0.0,
    lost: 0.0,
    task: 0,
    delayed: 0.01,
    longest_delay: 0.094,
    gone: Vec::new(),
};

impl Process {
    /// Returns all writes until a time, in the order in which they are seen.
    fn writes(&self, random: &mut Random, clock: &Clock, until: f64) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        let mut due = random.between(-2.0, -1.0) * self.interval;
        let mut was_gone = false;
        let mut number = 0;
        while due < until {
            let gone = self.gone.iter().find(|gone| gone.0 <= due && due < gone.1);
            if let Some(gone) = gone {
                was_gone = true;
                due = if gone.1 < until {
                    gone.1 + random.unit()
                } else {
                    until
                };
                continue;
            }
            let mut stamped = due + random.between(-self.jitter, self.jitter);
            if random.chance(self.late) {
                stamped += random.between(0.0, 8.0_f64.min(0.9 * self.interval));
            }
            number += 1;
            if self.task > 0 && number % self.task == 0 {
                stamped += 2.0;
            }
            // The loop writes one after the other.
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
                    shown: stamped + clock.skew(stamped),
                    beat: !was_gone,
                });
            }
            was_gone = false;
            due += self.interval;
        }
        writes
    }
}

/// How the rows are read.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) poll: f64,
    pub(crate) column: Quantum,
    pub(crate) visibility_delay: f64,
    pub(crate) report_interval: f64,
    pub(crate) until: f64,
}

pub(crate) const READER: Reader = Reader {
    poll: 5.0,
    column: Quantum::MICROSECOND,
    visibility_delay: 2.0,
    report_interval: 10.0,
    until: HOUR,
};

/// What is known, and what is true, after one read.
pub(crate) struct Moment<'a> {
    pub(crate) time: f64,
    pub(crate) skew: &'a Skew,
    pub(crate) published: Option<ClockSkew>,
    pub(crate) reason: Option<Reason>,
    pub(crate) up: bool,
    /// Host's clock − database's clock; that of the last writer.
    pub(crate) truth: f64,
    /// Since the last heartbeat was stamped.
    pub(crate) silence: f64,
    /// When the stamp that is shown was made.
    pub(crate) stamped: f64,
    /// Since the first read.
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

    /// Whether the skew is outside of what is published.
    pub(crate) fn misses(&self, skew: f64) -> bool {
        let Some(ClockSkew { bounds, .. }) = self.published else {
            return false;
        };
        // The truth is a float: a nanosecond is its error.
        let above = bounds.lower.as_seconds_f64() <= skew + 1e-9;
        let below = bounds
            .upper
            .is_none_or(|upper| skew - 1e-9 <= upper.as_seconds_f64());
        !(above && below)
    }
}

fn span(seconds: f64) -> TimeDelta {
    TimeDelta::nanoseconds((seconds * 1e9).round() as i64)
}

fn date(seconds: f64) -> NaiveDateTime {
    DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::microseconds((seconds * 1e6).floor() as i64)
}

/// Returns the stamp as the column keeps it.
fn stored(shown: f64, column: Quantum) -> HostTime {
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

fn service(updated_at: HostTime) -> Service {
    Service {
        id: 1,
        report_count: 1_000,
        updated_at: Stamp::At(updated_at),
        ..Service::default()
    }
}

/// Lets processes write one row, reads it, and shows each moment to `look`; returns the number of reads.
pub(crate) fn simulate(
    seed: u64,
    processes: &[Process],
    reader: Reader,
    mut look: impl FnMut(&Moment),
) -> usize {
    let mut random = Random(seed);
    let origin = random.between(0.0, 1e6);
    let database = random.between(-1e6, 1e6).round();
    let clocks: Vec<Clock> = processes
        .iter()
        .map(|process| Clock::new(&mut random, process, database, reader.until))
        .collect();
    let mut writes: Vec<(Write, usize)> = Vec::new();
    for (number, process) in processes.iter().enumerate() {
        let own = process.writes(&mut random, &clocks[number], reader.until);
        writes.extend(own.into_iter().map(|write| (write, number)));
    }
    writes.sort_by(|a, b| a.0.visible.total_cmp(&b.0.visible));

    let assumptions = Assumptions {
        visibility_delay: span(reader.visibility_delay),
        ..Assumptions::new(reader.column, span(reader.report_interval))
    };
    let intervals = Intervals {
        service_down_time: span(DOWN),
        report_interval: span(reader.report_interval),
    };
    let mut skew: Option<Skew> = None;
    let (mut sent, mut landed, mut count, mut reads) = (0.0, 0, 1000, 0);
    let mut silent_since = f64::NAN;
    let mut first = None;
    loop {
        sent += reader.poll * random.between(5.0 / 6.0, 7.0 / 6.0);
        if sent > reader.until {
            return reads;
        }
        let round_trip = random.between(0.001, 0.003) + if random.chance(0.01) { 0.5 } else { 0.0 };
        let answered = sent + round_trip;
        let happens = random.between(sent, answered);
        while landed < writes.len() && writes[landed].0.visible <= happens {
            if writes[landed].0.beat {
                count += 1;
                silent_since = writes[landed].0.stamped;
            }
            landed += 1;
        }
        let Some(&(write, by)) = writes[..landed].last() else {
            continue;
        };
        let read = Read {
            sent: Monotonic(span(origin + sent)),
            answered: Monotonic(span(origin + answered)),
        };
        let row = Row {
            report_count: count,
            stamp: stored(write.shown, reader.column),
            foreign: false,
        };
        match &mut skew {
            Some(skew) => drop(skew.observe(read, row)),
            None => skew = Some(Skew::new(read, row, assumptions)),
        }
        let Some(skew) = &skew else {
            unreachable!("observed")
        };
        let now = DatabaseTime(date(happens + database));
        let service = service(row.stamp);
        reads += 1;
        look(&Moment {
            time: answered,
            skew,
            published: skew.against_database(read, now, intervals.service_down_time),
            reason: cause::reason(&service, Some(skew), now, read.answered, &intervals),
            up: liveness::is_up(&service, now, &intervals) == Some(true)
                && liveness::is_up_for_scheduler(&service, now, &intervals) == Some(true),
            truth: clocks[by].skew(answered) - database,
            silence: answered - silent_since,
            stamped: write.stamped,
            heartbeats: count - *first.get_or_insert(count),
        });
    }
}
