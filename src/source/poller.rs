//! When to poll, how to fail, and what to say about it.
//!
//! A failed poll leaves the last picture as it is; the [`Latest`] withholds it when it is too old. So a database
//! that can't be read never looks like services that are down.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::poll_settings::PollSettings;
use crate::database::{self, Connection, Target};
use crate::error::chain;
use crate::heartbeat::service::{DatabaseTime, Reading, Rejection};
use crate::heartbeat::skew::{Monotonic, Read};
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::tracker::Tracker;
use crate::publish::latest::Latest;
use crate::publish::metrics_page::OwnMetrics;
use crate::publish::rendered::RenderedSnapshot;
use crate::publish::telemetry::{ClockOffset, Telemetry};

/// First wait after a failure; it doubles with each further one, up to the poll interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Life of a connection: what columns and grants there are is looked at once a connection.
const RENEW_AFTER: Duration = Duration::from_mins(10);

/// Polls one database for ever.
#[derive(Debug)]
pub(crate) struct Poller {
    reader: Reader,
    interval: Duration,
    latest: Arc<Latest>,
    telemetry: Arc<Telemetry>,
    tracker: Tracker,
    state: LogState,
}

/// A new plan, and who waits until it is adopted.
#[derive(Debug)]
pub(crate) struct Reconfigure {
    /// What to do from now on.
    pub plan: PollSettings,
    /// Told between two polls; the first poll by the new plan follows at once.
    pub adopted: oneshot::Sender<()>,
}

/// Asks one database, on one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    target: Target,
    /// Along with when it was opened.
    connection: Option<(Connection, Instant)>,
    /// What was last said of what can't be read.
    left_out: Option<(String, String)>,
    /// Origin of the monotonic axis.
    origin: Instant,
}

/// What was last said in the log.
#[derive(Debug)]
enum LogState {
    Starting,
    Reading {
        rejected: Vec<Rejection>,
    },
    Failing {
        since: Instant,
        times: u32,
        /// What was said of this failure so far, so that causes that alternate are not said at each poll.
        said: Vec<String>,
    },
}

/// One statement's answer, and the clocks around it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What the database answered.
    pub reading: Reading,
    /// When it was asked and when the answer was there, since the reader was made.
    pub read: Read,
    /// When it was asked.
    pub taken: Instant,
    /// The database's clock against ours.
    pub clock: ClockOffset,
}

impl Reader {
    /// Makes a reader; nothing is connected yet.
    #[must_use]
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            connection: None,
            left_out: None,
            origin: Instant::now(),
        }
    }

    /// Asks the database, on a new connection if there is none or the last statement failed.
    ///
    /// # Errors
    /// Any class of failure.
    pub(crate) async fn read(&mut self) -> Result<Answer, database::Error> {
        // Taken out, so that a connection in the middle of an answer is dropped whatever ends this future.
        let (mut connection, opened) = match self.connection.take() {
            Some(open) if open.1.elapsed() < RENEW_AFTER => open,
            old => {
                if let Some((old, _)) = old {
                    old.close().await;
                }
                self.open().await?
            }
        };
        let taken = Instant::now();
        let wall = wall_clock();
        let reading = connection.read(&self.target).await?;
        let answered = Instant::now();
        self.connection = Some((connection, opened));
        Ok(Answer {
            clock: clock_offset(reading.now, wall, answered - taken),
            read: Read {
                sent: self.monotonic(taken),
                answered: self.monotonic(answered),
            },
            reading,
            taken,
        })
    }

    /// Connects, and says once what can't be read, until that changes.
    async fn open(&mut self) -> Result<(Connection, Instant), database::Error> {
        let connection = Connection::open(&self.target).await?;
        let left_out = connection.left_out(&self.target);
        if let Some((names, grant)) = &left_out
            && left_out != self.left_out
        {
            warn!(
                names,
                grant,
                "not everything can be read; an old release lacks some of it, or a grant is missing"
            );
        }
        self.left_out = left_out;
        Ok((connection, Instant::now()))
    }

    /// Asks another database from now on, or the same one in another way; on a new connection if anything differs.
    async fn turn_to(&mut self, target: Target) {
        if target == self.target {
            return;
        }
        self.target = target;
        if let Some((connection, _)) = self.connection.take() {
            connection.close().await;
        }
    }

    fn monotonic(&self, at: Instant) -> Monotonic {
        Monotonic(TimeDelta::from_std(at - self.origin).unwrap_or(TimeDelta::MAX))
    }

    /// Says goodbye to the database.
    pub(crate) async fn close(self) {
        if let Some((connection, _)) = self.connection {
            connection.close().await;
        }
    }
}

impl Poller {
    /// Makes a poller that shows its pictures in `gallery`; nothing is connected yet.
    #[must_use]
    pub(crate) fn new(plan: PollSettings, latest: Arc<Latest>, telemetry: Arc<Telemetry>) -> Self {
        Self {
            tracker: Tracker::new(plan.intervals, plan.tolerances),
            reader: Reader::new(plan.target),
            interval: plan.poll_interval,
            latest,
            telemetry,
            state: LogState::Starting,
        }
    }

    /// Polls until `shutdown` turns true, then closes the connection. Adopts what is ordered between two polls.
    /// Sends to `polled` after each poll, whether it succeeded or not.
    pub(crate) async fn run(
        mut self,
        mut orders: mpsc::Receiver<Reconfigure>,
        mut shutdown: watch::Receiver<bool>,
        polled: watch::Sender<u64>,
    ) {
        let mut next = Instant::now();
        loop {
            let order = tokio::select! {
                () = tokio::time::sleep_until(next) => None,
                Some(order) = orders.recv() => Some(order),
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            if let Some(order) = order {
                self.adopt(order.plan).await;
                // Whoever waited may be gone.
                let _ = order.adopted.send(());
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
        self.reader.close().await;
    }

    /// Goes on by another plan. What was learnt is kept, and so is the connection, if it leads to the same source.
    async fn adopt(&mut self, plan: PollSettings) {
        self.reader.turn_to(plan.target).await;
        self.tracker.adopt(plan.intervals, plan.tolerances);
        self.interval = plan.poll_interval;
        self.latest.set_pace(plan.stale_after, plan.poll_interval);
        self.telemetry
            .configured(&plan.intervals, plan.poll_interval);
    }

    /// Polls once; returns the time from the start of this poll to that of the next.
    async fn poll(&mut self) -> Duration {
        let started = Instant::now();
        match self.reader.read().await {
            Ok(polled) => {
                let rendered = self.publish(polled, started.elapsed()).await;
                if let Some(rendered) = rendered {
                    self.note_success(&rendered.snapshot);
                }
                dithered(self.interval)
            }
            Err(error) => {
                let class = error.class();
                let took = started.elapsed();
                self.latest.fail(class, || {
                    self.telemetry.poll_failed(took, class);
                    OwnMetrics::gather(&self.telemetry)
                });
                let times = self.note_failure(&error);
                let doubled = FIRST_RETRY * 2_u32.saturating_pow(times.min(16) - 1);
                // Counted from the end of the attempt: a server that is slow to refuse gets its pause too.
                started.elapsed() + doubled.min(self.interval)
            }
        }
    }

    /// Makes and shows the picture on a thread of its own: a hundred thousand rows take a while, and scrapes
    /// must not wait for it. `took` is the time that the poll took.
    async fn publish(&mut self, polled: Answer, took: Duration) -> Option<Arc<RenderedSnapshot>> {
        let (latest, telemetry) = (self.latest.clone(), self.telemetry.clone());
        // Should the work be lost, what is left is a tracker that remembers nothing.
        let forgetful = self.tracker.anew();
        let mut tracker = std::mem::replace(&mut self.tracker, forgetful);
        let work = tokio::task::spawn_blocking(move || {
            let snapshot = tracker.observe(polled.reading, polled.read);
            let rendered = RenderedSnapshot::new(snapshot, polled.taken);
            let snapshot = rendered.snapshot.clone();
            // No page has services without the metrics of the poll that found them, or the other way round.
            let note = || {
                telemetry.poll_succeeded(took, &snapshot, polled.clock);
                OwnMetrics::gather(&telemetry)
            };
            let rendered = latest.show(rendered, note);
            (tracker, rendered)
        });
        match work.await {
            Ok((tracker, rendered)) => {
                self.tracker = tracker;
                Some(rendered)
            }
            Err(error) => {
                error!(%error, "the picture could not be made; this is a mistake in the exporter, please report it");
                None
            }
        }
    }

    fn note_success(&mut self, snapshot: &Snapshot) {
        let address = self.reader.target.address();
        if let Some(jump) = snapshot.clock_jump {
            warn!(
                address,
                seconds = jump.as_seconds_f64(),
                "the database's clock jumped: it was set, another server answers, or this machine was suspended"
            );
        }
        let said = match &mut self.state {
            LogState::Reading { rejected } => std::mem::take(rejected),
            LogState::Starting => {
                info!(
                    address,
                    services = snapshot.services.len(),
                    "reading heartbeats"
                );
                Vec::new()
            }
            LogState::Failing { since, times, .. } => {
                let away =
                    humantime::format_duration(Duration::from_secs(since.elapsed().as_secs()));
                info!(address, %away, failures = *times, services = snapshot.services.len(), "the database is back");
                Vec::new()
            }
        };
        if snapshot.services.is_empty() && !matches!(self.state, LogState::Reading { .. }) {
            warn!(
                address,
                "the table has no services; is it the right database?"
            );
        }
        if snapshot.rejected != said {
            report_rejected(&snapshot.rejected);
        }
        self.state = LogState::Reading {
            rejected: snapshot.rejected.clone(),
        };
    }

    /// Logs a failure when it is new, and returns how many there were in a row.
    fn note_failure(&mut self, error: &database::Error) -> u32 {
        let class = error.class().as_str();
        let message = error.to_string();
        let error = chain(error);
        match &mut self.state {
            LogState::Failing { times, said, .. } => {
                *times = times.saturating_add(1);
                if said.contains(&message) {
                    debug!(class, error, failures = *times, "the poll failed again");
                } else {
                    error!(class, error, "the database still can't be read");
                    said.push(message);
                }
                *times
            }
            LogState::Starting | LogState::Reading { .. } => {
                error!(class, error, "the database can't be read");
                self.state = LogState::Failing {
                    since: Instant::now(),
                    times: 1,
                    said: vec![message],
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
            table = row.table,
            id = row.id,
            reason = row.defect.as_str(),
            "a row can't be read in full"
        );
    }
    if rejected.len() > 20 {
        warn!(rows = rejected.len(), "more rows can't be read in full");
    }
}

/// Returns the interval, longer or shorter by up to a sixth, each time anew.
///
/// Polls in step with the heartbeats would always see them at the same age, and the bounds of the skew would stay
/// as wide as the interval.
pub(crate) fn dithered(interval: Duration) -> Duration {
    interval.mul_f64(1.0 + (fastrand::f64() * 2.0 - 1.0) / 6.0)
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
    use crate::heartbeat::fixture;

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
