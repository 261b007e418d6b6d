//! When a row changed that another program's processes stamp, each with its own clock.
//!
//! A nova-compute's or an agent's clock is nowhere in its row. A changed stamp proves one thing about the service: that
//! a heartbeat was processed. So the silence of a service rests on the reads alone, and each heartbeat on its own bounds the
//! clock of whoever stamped it. What the heartbeats of all services prove together is in
//! [`ServerClocks`](super::server_clocks::ServerClocks).
//!
//! Stamps go forward and back with the server that takes the message. They go back as well where the table is restored from
//! a backup. So one that goes back proves nothing of a clock until the same clock stamped a row that another read showed.

use std::sync::Arc;

use chrono::TimeDelta;

use super::server_clocks::WINDOW;
use super::skew::{Assumptions, Bounds, Interval, Monotonic, Observation, Read, Row};
use super::time::HostTime;

/// Most heartbeats over which the mean interval is taken.
const LONGEST_SPAN: i32 = 64;

/// The changes of one row, as reads showed them.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    /// Shared, because all rows have the same assumptions.
    assumptions: Arc<Assumptions>,
    /// The stamp in the row.
    stamp: HostTime,
    /// When the read before the last was sent that was not ignored.
    previous: Monotonic,
    /// When the read was answered that was the first to show the stamp.
    before: Monotonic,
    /// When the last read was sent that did not show the stamp; `None` until a heartbeat was observed.
    unseen: Option<Monotonic>,
    /// The clock behind the stamp − monotonic axis, as of `before`.
    bounds: Bounds,
    /// Whether the stamp is that of a new heartbeat. It need not be in the first read, and when it goes back.
    is_trusted: bool,
    /// When the first of the latest reads was sent that showed an older row than reads before.
    stale_since: Option<Monotonic>,
    /// When the read was answered that showed that our monotonic axis may have stood still.
    disturbed: Option<Monotonic>,
    /// The first of the heartbeats behind the mean interval, and how many followed.
    start: Option<(Monotonic, i32)>,
}

impl Arrivals {
    /// Learns from the first read of a row, by causality alone.
    pub(super) fn new(read: Read, row: Row, assumptions: Arc<Assumptions>) -> Self {
        Self {
            stamp: row.stamp,
            previous: read.sent,
            before: read.answered,
            unseen: None,
            bounds: Bounds::by_causality(read, row.stamp, &assumptions),
            is_trusted: false,
            stale_since: None,
            disturbed: None,
            start: None,
            assumptions,
        }
    }

    /// Learns from another read of the row, which must not be older than the last.
    pub(super) fn observe(&mut self, read: Read, row: Row) -> Observation {
        let goes_back = row.stamp < self.stamp;
        if goes_back && row.elsewhere && self.may_lag(read) {
            return Observation::Stale;
        }
        self.stale_since = None;
        let is_same = row.stamp == self.stamp;
        if !is_same {
            self.is_trusted = !goes_back;
            let is_comparable = self.disturbed.is_none_or(|since| self.previous >= since);
            self.unseen = is_comparable.then_some(self.previous);
            let after = self.unseen.map(|unseen| unseen - self.assumptions.delay());
            self.bounds = Bounds::of_heartbeat(after, read, row.stamp, &self.assumptions);
            if self.unseen.is_some() {
                self.disturbed = None;
            }
            self.pace(read);
            self.before = read.answered;
            self.stamp = row.stamp;
        }
        self.previous = read.sent;
        if is_same {
            Observation::Same
        } else {
            Observation::Heartbeat
        }
    }

    /// Returns whether an older row may be that of a replica that lags.
    fn may_lag(&mut self, read: Read) -> bool {
        let stale_since = *self.stale_since.get_or_insert(read.sent);
        read.sent - stale_since <= self.assumptions.longest_lag()
    }

    /// Learns the mean interval from a heartbeat. It is learnt again after a gap that is far from the mean, and while reads may
    /// hide heartbeats.
    fn pace(&mut self, read: Read) {
        let Read { answered, .. } = read;
        let gap = answered - self.before;
        let is_far = self.interval().is_some_and(|Interval { mean, .. }| {
            gap > mean * 2 || gap + self.assumptions.poll_interval * 2 < mean / 2
        });
        let known = self
            .start
            .filter(|_| !is_far && !self.may_hide_heartbeats(read));
        self.start = Some(match known {
            None => (answered, 0),
            Some((first, count)) if count < LONGEST_SPAN => (first, count + 1),
            // The older half is forgotten, so that the mean follows a changed interval.
            Some((first, count)) => {
                let mean = (answered - first) / (count + 1);
                (answered - mean * (count / 2), count / 2)
            }
        });
    }

    /// Returns whether a read may show the last of several heartbeats since the read before.
    fn may_hide_heartbeats(&self, read: Read) -> bool {
        let window = read.answered - self.previous + self.assumptions.visibility_delay;
        window >= self.assumptions.report_interval
    }

    /// Returns whether the stamp is known to be that of a heartbeat.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Returns the mean interval between heartbeats, on the monotonic axis; `None` until two were observed in a row.
    pub(super) fn interval(&self) -> Option<Interval> {
        let (first, count) = self.start.filter(|(_, count)| *count > 0)?;
        Some(Interval {
            mean: (self.before - first) / count,
            // Each end was read up to a poll too late.
            error: self.assumptions.poll_interval / count,
        })
    }

    /// Returns the least and the greatest time since the last heartbeat was processed, as of the latest read, which was
    /// answered at `answered`. The greatest is `None` until a heartbeat was observed.
    pub(super) fn silence(&self, answered: Monotonic) -> (TimeDelta, Option<TimeDelta>) {
        let delay = self.assumptions.delay();
        let least = (self.previous - self.before).max(TimeDelta::zero());
        (least, self.unseen.map(|unseen| answered - unseen + delay))
    }

    /// Returns the clock that stamped the row − monotonic axis, as of the latest read, if that read was the first to
    /// show the stamp. The bounds have both sides.
    pub(super) fn latest(&self, answered: Monotonic) -> Option<Bounds> {
        let is_new = self.before == answered && self.unseen.is_some();
        is_new.then_some(self.bounds)
    }

    /// Trusts a stamp that went back, since the clock behind it is known.
    pub(super) fn trust(&mut self) {
        self.is_trusted = true;
    }

    /// Returns the clock that stamped the row − monotonic axis, now. `None` while the stamp need not be that of a heartbeat,
    /// and when it no longer [counts](WINDOW).
    pub(super) fn bounds(&self, answered: Monotonic) -> Option<Bounds> {
        let elapsed = answered - self.before;
        let is_known = self.is_trusted && self.disturbed.is_none() && elapsed <= WINDOW;
        is_known.then(|| self.bounds.widened(self.assumptions.drift(elapsed)))
    }

    /// See [`Skew::suspect_axis`](super::skew::Skew::suspect_axis).
    pub(super) fn suspect_axis(&mut self, answered: Monotonic) {
        self.disturbed = Some(answered);
        self.unseen = None;
        self.bounds.upper = None;
        self.start = None;
    }

    /// Changes the assumptions. The bounds are forgotten, because they rest on the old ones.
    pub(super) fn set_assumptions(&mut self, assumptions: Arc<Assumptions>) {
        self.is_trusted &= assumptions.are_bounds_of(&self.assumptions);
        self.assumptions = assumptions;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::heartbeat::fixture::at;
    use crate::heartbeat::skew::Quantum;

    fn read(second: i64) -> Read {
        Read {
            sent: at(second),
            answered: at(second),
        }
    }

    /// A row that a clock stamped which is so many seconds after the origin of the axis.
    fn row(stamp: i64) -> Row {
        Row {
            heartbeats: None,
            stamp: HostTime((DateTime::UNIX_EPOCH + TimeDelta::seconds(stamp)).naive_utc()),
            foreign: false,
            elsewhere: false,
        }
    }

    /// A row that was read every five seconds from 0 on, with these stamps.
    fn observed(stamps: &[i64]) -> Arrivals {
        let assumptions = Assumptions::new(Quantum::MICROSECOND, TimeDelta::seconds(10));
        let mut arrivals = Arrivals::new(read(0), row(stamps[0]), assumptions.into());
        for (number, stamp) in (1..).zip(&stamps[1..]) {
            arrivals.observe(read(5 * number), row(*stamp));
        }
        arrivals
    }

    /// Checks the silence in seconds as of the last read.
    fn check(stamps: &[i64], least: i64, most: Option<i64>) {
        let end = at(5 * i64::try_from(stamps.len() - 1).unwrap());
        let silence = observed(stamps).silence(end);
        let expected = (TimeDelta::seconds(least), most.map(TimeDelta::seconds));
        assert_eq!(silence, expected, "{stamps:?}");
    }

    #[test]
    fn the_silence_rests_on_the_reads_whatever_the_stamps() {
        check(&[0], 0, None);
        check(&[0, 0, 0], 10, None);
        // A clock an hour ahead, and one that is behind.
        check(&[0, 3_600, 3_600], 5, Some(12));
        check(&[0, 3_600, 4, 4, 4], 10, Some(17));
    }

    #[test]
    fn a_stamp_that_goes_back_proves_no_clock_on_its_own() {
        for (stamps, is_trusted) in [
            (&[0_i64, 0] as &[i64], false),
            (&[0, 4], true),
            (&[0, 4, -70], false),
            (&[0, 4, -70, 14], true),
        ] {
            let end = at(5 * i64::try_from(stamps.len() - 1).unwrap());
            let arrivals = observed(stamps);
            assert_eq!(arrivals.is_trusted(), is_trusted, "{stamps:?}");
            assert_eq!(arrivals.bounds(end).is_some(), is_trusted);
        }
    }

    #[test]
    fn the_interval_is_that_of_the_reads_and_a_gap_restarts_it() {
        let mean = |stamps: &[i64]| {
            let interval = observed(stamps).interval();
            interval.map(|interval| interval.mean)
        };
        // Heartbeats every so many seconds, until one after the last.
        let beats = |interval: i64, until: i64| -> Vec<i64> {
            (0..=until / 5)
                .map(|read| read * 5 / interval * interval)
                .collect()
        };
        for interval in [10, 30, 90] {
            let expected = Some(TimeDelta::seconds(interval));
            assert_eq!(mean(&beats(interval, interval * 7)), expected);
            // The mean does not drift where older heartbeats are forgotten.
            assert_eq!(mean(&beats(interval, interval * 300)), expected);
        }
        let mut stamps = beats(10, 90);
        stamps.extend([90; 20]);
        stamps.push(290);
        assert_eq!(mean(&stamps), None);
        // A long gap that is the first is no interval once a shorter one follows.
        let paused = [
            0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 80, 80, 90, 90, 100,
        ];
        assert_eq!(mean(&paused), Some(TimeDelta::seconds(10)));
    }

    #[test]
    fn an_older_row_of_another_server_is_that_of_a_replica_that_lags() {
        let mut arrivals = observed(&[0, 4]);
        let lagging = Row {
            elsewhere: true,
            ..row(0)
        };
        assert_eq!(arrivals.observe(read(10), lagging), Observation::Stale);
        assert_eq!(arrivals.observe(read(15), row(14)), Observation::Heartbeat);
        // It is no replica that lags if it stays.
        assert_eq!(arrivals.observe(read(20), lagging), Observation::Stale);
        assert_eq!(arrivals.observe(read(90), lagging), Observation::Heartbeat);
    }
}
