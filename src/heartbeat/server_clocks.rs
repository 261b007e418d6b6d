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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::at;
    use crate::heartbeat::skew::Quantum;

    fn assumptions() -> Assumptions {
        Assumptions::new(Quantum::MICROSECOND, TimeDelta::seconds(10))
    }

    fn bounds(lower: i64, upper: i64) -> Bounds {
        Bounds {
            lower: TimeDelta::seconds(lower),
            upper: Some(TimeDelta::seconds(upper)),
        }
    }

    /// Adds heartbeats that are read one a second, and returns what they prove at the last one, to whole seconds: the proven
    /// spread, the bounds, and the number of servers.
    fn spread(heartbeats: &[(i64, i64)]) -> (i64, i64, i64, usize) {
        let mut clocks = ServerClocks::default();
        let mut now = at(0);
        for (second, &(lower, upper)) in (0..).zip(heartbeats) {
            now = at(second);
            clocks.add(bounds(lower, upper), now, &assumptions());
        }
        let spread = clocks.spread(now, DatabaseOffset::default(), &assumptions());
        let ServerClockSpread {
            proven,
            bounds,
            servers,
            ..
        } = spread.unwrap();
        let half = TimeDelta::milliseconds(500);
        let seconds = |span: TimeDelta| (span + half).num_milliseconds().div_euclid(1_000);
        let upper = bounds.upper.unwrap();
        (
            seconds(proven),
            seconds(bounds.lower),
            seconds(upper),
            servers,
        )
    }

    #[test]
    fn bounds_that_do_not_meet_are_of_several_servers() {
        assert_eq!(spread(&[(-1, 4)]), (0, -1, 4, 1));
        // They meet, so one server explains them.
        assert_eq!(spread(&[(-1, 4), (3, 8)]), (0, -1, 8, 1));
        assert_eq!(spread(&[(-1, 4), (6, 11)]), (2, -1, 11, 2));
        assert_eq!(spread(&[(-1, 4), (6, 11), (13, 18)]), (9, -1, 18, 3));
        // Each of the outer two meets the one between them.
        assert_eq!(spread(&[(-1, 4), (3, 8), (6, 11)]), (2, -1, 11, 2));
    }

    #[test]
    fn wider_bounds_do_not_hide_the_servers_of_earlier_ones() {
        assert_eq!(spread(&[(6, 11), (-1, 4), (-20, 30)]), (2, -20, 30, 2));
        assert_eq!(spread(&[(-20, 30), (6, 11), (-1, 4)]), (2, -20, 30, 2));
    }

    #[test]
    fn a_heartbeat_counts_for_five_minutes() {
        let mut clocks = ServerClocks::default();
        let servers = |clocks: &ServerClocks, second| {
            let spread = clocks.spread(at(second), DatabaseOffset::default(), &assumptions());
            spread.map(|spread| spread.servers)
        };
        clocks.add(bounds(-1, 4), at(0), &assumptions());
        clocks.add(bounds(60, 65), at(10), &assumptions());
        for (second, expected) in [(300, Some(2)), (301, Some(1)), (310, Some(1)), (311, None)] {
            clocks.expire(at(second));
            assert_eq!(servers(&clocks, second), expected, "{second}");
        }
    }

    #[test]
    fn a_clock_is_known_from_stamps_that_are_doubted_too() {
        let mut clocks = ServerClocks::default();
        clocks.doubt(bounds(-75, -70), at(0), &assumptions());
        assert_eq!(
            clocks.spread(at(0), DatabaseOffset::default(), &assumptions()),
            None
        );
        assert!(clocks.know(bounds(-72, -67), at(5), &assumptions()));
        assert!(!clocks.know(bounds(-60, -55), at(5), &assumptions()));
    }
}
