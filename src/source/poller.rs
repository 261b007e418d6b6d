//! When to poll, and how long to wait after a failure.
//!
//! Results go to a [`Sink`]; the poller does not know how they are published.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinError;
use tokio::time::Instant;
use tracing::error;

use super::log::PollLog;
use super::memory::Memory;
use super::{Error, Poll, PollSettings, Source};
use crate::database::Product;
use crate::heartbeat::failure::Class;
use crate::heartbeat::snapshot::Snapshot;

/// First wait after a failure; it doubles with each further one, up to the poll interval.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Receives the results of polls.
pub(crate) trait Sink: Send + Sync {
    /// Learns which product answers, before the first of its polls.
    fn answered_by(&self, product: &Product);

    /// Receives a successful poll. It may take a while: the calling thread may block.
    fn succeeded(&self, poll: Poll) -> Arc<Snapshot>;

    /// Receives the class and the duration of a failed poll.
    fn failed(&self, class: Class, took: Duration);

    /// Learns that a poll ended without a result, because of a bug in the exporter.
    fn lost(&self);

    /// Receives the settings of the next poll.
    fn reconfigured(&self, settings: &PollSettings);
}

/// Polls one source until shutdown.
pub(crate) struct Poller {
    source: Source,
    interval: Duration,
    sink: Arc<dyn Sink>,
    log: PollLog,
    /// Which product the sink knows of.
    product: Option<Product>,
}

/// A request to change the settings.
#[derive(Debug)]
pub(crate) struct Reconfigure {
    /// The new settings.
    pub settings: PollSettings,
    /// Notified between two polls; the first poll with the new settings follows at once.
    pub done: oneshot::Sender<()>,
}

impl Poller {
    /// Makes a poller that hands its results to `sink`; no connection is opened yet.
    pub(crate) fn new(settings: PollSettings, sink: Arc<dyn Sink>) -> Self {
        Self {
            interval: settings.poll_interval,
            source: Source::new(settings),
            sink,
            log: PollLog::default(),
            product: None,
        }
    }

    /// Goes on from earlier readings of the same database.
    pub(crate) fn resume(&mut self, memory: Memory) {
        self.source.resume(memory);
    }

    /// Polls until `shutdown` turns true, then closes the connection. Takes up other settings between two polls.
    pub(crate) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Reconfigure>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut next = Instant::now();
        loop {
            let request = tokio::select! {
                () = tokio::time::sleep_until(next) => None,
                Some(request) = requests.recv() => Some(request),
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            if let Some(request) = request {
                self.reconfigure(request.settings).await;
                // The requester may be gone.
                let _ = request.done.send(());
            }
            let started = Instant::now();
            let pause = tokio::select! {
                pause = self.poll() => pause,
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            // A poll that took longer than the interval is followed by another at once, never by a burst.
            next = (started + pause).max(Instant::now());
        }
        self.source.close().await;
    }

    async fn reconfigure(&mut self, settings: PollSettings) {
        self.interval = settings.poll_interval;
        self.sink.reconfigured(&settings);
        self.source.reconfigure(settings).await;
    }

    /// Polls once. Returns the time from the start of this poll to that of the next.
    async fn poll(&mut self) -> Duration {
        let started = Instant::now();
        match self.source.poll().await {
            Ok(poll) => {
                self.introduce();
                self.publish(poll).await;
                dithered(self.interval)
            }
            Err(Error::Evaluation(error)) => {
                self.lost(&error);
                dithered(self.interval)
            }
            Err(Error::Database(error)) => {
                self.sink.failed(error.class(), started.elapsed());
                let failures = self.log.failed(self.source.name(), &error);
                let doubled = FIRST_RETRY * 2_u32.saturating_pow(failures.min(16) - 1);
                // Counted from the end of the attempt: a server that is slow to refuse gets its pause too.
                started.elapsed() + doubled.min(self.interval)
            }
        }
    }

    /// Tells the sink of the product, unless it is the same as before.
    fn introduce(&mut self) {
        if let Some(product) = self.source.product()
            && self.product.as_ref() != Some(product)
        {
            self.sink.answered_by(product);
            self.product = Some(product.clone());
        }
    }

    async fn publish(&mut self, poll: Poll) {
        let sink = self.sink.clone();
        let publishing = tokio::task::spawn_blocking(move || sink.succeeded(poll));
        match publishing.await {
            Ok(snapshot) => {
                let place = (self.source.name(), &*self.source.address());
                self.log.succeeded(place, &snapshot);
            }
            Err(error) => self.lost(&error),
        }
    }

    /// The database was read, so this is no outage of it.
    fn lost(&self, error: &JoinError) {
        self.sink.lost();
        let database = self.source.name();
        error!(database, %error, "a poll was lost; this is a bug in the exporter: please report it with the log");
    }
}

/// Returns the interval with a random jitter of up to a sixth.
///
/// Polls in step with the heartbeats would always see them at the same age, and the bounds of the skew would stay
/// as wide as the interval.
pub(crate) fn dithered(interval: Duration) -> Duration {
    interval.mul_f64(1.0 + (fastrand::f64() * 2.0 - 1.0) / 6.0)
}
