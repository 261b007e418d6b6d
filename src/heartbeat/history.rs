//! The last hour of each service: its worst state in each minute, and how long it has been up or down.
//!
//! The axis is [`Monotonic`], so a step of the database's clock moves nothing. A minute without a snapshot stays empty:
//! an unreadable database proves nothing about the services.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::service::Service;
use super::skew::Monotonic;
use super::snapshot::Snapshot;
use super::state::State;
use super::status::ServiceStatus;

/// Number of remembered minutes, the current one included.
pub(crate) const MINUTES: usize = 60;

/// [`MINUTES`] as a signed number, for arithmetic on the axis.
#[expect(clippy::cast_possible_wrap, reason = "sixty is small")]
const SPAN: i64 = MINUTES as i64;

/// The smallest limit on the time between two snapshots across which a state is taken to last.
const LEAST_LIMIT: Duration = Duration::from_mins(1);

/// How long the state in the latest snapshot has lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The change was observed: the time since the first snapshot with this state.
    Exactly(TimeDelta),
    /// The change was not observed: the time since the first snapshot of the service, or since the first snapshot
    /// after a gap longer than the limit of [`History::new`]. The state may have ended and begun again in that gap.
    AtLeast(TimeDelta),
}

/// The last hour of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// The worst state of each minute, the oldest first; `None` for a minute without a snapshot.
    pub minutes: [Option<State>; MINUTES],
    /// How long the service has been in its state; a change of the reason does not count.
    pub since: Since,
}

/// The remembered minutes of one service, two in a byte: minute m of the axis is in nibble m mod 60.
#[derive(Debug, Clone)]
struct Trace {
    nibbles: [u8; MINUTES / 2],
    state: State,
    /// When the state began; see [`Since`].
    since: Monotonic,
    /// Whether the change to this state was observed; see [`Since`].
    change_observed: bool,
}

/// The last hour of all services, by binary and host, whichever row each is shown from. Removed services are forgotten.
#[derive(Debug)]
pub(crate) struct History {
    /// One for each service of the latest snapshot, in its order. The names need not be stored twice.
    traces: Vec<Trace>,
    /// The latest snapshot and its time.
    latest: Option<(Monotonic, Arc<Snapshot>)>,
    /// The longest time between two snapshots across which a state is taken to last.
    limit: TimeDelta,
}

impl History {
    /// Returns an empty history.
    ///
    /// A state is taken to last from one snapshot to the next if they are at most one minute or 2½ poll intervals
    /// apart, whichever is longer. One poll may then fail.
    pub(crate) fn new(poll_interval: Duration) -> Self {
        Self {
            traces: Vec::new(),
            latest: None,
            limit: limit(poll_interval),
        }
    }

    /// Changes the poll interval and keeps the remembered minutes.
    pub(crate) fn set_poll_interval(&mut self, poll_interval: Duration) {
        self.limit = limit(poll_interval);
    }

    /// Adds a snapshot, which must not be older than the last.
    pub(crate) fn record(&mut self, at: Monotonic, snapshot: &Arc<Snapshot>) {
        let latest = self.latest.replace((at, snapshot.clone()));
        let previous = latest.as_ref().map_or(at, |(previous, _)| *previous);
        let step = Step {
            at,
            minutes: minute(at) - minute(previous),
            is_gapless: latest.is_some() && at - previous <= self.limit,
        };
        let names = latest.iter().flat_map(|(_, before)| &before.services);
        let mut before = names.zip(std::mem::take(&mut self.traces)).peekable();
        self.traces.reserve_exact(snapshot.services.len());
        for status in &snapshot.services {
            // Both are sorted by name.
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

    /// Returns the hour that ends at `at`, which must not be before the latest snapshot.
    ///
    /// `None` for a service that is not in the latest snapshot.
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
        let since = if trace.change_observed {
            Since::Exactly(lasted)
        } else {
            Since::AtLeast(lasted)
        };
        Some(Hour { minutes, since })
    }
}

/// Compares two services in the sort order of [`Snapshot::services`].
fn by_name(a: &Service, b: &Service) -> Ordering {
    if Arc::ptr_eq(&a.facts, &b.facts) {
        return Ordering::Equal;
    }
    a.facts.name().cmp(&b.facts.name())
}

/// The step from one snapshot to the next.
struct Step {
    /// Time of the next snapshot.
    at: Monotonic,
    /// Difference between their minutes on the axis.
    minutes: i64,
    /// Whether the two are within the limit: a state that is unchanged lasted, and a change has just happened.
    is_gapless: bool,
}

impl Step {
    /// Adds the state in the next snapshot to the trace of a service.
    fn continued(&self, before: Option<Trace>, state: State) -> Trace {
        let mut trace = before.unwrap_or(Trace {
            nibbles: [0; MINUTES / 2],
            state,
            since: self.at,
            change_observed: false,
        });
        if !self.is_gapless || !state.continues(trace.state) {
            trace.since = self.at;
            trace.change_observed = self.is_gapless;
        }
        trace.state = state;
        let now = minute(self.at);
        for minute in now - self.minutes.min(SPAN) + 1..=now {
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

/// Returns a state as a nibble; 0 stands for a minute without a snapshot.
fn nibble(state: State) -> u8 {
    state as u8 + 1
}

/// Returns the state of a nibble; the inverse of [`nibble`].
fn state_of(nibble: u8) -> Option<State> {
    State::ALL.get(usize::from(nibble).checked_sub(1)?).copied()
}

/// Returns the byte and the bit shift of a minute of the axis.
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
