//! The history after a sequence of snapshots.

use super::*;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::fixture::{self, at};

use State::{ClockSkew, ListedAsUp, Stopped, Undetermined, Unknown, Up};

const POLL_INTERVAL: Duration = Duration::from_secs(5);

fn snapshot(services: Vec<ServiceStatus>) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        services,
        ..fixture::snapshot(fixture::reading(vec![]))
    })
}

fn status(state: State) -> ServiceStatus {
    named("block1", state)
}

fn named(host: &str, state: State) -> ServiceStatus {
    let up = (state != Unknown).then_some(state <= ListedAsUp);
    let mut status = fixture::status(fixture::service("cinder-volume", host), up);
    status.observed.reason = match state {
        ListedAsUp => Some(Reason::Stopped),
        state => state.reason(),
    };
    status
}

/// Returns the hour that ends at `end`, after these snapshots.
fn hour(snapshots: &[(i64, State)], end: i64) -> Hour {
    hour_of(POLL_INTERVAL, snapshots, end)
}

fn hour_of(poll_interval: Duration, snapshots: &[(i64, State)], end: i64) -> Hour {
    let mut history = History::new(poll_interval);
    for &(second, state) in snapshots {
        history.record(at(second), &snapshot(vec![status(state)]));
    }
    let service = fixture::service("cinder-volume", "block1");
    history.hour(&service, at(end)).unwrap()
}

/// Checks the latest minutes, as many as `expected` has letters: the first letter of each state, or a dot.
fn check(snapshots: &[(i64, State)], end: i64, expected: &str) {
    let letters: String = hour(snapshots, end)
        .minutes
        .iter()
        .map(|minute| minute.map_or('.', |state| state.as_str().chars().next().unwrap()))
        .collect();
    assert_eq!(letters[MINUTES - expected.len()..], *expected);
}

#[test]
fn every_state_is_derived_from_a_status_and_survives_its_nibble() {
    for state in State::ALL {
        assert_eq!(State::of(&status(state)), state);
        assert_eq!(state_of(nibble(state)), Some(state));
    }
    assert_eq!(state_of(0), None);
}

#[test]
fn a_minute_keeps_its_worst_state_and_the_next_minute_starts_empty() {
    let snapshots = [(0, Up), (5, Stopped), (10, Up), (60, Up), (119, ClockSkew)];
    check(&snapshots, 119, ".sc");
    check(&snapshots, 120, ".sc.");
}

#[test]
fn a_minute_without_a_snapshot_is_empty() {
    check(&[(0, Up), (185, Up)], 245, ".u..u.");
    let hours = [(0, Stopped), (5 * 3_600, Up)];
    check(&hours, 5 * 3_600, &(".".repeat(59) + "u"));
}

#[test]
fn after_an_hour_the_oldest_minute_is_forgotten() {
    let snapshots: Vec<(i64, State)> = (0..90)
        .map(|minute| {
            let state = if minute < 31 { Stopped } else { Up };
            (minute * 60, state)
        })
        .collect();
    check(&snapshots, 89 * 60, &("s".to_owned() + &"u".repeat(59)));
    check(&snapshots, 91 * 60, &("u".repeat(58) + ".."));
    check(&snapshots, 89 * 60 + 7_200, &".".repeat(60));
}

#[test]
fn a_state_begins_with_its_observed_change_and_not_with_another_reason() {
    let exactly = |second| Since::Exactly(TimeDelta::seconds(second));
    let at_least = |second| Since::AtLeast(TimeDelta::seconds(second));
    for (snapshots, expected) in [
        (&[(7, Stopped)][..], at_least(0)),
        (&[(0, Up), (5, Stopped)], exactly(0)),
        (&[(0, Up), (5, Undetermined), (9, Stopped)], exactly(4)),
        (&[(0, Up), (61, Stopped)], at_least(0)),
        (&[(0, Stopped), (60, Stopped)], at_least(60)),
        // The gap is too long to tell whether the state lasted.
        (&[(0, Stopped), (900, Stopped)], at_least(0)),
        (&[(0, Up), (5, Stopped), (66, Stopped)], at_least(0)),
        (&[(0, Stopped), (5, Up)], exactly(0)),
    ] {
        assert_eq!(hour(snapshots, 900).since, expected, "{snapshots:?}");
    }
}

#[test]
fn snapshots_may_be_two_and_a_half_intervals_apart() {
    let snapshots = [(0, Up), (300, Stopped)];
    for (poll_interval, expected) in [
        (120, Since::Exactly(TimeDelta::zero())),
        (119, Since::AtLeast(TimeDelta::zero())),
    ] {
        let poll_interval = Duration::from_secs(poll_interval);
        assert_eq!(hour_of(poll_interval, &snapshots, 300).since, expected);
    }
}

#[test]
fn a_service_that_vanished_is_forgotten_and_the_others_keep_their_hours() {
    let mut history = History::new(POLL_INTERVAL);
    let mut since = |second, hosts: &[(&str, State)]| {
        let statuses = hosts.iter().map(|(host, state)| named(host, *state));
        history.record(at(second), &snapshot(statuses.collect()));
        ["a", "b", "d", "e"].map(|host| {
            let service = fixture::service("cinder-volume", host);
            history.hour(&service, at(second)).map(|hour| hour.since)
        })
    };
    let began = Some(Since::Exactly(TimeDelta::zero()));
    let found = Some(Since::AtLeast(TimeDelta::zero()));
    let lasts = Some(Since::AtLeast(TimeDelta::seconds(5)));
    let first = since(0, &[("b", Up), ("d", Up)]);
    assert_eq!(first, [None, found, found, None]);
    let second = since(5, &[("b", Stopped), ("d", Up)]);
    assert_eq!(second, [None, began, lasts, None]);
    // One service is removed, one is added before the others, and one after them.
    let third = since(10, &[("a", Up), ("d", Stopped), ("e", Up)]);
    assert_eq!(third, [found, None, began, found]);
    let fourth = since(15, &[("b", Stopped)]);
    assert_eq!(fourth, [None, found, None, None]);
}

#[test]
fn another_row_of_the_same_name_continues_its_hour() {
    let mut history = History::new(POLL_INTERVAL);
    history.record(at(0), &snapshot(vec![status(Up)]));
    history.record(at(5), &snapshot(vec![status(Stopped)]));
    let mut other = status(Stopped);
    other.service.id = 2.into();
    history.record(at(10), &snapshot(vec![other.clone()]));
    let hour = history.hour(&other.service, at(10)).unwrap();
    assert_eq!(hour.since, Since::Exactly(TimeDelta::seconds(5)));
}

#[test]
fn a_trace_takes_at_most_48_bytes() {
    assert!(size_of::<Trace>() <= 48);
}
