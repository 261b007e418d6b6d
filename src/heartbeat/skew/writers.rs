//! How many processes write one row, from the stamps of its heartbeats.
//!
//! Hosts that share a name share its row: `report_count` then rises once an interval for each of them, and the
//! stamps come from their clocks in turn. N writers make N interleaved series: the stamps of every Nth heartbeat
//! are regular among themselves, while all heartbeats together are not. Late or lost heartbeats, pauses and a
//! clock that is set disturb the series of any N alike, and are no sign of a second writer.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::assumptions::Assumptions;
use super::axis::{Monotonic, scaled};
use super::pace::Beat;

/// Heartbeats looked at, the latest ones.
const WINDOW: usize = 32;
/// Fewest heartbeats that can prove anything.
const FEWEST: usize = 12;
/// How often at least a series must go on after others were seen, to be one.
const RETURNS: usize = 2;
/// Stamps in the window that are earlier than the one before: too many for one clock, set forward and back.
const FALLS: usize = 3;
/// Rounds of all writers in which at least one stamp must go back.
const ROUNDS: i64 = 8;
/// Most writers told apart.
const MOST: u32 = 8;

/// The latest heartbeats of a row, and how many processes wrote them.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers {
    seen: VecDeque<Seen>,
    number: Option<u32>,
}

/// A heartbeat and when it was seen, in as little room as tells writers apart: a window for each row is the most that
/// is remembered of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// By the host's clock, in microseconds since 1970.
    stamp: i64,
    /// Its low bits; Cinder's column has no more.
    report_count: u32,
    /// When the read that showed it was answered: the low bits, in milliseconds.
    answered: u32,
}

impl Seen {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low bits are meant"
    )]
    pub(super) fn new(beat: Beat, answered: Monotonic) -> Self {
        Self {
            stamp: beat.stamp.0.and_utc().timestamp_micros(),
            report_count: beat.report_count as u32,
            answered: answered.0.num_milliseconds() as u32,
        }
    }

    /// Returns how many heartbeats later this one is.
    fn count_since(self, earlier: Self) -> i64 {
        self.report_count.wrapping_sub(earlier.report_count).into()
    }

    /// Returns how much later it was seen.
    fn seen_since(self, earlier: Self) -> TimeDelta {
        TimeDelta::milliseconds(self.answered.wrapping_sub(earlier.answered).into())
    }
}

/// The stamps seen as so many interleaved series. Each heartbeat of each row is judged by them, and so their spans are
/// whole microseconds, which are cheap to divide.
struct Series {
    /// Median interval of a series: the report interval of each writer.
    interval: i64,
    /// Spans within a series that are no multiple of that.
    misfits: usize,
    /// By how much the spans differ from a multiple of it, on average.
    spread: i64,
    /// Whether each series went on often enough, while others were seen, to be judged.
    complete: bool,
}

/// Returns a span in whole microseconds.
fn micros(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(i64::MAX)
}

impl Writers {
    /// Returns the number of writers, at least 2; `None` while one writer explains what is seen.
    pub(super) fn number(&self) -> Option<u32> {
        self.number
    }

    /// Takes one more heartbeat into account.
    ///
    /// A verdict stands until the stamps prove another: a late heartbeat among those of several writers fits none.
    pub(super) fn observe(&mut self, seen: Seen, assumptions: &Assumptions) {
        if self.seen.len() == WINDOW {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
        if self.seen.len() < FEWEST {
            return;
        }
        let slack = assumptions.slack();
        let single = self.series(1, slack);
        if let Some(number) = self.by_rate(assumptions.report_interval) {
            self.number = Some(number);
        } else if single.misfits > 1 {
            let proven = (2..=MOST).find(|&number| self.proves(number, &single, assumptions));
            self.number = proven.or(self.number);
        } else if let Some(number) = self.number
            && self.series(number, slack).complete
        {
            // Reads in step with the writers can show one of them for long, which says nothing of the others.
            self.number = None;
        }
    }

    /// Returns the number of writers at the configured rate, at least 2, where stamps go back again and again.
    ///
    /// This finds writers too close to each other to keep their turns. Only a host that reports oftener than
    /// configured, and whose clock is set back every few heartbeats, is mistaken for them.
    fn by_rate(&self, report_interval: TimeDelta) -> Option<u32> {
        let falls = self.falls();
        if falls < FALLS {
            return None;
        }
        let (first, last) = self.seen.front().zip(self.seen.back())?;
        let count = last.count_since(*first);
        let expected = scaled(report_interval, count, 1);
        let took = last.seen_since(*first);
        (2..=MOST)
            .rev()
            .find(|&number| scaled(took, 2 * i64::from(number) - 1, 2) <= expected)
            .filter(|&number| {
                let rounds = count / i64::from(number);
                i64::try_from(falls).is_ok_and(|falls| falls * ROUNDS >= rounds)
            })
    }

    /// Returns whether the stamps prove so many writers, where they refute a `single` one.
    ///
    /// A quarter of the spans must refute it, which a few late heartbeats don't. The others must fit their series,
    /// but for one in a full window, and three times better than a single one: a loop that is irregular by itself
    /// is so in each series. One process can achieve all that, when a task of its own delays every Nth heartbeat:
    /// then all heartbeats together come at the configured rate. So either each series must come at that rate, or
    /// the stamps must go back while the count rises, as no delay makes them.
    fn proves(&self, number: u32, single: &Series, assumptions: &Assumptions) -> bool {
        let series = self.series(number, assumptions.slack());
        let configured = micros(assumptions.report_interval);
        let as_configured =
            |interval: i64| interval.saturating_sub(configured).saturating_abs() <= configured / 4;
        let together = series.interval / i64::from(number);
        series.complete
            && single.misfits * 4 >= self.seen.len()
            && series.misfits * WINDOW <= self.seen.len()
            && series.spread.saturating_mul(3) < single.spread
            && !as_configured(together)
            && (as_configured(series.interval) || self.falls() >= FALLS)
    }

    /// Returns how many stamps are earlier than the one before.
    fn falls(&self) -> usize {
        let later = self.seen.iter().skip(1);
        self.seen
            .iter()
            .zip(later)
            .filter(|(seen, next)| next.stamp < seen.stamp)
            .count()
    }

    fn series(&self, number: u32, slack: TimeDelta) -> Series {
        let slack = micros(slack);
        // For each series, by the remainder of its counts: where it was last seen, and how often it went on after others.
        let mut latest = [None::<(usize, Seen)>; MOST as usize];
        let mut returns = [0; MOST as usize];
        let mut spans = Vec::with_capacity(WINDOW);
        for (place, &seen) in self.seen.iter().enumerate() {
            let writer = (seen.report_count % number) as usize;
            if let Some((before, last)) = latest[writer].replace((place, seen)) {
                // A garbled count can differ in its high bits alone.
                let times = (seen.count_since(last) / i64::from(number)).max(1);
                spans.push((seen.stamp.saturating_sub(last.stamp), times));
                returns[writer] += usize::from(before + 1 < place);
            }
        }
        let mut intervals: Vec<i64> = spans.iter().map(|(span, times)| span / times).collect();
        let middle = intervals.len() / 2;
        let interval = if intervals.is_empty() {
            0
        } else {
            *intervals.select_nth_unstable(middle).1
        };
        let residue = |&(span, times): &(i64, i64)| {
            let regular = interval.saturating_mul(times);
            span.saturating_sub(regular).saturating_abs()
        };
        let count = i64::try_from(spans.len().max(1)).unwrap_or(i64::MAX);
        let spread = spans.iter().map(|span| residue(span) / count).sum();
        let misfits = spans.iter().filter(|span| residue(span) > slack).count();
        let complete = returns[..number as usize]
            .iter()
            .all(|&returns| returns >= RETURNS);
        Series {
            interval,
            misfits,
            spread,
            complete,
        }
    }
}
