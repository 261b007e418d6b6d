//! What one picture says of a service, in one word.

use super::cause::Reason;
use super::status::ServiceStatus;

/// What one picture says of a service, from good to bad: of a minute the worst is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Listed as up, and nothing proves otherwise.
    Up,
    /// The row does not tell.
    Unknown,
    /// Listed as up, though a [`Reason`] holds: a clock that is ahead hides a stop.
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
    pub(crate) const ALL: [Self; 8] = [
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
    pub(crate) fn of(status: &ServiceStatus) -> Self {
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
    pub(crate) fn is_down(self) -> bool {
        self >= Self::Undetermined
    }

    /// Returns the name in the JSON: `up`, `unknown`, `unseen`, or the reason why the service is down.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
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
    pub(super) fn continues(self, before: Self) -> bool {
        self == before || (self.is_down() && before.is_down())
    }
}
