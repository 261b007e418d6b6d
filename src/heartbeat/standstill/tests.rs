//! Tests of [`super`].

use super::*;
use crate::heartbeat::fixture::{self, INTERVALS, at};
use crate::heartbeat::service::Stamp;
use crate::heartbeat::time::HostTime;

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
    tolerances: Tolerances,
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
            tolerances: fixture::TOLERANCES,
        }
    }

    /// Reads this server, which shows the table as it was at the second `shown`.
    fn read(&mut self, second: i64, server: &str, shown: i64) -> Motion {
        let time = |second| fixture::now("2026-03-30 00:00:00").0 + TimeDelta::seconds(second);
        let facts = |host: &str| fixture::service("cinder-volume", host).facts;
        let row = |(id, (host, first)): (i64, &(&str, i64))| {
            let beats = (shown - first).div_euclid(self.interval);
            Service {
                id: id.into(),
                heartbeats: Some(100 + beats),
                stamp: Stamp::At(HostTime(time(first + beats * self.interval))),
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
        let beating: Vec<Arc<Facts>> = self.services.iter().map(|(host, _)| facts(host)).collect();
        let beating = beating.iter().filter(|_| self.observed);
        let interval = TimeDelta::seconds(self.interval);
        let beating = beating.map(|facts| (&**facts, interval));
        self.standstill
            .observe(&reading, read, &INTERVALS, &self.tolerances, || beating)
    }

    /// Reads a server at each poll, from one second to before another.
    fn reads(&mut self, seconds: std::ops::Range<i64>, shown: impl Fn(i64) -> i64) -> Vec<Motion> {
        let interval = self.tolerances.poll_interval.num_seconds();
        let seconds = seconds.step_by(interval.try_into().unwrap());
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
fn a_pause_that_the_message_bus_explains_is_no_standstill() {
    for (bus_delay, polls) in [(0, 6), (30, 12)] {
        let mut world = World::new(false);
        world.tolerances.bus_delay = TimeDelta::seconds(bus_delay);
        world.reads(0..100, |second| second);
        let motions = world.reads(100..300, |_| 97);
        let moving = motions.iter().take_while(|it| **it == Motion::Moves);
        assert_eq!(moving.count(), polls, "{bus_delay}");
    }
}

#[test]
fn a_server_without_writes_on_which_no_service_sends_heartbeats_is_stale_before_a_service_is_down()
{
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

#[test]
fn a_replica_that_replays_slowly_is_stale_until_it_is_current() {
    let mut world = World::new(true);
    world.reads(0..100, |second| second);
    world.reads(100..3_700, |_| 97);
    // It replays six seconds in five, so it is behind for five hours.
    let shown = |second: i64| (97 + (second - 3_700) * 6 / 5).min(second);
    let motions = world.reads(3_700..22_000, shown);
    let resumes = motions
        .iter()
        .position(|motion| *motion == Motion::Resumes)
        .unwrap();
    let second = 3_700 + 5 * i64::try_from(resumes).unwrap();
    assert!(second - shown(second) <= 10, "{second}");
    let stale = |motion: &Motion| matches!(*motion, READ_ONLY | CATCHING_UP);
    assert!(motions[..resumes].iter().all(stale));
    assert!(
        motions[resumes + 1..]
            .iter()
            .all(|motion| *motion == Motion::Moves)
    );
}

#[test]
fn a_replica_that_stays_behind_is_as_current_as_it_gets() {
    let mut world = World::new(true);
    world.reads(0..100, |second| second);
    world.reads(100..200, |_| 97);
    let motions = world.reads(200..300, |second| second - 60);
    assert_eq!(motions[12], CATCHING_UP);
    assert!(motions[13..].contains(&Motion::Resumes), "{motions:?}");
}

#[test]
fn a_current_table_is_recognised_between_two_polls() {
    let mut world = World::new(true);
    world.tolerances.visibility_delay = TimeDelta::milliseconds(250);
    // The newest stamp is one second old at times, and three seconds at others.
    world.reads(0..100, |second| second);
    world.reads(100..200, |_| 97);
    assert_eq!(world.read(200, "x", 97), READ_ONLY);
    assert_eq!(world.read(210, "x", 210), Motion::Resumes);
}

#[test]
fn a_stale_server_that_accepts_writes_again_is_current() {
    let mut world = World::new(true);
    world.reads(0..100, |second| second);
    world.reads(100..200, |_| 97);
    assert_eq!(world.read(200, "x", 97), READ_ONLY);
    // The services are really dead.
    world.read_only = false;
    assert_eq!(
        world.read(205, "x", 97),
        Motion::Still(TimeDelta::seconds(110))
    );
    world.read_only = true;
    assert_eq!(world.read(210, "x", 97), READ_ONLY);
    world.read_only = false;
    assert_eq!(world.read(215, "x", 215), Motion::Resumes);
}

#[test]
fn a_stale_server_that_replays_other_transactions_again_is_current() {
    let mut world = World::new(true);
    world.reads(0..100, |second| second);
    world.reads(100..200, |_| 97);
    assert_eq!(world.read(200, "x", 97), READ_ONLY);
    world.replayed = Some(1);
    assert_eq!(
        world.read(205, "x", 97),
        Motion::Still(TimeDelta::seconds(110))
    );
    world.replayed = Some(31);
    assert_eq!(world.read(210, "x", 97), READ_ONLY);
    // It replays, stands still again for half a minute, and then replays other transactions.
    assert_eq!(world.read(215, "x", 110), CATCHING_UP);
    world.reads(220..260, |_| 110);
    assert_eq!(world.read(260, "x", 110), READ_ONLY);
    world.replayed = Some(1);
    assert!(matches!(world.read(265, "x", 110), Motion::Still(_)));
}

#[test]
fn polls_may_be_longer_than_report_intervals() {
    for (poll_interval, expected) in [(5, 130), (15, 135), (20, 120)] {
        let mut world = World::new(true);
        world.tolerances.poll_interval = TimeDelta::seconds(poll_interval);
        let motions = world.reads(0..100, |second| second);
        assert!(motions.iter().all(|motion| *motion == Motion::Moves));
        let found = (1..100).map(|poll| 95 / poll_interval * poll_interval + poll * poll_interval);
        let found = found
            .into_iter()
            .find(|second| world.read(*second, "x", 97) == READ_ONLY);
        assert_eq!(found, Some(expected), "{poll_interval}");
    }
}

#[test]
fn an_outage_between_long_polls_is_no_standstill() {
    let mut world = World::new(true);
    world.tolerances.poll_interval = TimeDelta::seconds(15);
    world.reads(0..100, |second| second);
    assert_eq!(world.read(700, "x", 97), Motion::Moves);
    assert_eq!(world.read(715, "x", 715), Motion::Moves);
}
