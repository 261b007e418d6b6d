//! Which services need attention first.

use chrono::TimeDelta;

use super::cause::Reason;
use super::skew::Bounds;
use super::state::State;
use super::status::ServiceStatus;

/// A skew proven to be beyond this, on either side, deserves a warning before it takes the service down.
const SKEW_LIMIT: TimeDelta = TimeDelta::seconds(5);

/// A service without a heartbeat for longer is abandoned: a leftover row must not hide services that are down.
///
/// Equals `openstack_heartbeat:abandoned_threshold_seconds` in `alerts/openstack-heartbeat.rules.yml`.
pub(crate) const ABANDONED_AFTER: TimeDelta = TimeDelta::days(7);

/// How urgently a service needs attention, the most urgent first. Each service has exactly one urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Enabled and listed as down, but not [`Abandoned`](Self::Abandoned).
    Down,
    /// Enabled and down, but listed as up, see [`State::ListedAsUp`].
    ListedAsUp,
    /// Enabled, and its row does not show whether it is up.
    Unknown,
    /// Up, with a [`Doubt`].
    Warning,
    /// Up, without a doubt.
    Up,
    /// Enabled, down for another reason than its clock, and without a heartbeat for more than [`ABANDONED_AFTER`].
    Abandoned,
    /// Disabled by an operator, whatever its state.
    Disabled,
}

impl Urgency {
    /// Every urgency, the highest first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Down,
        Self::ListedAsUp,
        Self::Unknown,
        Self::Warning,
        Self::Up,
        Self::Abandoned,
        Self::Disabled,
    ];

    /// Returns the urgency of a service.
    pub(crate) fn of(status: &ServiceStatus) -> Self {
        if status.service.disabled {
            return Self::Disabled;
        }
        match State::of(status) {
            State::Up if Doubt::of(status).is_some() => Self::Warning,
            State::Up => Self::Up,
            State::Unknown => Self::Unknown,
            State::ListedAsUp => Self::ListedAsUp,
            _ if is_abandoned(status) => Self::Abandoned,
            _ => Self::Down,
        }
    }

    /// Returns the name in the query string.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::ListedAsUp => "unseen",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Up => "up",
            Self::Abandoned => "abandoned",
            Self::Disabled => "disabled",
        }
    }
}

/// Returns whether the service has been silent so long that only an operator knows whether it will come back.
fn is_abandoned(status: &ServiceStatus) -> bool {
    status
        .heartbeat_age
        .is_some_and(|age| age > ABANDONED_AFTER)
        && status.observed.reason != Some(Reason::ClockSkew)
}

/// Why a service that is up deserves a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Several processes write its row.
    SharedRow,
    /// Its host's clock is proven to be more than five seconds off.
    Clock,
    /// Several rows have its name; the freshest is shown.
    Duplicates,
}

impl Doubt {
    /// Returns the first doubt that applies.
    pub(crate) fn of(status: &ServiceStatus) -> Option<Self> {
        let far = |bounds: Bounds| {
            bounds.lower > SKEW_LIMIT || bounds.upper.is_some_and(|upper| upper < -SKEW_LIMIT)
        };
        let observed = &status.observed;
        if observed.writers.is_some() {
            Some(Self::SharedRow)
        } else if observed.clock_skew.is_some_and(|skew| far(skew.bounds)) {
            Some(Self::Clock)
        } else {
            (status.duplicates > 0).then_some(Self::Duplicates)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::cause::Reason;
    use crate::heartbeat::fixture;
    use crate::heartbeat::skew::ClockSkew;
    use crate::heartbeat::status::Observed;

    fn check(up: Option<bool>, disabled: bool, observed: Observed, expected: Urgency) {
        let mut service = fixture::service("cinder-volume", "block1");
        service.disabled = disabled;
        let status = ServiceStatus {
            observed,
            ..fixture::status(service, up)
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
        check(Some(true), false, stopped(), Urgency::ListedAsUp);
        check(None, false, Observed::default(), Urgency::Unknown);
        check(Some(true), false, Observed::default(), Urgency::Up);
        check(Some(false), true, stopped(), Urgency::Disabled);
    }

    #[test]
    fn a_service_silent_for_more_than_a_week_is_abandoned_unless_its_clock_is_the_reason() {
        let week = 7 * 24 * 3_600;
        for (up, disabled, age, reason, expected) in [
            (false, false, week, Reason::Stopped, Urgency::Down),
            (false, false, week + 1, Reason::Stopped, Urgency::Abandoned),
            (
                false,
                false,
                week + 1,
                Reason::Undetermined,
                Urgency::Abandoned,
            ),
            (
                false,
                false,
                week + 1,
                Reason::NeverReported,
                Urgency::Abandoned,
            ),
            (false, false, week + 1, Reason::ClockSkew, Urgency::Down),
            (false, true, week + 1, Reason::Stopped, Urgency::Disabled),
            (true, false, week + 1, Reason::Stopped, Urgency::ListedAsUp),
        ] {
            let mut service = fixture::service("cinder-volume", "block1");
            service.disabled = disabled;
            let mut status = fixture::status(service, Some(up));
            status.heartbeat_age = Some(TimeDelta::seconds(age));
            status.observed.reason = Some(reason);
            assert_eq!(Urgency::of(&status), expected, "{status:?}");
        }
    }

    #[test]
    fn the_alert_rules_have_the_same_threshold() {
        assert!(crate::cli::embedded::RULES.contains(
            "openstack_heartbeat:abandoned_threshold_seconds\n    expr: vector(7 * 24 * 3600)"
        ));
    }

    #[test]
    fn a_service_that_is_up_has_a_warning_for_a_proven_skew_a_shared_row_or_duplicates() {
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
        let service = fixture::service("cinder-volume", "block1");
        let mut twice = fixture::status(service, Some(true));
        twice.duplicates = 1;
        assert_eq!(Urgency::of(&twice), Urgency::Warning);
        assert_eq!(Doubt::of(&twice), Some(Doubt::Duplicates));
        twice.duplicates = 0;
        assert_eq!(Doubt::of(&twice), None);
    }
}
