//! One database of one project: a reader of its rows, and a tracker of what they prove over time.

pub(crate) mod log;
pub(crate) mod poll_settings;
pub(crate) mod poller;
pub mod reader;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::reader::{ClockOffset, Reader};
use crate::database::{self, Target};
use crate::heartbeat::failure::Class;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::tracker::{Tolerances, Tracker};

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
        self.reader.address()
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
        let evaluating = tokio::task::spawn_blocking(move || {
            let mut tracker = tracker.lock().unwrap_or_else(PoisonError::into_inner);
            tracker.observe(answer.reading, answer.read)
        });
        let snapshot = evaluating.await.map_err(|error| {
            // The tracker may have learnt from half of the rows: its bounds are proven no longer.
            self.tracker().reset();
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
        self.tracker().reconfigure(intervals, tolerances);
    }

    fn tracker(&self) -> std::sync::MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        self.reader.close().await;
    }
}
