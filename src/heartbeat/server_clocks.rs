//! What the stamps of one program's processes prove of their clocks, where they stamp other services' rows.
//!
//! The heartbeats of all services within five minutes, each with the bounds of the clock that stamped it: which process that
//! was, nothing tells. With all bounds aged to now, and on one axis:
//!
//! - one clock is not below the greatest lower bound A, and one is not above the least upper bound B, so two clocks are at
//!   least A − B apart where that is positive;
//! - every clock that stamped is between the least lower and the greatest upper bound;
//! - no fewer processes than the fewest points that meet all bounds have stamped.
//!
//! A clock that was set within the five minutes counts as two.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::skew::{Assumptions, Bounds, DatabaseOffset, Monotonic};

/// For how long a heartbeat counts.
pub(super) const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// The bounds of one heartbeat: clock − monotonic axis, as of `at`.
#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    at: Monotonic,
    bounds: Bounds,
}

impl Heartbeat {
    fn aged(&self, at: Monotonic, assumptions: &Assumptions) -> Bounds {
        self.bounds.widened(assumptions.drift(at - self.at))
    }
}

/// The clocks of the processes that stamp other services' rows.
#[derive(Debug, Default)]
pub(super) struct ServerClocks {
    /// The heartbeats whose bounds contain those of no later one: the others prove no more.
    tightest: Vec<Heartbeat>,
    /// The same of stamps that went back, and may be those of a table that was restored.
    doubtful: Vec<Heartbeat>,
    /// The heartbeats with a lower bound below that of each later one, oldest first.
    lowest: VecDeque<Heartbeat>,
    /// The heartbeats with an upper bound above that of each later one, oldest first.
    highest: VecDeque<Heartbeat>,
}

/// What the stamps of the latest five minutes prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerClockSpread {
    /// How far the clocks are apart, most likely.
    pub estimate: TimeDelta,
    /// How far two of them are apart, at least.
    pub proven: TimeDelta,
    /// All of them − the database's clock.
    pub bounds: Bounds,
    /// How many processes stamped, at least.
    pub servers: usize,
}

impl ServerClocks {
    /// Forgets all heartbeats.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds the bounds of a heartbeat that a read was the first to show. It was answered at `at`, not before the last one.
    pub(super) fn add(&mut self, bounds: Bounds, at: Monotonic, assumptions: &Assumptions) {
        let new = Heartbeat { at, bounds };
        push(&mut self.tightest, new, assumptions);
        let is_higher = |old: &mut Heartbeat| old.aged(at, assumptions).lower >= bounds.lower;
        while self.lowest.pop_back_if(is_higher).is_some() {}
        self.lowest.push_back(new);
        let is_lower = |old: &mut Heartbeat| old.aged(at, assumptions).upper <= bounds.upper;
        while self.highest.pop_back_if(is_lower).is_some() {}
        self.highest.push_back(new);
    }

    /// Adds the bounds of a stamp that went back, see [`add`](Self::add).
    pub(super) fn doubt(&mut self, bounds: Bounds, at: Monotonic, assumptions: &Assumptions) {
        push(&mut self.doubtful, Heartbeat { at, bounds }, assumptions);
    }

    /// Returns whether a clock that stamped lately can be within these bounds.
    pub(super) fn know(&self, bounds: Bounds, at: Monotonic, assumptions: &Assumptions) -> bool {
        let mut heartbeats = self.tightest.iter().chain(&self.doubtful);
        heartbeats.any(|known| known.aged(at, assumptions).meets(&bounds))
    }

    /// Forgets the heartbeats that were read more than five minutes ago.
    pub(super) fn expire(&mut self, at: Monotonic) {
        let is_old = |old: &Heartbeat| at - old.at > WINDOW;
        self.tightest.retain(|old| !is_old(old));
        self.doubtful.retain(|old| !is_old(old));
        while self.lowest.pop_front_if(|old| is_old(old)).is_some() {}
        while self.highest.pop_front_if(|old| is_old(old)).is_some() {}
    }

    /// Returns what the heartbeats prove; `None` without any.
    pub(super) fn spread(
        &self,
        at: Monotonic,
        database: DatabaseOffset,
        assumptions: &Assumptions,
    ) -> Option<ServerClockSpread> {
        let zero = TimeDelta::zero();
        let aged = |it: &Heartbeat| it.aged(at, assumptions);
        let mut tightest: Vec<(TimeDelta, TimeDelta)> =
            self.tightest.iter().map(aged).filter_map(both).collect();
        let lower = tightest.iter().map(|(lower, _)| *lower).max()?;
        let upper = tightest.iter().map(|(_, upper)| *upper).min()?;
        // The typical delay is far below the longest, and clocks drift far less than they may.
        let raw = || self.tightest.iter().filter_map(|it| both(it.bounds));
        let highest = raw().map(|(lower, _)| lower).max()?;
        let lowest = raw().map(|(_, upper)| upper).min()? - assumptions.delay();
        let hull = Bounds {
            lower: aged(self.lowest.front()?).lower,
            upper: aged(self.highest.front()?).upper,
        };
        Some(ServerClockSpread {
            estimate: (highest - lowest).max(lower - upper).max(zero),
            proven: (lower - upper).max(zero),
            bounds: database.relative(hull),
            servers: fewest_points(&mut tightest),
        })
    }
}

/// Adds a heartbeat, and removes those whose bounds contain its bounds.
fn push(heartbeats: &mut Vec<Heartbeat>, new: Heartbeat, assumptions: &Assumptions) {
    heartbeats.retain(|old| !old.aged(new.at, assumptions).contain(&new.bounds));
    heartbeats.push(new);
}

fn both(bounds: Bounds) -> Option<(TimeDelta, TimeDelta)> {
    Some((bounds.lower, bounds.upper?))
}

/// Returns the fewest points such that each interval contains one of them.
fn fewest_points(intervals: &mut [(TimeDelta, TimeDelta)]) -> usize {
    intervals.sort_unstable_by_key(|(_, upper)| *upper);
    let mut last = None;
    let mut points = 0;
    for &(lower, upper) in &*intervals {
        if last.is_none_or(|point| lower > point) {
            last = Some(upper);
            points += 1;
        }
    }
    points
}
