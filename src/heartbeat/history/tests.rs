//! The history after a sequence of snapshots.

use super::*;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::fixture;

const POLL_INTERVAL: Duration = Duration::from_secs(5);

fn at(second: i64) -> Monotonic {
    Monotonic(TimeDelta::seconds(second))
}

fn snapshot(services: Vec<ServiceStatus>) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        services,
        ..fixture::snapshot(fixture::reading(vec![]))
    })
}

fn named(host: &str, state: State) -> ServiceStatus {
    let mut status = status(state);
    status.service = fixture::with(status.service, |facts| facts.host = host.into());
    status
}

fn status(state: State) -> ServiceStatus {
    let reason = match state {
        State::Up | State::Unknown => None,
        State::ListedAsUp | State::Stopped => Some(Reason::Stopped),
        State::Undetermined => Some(Reason::Undetermined),
        State::NeverReported => Some(Reason::NeverReported),
        State::SlowReports => Some(Reason::SlowReports),
        State::ClockSkew => Some(Reason::ClockSkew),
    };
    let up = (state != State::Unknown).then_some(state <= State::ListedAsUp);
    let mut status = fixture::status(fixture::service("cinder-volume", "block1"), up);
    status.observed.reason = reason;
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
    let snapshots = [
        (0, State::Up),
        (5, State::Stopped),
        (10, State::Up),
        (60, State::Up),
        (119, State::ClockSkew),
    ];
    check(&snapshots, 119, ".sc");
    check(&snapshots, 120, ".sc.");
}

#[test]
fn a_minute_without_a_snapshot_is_empty() {
    check(&[(0, State::Up), (185, State::Up)], 245, ".u..u.");
    let hours = [(0, State::Stopped), (5 * 3_600, State::Up)];
    check(&hours, 5 * 3_600, &(".".repeat(59) + "u"));
}

#[test]
fn after_an_hour_the_oldest_minute_is_forgotten() {
    let snapshots: Vec<(i64, State)> = (0..90)
        .map(|minute| {
            let state = if minute < 31 {
                State::Stopped
            } else {
                State::Up
            };
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
        (&[(7, State::Stopped)][..], at_least(0)),
        (&[(0, State::Up), (5, State::Stopped)], exactly(0)),
        (
            &[
                (0, State::Up),
                (5, State::Undetermined),
                (9, State::Stopped),
            ],
            exactly(4),
        ),
        (&[(0, State::Up), (61, State::Stopped)], at_least(0)),
        (&[(0, State::Stopped), (60, State::Stopped)], at_least(60)),
        // The gap is too long to tell whether the state lasted.
        (&[(0, State::Stopped), (900, State::Stopped)], at_least(0)),
        (
            &[(0, State::Up), (5, State::Stopped), (66, State::Stopped)],
            at_least(0),
        ),
        (&[(0, State::Stopped), (5, State::Up)], exactly(0)),
    ] {
        assert_eq!(hour(snapshots, 900).since, expected, "{snapshots:?}");
    }
}

#[test]
fn snapshots_may_be_two_and_a_half_intervals_apart() {
    let snapshots = [(0, State::Up), (300, State::Stopped)];
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
    let hosts = |hosts: &[(&str, State)]| {
        let named = hosts.iter().map(|(host, state)| named(host, *state));
        snapshot(named.collect())
    };
    let mut history = History::new(POLL_INTERVAL);
    history.record(at(0), &hosts(&[("b", State::Up), ("d", State::Up)]));
    history.record(at(5), &hosts(&[("b", State::Stopped), ("d", State::Up)]));
    // One service is removed, one is added before the others, and one after them.
    let last = [("a", State::Up), ("d", State::Stopped), ("e", State::Up)];
    history.record(at(10), &hosts(&last));
    let since = |host| {
        let service = fixture::service("cinder-volume", host);
        history.hour(&service, at(10)).map(|hour| hour.since)
    };
    let zero = TimeDelta::zero();
    assert_eq!(since("a"), Some(Since::AtLeast(zero)));
    assert_eq!(since("b"), None);
    assert_eq!(since("d"), Some(Since::Exactly(zero)));
    assert_eq!(since("e"), Some(Since::AtLeast(zero)));
    history.record(at(15), &hosts(&[("b", State::Stopped)]));
    let b = fixture::service("cinder-volume", "b");
    let hour = history.hour(&b, at(15)).unwrap();
    assert_eq!(hour.since, Since::AtLeast(zero));
}

#[test]
fn another_row_of_the_same_name_continues_its_hour() {
    let mut history = History::new(POLL_INTERVAL);
    history.record(at(0), &snapshot(vec![status(State::Up)]));
    history.record(at(5), &snapshot(vec![status(State::Stopped)]));
    let mut other = status(State::Stopped);
    other.service.id = 2;
    history.record(at(10), &snapshot(vec![other.clone()]));
    let hour = history.hour(&other.service, at(10)).unwrap();
    assert_eq!(hour.since, Since::Exactly(TimeDelta::seconds(5)));
}

#[test]
fn a_trace_takes_at_most_48_bytes() {
    assert!(size_of::<Trace>() <= 48);
}
