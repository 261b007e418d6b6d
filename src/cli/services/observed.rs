//! What polls of the sources show until the reasons are known: all sources at the same time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::progress::Progress;
use crate::cli::outcome::{Failure, NO_ANSWER, failure};
use crate::config::settings::Settings;
use crate::database;
use crate::error::chain;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::verdict;
use crate::report::view::{Listed, PollFailure};
use crate::report::words;
use crate::source::{self, PollSettings, Source, poller};

/// Time between two updates of the progress line.
const TICK: Duration = Duration::from_millis(250);

/// A source, and its latest snapshot or why there is none.
pub(super) struct Observed {
    database: String,
    polled: Result<Snapshot, source::Error>,
}

impl From<(String, database::Error)> for Observed {
    /// Returns a database that was found and cannot be read.
    fn from((database, error): (String, database::Error)) -> Self {
        Self {
            database,
            polled: Err(error.into()),
        }
    }
}

impl Observed {
    /// Returns it for a report.
    pub(super) fn listed(&self) -> Listed<'_> {
        let error = self.polled.as_ref().err();
        Listed {
            database: &self.database,
            snapshot: self.polled.as_ref().ok(),
            failure: error.map(|error| PollFailure::of(error.class())),
        }
    }

    /// Returns why the database can't be read, with its name if it is one of several.
    pub(super) fn fault(&self, sources: usize) -> Option<String> {
        let error = self.polled.as_ref().err()?;
        Some(words::of_source(sources, &self.database, &chain(error)))
    }
}

/// Polls each source about once a second until each of its services that is down has a reason, or until `wait` is over.
pub(super) async fn observe(settings: &Settings, wait: Duration) -> Result<Vec<Observed>, Failure> {
    let deadline = Instant::now() + wait;
    let start = |settings| {
        let (unexplained, count) = watch::channel(0);
        let source = Source::new(PollSettings::of(settings));
        (tokio::spawn(polled(source, deadline, unexplained)), count)
    };
    let (tasks, counts): (Vec<_>, Vec<_>) = settings.sources.iter().map(start).unzip();
    let mut ended = std::pin::pin!(async {
        let mut observed = Vec::new();
        for (task, settings) in tasks.into_iter().zip(&settings.sources) {
            observed.push(Observed {
                database: settings.name.clone(),
                polled: task.await.map_err(failure(NO_ANSWER))?,
            });
        }
        Ok(observed)
    });
    let mut progress = Progress::new();
    loop {
        tokio::select! {
            observed = &mut ended => return observed,
            () = tokio::time::sleep(TICK) => {
                let unexplained = counts.iter().map(|count| *count.borrow()).sum();
                if unexplained > 0 {
                    progress.waiting(unexplained, deadline.saturating_duration_since(Instant::now()));
                }
            }
        }
    }
}

/// Polls one source, and tells how many services have no reason yet.
async fn polled(
    mut source: Source,
    deadline: Instant,
    unexplained: watch::Sender<usize>,
) -> Result<Snapshot, source::Error> {
    let mut last = None;
    let snapshot = loop {
        // A later failure does not discard what is known already.
        match source.poll().await {
            Ok(poll) => last = Some(poll.snapshot),
            Err(error) if last.is_none() => return Err(error),
            Err(_) => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        unexplained.send_replace(last.as_ref().map_or(0, verdict::unexplained));
        let is_done = *unexplained.borrow() == 0 || left.is_zero();
        if let Some(snapshot) = last.take_if(|_| is_done) {
            break snapshot;
        }
        tokio::time::sleep(poller::dithered(Duration::from_secs(1))).await;
    };
    unexplained.send_replace(0);
    source.close().await;
    Ok(snapshot)
}
