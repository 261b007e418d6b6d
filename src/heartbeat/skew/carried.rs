//! What a heartbeat proves that a message bus carried.
//!
//! It may be older than the one before. So a stamp that goes back proves no clock step, heartbeats are joined and not
//! intersected, see [`window`](super::window), and a step is what no delay explains.

use chrono::TimeDelta;

use super::Skew;
use super::axis::Read;
use super::observation::{Observation, Row};

impl Skew {
    /// Learns from a heartbeat that a message bus carried, whose stamp is another than the last one.
    ///
    /// One whose stamp goes back by at most the longest delay is late. By more, the clock was set, or the table was
    /// restored from a backup.
    pub(super) fn carried(&mut self, read: Read, row: Row) -> Observation {
        let new = self.proven(read, row);
        let old = self.bounds(read.answered);
        let is_disproved = old.below(&new) || new.below(&old);
        self.steps += u64::from(is_disproved && self.disturbed.is_none());
        if let Some(after) = self.after() {
            self.window.forget_before(after);
        }
        let assumptions = &self.assumptions;
        self.window.add(new, read.answered, None, assumptions);
        let hull = self.window.hull(read.answered, assumptions);
        self.bounds = hull.unwrap_or(new);
        self.at = read.answered;
        let back = self.row.stamp.0 - row.stamp.0;
        let is_set = back > assumptions.delay() + assumptions.quantum.width();
        if new.upper.is_some() {
            self.disturbed = None;
            self.restarts = is_set;
        }
        if is_set {
            self.pace.restart();
        } else if back < TimeDelta::zero() {
            let (beat, _, advance) = self.advance(read, row);
            self.pace.learn(beat, advance, self.assumptions.slack());
        }
        Observation::Carried
    }
}
