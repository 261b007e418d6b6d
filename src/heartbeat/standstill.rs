//! Whether anything beats at all, or whether the rows come from a table that stands still.
//!
//! A replica that stopped, a node that was cut off from its cluster, and a restored backup go on answering reads. All
//! services then seem to stop at one moment, though none of them did. What is known here and nowhere else: when each
//! server behind the address last showed another table than before.

use std::sync::Arc;

use chrono::TimeDelta;

use super::liveness::Intervals;
use super::service::{Facts, Reading, Service, Stamp};
use super::skew::{Monotonic, Read};
use super::time::{DatabaseTime, HostTime, apparent_age};

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
    /// Nobody has sent a heartbeat for this time, and nothing proves that the server is not current.
    Still(TimeDelta),
    /// The server is known not to be current, so its rows prove nothing about services.
    Stale(Stale),
}

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

/// The memory of one source: its servers.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    servers: Vec<Server>,
}

/// What one server showed.
#[derive(Debug)]
struct Server {
    name: Option<Arc<str>>,
    /// The present table, and when the server first showed it.
    table: Table,
    shown: Monotonic,
    /// Sending of the last read.
    last: Monotonic,
    /// Time since the last read that showed another table. Between two reads, one report interval counts at most: while
    /// a database can't be read, services can't write to it either.
    quiet: TimeDelta,
    /// Whether the table changed since the first read.
    has_moved: bool,
    /// Least age of the newest stamp when heartbeats arrived: how far the clocks of this server and of the hosts are
    /// apart. `None` before the first.
    usual_age: Option<TimeDelta>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Moving,
    Still,
    Stale(Stale),
    /// Replaying since this time, when it was behind by this much.
    CatchingUp(Monotonic, TimeDelta),
}

/// A table in short: equal if no heartbeat came between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Table {
    digest: u64,
    newest: Option<HostTime>,
}

impl Standstill {
    /// Learns from a reading, which must not be older than the last.
    ///
    /// `beating` are the services whose report interval is known from their heartbeats, with that interval. It is called
    /// only if nobody beats.
    pub(crate) fn observe<'a, B>(
        &mut self,
        reading: &Reading,
        read: Read,
        intervals: &Intervals,
        visibility_delay: TimeDelta,
        beating: impl FnOnce() -> B,
    ) -> Motion
    where
        B: Iterator<Item = (&'a Facts, TimeDelta)>,
    {
        let table = Table::of(&reading.services);
        let (index, is_first) = self.server(reading.server.as_ref(), table, read);
        let newest_elsewhere = self.newest_elsewhere(index);
        let server = &mut self.servers[index];
        let has_moved = server.moves(table, read, intervals.report_interval);
        let age = table.newest.map(|stamp| apparent_age(reading.now, stamp));
        let limit = limit(intervals.report_interval, intervals);
        match server.state {
            State::Stale(stale) if !has_moved => return Motion::Stale(stale),
            State::CatchingUp(..) if !has_moved => {
                if server.quiet > limit {
                    server.state = State::Stale(Stale::CatchingUp);
                }
                return Motion::Stale(Stale::CatchingUp);
            }
            State::Stale(_) | State::CatchingUp(..) => {
                let patience = intervals.service_down_time;
                let age = age.unwrap_or_default();
                return server.catches_up(age, read.answered, visibility_delay, patience);
            }
            State::Still if has_moved => {
                server.state = State::Moving;
                return Motion::Resumes;
            }
            State::Moving | State::Still => {}
        }
        if has_moved {
            let ages = server.usual_age.into_iter().chain(age);
            server.usual_age = ages.min();
            return Motion::Moves;
        }
        // The first read shows only stamps. A server that accepts writes is trusted until it was watched.
        let lasted = match age {
            Some(age) if is_first && reading.read_only => age,
            _ => server.quiet,
        };
        if lasted <= limit {
            return Motion::Moves;
        }
        let known = common_interval(beating());
        let configured = || used_to_beat(&reading.services, intervals.report_interval * 3);
        let Some(interval) = known.or_else(|| configured().then_some(intervals.report_interval))
        else {
            return Motion::Moves;
        };
        let limit = self::limit(interval, intervals);
        if lasted <= limit {
            return Motion::Moves;
        }
        let is_outdated = newest_elsewhere.is_some_and(|shown| shown - server.shown > interval);
        if is_outdated {
            server.state = State::Stale(Stale::Outdated);
        } else if reading.read_only && !replays(reading, limit) {
            server.state = State::Stale(Stale::ReadOnly(limit));
        } else {
            server.state = State::Still;
        }
        match server.state {
            State::Stale(stale) => Motion::Stale(stale),
            _ => Motion::Still(lasted),
        }
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
        self.servers.push(Server {
            name: name.cloned(),
            table,
            shown: read.answered,
            last: read.sent,
            quiet: TimeDelta::zero(),
            has_moved: false,
            usual_age: None,
            state: State::Moving,
        });
        (self.servers.len() - 1, true)
    }

    /// Returns when another server first showed its present table, the latest of all.
    fn newest_elsewhere(&self, index: usize) -> Option<Monotonic> {
        let others = self.servers.iter().enumerate();
        let moved = others.filter(|(other, server)| *other != index && server.has_moved);
        moved.map(|(_, server)| server.shown).max()
    }
}

impl Server {
    /// Returns whether the table changed since the last read of this server.
    fn moves(&mut self, table: Table, read: Read, report_interval: TimeDelta) -> bool {
        let gap = (read.sent - self.last).min(report_interval);
        self.last = read.sent;
        if table == self.table {
            self.quiet += gap;
            return false;
        }
        self.table = table;
        self.shown = read.answered;
        self.quiet = gap;
        self.has_moved = true;
        true
    }

    /// Decides whether a server that was not current is so again, by the newest stamp.
    ///
    /// If that gets hardly younger within `patience`, this is as current as the server gets, or a clock was set.
    fn catches_up(
        &mut self,
        age: TimeDelta,
        at: Monotonic,
        visibility_delay: TimeDelta,
        patience: TimeDelta,
    ) -> Motion {
        let behind = age - self.usual_age.unwrap_or_default();
        let (since, then) = match self.state {
            State::CatchingUp(since, then) => (since, then),
            _ => (at, behind),
        };
        let waited = at - since > patience;
        if behind <= visibility_delay || waited && then - behind < patience / 2 {
            self.state = State::Moving;
            self.usual_age = Some(age);
            return Motion::Resumes;
        }
        self.state = if waited {
            State::CatchingUp(at, behind)
        } else {
            State::CatchingUp(since, then)
        };
        Motion::Stale(Stale::CatchingUp)
    }
}

impl Table {
    fn of(services: &[Service]) -> Self {
        let mut table = Self {
            digest: 0,
            newest: None,
        };
        for service in services {
            let stamp = match service.updated_at {
                Stamp::At(stamp) => {
                    table.newest = table.newest.max(Some(stamp));
                    stamp.0.and_utc().timestamp_micros()
                }
                Stamp::Never => -1,
                Stamp::Unreadable => -2,
            };
            // A sum, because the order of rows is the server's.
            let row = [service.id, service.report_count, stamp];
            let mixed = row.into_iter().fold(0, |hash: u64, value| {
                let hash = (hash ^ value.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^ hash >> 32
            });
            table.digest = table.digest.wrapping_add(mixed);
        }
        table
    }
}

/// Returns the time without any heartbeat after which the table stands still.
///
/// Three report intervals, but soon enough that no service is down by then: a service may have sent its last heartbeat
/// one interval before the others.
fn limit(report_interval: TimeDelta, intervals: &Intervals) -> TimeDelta {
    let before_down = intervals.service_down_time - report_interval;
    (report_interval * 3)
        .min(before_down)
        .max(report_interval * 3 / 2)
}

/// Returns whether a server in recovery replays transactions, so that it is current though nobody beats.
fn replays(reading: &Reading, limit: TimeDelta) -> bool {
    let age = |replayed: DatabaseTime| reading.now.0 - replayed.0;
    reading
        .replayed
        .is_some_and(|replayed| age(replayed) <= limit)
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
        .filter(|service| service.report_count > 0)
        .filter_map(|service| match service.updated_at {
            Stamp::At(stamp) => Some((stamp, service.facts.machine())),
            Stamp::Never | Stamp::Unreadable => None,
        });
    let Some((newest, _)) = stamps.clone().max() else {
        return false;
    };
    let last = stamps.filter(|(stamp, _)| newest.0 - stamp.0 <= span);
    let machines: Vec<&str> = last.map(|(_, machine)| machine).collect();
    let others = machines.iter().filter(|machine| **machine != machines[0]);
    machines.len() >= FEWEST_SERVICES && others.count() + 1 >= FEWEST_MACHINES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS, at};

    /// Services with correct clocks, read behind one address.
    struct World {
        standstill: Standstill,
        /// Host and second of its first heartbeat; more follow each `interval`.
        services: Vec<(&'static str, i64)>,
        interval: i64,
        /// Whether the report intervals of the services were observed.
        observed: bool,
        /// The servers' clocks minus the hosts'.
        ahead: i64,
        read_only: bool,
        /// Seconds since the last transaction that the server replayed.
        replayed: Option<i64>,
    }

    impl World {
        fn new(read_only: bool) -> Self {
            Self {
                standstill: Standstill::default(),
                services: vec![("a", 1), ("a@lvm", 4), ("b", 7)],
                interval: 10,
                observed: true,
                ahead: 0,
                read_only,
                replayed: None,
            }
        }

        /// Reads this server, which shows the table as it was at the second `shown`.
        fn read(&mut self, second: i64, server: &str, shown: i64) -> Motion {
            let time = |second| fixture::now("2026-03-30 00:00:00").0 + TimeDelta::seconds(second);
            let facts = |host: &str| fixture::service("cinder-volume", host).facts;
            let row = |(id, (host, first)): (i64, &(&str, i64))| {
                let beats = (shown - first).div_euclid(self.interval);
                Service {
                    id,
                    report_count: 100 + beats,
                    updated_at: Stamp::At(HostTime(time(first + beats * self.interval))),
                    facts: facts(host),
                    ..Service::default()
                }
            };
            let now = time(second + self.ahead);
            let reading = Reading {
                now: DatabaseTime(now),
                server: Some(server.into()),
                read_only: self.read_only,
                replayed: self
                    .replayed
                    .map(|age| DatabaseTime(now - TimeDelta::seconds(age))),
                ..fixture::reading((1..).zip(&self.services).map(row).collect())
            };
            let read = Read {
                sent: at(second),
                answered: at(second),
            };
            let beating: Vec<Arc<Facts>> =
                self.services.iter().map(|(host, _)| facts(host)).collect();
            let beating = beating.iter().filter(|_| self.observed);
            let interval = TimeDelta::seconds(self.interval);
            let beating = beating.map(|facts| (&**facts, interval));
            self.standstill
                .observe(&reading, read, &INTERVALS, TimeDelta::seconds(2), || {
                    beating
                })
        }

        /// Reads a server every five seconds, from one second to before another.
        fn reads(
            &mut self,
            seconds: std::ops::Range<i64>,
            shown: impl Fn(i64) -> i64,
        ) -> Vec<Motion> {
            let seconds = seconds.step_by(5);
            seconds
                .map(|second| self.read(second, "x", shown(second)))
                .collect()
        }
    }

    /// Stale for this reason, with INTERVALS.
    const READ_ONLY: Motion = Motion::Stale(Stale::ReadOnly(TimeDelta::seconds(30)));
    const CATCHING_UP: Motion = Motion::Stale(Stale::CatchingUp);

    #[test]
    fn a_table_with_heartbeats_moves() {
        for read_only in [false, true] {
            let motions = World::new(read_only).reads(0..600, |second| second);
            assert!(motions.iter().all(|motion| *motion == Motion::Moves));
        }
    }

    #[test]
    fn a_server_without_writes_on_which_nobody_beats_is_stale_before_a_service_is_down() {
        let mut world = World::new(true);
        world.reads(0..100, |second| second);
        // The oldest of the last heartbeats is of second 87.
        let motions = world.reads(100..300, |_| 97);
        let (before, stale) = motions.split_at(6);
        assert!(
            before.iter().all(|motion| *motion == Motion::Moves),
            "{before:?}"
        );
        assert!(stale.iter().all(|motion| *motion == READ_ONLY), "{stale:?}");
        // It replays twelve seconds in one.
        let motions = world.reads(300..330, |second| (97 + (second - 300) * 12).min(second));
        assert_eq!(
            motions,
            [
                READ_ONLY,
                CATCHING_UP,
                CATCHING_UP,
                CATCHING_UP,
                Motion::Resumes,
                Motion::Moves,
            ]
        );
    }

    #[test]
    fn on_a_server_with_writes_it_is_a_condition() {
        let mut world = World::new(false);
        world.reads(0..100, |second| second);
        let motions = world.reads(100..300, |_| 97);
        assert_eq!(motions[5], Motion::Moves);
        assert_eq!(motions[6], Motion::Still(TimeDelta::seconds(35)));
        assert_eq!(motions[39], Motion::Still(TimeDelta::seconds(200)));
        assert_eq!(world.read(300, "x", 300), Motion::Resumes);
        assert_eq!(world.read(305, "x", 305), Motion::Moves);
    }

    #[test]
    fn a_server_in_recovery_that_replays_is_current() {
        let mut world = World::new(true);
        world.replayed = Some(5);
        world.reads(0..100, |second| second);
        let motions = world.reads(100..200, |_| 97);
        assert_eq!(motions[19], Motion::Still(TimeDelta::seconds(100)));
        world.replayed = Some(31);
        assert_eq!(world.read(200, "x", 97), READ_ONLY);
    }

    #[test]
    fn a_server_that_lacks_what_another_shows_is_stale() {
        let mut world = World::new(false);
        for second in (0..300).step_by(5) {
            assert_eq!(world.read(second, "x", second), Motion::Moves);
            let motion = world.read(second + 2, "y", second.min(100));
            let expected = if second >= 130 {
                Motion::Stale(Stale::Outdated)
            } else {
                Motion::Moves
            };
            assert_eq!(motion, expected, "{second}");
        }
        // Both stand still: the later one is as good as any.
        for second in (300..400).step_by(5) {
            let motion = world.read(second, "x", 300);
            assert!(!matches!(motion, Motion::Stale(_)), "{motion:?}");
        }
        assert_eq!(world.read(400, "y", 400), Motion::Resumes);
    }

    #[test]
    fn a_standstill_from_before_the_start_is_known_by_the_stamps() {
        let started = |read_only| World {
            observed: false,
            ..World::new(read_only)
        };
        let motions = started(true).reads(1_000..1_100, |_| 97);
        assert!(
            motions.iter().all(|motion| *motion == READ_ONLY),
            "{motions:?}"
        );
        let motions = started(false).reads(1_000..1_100, |_| 97);
        assert_eq!(motions[6], Motion::Moves);
        assert_eq!(motions[7], Motion::Still(TimeDelta::seconds(35)));
        // Leftovers of different ages.
        let mut world = started(true);
        world.services = vec![("a", -3_000), ("b", -2_000), ("c", 7)];
        world.interval = 100_000;
        let motions = world.reads(1_000..1_100, |_| 97);
        assert!(motions.iter().all(|motion| *motion == Motion::Moves));
    }

    #[test]
    fn a_wrong_clock_of_the_server_is_found_out() {
        let mut world = World {
            ahead: 3_600,
            observed: false,
            ..World::new(true)
        };
        let motions = world.reads(0..100, |second| second);
        assert_eq!(motions[0], READ_ONLY);
        assert_eq!(motions[14], Motion::Resumes, "{motions:?}");
        assert_eq!(motions[15..], [Motion::Moves; 5]);
    }

    #[test]
    fn few_services_or_one_machine_may_stop_at_once() {
        for services in [
            vec![("a", 1), ("b", 4)],
            vec![("a", 1), ("a@lvm", 4), ("a@rbd", 7)],
        ] {
            for observed in [false, true] {
                let mut world = World {
                    services: services.clone(),
                    observed,
                    ..World::new(true)
                };
                world.reads(0..100, |second| second);
                let motions = world.reads(100..300, |_| 97);
                assert!(motions.iter().all(|motion| *motion == Motion::Moves));
            }
        }
    }

    #[test]
    fn an_outage_of_the_database_is_no_standstill() {
        for read_only in [false, true] {
            let mut world = World::new(read_only);
            world.reads(0..100, |second| second);
            // Nothing could be written for ten minutes. The services need up to ten seconds.
            let motions = world.reads(700..710, |_| 97);
            assert_eq!(motions, [Motion::Moves; 2]);
            assert_eq!(world.read(710, "x", 710), Motion::Moves);
        }
    }

    #[test]
    fn services_that_report_less_often_than_configured_beat() {
        let mut world = World {
            services: vec![("a", 1), ("b", 2), ("c", 3)],
            interval: 90,
            ..World::new(true)
        };
        let motions = world.reads(0..900, |second| second);
        assert!(motions.iter().all(|motion| *motion == Motion::Moves));
    }
}
