//! One database of one project: a reader of its rows, and a tracker of their proofs over time.

pub mod axis;
pub(crate) mod finding;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod poller;
pub(crate) mod reader;
pub(crate) mod search;
pub(crate) mod selection;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use self::memory::Memory;
use self::reader::Reader;
use self::selection::Selection;
use crate::config::database_url::DatabaseUrl;
use crate::config::source::SourceSettings;
use crate::database::{self, Product, Target};
use crate::heartbeat::failure::Class;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::standstill::Standstill;
use crate::heartbeat::time::ClockOffset;
use crate::heartbeat::tracker::Tolerances;

/// Allowance for evaluating and rendering the largest table on a slow machine.
const WORK: Duration = Duration::from_secs(30);

/// The settings that concern the polls of one source. A reload replaces them between two polls.
#[derive(Debug, PartialEq)]
pub(crate) struct PollSettings {
    /// Name of the source, for the log.
    pub name: Arc<str>,
    /// Where the heartbeats are.
    pub target: Target,
    /// The options that decide the verdicts.
    pub intervals: Intervals,
    /// Assumptions behind the bounds of clock skews.
    pub tolerances: Tolerances,
    /// Time between two polls; dithered by a sixth.
    pub poll_interval: Duration,
    /// Age from which on a snapshot is withheld.
    pub stale_after: Duration,
    /// Which services count.
    pub selection: Selection,
}

impl PollSettings {
    /// Takes what concerns polls from the settings of a source.
    pub(crate) fn of(source: &SourceSettings) -> Self {
        Self {
            name: source.name.as_str().into(),
            target: Target::of(source),
            intervals: source.intervals,
            tolerances: source.polls.tolerances,
            poll_interval: source.polls.interval,
            stale_after: source.polls.stale_after,
            selection: Selection {
                exclude: source.exclude.clone(),
                limit: source.limit,
            },
        }
    }

    /// Returns the longest time between the ends of two polls, whatever the database does: a pause of up to two
    /// intervals, a statement on a kept connection, which is lost, another on a new one, and an allowance for the
    /// exporter's own work. A poller that takes longer hangs.
    pub(crate) fn longest_poll(&self) -> Duration {
        let (connect, query) = (self.target.connect_timeout, self.target.query_timeout);
        self.poll_interval * 2 + query + connect + query + WORK
    }
}

/// A database that is polled.
#[derive(Debug)]
pub(crate) struct Source {
    reader: Reader,
    selection: Selection,
    /// Number of services above the limit at the last poll.
    surplus: usize,
    /// Shared with the thread that evaluates a reading.
    memory: Arc<Mutex<Memory>>,
}

/// Result of a successful poll.
#[derive(Debug)]
pub struct Poll {
    /// The services at one time of the database.
    pub snapshot: Snapshot,
    /// When the statement was sent.
    pub sent: Monotonic,
    /// Duration of the read, connecting included.
    pub took: Duration,
    /// The database's clock against the exporter's.
    pub clock: ClockOffset,
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database could not be read.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The rows could not be evaluated.
    #[error(
        "the rows could not be evaluated; this is a bug in the exporter: please report it with the log"
    )]
    Evaluation(#[source] tokio::task::JoinError),
}

impl Error {
    /// Returns the class of the failure; `None` for a bug in the exporter.
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Self::Database(error) => Some(error.class()),
            Self::Evaluation(_) => None,
        }
    }
}

impl Source {
    /// Returns a source without observations; no connection is opened yet.
    pub(crate) fn new(settings: PollSettings) -> Self {
        let project = settings.target.project;
        let memory = Memory::new(project, settings.intervals, settings.tolerances);
        Self {
            reader: Reader::new(settings.name, settings.target),
            selection: settings.selection,
            surplus: 0,
            memory: Arc::new(Mutex::new(memory)),
        }
    }

    /// Goes on from earlier readings of the same database. Call it before the first poll.
    pub(super) fn resume(&mut self, memory: Memory) {
        *lock(&self.memory) = memory;
    }

    /// Returns host and port, socket, or file of the database.
    pub(crate) fn address(&self) -> String {
        self.reader.target.address()
    }

    /// Returns the name of the source.
    pub(crate) fn name(&self) -> &str {
        &self.reader.name
    }

    /// Returns the product that answered the last poll; `None` after a failure.
    pub(crate) fn product(&self) -> Option<&Product> {
        self.reader.product()
    }

    /// Reads the database once and evaluates what it returns.
    ///
    /// # Errors
    /// Any failure. The observations are kept, unless the evaluation itself failed.
    pub(crate) async fn poll(&mut self) -> Result<Poll, Error> {
        let started = Instant::now();
        let mut answer = self.reader.read().await?;
        let surplus = self.selection.apply(&mut answer.reading);
        self.note_surplus(surplus);
        let took = started.elapsed();
        let memory = self.memory.clone();
        let server = answer.reading.server.clone();
        // On another thread, because evaluating 100,000 rows must not delay scrapes.
        let evaluate = move || lock(&memory).evaluate(answer.reading, answer.read, answer.clock);
        let evaluating = tokio::task::spawn_blocking(evaluate);
        let evaluated = evaluating.await.map_err(|error| {
            // It may have learnt from half of the rows, so the bounds are no longer proven.
            lock(&self.memory).reset();
            self.memory.clear_poison();
            Error::Evaluation(error)
        })?;
        let snapshot = match evaluated {
            Ok(snapshot) => snapshot,
            Err(stale) => {
                // A proxy may then choose another server.
                self.reader.disconnect().await;
                return Err(self.reader.target.stale(server.as_deref(), stale).into());
            }
        };
        Ok(Poll {
            snapshot,
            sent: answer.read.sent,
            took,
            clock: answer.clock,
        })
    }

    /// Changes the target and the options. Keeps the observations, but for standstills of another database, and the
    /// connection if the target is unchanged.
    pub(crate) async fn reconfigure(&mut self, settings: PollSettings) {
        if !is_same_database(&settings.target.url, &self.reader.target.url) {
            lock(&self.memory).standstill = Standstill::default();
        }
        self.selection = settings.selection;
        self.reader.set_target(settings.target).await;
        let (intervals, tolerances) = (settings.intervals, settings.tolerances);
        lock(&self.memory)
            .tracker
            .reconfigure(intervals, tolerances);
    }

    /// Warns when the first services are left out for the limit, and tells when none are any more.
    fn note_surplus(&mut self, surplus: usize) {
        let (database, limit) = (self.name(), self.selection.limit);
        match (self.surplus, surplus) {
            (0, 1..) => warn!(
                database,
                limit, surplus, "services are left out: the table has more than the limit"
            ),
            (1.., 0) => info!(database, limit, "no service is left out any more"),
            _ => {}
        }
        self.surplus = surplus;
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        self.reader.close().await;
    }
}

/// Returns whether both URLs name the same rows. Credentials, TLS and unknown options may differ.
fn is_same_database(url: &DatabaseUrl, other: &DatabaseUrl) -> bool {
    url.is_same_server(other)
        && (&url.database, &url.search_path) == (&other.database, &other.search_path)
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_the_same_with_other_credentials() {
        let url = |text| DatabaseUrl::parse(text).unwrap();
        let first = url("postgresql://u:p@db:5433/cinder");
        for same in [
            "postgresql://u:new@db:5433/cinder",
            "postgresql://other:p@db:5433/cinder?sslmode=require",
        ] {
            assert!(is_same_database(&first, &url(same)), "{same}");
        }
        for other in [
            "mysql://u:p@db:5433/cinder",
            "postgresql://u:p@db2:5433/cinder",
            "postgresql://u:p@db/cinder",
            "postgresql://u:p@db:5433/cinder?host=/run/postgresql",
            "postgresql://u:p@db:5433/other",
            "postgresql://u:p@db:5433/cinder?options=-csearch_path=other",
        ] {
            assert!(!is_same_database(&first, &url(other)), "{other}");
        }
    }
}
