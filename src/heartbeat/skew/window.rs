//! What the latest heartbeats prove together.
//!
//! A pause or a slew of the host moves its clock and leaves no trace in the stamps: the reporting loop runs on the
//! host's monotonic clock, which stops and is slewed together with its time. Bounds from before would stay wrong for as
//! long as they count. So a heartbeat counts for at most 30 intervals.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::assumptions::Assumptions;
use super::axis::{Monotonic, scaled};
use super::bounds::Bounds;

/// For how many report intervals a heartbeat counts, at most.
const INTERVALS: i64 = 30;
/// Heartbeats are forgotten in blocks, which takes a fraction of the memory that single heartbeats would take.
const BLOCKS: i64 = 6;

/// The intersections of the latest heartbeats' bounds, in blocks of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// Oldest first.
    blocks: VecDeque<Block>,
}

#[derive(Debug, Clone)]
struct Block {
    /// When its first heartbeat was read.
    begun: Monotonic,
    /// The intersection of its heartbeats' bounds, aged to `at`.
    bounds: Bounds,
    at: Monotonic,
}

impl Block {
    /// Returns the bounds at a time not before `at`.
    fn aged(&self, at: Monotonic, assumptions: &Assumptions) -> Bounds {
        self.bounds.widened(assumptions.drift(at - self.at))
    }
}

impl Window {
    /// Forgets all heartbeats.
    pub(super) fn clear(&mut self) {
        self.blocks.clear();
    }

    /// Forgets the heartbeats that were read too long ago.
    pub(super) fn expire(&mut self, at: Monotonic, interval: TimeDelta) {
        let longest = scaled(interval, INTERVALS, 1);
        while self
            .blocks
            .pop_front_if(|block| at - block.begun > longest)
            .is_some()
        {}
    }

    /// Returns the intersection of all bounds, aged to a time; `None` without heartbeats.
    pub(super) fn bounds(&self, at: Monotonic, assumptions: &Assumptions) -> Option<Bounds> {
        let aged = self.blocks.iter().map(|block| block.aged(at, assumptions));
        aged.reduce(Bounds::and)
    }

    /// Replaces all lower bounds by a lower one, and keeps the upper bounds.
    pub(super) fn lower_to(&mut self, lower: TimeDelta, at: Monotonic, assumptions: &Assumptions) {
        for block in &mut self.blocks {
            let aged = block.aged(at, assumptions);
            block.bounds = Bounds { lower, ..aged };
            block.at = at;
        }
    }

    /// Adds the bounds of a heartbeat.
    pub(super) fn add(
        &mut self,
        bounds: Bounds,
        at: Monotonic,
        interval: Option<TimeDelta>,
        assumptions: &Assumptions,
    ) {
        let length = interval.map_or(TimeDelta::zero(), |interval| {
            scaled(interval, INTERVALS, BLOCKS)
        });
        match self.blocks.back_mut() {
            Some(block) if at - block.begun < length => {
                block.bounds = block.aged(at, assumptions).and(bounds);
                block.at = at;
            }
            _ => self.blocks.push_back(Block {
                begun: at,
                bounds,
                at,
            }),
        }
    }
}
