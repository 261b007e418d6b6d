//! The clocks of the servers that answer, against our monotonic axis: they show when the axis stood still.
//!
//! The axis stands still while this machine is suspended, on some machines. Then every other clock seems to jump
//! forward. The servers behind one address have different clocks, so each is only compared with itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::assumptions::Assumptions;
use super::axis::{Monotonic, Read, offset};
use super::bounds::Bounds;
use crate::heartbeat::time::{DatabaseTime, HostTime};

/// The clocks of all servers that answered lately.
#[derive(Debug, Default)]
pub(crate) struct DatabaseClock {
    /// By the identity of the server; `None` where it is unknown.
    servers: BTreeMap<Option<Arc<str>>, Offset>,
    /// The server that answered last.
    latest: Option<Arc<str>>,
}

/// Bounds on server clock − axis.
#[derive(Debug, Clone, Copy)]
struct Offset {
    lower: TimeDelta,
    upper: TimeDelta,
    at: Monotonic,
}

/// Database clock − monotonic axis, to publish skews with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DatabaseOffset {
    /// The least that is possible. Where the axis lost a little time, it is the offset from before: heartbeats from
    /// before were compared with that axis.
    pub(super) lower: TimeDelta,
    /// The greatest that is possible.
    pub(super) upper: TimeDelta,
    /// The offset if the database read its clock just before the answer.
    pub(super) at_answer: TimeDelta,
}

impl DatabaseOffset {
    /// Returns the bounds of clock − database clock that these bounds of clock − monotonic axis prove.
    pub(in crate::heartbeat) fn relative(&self, bounds: Bounds) -> Bounds {
        Bounds {
            lower: bounds.lower - self.upper,
            upper: bounds.upper.map(|upper| upper - self.lower),
        }
    }
}

impl DatabaseClock {
    /// Learns from a read in which this server's clock showed `now`. Returns its offset, and whether the axis may have
    /// stood still since the read before.
    ///
    /// A clock proves that it did not only if its earlier offset is known. So the first answer of another server makes
    /// the axis suspect.
    pub(crate) fn observe(
        &mut self,
        server: Option<&Arc<str>>,
        read: Read,
        now: DatabaseTime,
        assumptions: &Assumptions,
    ) -> (DatabaseOffset, bool) {
        let limit = assumptions.longest_unseen_suspension();
        let is_first = self.servers.is_empty();
        let latest = std::mem::replace(&mut self.latest, server.cloned());
        // An offset that aged by more than the limit would hide a suspension.
        self.servers.retain(|server, offset| {
            *server == latest || assumptions.drift(read.answered - offset.at) <= limit
        });
        let now = HostTime(now.0);
        let shown = Offset {
            lower: offset(now, read.answered),
            upper: offset(now, read.sent),
            at: read.answered,
        };
        let known = self
            .servers
            .get(&self.latest)
            .map(|known| known.aged(read.answered, assumptions));
        let (learnt, lower, stood_still) = match known {
            None => (shown, shown.lower, !is_first),
            Some(known) if shown.lower > known.upper + limit => {
                // The other clocks jumped as well, by an amount that is not known exactly.
                self.servers.clear();
                (shown, shown.lower, true)
            }
            Some(known) => (known.updated(shown), known.lower.min(shown.lower), false),
        };
        self.servers.insert(self.latest.clone(), learnt);
        let offset = DatabaseOffset {
            lower,
            upper: shown.upper,
            at_answer: shown.lower,
        };
        (offset, stood_still)
    }
}

impl Offset {
    fn aged(self, at: Monotonic, assumptions: &Assumptions) -> Self {
        let drift = assumptions.drift(at - self.at);
        Self {
            lower: self.lower - drift,
            upper: self.upper + drift,
            at,
        }
    }

    /// Returns the intersection with a newer offset.
    ///
    /// A newer offset that is smaller replaces this one: the server's clock was set back. One that is larger by less
    /// than a suspension is ignored, so that several of them add up.
    fn updated(self, newer: Self) -> Self {
        if newer.upper < self.lower {
            return newer;
        }
        if newer.lower > self.upper {
            return self;
        }
        Self {
            lower: self.lower.max(newer.lower),
            upper: self.upper.min(newer.upper),
            at: newer.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::skew::Quantum;

    #[expect(clippy::cast_possible_truncation, reason = "small test times")]
    fn seconds(seconds: f64) -> TimeDelta {
        TimeDelta::milliseconds((seconds * 1e3).round() as i64)
    }

    /// Reads at these seconds, each of 10 ms, and the server's clock in each. Returns whether the axis seemed to have
    /// stood still, and the last offset.
    fn observed(reads: &[(f64, &str, f64)]) -> (Vec<bool>, DatabaseOffset) {
        let assumptions = Assumptions::new(Quantum::MICROSECOND, TimeDelta::seconds(10));
        let mut clock = DatabaseClock::default();
        let mut offset = DatabaseOffset::default();
        let suspect = reads.iter().map(|&(sent, server, shown)| {
            let read = Read {
                sent: Monotonic(seconds(sent)),
                answered: Monotonic(seconds(sent + 0.01)),
            };
            let now = DatabaseTime((chrono::DateTime::UNIX_EPOCH + seconds(shown)).naive_utc());
            let server = Arc::from(server);
            let (latest, suspect) = clock.observe(Some(&server), read, now, &assumptions);
            offset = latest;
            suspect
        });
        (suspect.collect(), offset)
    }

    #[test]
    fn a_jump_forward_is_a_suspension_and_a_jump_back_is_not() {
        for (shown, expected) in [
            (15.0, false),
            (15.6, true),
            (315.0, true),
            (-3_585.0, false),
        ] {
            let reads = [(5.0, "a", 5.0), (10.0, "a", 10.0), (15.0, "a", shown)];
            assert_eq!(observed(&reads).0, [false, false, expected], "{shown}");
        }
    }

    #[test]
    fn small_suspensions_add_up_and_lower_the_offset_until_then() {
        let reads = [
            (5.0, "a", 5.0),
            (10.0, "a", 10.3),
            (15.0, "a", 15.6),
            (20.0, "a", 20.6),
        ];
        let (_, offset) = observed(&reads[..2]);
        // 0.3 s ahead of the axis, or of an axis that lost them; aged by 5 ms.
        assert_eq!(offset.lower, TimeDelta::microseconds(-15_000));
        assert_eq!(offset.upper, TimeDelta::milliseconds(300));
        assert_eq!(observed(&reads).0, [false, false, true, false]);
    }

    #[test]
    fn each_server_is_compared_with_itself_and_the_first_answer_proves_nothing() {
        let reads = [
            (5.0, "a", 5.0),
            (10.0, "b", 10.9),
            (15.0, "a", 15.0),
            (20.0, "b", 20.9),
            // The machine was suspended for 0.8 s. The clocks of the others are not known any more.
            (25.0, "a", 25.8),
            (30.0, "b", 31.7),
            (35.0, "b", 36.7),
        ];
        let suspect = [false, true, false, false, true, true, false];
        assert_eq!(observed(&reads).0, suspect);
    }

    #[test]
    fn a_server_that_did_not_answer_for_long_is_a_new_one() {
        // At 1,000 ppm, the limit of half a second is reached after 500 s.
        for (pause, expected) in [(400.0, false), (520.0, true)] {
            let later = 10.0 + pause;
            let reads = [
                (5.0, "a", 5.0),
                (10.0, "b", 10.0),
                (later, "b", later),
                (later + 5.0, "a", later + 5.0),
            ];
            assert_eq!(observed(&reads).0[3], expected, "{pause}");
        }
    }
}
