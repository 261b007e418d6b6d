//! Whether a host's clock ran undisturbed between heartbeats, by its own stamps alone.
//!
//! After a clock is set back, the bounds of two heartbeats can still overlap, and their intersection is silently wrong.
//! The stamps reveal the step: they no longer advance at the pace of regular heartbeats. All times are on the host's
//! clock.

use chrono::TimeDelta;

use super::assumptions::Assumptions;
use super::axis::scaled;
use crate::heartbeat::time::HostTime;

/// Most heartbeats over which the mean interval is taken.
const LONGEST_SPAN: i64 = 64;
/// Consecutive irregular heartbeats after which the interval is learnt again.
const IRREGULAR_RUN: u32 = 3;
/// Fewest heartbeats behind an interval that is kept after an irregular heartbeat.
const SHORTEST_SPAN: i64 = 3;

/// One heartbeat, as in its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    pub(super) heartbeats: i64,
    pub(super) stamp: HostTime,
}

impl Beat {
    /// Returns the number of heartbeats since an earlier one; never negative.
    pub(super) fn count_since(&self, earlier: &Self) -> i64 {
        self.heartbeats.saturating_sub(earlier.heartbeats)
    }
}

/// The mean interval between heartbeats, on the host's clock.
///
/// Where the project counts none, the heartbeats that reads showed count. A lost heartbeat is in neither count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Span of the stamps ÷ number of heartbeats. It is wrong for a few heartbeats after a clock was set.
    pub mean: TimeDelta,
    /// Bound on its error: [slack](super::Assumptions::slack) ÷ number of heartbeats.
    pub error: TimeDelta,
}

/// How a host's clock advanced since the last observed heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Advance {
    /// Actual advance − advance expected from the number of heartbeats.
    irregularity: TimeDelta,
    /// Whether the reporting loop explains the irregularity.
    pub(super) regular: bool,
}

/// The remembered stamps; empty until the first heartbeat.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// The last heartbeat; `None` after any other write.
    beat: Option<Beat>,
    /// Start of the mean interval; set together with `beat`.
    start: Option<Beat>,
    /// Number of consecutive irregular heartbeats.
    irregular_run: u32,
    /// Leaky sum of the latest irregularities: a slow slew adds up over several heartbeats.
    leaky_sum: TimeDelta,
}

impl Pace {
    /// Forgets the heartbeats, because the next one cannot be compared with them.
    pub(super) fn restart(&mut self) {
        self.beat = None;
        self.start = None;
    }

    /// Returns the number of the next heartbeat where the project counts none.
    pub(super) fn next(&self) -> i64 {
        self.beat.map_or(0, |beat| beat.heartbeats + 1)
    }

    /// Returns the mean interval; `None` until two heartbeats were observed in a row.
    pub(super) fn interval(&self, slack: TimeDelta) -> Option<Interval> {
        let (beat, start) = self.beat.zip(self.start)?;
        let count = beat.count_since(&start);
        (count > 0).then(|| Interval {
            mean: scaled(beat.stamp.0 - start.stamp.0, 1, count),
            error: scaled(slack, 1, count),
        })
    }

    /// Returns how the clock advanced to the heartbeat `beat`; `None` while the interval is not known.
    ///
    /// The k-th heartbeat after the last one is regular if all of these are true:
    /// - its irregularity is at most slack + k × the interval's error;
    /// - the leaky sum of irregularities, ¾ of the last sum + this irregularity, is within the same limit;
    /// - `gap`, the longer of the time without a read and the time in which reads showed no heartbeat, is at most three
    ///   intervals or 2½ polls. A longer pause may last a whole number of intervals, and over many of them the error
    ///   hides a step.
    pub(super) fn advance(
        &mut self,
        beat: Beat,
        gap: TimeDelta,
        interval: Option<Interval>,
        assumptions: &Assumptions,
    ) -> Option<Advance> {
        let (Interval { mean, error }, last) = interval.zip(self.beat)?;
        let count = beat.count_since(&last);
        let irregularity = beat.stamp.0 - last.stamp.0 - scaled(mean, count, 1);
        self.leaky_sum = scaled(self.leaky_sum, 3, 4) + irregularity;
        let limit = assumptions.slack() + scaled(error, count, 1);
        let longest_gap = scaled(mean, 3, 1).max(scaled(assumptions.poll_interval, 5, 2));
        let regular = irregularity.abs().max(self.leaky_sum.abs()) <= limit && gap <= longest_gap;
        Some(Advance {
            irregularity,
            regular,
        })
    }

    /// Makes `beat` the last heartbeat and learns the interval from it.
    pub(super) fn learn(&mut self, beat: Beat, advance: Option<Advance>, slack: TimeDelta) {
        let last = self.beat.replace(beat);
        let Some((last, start)) = last.zip(self.start) else {
            self.start = Some(beat);
            return;
        };
        let start = if advance.is_some_and(|advance| advance.regular) {
            self.irregular_run = 0;
            start
        } else {
            self.irregular_run = self.irregular_run.saturating_add(1);
            self.leaky_sum = TimeDelta::zero();
            let lasting =
                self.irregular_run < IRREGULAR_RUN && last.count_since(&start) >= SHORTEST_SPAN;
            // Moving the start along with the clock keeps the mean unchanged.
            advance
                .filter(|_| lasting)
                .and_then(|advance| start.stamp.0.checked_add_signed(advance.irregularity))
                .map_or(last, |stamp| Beat {
                    stamp: HostTime(stamp),
                    ..start
                })
        };
        self.start = Some(start);
        self.forget_older_half(beat, slack);
    }

    /// Keeps the span of the mean short enough to follow a host that changes its interval.
    fn forget_older_half(&mut self, beat: Beat, slack: TimeDelta) {
        let Some(start) = self.start else { return };
        let count = beat.count_since(&start);
        if count > LONGEST_SPAN
            && let Some(Interval { mean, .. }) = self.interval(slack)
        {
            let kept = scaled(mean, count / 2, 1);
            self.start = beat.stamp.0.checked_sub_signed(kept).map(|stamp| Beat {
                heartbeats: beat.heartbeats - count / 2,
                stamp: HostTime(stamp),
            });
        }
    }
}
