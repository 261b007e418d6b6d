//! The last hour of each service: its worst state in every minute, and since when it is up or down.
//!
//! The axis is [`Monotonic`], so that a database's clock that is set moves nothing. A minute without a picture stays
//! empty: a database that can't be read says nothing of the services.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::service::Service;
use super::skew::Monotonic;
use super::snapshot::Snapshot;
use super::state::State;
use super::status::ServiceStatus;

/// Minutes that are remembered, the present one included.
pub(crate) const MINUTES: usize = 60;

/// The same, to calculate with.
#[expect(clippy::cast_possible_wrap, reason = "sixty is small")]
const SPAN: i64 = MINUTES as i64;

/// The least time without a picture after which nobody knows whether a state lasted.
const LEAST_LIMIT: Duration = Duration::from_mins(1);

/// How long the present state has lasted in the latest picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The change was seen: so long ago a picture showed the state for the first time.
    Exactly(TimeDelta),
    /// So long ago it was there already: in the first picture of the service, or in the first after a time without
    /// pictures that was longer than the limit of [`History::new`], in which it may have ended and begun again.
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

/// What is remembered of one service: two minutes a byte, the minute m of the axis in the nibble m mod 60.
#[derive(Debug, Clone)]
struct Trace {
    nibbles: [u8; MINUTES / 2],
    state: State,
    /// When the state began, and whether that was seen: what [`Since`] is made from.
    since: Monotonic,
    seen: bool,
}

/// The last hour of all services, by binary and host: what is shown, whichever row that comes from. A service that
/// is removed is forgotten.
#[derive(Debug)]
pub(crate) struct History {
    /// One for each service of the latest picture, in its order, so that their names need not be kept twice.
    traces: Vec<Trace>,
    /// The latest picture, and when it was taken.
    latest: Option<(Monotonic, Arc<Snapshot>)>,
    /// The longest time between two pictures across which a state lasts.
    limit: TimeDelta,
}

impl History {
    /// An empty one. A state is taken to last from one picture to the next if these are at most a minute, or two
    /// and a half intervals between polls, apart: so long that one poll may fail.
    #[must_use]
    pub(crate) fn new(poll_interval: Duration) -> Self {
        Self {
            traces: Vec::new(),
            latest: None,
            limit: limit(poll_interval),
        }
    }

    /// Changes the interval between polls; what is remembered is kept.
    pub(crate) fn set_pace(&mut self, poll_interval: Duration) {
        self.limit = limit(poll_interval);
    }

    /// Adds a picture, which must not be older than the last.
    pub(crate) fn record(&mut self, at: Monotonic, snapshot: &Arc<Snapshot>) {
        let latest = self.latest.replace((at, snapshot.clone()));
        let step = Step {
            at,
            empty: latest
                .as_ref()
                .map_or(0, |(latest, _)| minute(at) - minute(*latest)),
            seen: latest
                .as_ref()
                .is_some_and(|(latest, _)| at - *latest <= self.limit),
        };
        let names = latest.iter().flat_map(|(_, before)| &before.services);
        let mut before = names.zip(std::mem::take(&mut self.traces)).peekable();
        self.traces.reserve_exact(snapshot.services.len());
        for status in &snapshot.services {
            // Both are in the order of their names.
            while before
                .next_if(|(old, _)| by_name(&old.service, &status.service) == Ordering::Less)
                .is_some()
            {}
            let trace = before
                .next_if(|(old, _)| by_name(&old.service, &status.service) == Ordering::Equal)
                .map(|(_, trace)| trace);
            self.traces.push(step.continued(trace, State::of(status)));
        }
    }

    /// Returns the hour that ends at `at`, which must not be before the last picture; `None` for a service that the
    /// last picture did not show.
    #[must_use]
    pub(crate) fn hour(&self, service: &Service, at: Monotonic) -> Option<Hour> {
        let (latest, snapshot) = self.latest.as_ref()?;
        let by_name = |status: &ServiceStatus| by_name(&status.service, service);
        let index = snapshot.services.binary_search_by(by_name).ok()?;
        let trace = self.traces.get(index)?;
        let recorded = minute(*latest);
        let now = minute(at);
        let mut minutes = [None; MINUTES];
        for (slot, minute) in minutes.iter_mut().zip(now - SPAN + 1..) {
            if minute <= recorded && minute > recorded - SPAN {
                *slot = state_of(trace.nibble(minute));
            }
        }
        let lasted = *latest - trace.since;
        let since = if trace.seen {
            Since::Exactly(lasted)
        } else {
            Since::AtLeast(lasted)
        };
        Some(Hour { minutes, since })
    }
}

/// Compares as the services of a [`Snapshot`] are sorted.
fn by_name(a: &Service, b: &Service) -> Ordering {
    if Arc::ptr_eq(&a.facts, &b.facts) {
        return Ordering::Equal;
    }
    a.facts.name().cmp(&b.facts.name())
}

/// From one picture to the next.
struct Step {
    /// When the next is taken.
    at: Monotonic,
    /// How many minutes later.
    empty: i64,
    /// Whether what changed is taken to have changed just now, and what did not, to have lasted.
    seen: bool,
}

impl Step {
    /// Adds a state to what is remembered of a service.
    fn continued(&self, before: Option<Trace>, state: State) -> Trace {
        let mut trace = before.unwrap_or(Trace {
            nibbles: [0; MINUTES / 2],
            state,
            since: self.at,
            seen: false,
        });
        if !self.seen || !state.continues(trace.state) {
            trace.since = self.at;
            trace.seen = self.seen;
        }
        trace.state = state;
        let now = minute(self.at);
        for minute in now - self.empty.min(SPAN) + 1..=now {
            trace.set_nibble(minute, 0);
        }
        trace.set_nibble(now, trace.nibble(now).max(nibble(state)));
        trace
    }
}

impl Trace {
    fn nibble(&self, minute: i64) -> u8 {
        let (byte, shift) = place(minute);
        self.nibbles[byte] >> shift & 0xf
    }

    fn set_nibble(&mut self, minute: i64, nibble: u8) {
        let (byte, shift) = place(minute);
        self.nibbles[byte] = self.nibbles[byte] & !(0xf << shift) | nibble << shift;
    }
}

/// Returns a state as half a byte; 0 is left for a minute without a picture.
fn nibble(state: State) -> u8 {
    state as u8 + 1
}

/// The reverse of [`nibble`].
fn state_of(nibble: u8) -> Option<State> {
    State::ALL.get(usize::from(nibble).checked_sub(1)?).copied()
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

fn limit(poll_interval: Duration) -> TimeDelta {
    let limit = LEAST_LIMIT.max(poll_interval.saturating_mul(5) / 2);
    TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
