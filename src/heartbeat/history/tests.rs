//! Pictures in a row, and what is remembered of them.

use super::*;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::service::fixture;
use crate::heartbeat::snapshot::Observed;

fn at(second: i64) -> Monotonic {
    Monotonic(TimeDelta::seconds(second))
}

fn status(state: State) -> ServiceStatus {
    let reason = match state {
        State::Up | State::Unknown => None,
        State::Unseen | State::Stopped => Some(Reason::Stopped),
        State::Undetermined => Some(Reason::Undetermined),
        State::NeverReported => Some(Reason::NeverReported),
        State::SlowReports => Some(Reason::SlowReports),
        State::ClockSkew => Some(Reason::ClockSkew),
    };
    let up = (state != State::Unknown).then_some(state <= State::Unseen);
    ServiceStatus {
        service: fixture::service("cinder-volume", "block1"),
        up,
        up_for_scheduler: up,
        last_heartbeat: None,
        heartbeat_age: None,
        duplicates: 0,
        observed: Observed {
            reason,
            ..Observed::default()
        },
    }
}

/// The hour that ends at `end`, after these pictures.
fn hour(pictures: &[(i64, State)], end: i64) -> Hour {
    let mut history = History::default();
    for &(second, state) in pictures {
        history.record(at(second), &[status(state)]);
    }
    history.hour(1, at(end)).unwrap()
}

/// A letter a minute, the last ones, as many as there are expected.
fn check(pictures: &[(i64, State)], end: i64, expected: &str) {
    let letters: String = hour(pictures, end)
        .minutes
        .iter()
        .map(|minute| minute.map_or('.', |state| state.as_str().chars().next().unwrap()))
        .collect();
    assert_eq!(letters[MINUTES - expected.len()..], *expected);
}

#[test]
fn every_state_is_told_from_a_picture_and_survives_its_nibble() {
    for state in State::ALL {
        assert_eq!(State::of(&status(state)), state);
        assert_eq!(state_of(nibble(state)), Some(state));
    }
    assert_eq!(state_of(0), None);
}

#[test]
fn a_minute_keeps_its_worst_state_and_the_next_begins_anew() {
    let pictures = [
        (0, State::Up),
        (5, State::Stopped),
        (10, State::Up),
        (60, State::Up),
        (119, State::ClockSkew),
    ];
    check(&pictures, 119, ".sc");
    check(&pictures, 120, ".sc.");
}

#[test]
fn a_minute_without_a_picture_is_empty() {
    check(&[(0, State::Up), (185, State::Up)], 245, ".u..u.");
    let hours = [(0, State::Stopped), (5 * 3_600, State::Up)];
    check(&hours, 5 * 3_600, &(".".repeat(59) + "u"));
}

#[test]
fn after_an_hour_the_oldest_minute_is_forgotten() {
    let pictures: Vec<(i64, State)> = (0..90)
        .map(|minute| {
            let state = if minute < 31 {
                State::Stopped
            } else {
                State::Up
            };
            (minute * 60, state)
        })
        .collect();
    check(&pictures, 89 * 60, &("s".to_owned() + &"u".repeat(59)));
    check(&pictures, 91 * 60, &("u".repeat(58) + ".."));
    check(&pictures, 89 * 60 + 7_200, &".".repeat(60));
}

#[test]
fn a_state_begins_when_it_was_seen_to_and_not_with_another_reason() {
    let exactly = |second| Since::Exactly(TimeDelta::seconds(second));
    let at_least = |second| Since::AtLeast(TimeDelta::seconds(second));
    for (pictures, expected) in [
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
        (&[(0, State::Stopped), (900, State::Stopped)], at_least(900)),
        (&[(0, State::Stopped), (5, State::Up)], exactly(0)),
    ] {
        assert_eq!(hour(pictures, 900).since, expected, "{pictures:?}");
    }
}

#[test]
fn a_row_that_vanished_is_forgotten() {
    let mut history = History::default();
    history.record(at(0), &[status(State::Stopped)]);
    history.record(at(5), &[]);
    assert_eq!(history.hour(1, at(5)), None);
    history.record(at(10), &[status(State::Stopped)]);
    let since = history.hour(1, at(10)).unwrap().since;
    assert_eq!(since, Since::AtLeast(TimeDelta::zero()));
}

#[test]
fn a_row_takes_little_room() {
    assert!(size_of::<(i64, Trace)>() <= 56);
}
