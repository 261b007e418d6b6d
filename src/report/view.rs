//! A source at one moment, as it is published: the latest snapshot unless it is stale, and the current outage.

use std::sync::Arc;
use std::time::Duration;

use crate::heartbeat::failure::Class;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;

/// Consecutive polls that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Time since the first failure.
    pub lasted: Duration,
    /// Class of the latest failure.
    pub class: Class,
}

/// Why a poll failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollFailure {
    /// The database could not be read.
    Database(Class),
    /// The rows could not be evaluated: a bug in the exporter.
    Evaluation,
}

impl PollFailure {
    /// Returns the failure of this class; without one, the evaluation failed.
    pub(crate) fn of(class: Option<Class>) -> Self {
        class.map_or(Self::Evaluation, Self::Database)
    }

    /// Returns the class of a failure of the database.
    pub(crate) fn class(self) -> Option<Class> {
        match self {
            Self::Database(class) => Some(class),
            Self::Evaluation => None,
        }
    }
}

/// The search for databases at one moment, as it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SearchState {
    /// The first look has not ended.
    Running,
    /// The last look found databases, and could read all that are a known project's.
    Found,
    /// The last look found databases of known projects, but cannot read all of them.
    Partial,
    /// The last look found no database to read.
    Empty,
    /// The last look failed.
    Failed(Class),
}

/// A source at one moment, as it is published.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Name of the source.
    pub database: Arc<str>,
    /// The latest snapshot; `None` before the first, and while the latest is withheld.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Age of the latest snapshot, even while it is withheld; `None` before the first.
    pub age: Option<Duration>,
    /// The failures since the latest snapshot; `None` after a successful poll, and before the first poll.
    pub outage: Option<Outage>,
    /// Age at which a snapshot is withheld, inclusive.
    pub stale_after: Duration,
    /// Time between two polls.
    pub poll_interval: Duration,
    /// Time since the source was added: at the start, or by a reload.
    pub watched: Duration,
}

impl View {
    /// Returns what a report lists of it.
    pub(crate) fn listed(&self) -> Listed<'_> {
        Listed {
            database: &self.database,
            snapshot: self.snapshot.as_deref(),
            failure: self
                .outage
                .map(|outage| PollFailure::Database(outage.class)),
        }
    }
}

/// A source as reports list it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Name of the source.
    pub database: &'a str,
    /// Its services, unless they are unknown.
    pub(crate) snapshot: Option<&'a Snapshot>,
    /// Why the last poll failed; `None` if it did not.
    pub(crate) failure: Option<PollFailure>,
}

impl<'a> Listed<'a> {
    /// Returns a source that was just read.
    #[must_use]
    pub fn read(database: &'a str, snapshot: &'a Snapshot) -> Self {
        Self {
            database,
            snapshot: Some(snapshot),
            failure: None,
        }
    }

    /// Returns the services that a test selects, each with its snapshot.
    pub(crate) fn services(
        self,
        mut shown: impl FnMut(&ServiceStatus) -> bool,
    ) -> impl Iterator<Item = ListedService<'a>> {
        let snapshot = self.snapshot.into_iter();
        let services = snapshot.flat_map(|snapshot| {
            let services = snapshot.services.iter();
            services.map(move |status| (status, snapshot))
        });
        let services = services.filter(move |(status, _)| shown(status));
        services.map(move |(status, snapshot)| ListedService {
            database: self.database,
            status,
            snapshot,
        })
    }
}

/// A service and where it is from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedService<'a> {
    /// Name of the source.
    pub database: &'a str,
    /// The service.
    pub(crate) status: &'a ServiceStatus,
    /// The snapshot of which it is.
    pub(crate) snapshot: &'a Snapshot,
}
