//! What to poll, how often, and by which rules. A reload replaces it between two polls.

use std::time::Duration;

use crate::config::settings::Settings;
use crate::database::Target;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::tracker::Tolerances;

/// Allowance for evaluating and rendering the largest table on a slow machine.
const WORK: Duration = Duration::from_secs(30);

/// The settings that concern polls.
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
    /// Age from which on a snapshot is withheld.
    pub stale_after: Duration,
}

impl PollSettings {
    /// Takes what concerns polls from all settings.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            target: Target::of(settings),
            intervals: settings.intervals,
            tolerances: settings.tolerances,
            poll_interval: settings.poll_interval,
            stale_after: settings.stale_after,
        }
    }

    /// Returns the longest time between the ends of two polls, whatever the database does: a pause of up to two
    /// intervals, both timeouts, and an allowance for the exporter's own work. A poller that takes longer hangs.
    pub(crate) fn longest_poll(&self) -> Duration {
        self.poll_interval * 2 + self.target.connect_timeout + self.target.query_timeout + WORK
    }
}
