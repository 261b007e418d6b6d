//! Which services need attention first.

use chrono::TimeDelta;

use super::cause::Reason;
use super::state::State;
use super::status::ServiceStatus;

/// A skew proven to be beyond this, on either side, deserves a warning before it takes the service down.
const SKEW_LIMIT: TimeDelta = TimeDelta::seconds(5);

/// A service without a heartbeat for longer is abandoned: a leftover row must not hide services that are down.
///
/// Equals `openstack_heartbeat:abandoned_threshold_seconds` in `alerts/openstack-heartbeat.rules.yml`.
pub(crate) const ABANDONED_AFTER: TimeDelta = TimeDelta::days(7);

named! {
    /// How urgently a service needs attention, the most urgent first, with its name in the API and in query strings, where
    /// it is called the state. Each service has exactly one urgency.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) enum Urgency {
        /// Enabled and listed as down, but not [`Abandoned`](Self::Abandoned).
        Down = "down",
        /// Enabled and down, but listed as up, see [`State::ListedAsUp`].
        ListedAsUp = "unseen",
        /// Enabled, and its row does not show whether it is up.
        Unknown = "unknown",
        /// Up, with a [`Doubt`], or [taken down](State::is_taken_down).
        Warning = "warning",
        /// Up, without a doubt.
        Up = "up",
        /// Enabled, down for another reason than its clock, and without a heartbeat for more than [`ABANDONED_AFTER`].
        Abandoned = "abandoned",
        /// Disabled by an operator, whatever its state.
        Disabled = "disabled",
    }
}

impl Urgency {
    /// Returns the urgency of a service.
    pub(crate) fn of(status: &ServiceStatus) -> Self {
        if status.service.is_disabled() {
            return Self::Disabled;
        }
        match Self::of_state(State::of(status)) {
            Self::Up if Doubt::of(status).is_some() => Self::Warning,
            Self::Down if is_abandoned(status) => Self::Abandoned,
            urgency => urgency,
        }
    }

    /// Returns the urgency of an enabled service of which only the state is known.
    pub(crate) fn of_state(state: State) -> Self {
        match state {
            State::Up => Self::Up,
            State::Unknown => Self::Unknown,
            State::ListedAsUp => Self::ListedAsUp,
            state if state.is_taken_down() => Self::Warning,
            _ => Self::Down,
        }
    }
}

/// Returns whether the service has been silent so long that only an operator knows whether it will come back.
fn is_abandoned(status: &ServiceStatus) -> bool {
    let is_old = status.heartbeat_age > Some(ABANDONED_AFTER);
    let is_clock = matches!(
        status.observed.reason,
        Some(Reason::ClockSkew | Reason::ServerClock)
    );
    is_old && !is_clock
}

/// Why a service that is up deserves a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Several processes write its row.
    SharedRow,
    /// Its host's clock is proven to be more than five seconds off.
    Clock,
    /// Some of its processes are down.
    Processes,
    /// Several rows have its name; the freshest is shown.
    Duplicates,
}

impl Doubt {
    /// Returns the first doubt that applies.
    pub(crate) fn of(status: &ServiceStatus) -> Option<Self> {
        let observed = &status.observed;
        if observed.writers.is_some() {
            Some(Self::SharedRow)
        } else if observed
            .clock_skew
            .is_some_and(|skew| skew.bounds.are_beyond(SKEW_LIMIT))
        {
            Some(Self::Clock)
        } else if status.processes.is_some_and(|it| it.down > 0) {
            Some(Self::Processes)
        } else {
            (status.duplicates > 0).then_some(Self::Duplicates)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::status::Observed;

    /// A service with a heartbeat of this age, in seconds.
    fn status(up: Option<bool>, disabled: bool, age: i64, observed: Observed) -> ServiceStatus {
        let mut service = fixture::service("cinder-volume", "block1");
        service.disabled = Some(disabled);
        ServiceStatus {
            observed,
            heartbeat_age: Some(TimeDelta::seconds(age)),
            ..fixture::status(service, up)
        }
    }

    fn check(status: &ServiceStatus, urgency: Urgency, doubt: Option<Doubt>) {
        assert_eq!(Urgency::of(status), urgency, "{status:?}");
        assert_eq!(Doubt::of(status), doubt, "{status:?}");
    }

    #[test]
    fn a_service_has_the_urgency_of_its_state_unless_it_is_abandoned_or_disabled() {
        use Reason::{ClockSkew, NeverReported, Stopped, Undetermined};
        use Urgency::{Abandoned, Disabled, Down, ListedAsUp, Unknown, Up};
        let week = 7 * 24 * 3_600;
        let longer = week + 1;
        let (up, down) = (Some(true), Some(false));
        for reason in [Reason::ShutDown, Reason::MarkedDown, Reason::ForcedDown] {
            let observed = Observed {
                reason: Some(reason),
                ..Observed::default()
            };
            for up in [up, down] {
                let status = status(up, false, longer, observed.clone());
                check(&status, Urgency::Warning, None);
            }
        }
        for (up, disabled, age, reason, urgency) in [
            (up, false, 0, None, Up),
            (None, false, 0, None, Unknown),
            (up, false, 0, Some(Stopped), ListedAsUp),
            (up, false, longer, Some(Stopped), ListedAsUp),
            (down, false, 0, Some(Stopped), Down),
            (down, false, week, Some(Stopped), Down),
            (down, false, longer, Some(ClockSkew), Down),
            (down, false, longer, Some(Stopped), Abandoned),
            (down, false, longer, Some(Undetermined), Abandoned),
            (down, false, longer, Some(NeverReported), Abandoned),
            (down, true, 0, Some(Stopped), Disabled),
            (down, true, longer, Some(Stopped), Disabled),
        ] {
            let observed = Observed {
                reason,
                ..Observed::default()
            };
            check(&status(up, disabled, age, observed), urgency, None);
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
        let clock = (Urgency::Warning, Some(Doubt::Clock));
        for (lower, upper, (urgency, doubt)) in [
            (5_001, None, clock),
            (5_000, Some(9_000), (Urgency::Up, None)),
            (-9_000, Some(-5_001), clock),
            (-9_000, None, (Urgency::Up, None)),
        ] {
            let upper = upper.map(TimeDelta::milliseconds);
            let observed = fixture::bounded(TimeDelta::milliseconds(lower), upper);
            let status = status(Some(true), false, 0, observed);
            check(&status, urgency, doubt);
        }
        let mut status = status(Some(true), false, 0, Observed::default());
        status.duplicates = 1;
        check(&status, Urgency::Warning, Some(Doubt::Duplicates));
        status.observed.writers = Some(2);
        check(&status, Urgency::Warning, Some(Doubt::SharedRow));
    }
}
