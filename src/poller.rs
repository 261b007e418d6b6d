//! When to poll, how to fail, and what to say about it.
//!
//! A failed poll leaves the last picture as it is; the [`Gallery`] withholds it when it is too old. So a database
//! that can't be read never looks like services that are down.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::database::{self, Connection, Target, chain};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::service::{DatabaseTime, Reading, Rejection};
use crate::heartbeat::snapshot::Snapshot;
use crate::metrics::telemetry::{ClockOffset, Telemetry};
use crate::picture::{Gallery, Picture};

/// First wait after a failure; it doubles with each further one, up to the poll interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Polls one database for ever.
#[derive(Debug)]
pub struct Poller {
    target: Target,
    intervals: Intervals,
    interval: Duration,
    gallery: Arc<Gallery>,
    telemetry: Arc<Telemetry>,
    connection: Option<Connection>,
    state: State,
}

/// What was last said in the log.
#[derive(Debug)]
enum State {
    Starting,
    Reading {
        rejected: Vec<Rejection>,
    },
    Failing {
        since: Instant,
        times: u32,
        message: String,
    },
}

/// One statement's answer, and the two clocks around it.
struct Polled {
    reading: Reading,
    taken: Instant,
    clock: ClockOffset,
}

impl Poller {
    /// Makes a poller that shows its pictures in `gallery`; nothing is connected yet.
    #[must_use]
    pub fn new(
        target: Target,
        intervals: Intervals,
        interval: Duration,
        gallery: Arc<Gallery>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            target,
            intervals,
            interval,
            gallery,
            telemetry,
            connection: None,
            state: State::Starting,
        }
    }

    /// Polls until `shutdown` turns true, then closes the connection. Sends to `polled` after each poll, whether
    /// it succeeded or not.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>, polled: watch::Sender<u64>) {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
            let started = Instant::now();
            let pause = tokio::select! {
                pause = self.poll() => pause,
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            polled.send_modify(|polls| *polls += 1);
            // A poll that took longer than the interval is followed by another at once, never by a burst.
            next = (started + pause).max(Instant::now());
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Polls once; returns the time from the start of this poll to that of the next.
    async fn poll(&mut self) -> Duration {
        let started = Instant::now();
        match self.read().await {
            Ok(polled) => {
                let took = started.elapsed();
                let clock = polled.clock;
                let picture = self.publish(polled).await;
                if let Some(snapshot) = picture.as_deref().map(|picture| &picture.snapshot) {
                    self.telemetry.poll_succeeded(took, snapshot, clock);
                    self.note_success(snapshot);
                }
                self.interval
            }
            Err(error) => {
                self.telemetry.poll_failed(started.elapsed(), error.class());
                let times = self.note_failure(&error);
                let doubled = FIRST_RETRY * 2_u32.saturating_pow(times.min(16) - 1);
                // Counted from the end of the attempt: a server that is slow to refuse gets its pause too.
                started.elapsed() + doubled.min(self.interval)
            }
        }
    }

    /// Asks the database, on a new connection if the last statement failed.
    async fn read(&mut self) -> Result<Polled, database::Error> {
        // Taken out, so that a connection in the middle of an answer is dropped whatever ends this future.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        let taken = Instant::now();
        let wall = wall_clock();
        let reading = connection.read(&self.target).await?;
        let clock = clock_offset(reading.now, wall, taken.elapsed());
        self.connection = Some(connection);
        Ok(Polled {
            reading,
            taken,
            clock,
        })
    }

    /// Makes and shows the picture on a thread of its own: a hundred thousand rows take a while, and scrapes
    /// must not wait for it.
    async fn publish(&self, polled: Polled) -> Option<Arc<Picture>> {
        let gallery = self.gallery.clone();
        let intervals = self.intervals;
        let work = tokio::task::spawn_blocking(move || {
            let snapshot = Snapshot::new(polled.reading, intervals);
            gallery.show(Picture::new(snapshot, polled.taken));
        });
        if let Err(error) = work.await {
            error!(%error, "the picture could not be made; this is a mistake in the exporter, please report it");
            return None;
        }
        self.gallery.latest()
    }

    fn note_success(&mut self, snapshot: &Snapshot) {
        let address = self.target.address();
        let said = match &mut self.state {
            State::Reading { rejected } => std::mem::take(rejected),
            State::Starting => {
                info!(
                    address,
                    services = snapshot.services.len(),
                    "reading heartbeats"
                );
                Vec::new()
            }
            State::Failing { since, times, .. } => {
                let away =
                    humantime::format_duration(Duration::from_secs(since.elapsed().as_secs()));
                info!(address, %away, failures = *times, services = snapshot.services.len(), "the database is back");
                Vec::new()
            }
        };
        if snapshot.rejected != said {
            report_rejected(&snapshot.rejected);
        }
        self.state = State::Reading {
            rejected: snapshot.rejected.clone(),
        };
    }

    /// Logs a failure when it is new, and returns how many there were in a row.
    fn note_failure(&mut self, error: &database::Error) -> u32 {
        let message = chain(error);
        let class = error.class().as_str();
        match &mut self.state {
            State::Failing {
                times,
                message: said,
                ..
            } => {
                *times = times.saturating_add(1);
                if *said == message {
                    debug!(
                        class,
                        error = message,
                        failures = *times,
                        "the poll failed again"
                    );
                } else {
                    error!(class, error = message, "the database still can't be read");
                    *said = message;
                }
                *times
            }
            State::Starting | State::Reading { .. } => {
                error!(class, error = message, "the database can't be read");
                self.state = State::Failing {
                    since: Instant::now(),
                    times: 1,
                    message,
                };
                1
            }
        }
    }
}

/// Names the rows that can't be read, so that somebody can look at them.
fn report_rejected(rejected: &[Rejection]) {
    if rejected.is_empty() {
        info!("all rows can be read again");
        return;
    }
    for row in rejected.iter().take(20) {
        warn!(
            id = row.id,
            reason = row.defect.as_str(),
            "a row can't be read in full"
        );
    }
    if rejected.len() > 20 {
        warn!(rows = rejected.len(), "more rows can't be read in full");
    }
}

/// The one place that reads the wall clock, to tell how far the database's is from it.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn wall_clock() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Compares the two clocks: the database read its own somewhere within the round trip.
fn clock_offset(database: DatabaseTime, asked: DateTime<Utc>, round_trip: Duration) -> ClockOffset {
    let half = round_trip / 2;
    let middle = asked.naive_utc() + TimeDelta::from_std(half).unwrap_or_default();
    ClockOffset {
        offset: database.0 - middle,
        error: half,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::service::fixture;

    #[test]
    fn the_offset_is_positive_when_the_database_is_ahead() {
        let asked = fixture::now("2026-03-30 00:54:14").0.and_utc();
        let clock = clock_offset(
            fixture::now("2026-03-30 00:54:17.1"),
            asked,
            Duration::from_millis(200),
        );
        assert_eq!(clock.offset, TimeDelta::seconds(3));
        assert_eq!(clock.error, Duration::from_millis(100));
    }
}
