//! The settings of a source that are published, or needed to publish it.

use std::time::Duration;

use crate::config::database_url::Engine;
use crate::project::Project;
use crate::source::PollSettings;

/// The settings of a source that concern what is published about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntrySettings {
    /// The project.
    pub project: &'static Project,
    /// Engine of the database.
    pub engine: &'static str,
    /// Time between two polls.
    pub poll_interval: Duration,
    /// Age from which on a snapshot is withheld.
    pub stale_after: Duration,
    /// Longest time between the ends of two polls; a poller that takes longer hangs.
    pub longest_poll: Duration,
}

impl EntrySettings {
    /// Takes what concerns the publication from the settings of a poller.
    pub(crate) fn of(settings: &PollSettings) -> Self {
        Self {
            project: settings.target.project,
            engine: match settings.target.url.engine {
                Engine::MySql => "mysql",
                Engine::Postgres => "postgresql",
                Engine::Sqlite => "sqlite",
            },
            poll_interval: settings.poll_interval,
            stale_after: settings.stale_after,
            longest_poll: settings.longest_poll(),
        }
    }
}

#[cfg(test)]
impl EntrySettings {
    /// Returns settings with a poll interval of 5 s and a limit of 30 s.
    pub(crate) fn fixture() -> Self {
        Self {
            project: &crate::project::cinder::PROJECT,
            engine: "mysql",
            poll_interval: Duration::from_secs(5),
            stale_after: Duration::from_secs(30),
            longest_poll: Duration::from_secs(45),
        }
    }
}
