//! Hosts whose service has several processes: what their rows prove together always holds.

use super::super::shared_clock::common_bounds;
use super::*;

/// A sequence of numbers that the seed determines.
struct Numbers(u64);

impl Numbers {
    /// Returns a number from `least` to `most`.
    #[expect(clippy::cast_precision_loss, reason = "the upper 53 bits are exact")]
    fn between(&mut self, least: f64, most: f64) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        let share = ((self.0 ^ self.0 >> 29) >> 11) as f64 / (1_u64 << 53) as f64;
        least + share * (most - least)
    }

    fn happens(&mut self, share: f64) -> bool {
        self.between(0.0, 1.0) < share
    }
}

/// A process, and its row once a read showed it.
struct Process {
    /// The heartbeats that no read showed yet: when each is visible, when it was made, and its stamp.
    beats: Vec<(f64, f64, f64)>,
    next: f64,
    skew: Option<Skew>,
}

/// The precision of the database's times.
#[derive(Clone, Copy)]
enum Column {
    Seconds,
    Microseconds,
}

impl Column {
    fn of(self, time: f64) -> f64 {
        match self {
            Self::Seconds => time.floor(),
            Self::Microseconds => time,
        }
    }

    fn quantum(self) -> Quantum {
        match self {
            Self::Seconds => Quantum::TRUNCATED,
            Self::Microseconds => Quantum::MICROSECOND,
        }
    }
}

struct Host {
    numbers: Numbers,
    column: Column,
    ahead: f64,
    stepped: f64,
    /// When the latest heartbeat was stamped that a read showed.
    shown: f64,
    processes: Vec<Process>,
}

impl Host {
    const INTERVAL: f64 = 10.0;

    fn start(time: f64) -> Process {
        Process {
            beats: Vec::new(),
            next: time + 0.02,
            skew: None,
        }
    }

    /// Lets the clock be set, processes restart, and all that run beat, for the tenth of a second that begins at `time`.
    fn live(&mut self, time: f64) {
        // Two steps between two heartbeats may amount to one that is too small to be seen.
        if time - self.stepped > 50.0 && self.numbers.happens(0.000_7) {
            let size = self.numbers.between(5.0, 60.0);
            self.ahead += if self.numbers.happens(0.5) {
                size
            } else {
                -size
            };
            self.stepped = time;
        }
        // With a reboot, the clock may be set while nothing runs.
        let reboots = time - self.stepped < 0.05 && self.numbers.happens(0.3);
        for index in 0..self.processes.len() {
            if reboots || self.numbers.happens(0.000_2) {
                self.processes[index] = Self::start(time);
            }
        }
        for process in &mut self.processes {
            if process.next <= time {
                let delay = if self.numbers.happens(0.2) { 1.9 } else { 0.1 };
                let visible = process.next + self.numbers.between(0.0, delay);
                let stamp = self.column.of(process.next + self.ahead);
                process.beats.push((visible, time, stamp));
                process.next += Self::INTERVAL + self.numbers.between(0.0, 0.02);
            }
        }
    }

    /// Reads all rows, and returns what they prove.
    fn read(&mut self, time: f64) -> Option<Bounds> {
        for process in &mut self.processes {
            let visible = process
                .beats
                .iter()
                .rposition(|(visible, ..)| *visible <= time);
            if let Some(last) = visible {
                let (_, made, second) = process.beats.drain(..=last).next_back().unwrap();
                // A clock that is set back by an interval repeats a stamp, and that heartbeat is unseen.
                let is_seen = |skew: &Skew| skew.row.stamp != stamp(second);
                if process.skew.as_ref().is_none_or(is_seen) {
                    self.shown = self.shown.max(made);
                }
                let row = Row {
                    heartbeats: None,
                    ..row(0, second)
                };
                match &mut process.skew {
                    Some(skew) => drop(skew.observe(read(time), row)),
                    none => {
                        *none = Some(Skew::new(
                            read(time),
                            row,
                            assumptions(self.column.quantum()),
                        ));
                    }
                }
            } else if let Some(skew) = &mut process.skew {
                let row = skew.row;
                skew.observe(read(time), row);
            }
        }
        let rows = self.processes.iter();
        let rows = rows.filter_map(|process| process.skew.as_ref());
        common_bounds(rows, at(time + 0.01))
    }
}

#[test]
fn the_truth_is_within_what_several_processes_prove() {
    let (mut judged, mut misses, mut widths) = (0, Vec::new(), Vec::new());
    for seed in 0..300 {
        let mut host = Host {
            numbers: Numbers(seed),
            column: [Column::Seconds, Column::Microseconds][usize::from(seed % 2 == 0)],
            ahead: 0.0,
            stepped: 0.0,
            shown: 0.0,
            processes: Vec::new(),
        };
        for _ in 0..2 + seed % 4 {
            let phase = host.numbers.between(0.0, Host::INTERVAL);
            let process = Host::start(phase);
            host.processes.push(process);
        }
        for tenth in 0..18_000_u32 {
            let time = f64::from(tenth) / 10.0;
            host.live(time);
            if tenth % 50 != 0 {
                continue;
            }
            let Some(Bounds { lower, upper }) = host.read(time + 0.1) else {
                continue;
            };
            // Until a heartbeat since the step is shown, nothing can tell.
            if host.shown < host.stepped {
                continue;
            }
            judged += 1;
            let truth = seconds(host.ahead);
            if truth < lower || upper.is_some_and(|upper| upper < truth) {
                misses.push((seed, time, host.stepped, lower, truth, upper));
            }
            widths.extend(upper.map(|upper| upper - lower));
        }
    }
    widths.sort_unstable();
    let median = widths[widths.len() / 2];
    assert!(
        misses.is_empty(),
        "{} of {judged}: {:?}",
        misses.len(),
        &misses[..misses.len().min(5)]
    );
    assert!(
        judged > 70_000 && median < TimeDelta::seconds(6),
        "{judged}, {median}"
    );
}
