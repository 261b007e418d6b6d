//! One database of one project: a reader of its rows, and a tracker of their proofs over time.

pub mod axis;
pub(crate) mod log;
pub(crate) mod poller;
pub mod reader;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::reader::Reader;
use crate::config::settings::Settings;
use crate::database::{self, Target};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::time::ClockOffset;
use crate::heartbeat::tracker::{Tolerances, Tracker};

/// Allowance for evaluating and rendering the largest table on a slow machine.
const WORK: Duration = Duration::from_secs(30);

/// The settings that concern polls. A reload replaces them between two polls.
#[derive(Debug, PartialEq)]
pub(crate) struct PollSettings {
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
    /// Shared with the thread that evaluates a reading.
    tracker: Arc<Mutex<Tracker>>,
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

impl Source {
    /// Returns a source without observations; no connection is opened yet.
    pub(crate) fn new(target: Target, intervals: Intervals, tolerances: Tolerances) -> Self {
        Self {
            reader: Reader::new(target),
            tracker: Arc::new(Mutex::new(Tracker::new(intervals, tolerances))),
        }
    }

    /// Returns host and port, socket, or file of the database.
    pub(crate) fn address(&self) -> String {
        self.reader.target.address()
    }

    /// Reads the database once and evaluates what it returns.
    ///
    /// # Errors
    /// Any failure. The observations are kept, unless the evaluation itself failed.
    pub(crate) async fn poll(&mut self) -> Result<Poll, Error> {
        let started = Instant::now();
        let answer = self.reader.read().await?;
        let took = started.elapsed();
        let tracker = self.tracker.clone();
        // On another thread, because evaluating 100,000 rows must not delay scrapes.
        let evaluate = move || lock(&tracker).observe(answer.reading, answer.read, answer.clock);
        let evaluating = tokio::task::spawn_blocking(evaluate);
        let snapshot = evaluating.await.map_err(|error| {
            // The tracker may have learnt from half of the rows, so its bounds are no longer proven.
            lock(&self.tracker).reset();
            self.tracker.clear_poison();
            Error::Evaluation(error)
        })?;
        Ok(Poll {
            snapshot,
            sent: answer.read.sent,
            took,
            clock: answer.clock,
        })
    }

    /// Changes the target and the options. Keeps the observations, and the connection if the target is unchanged.
    pub(crate) async fn reconfigure(
        &mut self,
        target: Target,
        intervals: Intervals,
        tolerances: Tolerances,
    ) {
        self.reader.set_target(target).await;
        lock(&self.tracker).reconfigure(intervals, tolerances);
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        self.reader.close().await;
    }
}

fn lock(tracker: &Mutex<Tracker>) -> MutexGuard<'_, Tracker> {
    tracker.lock().unwrap_or_else(PoisonError::into_inner)
}
