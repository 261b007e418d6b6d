//! The clock budget: how far a host's clock may be off before its services flap.

use chrono::TimeDelta;

use super::liveness::Intervals;
use super::skew::Bounds;
use crate::project::rules::{Rules, Sides};

/// How far a clock may be off without the API ever listing its services as down.
///
/// Ahead, a heartbeat may be in the future by the limit on its age, inclusive. Behind, the report interval is
/// subtracted, because a heartbeat reaches that age before the next one arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// How far the clock may be behind; never negative.
    pub(crate) behind: TimeDelta,
    /// How far the clock may be ahead; `None` where the rule does not limit it.
    pub(crate) ahead: Option<TimeDelta>,
}

impl Budget {
    /// Returns the budget that results from the rule of the API, or from that for the stored state, and the options.
    pub(crate) fn of(rules: &Rules, intervals: &Intervals) -> Self {
        let marked_after = rules.stored.and_then(|stored| stored.marked_after);
        let marked_after = marked_after.map(|seconds| TimeDelta::seconds(seconds.into()));
        let limit = marked_after.unwrap_or_else(|| rules.api.limit(intervals));
        let behind = limit - intervals.report_interval;
        Self {
            behind: behind.max(TimeDelta::zero()),
            ahead: (rules.api.sides == Sides::Both).then_some(limit),
        }
    }

    /// Returns whether a skew is within the budget; both limits are inclusive.
    pub(crate) fn allows(&self, skew: TimeDelta) -> bool {
        -self.behind <= skew && self.ahead.is_none_or(|ahead| skew <= ahead)
    }

    /// Returns whether each skew within these bounds is beyond the budget.
    pub(crate) fn excludes(&self, bounds: Bounds) -> bool {
        self.ahead.is_some_and(|ahead| bounds.lower > ahead)
            || bounds.upper.is_some_and(|upper| upper < -self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::{INTERVALS, RULES};

    #[test]
    fn the_budget_is_shorter_behind_than_ahead() {
        let budget = Budget::of(RULES, &INTERVALS);
        for (seconds, allowed) in [(-51, false), (-50, true), (60, true), (61, false)] {
            assert_eq!(budget.allows(TimeDelta::seconds(seconds)), allowed);
        }
        let one_sided = Budget {
            ahead: None,
            ..budget
        };
        assert!(one_sided.allows(TimeDelta::seconds(61)));
        assert!(!one_sided.allows(TimeDelta::seconds(-51)));
        let tight = Intervals {
            report_interval: TimeDelta::seconds(90),
            ..INTERVALS
        };
        assert_eq!(Budget::of(RULES, &tight).behind, TimeDelta::zero());
    }
}
