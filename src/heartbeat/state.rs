//! The state of a service in one snapshot, as one word.

use super::cause::Reason;
use super::status::ServiceStatus;

/// The state of a service in one snapshot, ordered from good to bad. The history keeps the worst state of each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Listed as up, and nothing proves otherwise.
    Up,
    /// The row does not show whether the service is up.
    Unknown,
    /// Down, but listed as up: a [`Reason`] holds, and a clock that is ahead hides the stop.
    ListedAsUp,
    /// Down; more reads are needed to find the reason.
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
    pub(crate) const ALL: [Self; 8] = [
        Self::Up,
        Self::Unknown,
        Self::ListedAsUp,
        Self::Undetermined,
        Self::NeverReported,
        Self::SlowReports,
        Self::ClockSkew,
        Self::Stopped,
    ];

    /// Returns the state of a service, whether or not an operator disabled it.
    pub(crate) fn of(status: &ServiceStatus) -> Self {
        match (status.up, status.observed.reason) {
            (Some(true), None) => Self::Up,
            (Some(true), Some(_)) => Self::ListedAsUp,
            (None, _) => Self::Unknown,
            (Some(false), Some(Reason::ClockSkew)) => Self::ClockSkew,
            (Some(false), Some(Reason::Stopped)) => Self::Stopped,
            (Some(false), Some(Reason::SlowReports)) => Self::SlowReports,
            (Some(false), Some(Reason::NeverReported)) => Self::NeverReported,
            (Some(false), Some(Reason::Undetermined) | None) => Self::Undetermined,
        }
    }

    /// Returns whether the API lists the service as down.
    pub(crate) fn is_down(self) -> bool {
        self >= Self::Undetermined
    }

    /// Returns the name in the JSON: `up`, `unknown`, `unseen`, or the reason why the service is down.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::ListedAsUp => "unseen",
            Self::Undetermined => Reason::Undetermined.as_str(),
            Self::NeverReported => Reason::NeverReported.as_str(),
            Self::SlowReports => Reason::SlowReports.as_str(),
            Self::ClockSkew => Reason::ClockSkew.as_str(),
            Self::Stopped => Reason::Stopped.as_str(),
        }
    }

    /// Returns whether this state continues the one before: equal, or both down.
    ///
    /// A service stays down when its reason becomes known.
    pub(super) fn continues(self, before: Self) -> bool {
        self == before || (self.is_down() && before.is_down())
    }
}
