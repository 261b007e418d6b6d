//! The clock budget: how far a host's clock may be off before its services flap.

use chrono::TimeDelta;

use super::liveness::Intervals;

/// How far a clock may be off without the API ever listing its services as down.
///
/// Ahead, a heartbeat may be in the future by the limit on its age, inclusive. Behind, the report interval is
/// subtracted, because a heartbeat reaches that age before the next one arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How far the clock may be behind; never negative.
    pub behind: TimeDelta,
    /// How far the clock may be ahead; `None` where the rule does not limit it.
    pub ahead: Option<TimeDelta>,
}

impl Budget {
    /// Returns the budget that results from the options.
    pub(crate) fn of(intervals: &Intervals) -> Self {
        let behind = intervals.service_down_time - intervals.report_interval;
        Self {
            behind: behind.max(TimeDelta::zero()),
            ahead: Some(intervals.service_down_time),
        }
    }

    /// Returns whether a skew is within the budget; both limits are inclusive.
    pub(crate) fn allows(&self, skew: TimeDelta) -> bool {
        -self.behind <= skew && self.ahead.is_none_or(|ahead| skew <= ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::INTERVALS;

    #[test]
    fn the_budget_is_shorter_behind_than_ahead() {
        let budget = Budget::of(&INTERVALS);
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
        assert_eq!(Budget::of(&tight).behind, TimeDelta::zero());
    }
}
