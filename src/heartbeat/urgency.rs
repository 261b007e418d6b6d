//! Which services need somebody first.

use chrono::TimeDelta;

use super::skew::Bounds;
use super::snapshot::ServiceStatus;
use super::state::State;

/// A skew that is proven beyond this, on either side, is worth a look before it takes the service down.
const SKEW_LIMIT: TimeDelta = TimeDelta::seconds(5);

/// How much a service needs somebody, the most urgent first. Each service has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Enabled, and listed as down.
    Down,
    /// Enabled and failing, though it is listed as up, see [`State::Unseen`].
    Unseen,
    /// Enabled, and its row does not tell.
    Unknown,
    /// Up, with a clock that is proven to be more than five seconds off, or a row that several processes write.
    Warning,
    /// Up, and nothing is known to be wrong.
    Up,
    /// Disabled by an operator, whatever its state.
    Disabled,
}

impl Urgency {
    /// Every urgency, the highest first.
    pub const ALL: [Self; 6] = [
        Self::Down,
        Self::Unseen,
        Self::Unknown,
        Self::Warning,
        Self::Up,
        Self::Disabled,
    ];

    /// Returns the urgency of a service.
    #[must_use]
    pub fn of(status: &ServiceStatus) -> Self {
        if status.service.disabled {
            return Self::Disabled;
        }
        match State::of(status) {
            State::Up if is_doubtful(status) => Self::Warning,
            State::Up => Self::Up,
            State::Unknown => Self::Unknown,
            State::Unseen => Self::Unseen,
            _ => Self::Down,
        }
    }

    /// Returns the name in the query string.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Unseen => "unseen",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Up => "up",
            Self::Disabled => "disabled",
        }
    }
}

/// Returns whether a service that is up has a clock, or a row, that somebody should look at.
fn is_doubtful(status: &ServiceStatus) -> bool {
    let far = |bounds: Bounds| {
        bounds.lower > SKEW_LIMIT || bounds.upper.is_some_and(|upper| upper < -SKEW_LIMIT)
    };
    status.observed.writers.is_some()
        || status
            .observed
            .clock_skew
            .is_some_and(|skew| far(skew.bounds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::cause::Reason;
    use crate::heartbeat::service::fixture;
    use crate::heartbeat::skew::ClockSkew;
    use crate::heartbeat::snapshot::Observed;

    fn check(up: Option<bool>, disabled: bool, observed: Observed, expected: Urgency) {
        let mut service = fixture::service("cinder-volume", "block1");
        service.disabled = disabled;
        let status = ServiceStatus {
            service,
            up,
            up_for_scheduler: up,
            last_heartbeat: None,
            heartbeat_age: None,
            duplicates: 0,
            observed,
        };
        assert_eq!(Urgency::of(&status), expected, "{status:?}");
    }

    fn proven(lower: i64, upper: Option<i64>) -> Observed {
        Observed {
            clock_skew: Some(ClockSkew {
                estimate: None,
                bounds: Bounds {
                    lower: TimeDelta::milliseconds(lower),
                    upper: upper.map(TimeDelta::milliseconds),
                },
            }),
            ..Observed::default()
        }
    }

    #[test]
    fn a_service_has_the_urgency_of_its_state() {
        let stopped = || Observed {
            reason: Some(Reason::Stopped),
            ..Observed::default()
        };
        check(Some(false), false, stopped(), Urgency::Down);
        check(Some(true), false, stopped(), Urgency::Unseen);
        check(None, false, Observed::default(), Urgency::Unknown);
        check(Some(true), false, Observed::default(), Urgency::Up);
        check(Some(false), true, stopped(), Urgency::Disabled);
    }

    #[test]
    fn what_is_up_is_worth_a_look_when_its_clock_is_proven_to_be_off_or_its_row_is_shared() {
        for (lower, upper, expected) in [
            (5_001, None, Urgency::Warning),
            (5_000, Some(9_000), Urgency::Up),
            (-9_000, Some(-5_001), Urgency::Warning),
            (-9_000, None, Urgency::Up),
        ] {
            check(Some(true), false, proven(lower, upper), expected);
        }
        let shared = Observed {
            writers: Some(2),
            ..Observed::default()
        };
        check(Some(true), false, shared, Urgency::Warning);
    }
}
