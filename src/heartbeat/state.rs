//! The state of a service in one snapshot, as one word.

use super::cause::Reason;
use super::status::ServiceStatus;

named! {
    /// The state of a service in one snapshot, ordered from good to bad, with its name in the JSON. The history keeps the
    /// worst state of each minute.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum State {
        /// Listed as up, and nothing proves otherwise.
        Up = "up",
        /// The row does not show whether the service is up.
        Unknown = "unknown",
        /// Down, but listed as up: a [`Reason`] holds, and a clock that is ahead hides the stop.
        ListedAsUp = "unseen",
        /// Down; more reads are needed to find the reason.
        Undetermined = Reason::Undetermined.as_str(),
        /// Down, see [`Reason::NeverReported`].
        NeverReported = Reason::NeverReported.as_str(),
        /// Down, see [`Reason::SlowReports`].
        SlowReports = Reason::SlowReports.as_str(),
        /// Down, see [`Reason::ClockSkew`].
        ClockSkew = Reason::ClockSkew.as_str(),
        /// Down, see [`Reason::Stopped`].
        Stopped = Reason::Stopped.as_str(),
    }
}

impl State {
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
            (Some(false), _) => Self::Undetermined,
        }
    }

    /// Returns whether the API lists the service as down.
    pub(crate) fn is_down(self) -> bool {
        self >= Self::Undetermined
    }

    /// Returns whether this state continues the one before: equal, or both down.
    ///
    /// A service stays down when its reason becomes known.
    pub(super) fn continues(self, before: Self) -> bool {
        self == before || (self.is_down() && before.is_down())
    }
}
