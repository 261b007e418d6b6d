//! One database of one project: a reader of its rows, and a tracker of what they prove over time.

pub(crate) mod log;
pub(crate) mod poller;
pub mod reader;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::reader::{ClockOffset, Reader};
use crate::config::settings::Settings;
use crate::database::{self, Target};
use crate::heartbeat::failure::Class;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::snapshot::Snapshot;
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

/// A database that is polled.
#[derive(Debug)]
pub(crate) struct Source {
    reader: Reader,
    /// Shared with the thread that evaluates a reading.
    tracker: Arc<Mutex<Tracker>>,
}

/// What one successful poll found.
#[derive(Debug)]
pub struct Poll {
    /// The services at one time of the database.
    pub snapshot: Snapshot,
    /// When the statement was sent, by the monotonic clock.
    pub sent: Instant,
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
    /// Returns the class under which the failure is counted.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Database(error) => error.class(),
            Self::Evaluation(_) => Class::Decode,
        }
    }
}

impl Source {
    /// Makes a source that has seen nothing; no connection is opened yet.
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
    /// Any class of failure. What was learnt so far is kept, unless the evaluation itself failed.
    pub(crate) async fn poll(&mut self) -> Result<Poll, Error> {
        let started = Instant::now();
        let answer = self.reader.read().await?;
        let took = started.elapsed();
        let tracker = self.tracker.clone();
        // On a thread of its own: a hundred thousand rows take a while, and scrapes must not wait for them.
        let evaluate = move || lock(&tracker).observe(answer.reading, answer.read);
        let evaluating = tokio::task::spawn_blocking(evaluate);
        let snapshot = evaluating.await.map_err(|error| {
            // The tracker may have learnt from half of the rows: its bounds are proven no longer.
            lock(&self.tracker).reset();
            self.tracker.clear_poison();
            Error::Evaluation(error)
        })?;
        Ok(Poll {
            snapshot,
            sent: answer.sent,
            took,
            clock: answer.clock,
        })
    }

    /// Changes what is read and by which options it is judged. What was learnt is kept, and so is the connection if
    /// it leads to the same database in the same way.
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
