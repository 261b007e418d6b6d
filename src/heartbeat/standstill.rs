//! Whether any service sends heartbeats at all, or whether the rows come from a table that stands still.
//!
//! A replica that stopped, a node that was cut off from its cluster, and a restored backup go on answering reads. All
//! services then seem to stop at one moment, though none of them did. What is known here and nowhere else: when each
//! server behind the address last showed another table than before.

mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::TimeDelta;

pub(crate) use self::server::Stale;
use self::server::{Server, State, Table};
use super::liveness::Intervals;
use super::service::{Facts, Reading, Service};
use super::skew::{Monotonic, Read};
use super::time::{DatabaseTime, apparent_age};
use super::tracker::Tolerances;

/// Fewer services, or services of fewer machines, may well stop at one moment.
const FEWEST_SERVICES: usize = 3;
/// See [`FEWEST_SERVICES`].
const FEWEST_MACHINES: usize = 2;
/// Servers that are remembered. A restart of PostgreSQL makes a new one.
const MOST_SERVERS: usize = 8;

/// What a reading shows of the table as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    /// Heartbeats arrive, or too few services used to send any.
    Moves,
    /// Heartbeats arrive after a standstill. How long they had been invisible is unknown.
    Resumes,
    /// No service has sent a heartbeat for this time, and nothing proves that the server is not current.
    Still(TimeDelta),
    /// The server is known not to be current, so its rows prove nothing about services.
    Stale(Stale),
}

/// The memory of one source: its servers.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    servers: Vec<Server>,
}

impl Standstill {
    /// Learns from a reading, which must not be older than the last.
    ///
    /// `beating` are the services whose report interval is known from their heartbeats, with that interval, but for
    /// those that stopped before the others. It is called only if no service sends heartbeats.
    pub(crate) fn observe<'a, B>(
        &mut self,
        reading: &Reading,
        read: Read,
        intervals: &Intervals,
        tolerances: &Tolerances,
        beating: impl FnOnce() -> B,
    ) -> Motion
    where
        B: Iterator<Item = (&'a Facts, TimeDelta)>,
    {
        let table = Table::of(&reading.services);
        let (index, is_first) = self.server(reading.server.as_ref(), table, read);
        let server = &mut self.servers[index];
        let interval = intervals.report_interval;
        let moved = server.moves(table, read, interval, tolerances.poll_interval);
        let age = table.newest.map(|stamp| apparent_age(reading.now, stamp));
        if let State::Stale(Stale::ReadOnly(pause)) = server.state
            && !lacks_writes(reading, pause)
        {
            // It was promoted, or replays again.
            server.state = State::Still;
        }
        match (server.state, moved) {
            (State::Moving, Some(_)) => {
                server.learn_age(age);
                Motion::Moves
            }
            (State::Still, Some(_)) => {
                server.state = State::Moving;
                Motion::Resumes
            }
            (State::Stale(_) | State::CatchingUp { .. }, Some(gap)) => {
                // The newest heartbeat may have arrived just after the last read.
                let tolerated = tolerances.visibility_delay + tolerances.bus_delay + gap;
                let jitter = tolerances.visibility_delay.max(interval / 2);
                let (age, at) = (age.unwrap_or_default(), read.answered);
                let patience = intervals.service_down_time;
                if server.catches_up(age, at, tolerated, jitter, patience) {
                    Motion::Resumes
                } else {
                    Motion::Stale(Stale::CatchingUp)
                }
            }
            (State::Stale(stale), None) => Motion::Stale(stale),
            (State::CatchingUp { .. }, None) => {
                let pause = longest_pause(interval, intervals) + tolerances.bus_delay;
                if server.quiet > pause {
                    server.state = State::Stale(if reading.read_only {
                        Stale::ReadOnly(pause)
                    } else {
                        Stale::CatchingUp
                    });
                }
                Motion::Stale(Stale::CatchingUp)
            }
            (State::Moving | State::Still, None) => {
                let lasted = match age {
                    // The first read shows only stamps. A server that accepts writes is trusted until it was watched.
                    Some(age) if is_first && reading.read_only => age,
                    _ => server.quiet,
                };
                let bus_delay = tolerances.bus_delay;
                self.judge(index, reading, lasted, (intervals, bus_delay), beating)
            }
        }
    }

    /// Decides what it means that a server has shown no heartbeat for this time.
    fn judge<'a, B>(
        &mut self,
        index: usize,
        reading: &Reading,
        lasted: TimeDelta,
        (intervals, bus_delay): (&Intervals, TimeDelta),
        beating: impl FnOnce() -> B,
    ) -> Motion
    where
        B: Iterator<Item = (&'a Facts, TimeDelta)>,
    {
        let configured = intervals.report_interval;
        if lasted <= longest_pause(configured, intervals) + bus_delay {
            return Motion::Moves;
        }
        let used_to_beat = || used_to_beat(&reading.services, configured * 3).then_some(configured);
        let Some(interval) = common_interval(beating()).or_else(used_to_beat) else {
            return Motion::Moves;
        };
        let pause = longest_pause(interval, intervals) + bus_delay;
        if lasted <= pause {
            return Motion::Moves;
        }
        let newest_elsewhere = self.newest_elsewhere(index);
        let server = &mut self.servers[index];
        let is_outdated = newest_elsewhere.is_some_and(|shown| shown - server.shown > interval);
        let stale = if is_outdated {
            Stale::Outdated
        } else if lacks_writes(reading, pause) {
            Stale::ReadOnly(pause)
        } else {
            server.state = State::Still;
            return Motion::Still(lasted);
        };
        server.state = State::Stale(stale);
        Motion::Stale(stale)
    }

    /// Returns the index of a server, which is added if this is its first answer, and whether it is.
    fn server(&mut self, name: Option<&Arc<str>>, table: Table, read: Read) -> (usize, bool) {
        let mut servers = self.servers.iter();
        if let Some(index) = servers.position(|server| server.name.as_ref() == name) {
            return (index, false);
        }
        if self.servers.len() == MOST_SERVERS {
            self.servers.sort_by_key(|server| server.last);
            self.servers.remove(0);
        }
        self.servers.push(Server::new(name.cloned(), table, read));
        (self.servers.len() - 1, true)
    }

    /// Returns when another server first showed its present table, the latest of all.
    fn newest_elsewhere(&self, index: usize) -> Option<Monotonic> {
        let others = self.servers.iter().enumerate();
        let moved = others.filter(|(other, server)| *other != index && server.has_moved);
        moved.map(|(_, server)| server.shown).max()
    }
}

/// Returns the time without any heartbeat after which the table stands still.
///
/// Three report intervals, but soon enough that no service is down by then: a service may have sent its last heartbeat
/// one interval before the others. But never less than one and a half intervals.
fn longest_pause(report_interval: TimeDelta, intervals: &Intervals) -> TimeDelta {
    let before_down = intervals.service_down_time - report_interval;
    (report_interval * 3)
        .min(before_down)
        .max(report_interval * 3 / 2)
}

/// Returns whether a server accepts no writes, and has replayed no transaction within this time either.
///
/// A server in recovery that replays transactions is current though no service sends heartbeats.
fn lacks_writes(reading: &Reading, pause: TimeDelta) -> bool {
    let age = |replayed: DatabaseTime| reading.now.0 - replayed.0;
    let replays = reading
        .replayed
        .is_some_and(|replayed| age(replayed) <= pause);
    reading.read_only && !replays
}

/// Returns the report interval that enough services keep; `None` if there are too few.
fn common_interval<'a>(beating: impl Iterator<Item = (&'a Facts, TimeDelta)>) -> Option<TimeDelta> {
    let mut beating: Vec<_> = beating.collect();
    beating.sort_by_key(|(_, interval)| *interval);
    let first = beating.first()?.0.machine();
    let elsewhere = beating
        .iter()
        .position(|(facts, _)| facts.machine() != first)?;
    let enough = elsewhere.max(FEWEST_SERVICES - 1);
    beating.get(enough).map(|(_, interval)| *interval)
}

/// Returns whether the stamps show that enough services sent heartbeats until one moment.
fn used_to_beat(services: &[Service], span: TimeDelta) -> bool {
    let stamps = services
        .iter()
        .filter(|service| service.has_reported())
        .filter_map(|service| Some((service.stamp.time()?, service.facts.machine())));
    let Some((newest, _)) = stamps.clone().max() else {
        return false;
    };
    let last = stamps.filter(|(stamp, _)| newest.0 - stamp.0 <= span);
    let machines: Vec<&str> = last.map(|(_, machine)| machine).collect();
    let others = machines.iter().filter(|machine| **machine != machines[0]);
    machines.len() >= FEWEST_SERVICES && others.count() + 1 >= FEWEST_MACHINES
}
