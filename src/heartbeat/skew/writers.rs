//! The number of processes that write one row, from the stamps of its heartbeats.
//!
//! Hosts with the same name share a row: the count of heartbeats then rises once an interval for each of them, and the stamps
//! come from their clocks in turn. N writers produce N interleaved series: the stamps of every Nth heartbeat are
//! regular, but the stamps of all heartbeats are not. Late or lost heartbeats, pauses and clock steps disturb the
//! series for every N, so they do not indicate a second writer.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::assumptions::Assumptions;
use super::axis::{Monotonic, scaled};
use super::pace::Beat;

/// Number of latest heartbeats that are evaluated.
const WINDOW: usize = 32;
/// Fewest heartbeats that can prove anything.
const FEWEST: usize = 12;
/// How often a series must at least continue after heartbeats of other series.
const RETURNS: usize = 2;
/// Fewest stamps in the window that are earlier than their predecessor. One clock set forward and back has fewer.
const FALLS: usize = 3;
/// Number of rounds of all writers in which at least one stamp must be earlier than its predecessor.
const ROUNDS: i64 = 8;
/// Most writers that can be counted.
const MOST: u32 = 8;

/// The latest heartbeats of a row, and how many processes wrote them.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers {
    arrivals: VecDeque<Arrival>,
    number: Option<u32>,
}

/// A heartbeat and when a read showed it.
///
/// It is compact, because the windows take most of the memory that rows need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Microseconds since 1970, by the host's clock.
    stamp: i64,
    /// The low bits. An integer column has no others.
    heartbeats: u32,
    /// When the read that showed the heartbeat was answered: the low bits of the milliseconds on the monotonic axis.
    answered: u32,
}

impl Arrival {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "only the low bits are kept"
    )]
    pub(super) fn new(beat: Beat, answered: Monotonic) -> Self {
        Self {
            stamp: beat.stamp.0.and_utc().timestamp_micros(),
            heartbeats: beat.heartbeats as u32,
            answered: answered.0.num_milliseconds() as u32,
        }
    }

    /// Returns the number of heartbeats since an earlier one.
    fn count_since(self, earlier: Self) -> i64 {
        self.heartbeats.wrapping_sub(earlier.heartbeats).into()
    }

    /// Returns the time between the answers that showed an earlier heartbeat and this one.
    fn answered_since(self, earlier: Self) -> TimeDelta {
        TimeDelta::milliseconds(self.answered.wrapping_sub(earlier.answered).into())
    }
}

/// The stamps as a given number of interleaved series.
///
/// Spans are whole microseconds, which are cheap to divide: each heartbeat of each row computes several of these.
struct Series {
    /// Median interval of a series: the report interval of each writer.
    interval: i64,
    /// Number of spans within a series that differ from `interval` × their heartbeats by more than the slack.
    misfits: usize,
    /// Mean absolute difference between a span and `interval` × its heartbeats.
    spread: i64,
    /// Whether each series continued often enough after heartbeats of other series.
    complete: bool,
}

/// Returns a span in whole microseconds.
fn micros(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(i64::MAX)
}

impl Writers {
    /// Returns the number of writers, at least 2; `None` while one writer explains the stamps.
    pub(super) fn number(&self) -> Option<u32> {
        self.number
    }

    /// Adds a heartbeat.
    ///
    /// The number of writers stands until the stamps prove another number. A late heartbeat of one of several writers
    /// fits no number.
    pub(super) fn observe(&mut self, arrival: Arrival, assumptions: &Assumptions) {
        if self.arrivals.len() == WINDOW {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(arrival);
        if self.arrivals.len() < FEWEST {
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
            // Reads in step with the writers can show only one of them for a long time, which proves nothing about the
            // others.
            self.number = None;
        }
    }

    /// Returns the number of writers at the configured rate, at least 2, where stamps go back repeatedly.
    ///
    /// This finds writers too close to each other to keep their order. One writer is mistaken for several only if it
    /// reports more often than configured and its clock is set back every few heartbeats.
    fn by_rate(&self, report_interval: TimeDelta) -> Option<u32> {
        let falls = self.falls();
        if falls < FALLS {
            return None;
        }
        let (first, last) = self.arrivals.front().zip(self.arrivals.back())?;
        let count = last.count_since(*first);
        let expected = scaled(report_interval, count, 1);
        let took = last.answered_since(*first);
        (2..=MOST)
            .rev()
            .find(|&number| scaled(took, 2 * i64::from(number) - 1, 2) <= expected)
            .filter(|&number| {
                let rounds = count / i64::from(number);
                i64::try_from(falls).is_ok_and(|falls| falls * ROUNDS >= rounds)
            })
    }

    /// Returns whether the stamps prove this number of writers. `single` is the same stamps as one series.
    ///
    /// At least a quarter of the spans must refute a single writer; a few late heartbeats do not. All spans but one in
    /// a full window must fit their series, and three times better than a single series: an irregular loop is
    /// irregular in each series. One process can still produce such stamps, when a periodic task delays every Nth
    /// heartbeat. All heartbeats together then come at the configured rate. Therefore either each series must come at
    /// that rate, or stamps must go back while the count rises, which no delay causes.
    fn proves(&self, number: u32, single: &Series, assumptions: &Assumptions) -> bool {
        let series = self.series(number, assumptions.slack());
        let configured = micros(assumptions.report_interval);
        let as_configured =
            |interval: i64| interval.saturating_sub(configured).saturating_abs() <= configured / 4;
        let together = series.interval / i64::from(number);
        series.complete
            && single.misfits * 4 >= self.arrivals.len()
            && series.misfits * WINDOW <= self.arrivals.len()
            && series.spread.saturating_mul(3) < single.spread
            && !as_configured(together)
            && (as_configured(series.interval) || self.falls() >= FALLS)
    }

    /// Returns the number of stamps that are earlier than their predecessor.
    fn falls(&self) -> usize {
        let later = self.arrivals.iter().skip(1);
        self.arrivals
            .iter()
            .zip(later)
            .filter(|(arrival, next)| next.stamp < arrival.stamp)
            .count()
    }

    fn series(&self, number: u32, slack: TimeDelta) -> Series {
        let slack = micros(slack);
        // By count modulo number: the latest heartbeat of each series, and how often it continued after others.
        let mut latest = [None::<(usize, Arrival)>; MOST as usize];
        let mut returns = [0; MOST as usize];
        let mut spans = Vec::with_capacity(WINDOW);
        for (place, &arrival) in self.arrivals.iter().enumerate() {
            let writer = (arrival.heartbeats % number) as usize;
            if let Some((before, last)) = latest[writer].replace((place, arrival)) {
                // Garbled counts with equal low bits would make it zero.
                let times = (arrival.count_since(last) / i64::from(number)).max(1);
                spans.push((arrival.stamp.saturating_sub(last.stamp), times));
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
