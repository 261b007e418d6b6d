//! What the poller is to do: which database, how often, by which rules. A reload replaces it between two polls.

use std::time::Duration;

use crate::config::settings::Settings;
use crate::database::Target;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::tracker::Tolerances;

/// Longest time that making a picture of the largest table takes on a slow machine, and then some.
const MAKING_A_PICTURE: Duration = Duration::from_secs(30);

/// Everything of the settings that concerns polls.
#[derive(Debug, PartialEq)]
pub(crate) struct PollSettings {
    /// Where the heartbeats are.
    pub target: Target,
    /// The options that decide the verdicts.
    pub intervals: Intervals,
    /// What the proven bounds of clock skews rest on.
    pub tolerances: Tolerances,
    /// Time between two polls; dithered by a sixth.
    pub poll_interval: Duration,
    /// Age at which a picture is withheld.
    pub stale_after: Duration,
}

impl PollSettings {
    /// Returns the plan that the settings give.
    #[must_use]
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            target: Target::of(settings),
            intervals: settings.intervals,
            tolerances: settings.tolerances,
            poll_interval: settings.poll_interval,
            stale_after: settings.stale_after,
        }
    }

    /// Returns the longest time from the end of one poll to that of the next, whatever the database does: a pause
    /// of up to two intervals, both timeouts, and the work that is ours. A poller that takes longer is stuck.
    #[must_use]
    pub(crate) fn patience(&self) -> Duration {
        self.poll_interval * 2
            + self.target.connect_timeout
            + self.target.query_timeout
            + MAKING_A_PICTURE
    }
}
