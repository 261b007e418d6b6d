//! What is remembered from poll to poll: one [`Skew`] a row, and where the database's clock was.
//!
//! The axis is [`Monotonic`]; what is published is against the database's clock. A step of that clock shifts what
//! is published by exactly that step, and nothing that is remembered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::TimeDelta;

use super::cause;
use super::liveness::Intervals;
use super::service::{DatabaseTime, Reading, Service, Stamp};
use super::skew::{Assumptions, Observation, Quantum, Read, Row, Skew};
use super::snapshot::{Observed, Snapshot};

/// A difference between two clocks' progress that is no jump yet, beyond the uncertainty of the reads.
const JUMP: TimeDelta = TimeDelta::seconds(1);

/// What the operator says about the way from a host's clock to a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerances {
    /// See [`Assumptions::visibility_delay`].
    pub visibility_delay: TimeDelta,
    /// See [`Assumptions::max_drift_ppm`].
    pub max_drift_ppm: u32,
}

/// The memory of one source.
#[derive(Debug)]
pub struct Tracker {
    intervals: Intervals,
    tolerances: Tolerances,
    quantum: Option<Quantum>,
    /// By primary key: a row that was removed and made anew is another row.
    rows: HashMap<i64, Tracked>,
    last: Option<(Read, DatabaseTime)>,
}

/// A row as it was last seen, and what its heartbeats proved.
#[derive(Debug)]
struct Tracked {
    /// A hash of everything that no heartbeat writes, which takes less room than the row.
    facts: u64,
    /// `None` until `updated_at` holds a time.
    skew: Option<Skew>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    #[must_use]
    pub fn new(intervals: Intervals, tolerances: Tolerances) -> Self {
        Self {
            intervals,
            tolerances,
            quantum: None,
            rows: HashMap::new(),
            last: None,
        }
    }

    /// Returns a tracker of the same settings that has seen nothing.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.intervals, self.tolerances)
    }

    /// Learns from a reading, which must not be older than the last, and returns the picture that it gives.
    pub fn observe(&mut self, reading: Reading, read: Read) -> Snapshot {
        // Another engine behind the same address keeps other fractions: what was proven does not hold for it.
        if self.quantum.replace(reading.quantum) != Some(reading.quantum) {
            self.rows.clear();
        }
        let jump = self.jump(read, reading.now);
        self.last = Some((read, reading.now));

        let mut before = std::mem::take(&mut self.rows);
        let observed: HashMap<i64, Observed> = reading
            .services
            .iter()
            .map(|service| {
                let tracked =
                    self.track(before.remove(&service.id), service, read, reading.quantum);
                let observed = self.observed(&tracked, service, read, reading.now);
                self.rows.insert(service.id, tracked);
                (service.id, observed)
            })
            .collect();
        // What is left in `before` has vanished, and is forgotten with it.
        Snapshot::new(reading, self.intervals, observed, jump)
    }

    fn track(
        &self,
        before: Option<Tracked>,
        service: &Service,
        read: Read,
        quantum: Quantum,
    ) -> Tracked {
        let facts = facts(service);
        let mut tracked = before.unwrap_or(Tracked { facts, skew: None });
        let Stamp::At(stamp) = service.updated_at else {
            return tracked;
        };
        let row = Row {
            report_count: service.report_count,
            stamp,
            foreign: tracked.facts != facts,
        };
        match &mut tracked.skew {
            Some(skew) => {
                if skew.observe(read, row) == Observation::Stale {
                    return tracked;
                }
            }
            None => tracked.skew = Some(Skew::new(read, row, self.assumptions(quantum))),
        }
        tracked.facts = facts;
        tracked
    }

    fn assumptions(&self, quantum: Quantum) -> Assumptions {
        Assumptions {
            visibility_delay: self.tolerances.visibility_delay,
            max_drift_ppm: self.tolerances.max_drift_ppm,
            ..Assumptions::new(quantum, self.intervals.report_interval)
        }
    }

    fn observed(
        &self,
        tracked: &Tracked,
        service: &Service,
        read: Read,
        now: DatabaseTime,
    ) -> Observed {
        let skew = tracked.skew.as_ref();
        let silence = skew.map(|skew| skew.silence(read.answered));
        Observed {
            clock_skew: skew.and_then(|skew| {
                skew.against_database(read, now, self.intervals.service_down_time)
            }),
            clock_steps: skew.map(Skew::steps),
            report_interval: skew.and_then(Skew::interval).map(|interval| interval.mean),
            writers: skew.and_then(Skew::writers),
            silence_least: silence.map(|(least, _)| least),
            silence_most: silence.and_then(|(_, most)| most),
            reason: cause::reason(service, skew, now, read.answered, &self.intervals),
        }
    }

    /// Returns by how much the database's clock jumped since the last reading, positive when it jumped forward;
    /// `None` when its progress agrees with ours, give or take a second and the uncertainty of both reads.
    fn jump(&self, read: Read, now: DatabaseTime) -> Option<TimeDelta> {
        let (last, then) = self.last?;
        let jump = (now.0 - then.0) - (read.answered - last.answered);
        let unsure = (read.answered - read.sent) + (last.answered - last.sent);
        (jump.abs() > JUMP + unsure).then_some(jump)
    }
}

/// Hashes what changes only when something else than a heartbeat is written, perhaps with another machine's clock.
///
/// Enable and disable leave `updated_at` as it is (`service_update` in cinder/db/api.py), and so prove nothing.
fn facts(service: &Service) -> u64 {
    let Service {
        id: _,
        report_count: _,
        updated_at: _,
        disabled: _,
        disabled_reason: _,
        binary,
        host,
        topic,
        created_at,
        frozen,
        availability_zone,
        cluster_name,
        uuid,
        rpc_current_version,
        object_current_version,
        replication_status,
        active_backend_id,
    } = service;
    let mut hasher = DefaultHasher::new();
    (binary, host, topic, created_at, frozen, availability_zone).hash(&mut hasher);
    (cluster_name, uuid, replication_status, active_backend_id).hash(&mut hasher);
    (rpc_current_version, object_current_version).hash(&mut hasher);
    hasher.finish()
}
