//! What the latest heartbeats prove together.
//!
//! A pause or a slew of the host moves its clock and leaves no trace in the stamps: the reporting loop runs on the
//! host's monotonic clock, which stops and is slewed together with its time. Bounds from before would stay wrong for as
//! long as they count. So a heartbeat counts for at most 30 intervals.
//!
//! Heartbeats that a message bus carries come late and out of order. Then nothing tells whether the clock ran undisturbed
//! between two of them, or which was sent last. But the one that was sent last is among those that reads showed within the
//! longest delay, so the clock is within their hull.

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

    /// Returns the hull of all bounds, aged to a time; `None` without heartbeats.
    pub(super) fn hull(&self, at: Monotonic, assumptions: &Assumptions) -> Option<Bounds> {
        let aged = self.blocks.iter().map(|block| block.aged(at, assumptions));
        aged.reduce(Bounds::or)
    }

    /// Returns the intersection of all bounds where they agree, and else the bounds of the latest heartbeat.
    pub(super) fn likeliest(&self, at: Monotonic, assumptions: &Assumptions) -> Option<Bounds> {
        let latest = self.blocks.back().map(|block| block.aged(at, assumptions));
        let agreed = self.bounds(at, assumptions);
        let agreed = agreed.filter(|it| it.upper.is_none_or(|upper| it.lower <= upper));
        agreed.or(latest)
    }

    /// Forgets the heartbeats that were read before a time.
    pub(super) fn forget_before(&mut self, time: Monotonic) {
        while self.blocks.pop_front_if(|block| block.at < time).is_some() {}
    }

    /// Raises all upper bounds, or forgets them.
    pub(super) fn raise(&mut self, by: Option<TimeDelta>) {
        for Block { bounds, .. } in &mut self.blocks {
            bounds.upper = bounds.upper.zip(by).map(|(upper, by)| upper + by);
        }
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
