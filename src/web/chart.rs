//! Geometry of the page's charts: a clock skew against its budget, and the last hour.
//!
//! Ten units are one CSS pixel at the chart's default size, so whole numbers are precise enough.

use chrono::TimeDelta;

use crate::heartbeat::budget::Budget;
use crate::heartbeat::history::Hour;
use crate::heartbeat::skew::{Bounds, ClockSkew};
use crate::heartbeat::urgency::Urgency;

/// Half the width of a skew chart, whose centre is 0.
const HALF_WIDTH: i64 = 800;
/// Minimum width of a segment.
const MIN_WIDTH: i64 = 24;

/// A segment of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub x: i64,
    pub width: i64,
}

/// A clock skew on an axis of ±1.5 times the budget ahead, or behind where it is not limited ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SkewChart {
    /// Skews within which the API lists the service as up.
    pub budget: Segment,
    /// The skew's bounds; to the end of the axis without an upper bound.
    pub bounds: Segment,
    /// Position of the estimate.
    pub mark: Option<i64>,
    /// Whether the estimate lies beyond the axis; `mark` is then its end.
    pub beyond: bool,
}

impl SkewChart {
    /// Computes the chart of a clock skew.
    pub(crate) fn new(skew: &ClockSkew, budget: Budget) -> Self {
        let limit = budget.ahead.unwrap_or(budget.behind);
        let end = (limit * 3 / 2).max(TimeDelta::seconds(1));
        let x = |span: TimeDelta| {
            let span = span.clamp(-end, end).num_milliseconds();
            span * HALF_WIDTH / end.num_milliseconds()
        };
        let part = |from: i64, to: i64| {
            let width = (to - from).max(MIN_WIDTH);
            let x = ((from + to - width) / 2).clamp(-HALF_WIDTH, HALF_WIDTH - width);
            Segment { x, width }
        };
        let Bounds { lower, upper } = skew.bounds;
        Self {
            budget: part(x(-budget.behind), budget.ahead.map_or(HALF_WIDTH, x)),
            bounds: part(x(lower), upper.map_or(HALF_WIDTH, x)),
            mark: skew.estimate.map(x),
            beyond: skew.estimate.is_some_and(|estimate| estimate.abs() > end),
        }
    }
}

/// Consecutive minutes of the last hour with one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Position and length, ten units a minute.
    pub part: Segment,
    /// CSS class: the name of an [`Urgency`], or `none` without a snapshot.
    pub kind: &'static str,
    /// Height of 100: colour must not be the only difference.
    pub height: i64,
}

/// Kinds of minutes, each with its label and height.
pub(crate) const LEGEND: [(&str, &str, i64); 6] = [
    ("down", "down", 100),
    ("unseen", "down, but listed as up", 76),
    ("warning", "marked or taken down", 64),
    ("unknown", "unknown", 52),
    ("up", "up", 36),
    ("none", "not observed", 8),
];

/// Returns the runs of an hour.
pub(crate) fn runs(hour: &Hour) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (minute, x) in hour.minutes.iter().zip((0..).step_by(10)) {
        let kind = minute.map_or("none", |state| Urgency::of_state(state).as_str());
        let mut legend = LEGEND.iter().filter(|(name, ..)| *name == kind);
        let height = legend.next().map_or(0, |(.., height)| *height);
        match runs.last_mut() {
            Some(run) if run.kind == kind => run.part.width += 10,
            _ => runs.push(Run {
                part: Segment { x, width: 10 },
                kind,
                height,
            }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::{INTERVALS, RULES};
    use crate::heartbeat::history::{MINUTES, Since};
    use crate::heartbeat::state::State;

    fn chart(estimate: Option<i64>, lower: i64, upper: Option<i64>) -> SkewChart {
        let (lower, upper) = (TimeDelta::seconds(lower), upper.map(TimeDelta::seconds));
        let skew = ClockSkew {
            estimate: estimate.map(TimeDelta::seconds),
            bounds: Bounds { lower, upper },
        };
        SkewChart::new(&skew, Budget::of(RULES, &INTERVALS))
    }

    #[test]
    fn the_budget_is_drawn_to_scale() {
        let Segment { x, width } = chart(None, 0, None).budget;
        assert_eq!((x, x + width), (-444, 533));
    }

    #[test]
    fn everything_stays_on_the_axis() {
        for (estimate, lower, upper) in [
            (Some(0), -1, Some(1)),
            (Some(-75), -76, Some(-74)),
            (Some(100_000), 99_999, Some(100_001)),
            (Some(-100_000), -100_001, Some(-99_999)),
            (None, 74, None),
            (None, -100_000, None),
            (None, i64::MIN / 1_000, Some(i64::MAX / 1_000)),
        ] {
            let chart = chart(estimate, lower, upper);
            for part in [chart.budget, chart.bounds] {
                let fits = -HALF_WIDTH <= part.x && part.x + part.width <= HALF_WIDTH;
                assert!(fits && part.width >= MIN_WIDTH, "{chart:?}");
            }
            assert!(chart.mark.is_none_or(|mark| mark.abs() <= HALF_WIDTH));
            assert_eq!(chart.beyond, estimate.is_some_and(|s: i64| s.abs() > 90));
        }
    }

    #[test]
    fn equal_minutes_are_one_run() {
        let mut minutes = [None; MINUTES];
        minutes[56] = Some(State::ShutDown);
        minutes[57] = Some(State::Up);
        minutes[58] = Some(State::Undetermined);
        minutes[59] = Some(State::Stopped);
        let since = Since::AtLeast(TimeDelta::zero());
        let runs = runs(&Hour { minutes, since });
        let drawn = runs
            .iter()
            .map(|run| (run.kind, run.part.x, run.part.width));
        let expected = [
            ("none", 0, 560),
            ("warning", 560, 10),
            ("up", 570, 10),
            ("down", 580, 20),
        ];
        assert_eq!(drawn.collect::<Vec<_>>(), expected);
    }
}
