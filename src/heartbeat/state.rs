//! The state of a service in one snapshot, as one word.

use super::cause::Reason;
use super::status::ServiceStatus;

named! {
    /// The state of a service in one snapshot, ordered from good to bad. The history keeps the worst state of each minute.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum State {
        /// Listed as up, and nothing proves otherwise.
        Up = "up",
        /// The row does not show whether the service is up.
        Unknown = "unknown",
        /// Listed as up, but a [`Reason`] holds: a stored state or a clock ahead hides a stop, or the scheduler calls the
        /// service down.
        ListedAsUp = "unseen",
        /// Down, see [`Reason::ForcedDown`].
        ForcedDown = Reason::ForcedDown.as_str(),
        /// Down, see [`Reason::ShutDown`].
        ShutDown = Reason::ShutDown.as_str(),
        /// Down, see [`Reason::MarkedDown`].
        MarkedDown = Reason::MarkedDown.as_str(),
        /// Down; more reads are needed to find the reason.
        Undetermined = Reason::Undetermined.as_str(),
        /// Down, see [`Reason::NeverReported`].
        NeverReported = Reason::NeverReported.as_str(),
        /// Down, see [`Reason::SlowReports`].
        SlowReports = Reason::SlowReports.as_str(),
        /// Down, see [`Reason::ServerClock`].
        ServerClock = Reason::ServerClock.as_str(),
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
            // The verdict may lag behind what somebody did.
            (_, Some(Reason::ForcedDown)) => Self::ForcedDown,
            (_, Some(Reason::ShutDown)) => Self::ShutDown,
            (_, Some(Reason::MarkedDown)) => Self::MarkedDown,
            (Some(true), None) => Self::Up,
            (Some(true), Some(_)) => Self::ListedAsUp,
            (None, _) => Self::Unknown,
            (Some(false), Some(Reason::ServerClock)) => Self::ServerClock,
            (Some(false), Some(Reason::ClockSkew)) => Self::ClockSkew,
            (Some(false), Some(Reason::Stopped)) => Self::Stopped,
            (Some(false), Some(Reason::SlowReports)) => Self::SlowReports,
            (Some(false), Some(Reason::NeverReported)) => Self::NeverReported,
            (Some(false), _) => Self::Undetermined,
        }
    }

    /// Returns whether the service is down, and the API lists it so or will.
    pub(crate) fn is_down(self) -> bool {
        self >= Self::ForcedDown
    }

    /// Returns the reason for the state.
    pub(crate) fn reason(self) -> Option<Reason> {
        let reason = match self {
            // A service can be listed as up for several reasons.
            Self::Up | Self::Unknown | Self::ListedAsUp => return None,
            Self::Stopped => Reason::Stopped,
            Self::ForcedDown => Reason::ForcedDown,
            Self::ShutDown => Reason::ShutDown,
            Self::MarkedDown => Reason::MarkedDown,
            Self::Undetermined => Reason::Undetermined,
            Self::NeverReported => Reason::NeverReported,
            Self::SlowReports => Reason::SlowReports,
            Self::ServerClock => Reason::ServerClock,
            Self::ClockSkew => Reason::ClockSkew,
        };
        Some(reason)
    }

    /// Returns whether somebody took the service down, or marked it as down. That is shown, and is not urgent.
    pub(crate) fn is_taken_down(self) -> bool {
        matches!(self, Self::ForcedDown | Self::ShutDown | Self::MarkedDown)
    }

    /// Returns whether this state continues the one before: equal, or both down.
    ///
    /// A service stays down when its reason becomes known.
    pub(super) fn continues(self, before: Self) -> bool {
        self == before || (self.is_down() && before.is_down())
    }
}
