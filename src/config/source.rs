//! The settings of one source: its database, its project's options, and what it polls.

mod oddities;
mod reader;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::database_url::DatabaseUrl;
use super::fault::{self, Fault};
use super::key::SOURCES;
use super::layer::Layer;
use super::pattern::Pattern;
use super::url_source::Chosen;
use super::values::{Effective, Values};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::tracker::Tolerances;
use crate::project::Project;

/// One database of one project, and how to read it.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// Name of the source, which is the label `database`.
    pub name: String,
    /// Whose services it has.
    pub project: &'static Project,
    /// The database to read.
    pub url: DatabaseUrl,
    /// When and how long to read it.
    pub(crate) polls: Polls,
    /// The options that decide the verdicts.
    pub intervals: Intervals,
    /// Services to leave out.
    pub(crate) exclude: Vec<Pattern>,
    /// Largest number of services.
    pub limit: usize,
    /// Whether the URL, or all but its database, is the one for all sources.
    pub(super) has_common_url: bool,
    /// The values of this source alone, with their origins, for display; secrets are hidden.
    pub(crate) effective: Vec<Effective>,
}

/// When and how long to read a database, and what to assume about clocks and delays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Polls {
    /// Limit on connecting and logging in.
    pub connect_timeout: Duration,
    /// Limit on one statement; less than `stale_after`.
    pub query_timeout: Duration,
    /// Time between two polls, at least 100 ms; dithered by a sixth.
    pub interval: Duration,
    /// Age at which a snapshot is withheld; at least three polls.
    pub stale_after: Duration,
    /// The assumptions behind the proven bounds of clock skews.
    pub tolerances: Tolerances,
}

/// What the sources have in common.
pub(super) struct Common<'a> {
    /// The layers for all sources, strongest first.
    pub(super) layers: &'a [Layer],
    pub(super) defaults: &'a Layer,
    /// The values for all sources, which are not repeated for each.
    pub(super) effective: &'a [Effective],
    /// The URL for all sources.
    pub(super) url: Option<&'a Chosen>,
    pub(super) variable: &'a Variable,
    /// Whether there is no other source, so that variables without a project's name are for this one.
    pub(super) is_only: bool,
    /// Whether a fault was found already, which may be the reason why there is no URL.
    pub(super) has_faults: bool,
}

/// Reads a variable of the environment.
pub(super) type Variable = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

impl SourceSettings {
    /// Returns the name as the settings file has it, from the top.
    pub(crate) fn full_name(&self) -> String {
        format!("{SOURCES}.{}", self.name)
    }
}

impl Polls {
    /// Reads the values of a source, or those for all sources; `None` only along with a fault.
    pub(super) fn read(values: &mut Values, source: Option<&str>) -> Option<Self> {
        // Read every value before the first `?`, so that all faults are reported together.
        let connect_timeout = values.period("database.connect-timeout");
        let query_timeout = values.period("database.query-timeout");
        let interval = values.period("poll.interval");
        let visibility_delay = values.time_delta("skew.visibility-delay");
        let bus_delay = values.time_delta("skew.bus-delay");
        let max_drift_ppm = values.max_drift();
        let stale_after = values.stale_after(interval?, source)?;
        let query_timeout = query_timeout?;
        if query_timeout >= stale_after {
            values.faults.push(Fault::QueryTooLong {
                of: fault::of_source(source),
                query_timeout,
                stale_after,
            });
        }
        Some(Self {
            connect_timeout: connect_timeout?,
            query_timeout,
            interval: interval?,
            stale_after,
            tolerances: Tolerances {
                visibility_delay: visibility_delay?,
                bus_delay: bus_delay?,
                max_drift_ppm: max_drift_ppm?,
                poll_interval: TimeDelta::from_std(interval?).unwrap_or(TimeDelta::MAX),
            },
        })
    }
}
