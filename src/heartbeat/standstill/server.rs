//! What one server behind the address showed, and whether it is known not to be current.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::heartbeat::service::{Service, Stamp};
use crate::heartbeat::skew::{Monotonic, Read};
use crate::heartbeat::time::HostTime;

/// Why a server is known not to be current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    /// It accepts no writes, and no service has sent a heartbeat for longer than this.
    ReadOnly(TimeDelta),
    /// It lacks heartbeats that another server behind the same address has shown.
    Outdated,
    /// It was not current, and is still replaying what it missed.
    CatchingUp,
}

/// What one server showed.
#[derive(Debug)]
pub(super) struct Server {
    pub name: Option<Arc<str>>,
    /// The present table, and when the server first showed it.
    table: Table,
    pub shown: Monotonic,
    /// Sending of the last read.
    pub last: Monotonic,
    /// Time since the last read that showed another table, as far as services could write.
    pub quiet: TimeDelta,
    /// Whether the table changed since the first read.
    pub has_moved: bool,
    /// Least age of the newest stamp when heartbeats arrived: how far the clocks of this server and of the hosts are
    /// apart. `None` before the first.
    usual_age: Option<TimeDelta>,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Moving,
    Still,
    Stale(Stale),
    /// It replays, and its delay has not become shorter than `least` since then.
    CatchingUp {
        since: Monotonic,
        least: TimeDelta,
    },
}

impl Server {
    /// Returns a server that answers for the first time.
    pub(super) fn new(name: Option<Arc<str>>, table: Table, read: Read) -> Self {
        Self {
            name,
            table,
            shown: read.answered,
            last: read.sent,
            quiet: TimeDelta::zero(),
            has_moved: false,
            usual_age: None,
            state: State::Moving,
        }
    }

    /// Returns the time since the last read of this server if the table changed since, or `None`.
    ///
    /// After a longer time than between two polls, the database could not be read. Services could not write to it
    /// either, so one report interval counts.
    pub(super) fn moves(
        &mut self,
        table: Table,
        read: Read,
        report_interval: TimeDelta,
        poll_interval: TimeDelta,
    ) -> Option<TimeDelta> {
        let mut gap = read.sent - self.last;
        // The dither makes two intervals in a row at least 5/3 long, and one at most 7/6.
        if gap > report_interval.max(poll_interval * 3 / 2) {
            gap = report_interval;
        }
        self.last = read.sent;
        if table == self.table {
            self.quiet += gap;
            return None;
        }
        self.table = table;
        self.shown = read.answered;
        self.quiet = gap;
        self.has_moved = true;
        Some(gap)
    }

    /// Learns the age of the newest stamp, when a heartbeat arrived as usual.
    pub(super) fn learn_age(&mut self, age: Option<TimeDelta>) {
        self.usual_age = self.usual_age.into_iter().chain(age).min();
    }

    /// Returns whether a server that was not current is so again, by the age of its newest stamp at `at`.
    ///
    /// Its delay is at most `tolerated` then. If the delay becomes no shorter within `patience`, not even by `jitter`,
    /// this is as current as the server gets, or a clock was set.
    pub(super) fn catches_up(
        &mut self,
        age: TimeDelta,
        at: Monotonic,
        tolerated: TimeDelta,
        jitter: TimeDelta,
        patience: TimeDelta,
    ) -> bool {
        let delay = age - self.usual_age.unwrap_or_default();
        let (since, least) = match self.state {
            State::CatchingUp { since, least } if delay > least - jitter => (since, least),
            _ => (at, delay),
        };
        let is_current = delay <= tolerated || at - since > patience;
        self.state = if is_current {
            self.usual_age = Some(age);
            State::Moving
        } else {
            State::CatchingUp { since, least }
        };
        is_current
    }
}

/// A table in short: equal if no heartbeat came between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    digest: u64,
    pub newest: Option<HostTime>,
}

impl Table {
    pub(super) fn of(services: &[Service]) -> Self {
        let mut table = Self {
            digest: 0,
            newest: None,
        };
        for service in services {
            let stamp = match service.stamp {
                Stamp::At(stamp) => {
                    table.newest = table.newest.max(Some(stamp));
                    stamp.0.and_utc().timestamp_micros()
                }
                Stamp::Never => -1,
                Stamp::Unreadable => -2,
            };
            // A sum, because the order of rows is the server's.
            let row = [service.id.digest(), service.heartbeats.unwrap_or(-1), stamp];
            let mixed = row.into_iter().fold(0, |hash: u64, value| {
                let hash = (hash ^ value.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^ hash >> 32
            });
            table.digest = table.digest.wrapping_add(mixed);
        }
        table
    }
}
