//! Whether a host's clock ran on undisturbed from heartbeat to heartbeat, by its own stamps alone.
//!
//! A clock set back can leave two intervals that still overlap, and their intersection silently wrong. But a set
//! clock shows in the stamps: they no longer advance as regular heartbeats would make them. All times are on the
//! host's clock.

use chrono::TimeDelta;

use super::axis::scaled;
use crate::heartbeat::time::HostTime;

/// Heartbeats that the mean interval is taken over.
const LONGEST_SPAN: i64 = 64;
/// Irregular heartbeats in a row after which the interval is learnt anew.
const ODD_RUN: u32 = 3;
/// Heartbeats that an interval must rest on to outlive an irregular one.
const SHORTEST_SPAN: i64 = 3;

/// One heartbeat as its row shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    pub(super) report_count: i64,
    pub(super) stamp: HostTime,
}

impl Beat {
    /// Returns how many heartbeats later this one is; never negative.
    pub(super) fn count_since(&self, earlier: &Self) -> i64 {
        self.report_count.saturating_sub(earlier.report_count)
    }
}

/// The mean interval between heartbeats, on the host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Span of the stamps ÷ number of heartbeats. Wrong for a few heartbeats after a clock was set.
    pub mean: TimeDelta,
    /// Bound on its error: [slack](super::Assumptions::slack) ÷ number of heartbeats.
    pub error: TimeDelta,
}

/// How a host's clock advanced since the last heartbeat that was observed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Advance {
    /// By how much more than the heartbeats since then would have made it.
    odd: TimeDelta,
    /// Whether that is small enough to be the loop's own irregularity.
    pub(super) regular: bool,
}

/// What is remembered of the stamps; empty until the first heartbeat.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// The last heartbeat, unless something else wrote the row since.
    beat: Option<Beat>,
    /// Where the mean interval starts; set together with `beat`.
    mark: Option<Beat>,
    /// Regular heartbeats in a row.
    quiet: u32,
    /// Irregular heartbeats in a row.
    odd_run: u32,
    /// Leaky sum of the latest irregularities: a slow slew adds up over several heartbeats.
    slide: TimeDelta,
}

impl Pace {
    /// Forgets the heartbeats: what comes next can't be compared with them.
    pub(super) fn restart(&mut self) {
        self.beat = None;
        self.mark = None;
        self.quiet = 0;
    }

    /// Returns whether the latest heartbeats were regular, so that the next unseen ones can be taken to be.
    pub(super) fn is_settled(&self) -> bool {
        self.quiet >= 2
    }

    /// Returns the mean interval; `None` until two heartbeats were observed in a row.
    pub(super) fn interval(&self, slack: TimeDelta) -> Option<Interval> {
        let (beat, mark) = self.beat.zip(self.mark)?;
        let count = beat.count_since(&mark);
        (count > 0).then(|| Interval {
            mean: scaled(beat.stamp.0 - mark.stamp.0, 1, count),
            error: scaled(slack, 1, count),
        })
    }

    /// Judges the heartbeat `beat`; `None` while the interval is not known.
    ///
    /// Regular is a heartbeat, k after the last, whose irregularity and whose leaky sum of irregularities (¾ of
    /// the last sum + this) are at most slack + k × the interval's error, unless reads have shown no heartbeat, or
    /// there was no read, for more than three intervals (`unwatched`): a pause can be as long as a number of
    /// intervals, and over many of them the error hides a step.
    pub(super) fn advance(
        &mut self,
        beat: Beat,
        unwatched: TimeDelta,
        interval: Option<Interval>,
        slack: TimeDelta,
    ) -> Option<Advance> {
        let (Interval { mean, error }, last) = interval.zip(self.beat)?;
        let count = beat.count_since(&last);
        let odd = beat.stamp.0 - last.stamp.0 - scaled(mean, count, 1);
        self.slide = scaled(self.slide, 3, 4) + odd;
        let limit = slack + scaled(error, count, 1);
        let regular = odd.abs().max(self.slide.abs()) <= limit && unwatched <= scaled(mean, 3, 1);
        Some(Advance { odd, regular })
    }

    /// Takes `beat` as the last heartbeat and learns the interval from it.
    pub(super) fn learn(&mut self, beat: Beat, advance: Option<Advance>, slack: TimeDelta) {
        let last = self.beat.replace(beat);
        let Some((last, mark)) = last.zip(self.mark) else {
            self.mark = Some(beat);
            return;
        };
        let mark = if advance.is_some_and(|advance| advance.regular) {
            self.quiet = self.quiet.saturating_add(1);
            self.odd_run = 0;
            mark
        } else {
            self.quiet = 0;
            self.odd_run = self.odd_run.saturating_add(1);
            self.slide = TimeDelta::zero();
            let lasting = self.odd_run < ODD_RUN && last.count_since(&mark) >= SHORTEST_SPAN;
            // A mark moved along with the clock keeps the mean as it was.
            advance
                .filter(|_| lasting)
                .and_then(|advance| mark.stamp.0.checked_add_signed(advance.odd))
                .map_or(last, |stamp| Beat {
                    stamp: HostTime(stamp),
                    ..mark
                })
        };
        self.mark = Some(mark);
        self.forget_older_half(beat, slack);
    }

    /// Keeps the span of the mean short enough to follow a host that changes its interval.
    fn forget_older_half(&mut self, beat: Beat, slack: TimeDelta) {
        let Some(mark) = self.mark else { return };
        let count = beat.count_since(&mark);
        if count > LONGEST_SPAN
            && let Some(Interval { mean, .. }) = self.interval(slack)
        {
            let kept = scaled(mean, count / 2, 1);
            self.mark = beat.stamp.0.checked_sub_signed(kept).map(|stamp| Beat {
                report_count: beat.report_count - count / 2,
                stamp: HostTime(stamp),
            });
        }
    }
}
