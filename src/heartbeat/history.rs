//! The last hour of each service: its worst state in every minute, and since when it is up or down.
//!
//! The axis is [`Monotonic`], so that a database's clock that is set moves nothing. A minute without a picture stays
//! empty: a database that can't be read says nothing of the services.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::cause::Reason;
use super::skew::Monotonic;
use super::snapshot::ServiceStatus;

/// Minutes that are remembered, the present one included.
pub const MINUTES: usize = 60;

/// The same, to calculate with.
#[expect(clippy::cast_possible_wrap, reason = "sixty is small")]
const SPAN: i64 = MINUTES as i64;

/// What one picture says of a service, from good to bad: of a minute the worst is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Listed as up, and nothing proves otherwise.
    Up,
    /// The row does not tell.
    Unknown,
    /// Listed as up, though a [`Reason`] holds: a clock that is ahead hides a stop, or the scheduler's rule differs.
    Unseen,
    /// Down, and more reads are needed to tell why.
    Undetermined,
    /// Down, see [`Reason::NeverReported`].
    NeverReported,
    /// Down, see [`Reason::SlowReports`].
    SlowReports,
    /// Down, see [`Reason::ClockSkew`].
    ClockSkew,
    /// Down, see [`Reason::Stopped`].
    Stopped,
}

impl State {
    /// Every state, from good to bad.
    pub const ALL: [Self; 8] = [
        Self::Up,
        Self::Unknown,
        Self::Unseen,
        Self::Undetermined,
        Self::NeverReported,
        Self::SlowReports,
        Self::ClockSkew,
        Self::Stopped,
    ];

    /// Returns what a picture says of a service; whether an operator disabled it does not enter.
    #[must_use]
    pub fn of(status: &ServiceStatus) -> Self {
        match (status.up, status.observed.reason) {
            (Some(true), None) => Self::Up,
            (Some(true), Some(_)) => Self::Unseen,
            (None, _) => Self::Unknown,
            (Some(false), Some(Reason::ClockSkew)) => Self::ClockSkew,
            (Some(false), Some(Reason::Stopped)) => Self::Stopped,
            (Some(false), Some(Reason::SlowReports)) => Self::SlowReports,
            (Some(false), Some(Reason::NeverReported)) => Self::NeverReported,
            (Some(false), Some(Reason::Undetermined) | None) => Self::Undetermined,
        }
    }

    /// Returns whether the API lists the service as down.
    #[must_use]
    pub fn is_down(self) -> bool {
        self >= Self::Undetermined
    }

    /// Returns the name in the JSON: `up`, `unknown`, `unseen`, or the reason why the service is down.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::Unseen => "unseen",
            Self::Undetermined => Reason::Undetermined.as_str(),
            Self::NeverReported => Reason::NeverReported.as_str(),
            Self::SlowReports => Reason::SlowReports.as_str(),
            Self::ClockSkew => Reason::ClockSkew.as_str(),
            Self::Stopped => Reason::Stopped.as_str(),
        }
    }

    /// Returns whether both are down, or both the same: a reason that becomes known does not begin anew.
    fn continues(self, before: Self) -> bool {
        self == before || (self.is_down() && before.is_down())
    }

    /// The reverse of [`State::of_nibble`]; 0 is left for a minute without a picture.
    fn nibble(self) -> u8 {
        self as u8 + 1
    }

    fn of_nibble(nibble: u8) -> Option<Self> {
        Self::ALL.get(usize::from(nibble).checked_sub(1)?).copied()
    }
}

/// How long the present state has lasted in the latest picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The change was seen: so long ago a picture showed the state for the first time.
    Exactly(TimeDelta),
    /// So long ago it was there already, in the first picture of the service, or in the first after more than a
    /// minute without.
    AtLeast(TimeDelta),
}

/// The last hour of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// The worst state of each minute, the oldest first; `None` without a picture.
    pub minutes: [Option<State>; MINUTES],
    /// When the present state began, whatever the reason.
    pub since: Since,
}

/// What is remembered of one row: two minutes a byte, the minute m of the axis in the nibble m mod 60.
#[derive(Debug, Clone)]
struct Trace {
    nibbles: [u8; MINUTES / 2],
    state: State,
    /// When the state began, and whether that was seen: what [`Since`] is made from.
    since: Monotonic,
    seen: bool,
}

/// The last hour of all services, by primary key: a row that is removed is forgotten.
#[derive(Debug, Default)]
pub struct History {
    traces: HashMap<i64, Trace>,
    /// When the latest picture was taken.
    latest: Option<Monotonic>,
}

impl History {
    /// Adds a picture, which must not be older than the last.
    pub fn record(&mut self, at: Monotonic, services: &[ServiceStatus]) {
        let gap = self.latest.map(|latest| at - latest);
        let empty = self.latest.map_or(0, |latest| minute(at) - minute(latest));
        let mut before = std::mem::take(&mut self.traces);
        self.traces.reserve(services.len());
        for status in services {
            let id = status.service.id;
            let trace = before.remove(&id);
            let trace = Trace::continued(trace, State::of(status), at, gap, empty);
            self.traces.insert(id, trace);
        }
        self.latest = Some(at);
    }

    /// Returns the hour that ends at `at`, which must not be before the last picture; `None` for a row that the
    /// last picture did not show.
    #[must_use]
    pub fn hour(&self, id: i64, at: Monotonic) -> Option<Hour> {
        let trace = self.traces.get(&id)?;
        let latest = self.latest?;
        let recorded = minute(latest);
        let now = minute(at);
        let mut minutes = [None; MINUTES];
        for (slot, minute) in minutes.iter_mut().zip(now - SPAN + 1..) {
            if minute <= recorded && minute > recorded - SPAN {
                *slot = State::of_nibble(trace.nibble(minute));
            }
        }
        let lasted = latest - trace.since;
        let since = if trace.seen {
            Since::Exactly(lasted)
        } else {
            Since::AtLeast(lasted)
        };
        Some(Hour { minutes, since })
    }
}

impl Trace {
    /// Adds a state to what is remembered of a row, `gap` after the last picture and `empty` minutes later.
    fn continued(
        before: Option<Self>,
        state: State,
        at: Monotonic,
        gap: Option<TimeDelta>,
        empty: i64,
    ) -> Self {
        let mut trace = before.unwrap_or(Self {
            nibbles: [0; MINUTES / 2],
            state,
            since: at,
            seen: false,
        });
        if !state.continues(trace.state) {
            trace.since = at;
            trace.seen = gap.is_some_and(|gap| gap <= TimeDelta::minutes(1));
        }
        trace.state = state;
        let now = minute(at);
        for minute in now - empty.min(SPAN) + 1..=now {
            trace.set_nibble(minute, 0);
        }
        trace.set_nibble(now, trace.nibble(now).max(state.nibble()));
        trace
    }

    fn nibble(&self, minute: i64) -> u8 {
        let (byte, shift) = place(minute);
        self.nibbles[byte] >> shift & 0xf
    }

    fn set_nibble(&mut self, minute: i64, nibble: u8) {
        let (byte, shift) = place(minute);
        self.nibbles[byte] = self.nibbles[byte] & !(0xf << shift) | nibble << shift;
    }
}

/// Returns the byte and the shift of a minute of the axis.
fn place(minute: i64) -> (usize, u8) {
    let slot = usize::try_from(minute.rem_euclid(SPAN)).unwrap_or_default();
    (slot / 2, if slot.is_multiple_of(2) { 0 } else { 4 })
}

/// Returns the minute of the axis in which a time lies.
fn minute(at: Monotonic) -> i64 {
    at.0.num_seconds().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            assert_eq!(State::of_nibble(state.nibble()), Some(state));
        }
        assert_eq!(State::of_nibble(0), None);
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
}
