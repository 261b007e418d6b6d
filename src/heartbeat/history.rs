//! The last hour of each service: its worst state in every minute, and since when it is up or down.
//!
//! The axis is [`Monotonic`], so that a database's clock that is set moves nothing. A minute without a picture stays
//! empty: a database that can't be read says nothing of the services.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::skew::Monotonic;
use super::snapshot::ServiceStatus;
use super::state::State;

/// Minutes that are remembered, the present one included.
pub const MINUTES: usize = 60;

/// The same, to calculate with.
#[expect(clippy::cast_possible_wrap, reason = "sixty is small")]
const SPAN: i64 = MINUTES as i64;

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
                *slot = state_of(trace.nibble(minute));
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
        trace.set_nibble(now, trace.nibble(now).max(nibble(state)));
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

#[cfg(test)]
mod tests;
