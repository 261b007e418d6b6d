//! The latest snapshot until it is stale, the hour before it, the failures since, and the own metrics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::demand::Demand;
use super::exposition::Format;
use super::metrics_page::{MetricsPage, OwnMetrics};
use super::rendered::{Encoding, RenderedSnapshot};
use super::telemetry::{ConfigPart, Telemetry};
use crate::heartbeat::failure::Class;
use crate::heartbeat::history::{History, Hour};
use crate::heartbeat::service::Service;
use crate::heartbeat::view::{Outage, View};
use crate::source::Poll;
use crate::source::axis;

/// State after the last poll.
#[derive(Debug, Clone)]
struct Current {
    page: Arc<MetricsPage>,
    /// When the first of the latest failures in a row happened, and the class of the last one.
    outage: Option<(Instant, Class)>,
    stale_after: Duration,
    poll_interval: Duration,
}

impl Current {
    /// Returns the age of the snapshot, if there is one.
    fn age(&self) -> Option<Duration> {
        let rendered = self.page.rendered.as_ref();
        rendered.map(|rendered| (axis::now() - rendered.taken).to_std().unwrap_or_default())
    }

    /// Returns whether there is a stale snapshot.
    fn is_withheld(&self) -> bool {
        self.age().is_some_and(|age| age >= self.stale_after)
    }

    fn replace_own(&mut self, telemetry: &Telemetry) {
        let rendered = self.page.rendered.clone();
        let own = OwnMetrics::gather(telemetry).into();
        self.page = Arc::new(MetricsPage::new(rendered, own));
    }
}

/// Holds what is published, for one writer and many readers.
#[derive(Debug)]
pub struct Latest {
    telemetry: Telemetry,
    current: watch::Sender<Current>,
    /// Number of polls so far.
    polls: watch::Sender<u64>,
    history: Mutex<History>,
    /// Origin of the history's axis.
    started: Instant,
    demand: Demand,
}

impl Latest {
    /// Creates it without a snapshot. Snapshots of age `stale_after` and older are withheld.
    #[must_use]
    pub fn new(telemetry: Telemetry, stale_after: Duration, poll_interval: Duration) -> Self {
        Self {
            telemetry,
            current: watch::Sender::new(Current {
                page: Arc::default(),
                outage: None,
                stale_after,
                poll_interval,
            }),
            polls: watch::Sender::new(0),
            history: Mutex::new(History::new(poll_interval)),
            started: Instant::now(),
            demand: Demand::new(),
        }
    }

    /// Changes what [`Latest::new`] was given. The latest snapshot and the last hour are kept.
    pub(crate) fn reconfigure(&self, stale_after: Duration, poll_interval: Duration) {
        self.history().set_poll_interval(poll_interval);
        self.current.send_modify(|current| {
            current.stale_after = stale_after;
            current.poll_interval = poll_interval;
        });
    }

    /// Returns the exporter's own metrics, to count what happened. It is published within a second of a scrape.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Returns the number of polls so far, failed ones included, and tells when it changes.
    pub(crate) fn polls(&self) -> watch::Receiver<u64> {
        self.polls.subscribe()
    }

    /// Renders a snapshot in the formats in demand, and publishes it in place of the last one.
    ///
    /// A scrape sees the services of a poll and the own metrics of the same poll, or neither.
    pub fn show(&self, poll: Poll) -> Arc<RenderedSnapshot> {
        let rendered = RenderedSnapshot::new(poll.snapshot, poll.sent);
        let before = self.current.borrow().page.rendered.clone();
        rendered.follow(before.as_deref(), |format, encoding| {
            self.demand.includes(format, encoding)
        });
        drop(before);
        self.history().record(rendered.taken, &rendered.snapshot);
        let rendered = Arc::new(rendered);
        self.current.send_modify(|current| {
            self.telemetry
                .poll_succeeded(poll.took, &rendered.snapshot, poll.clock);
            let own = OwnMetrics::gather(&self.telemetry);
            current.page = Arc::new(MetricsPage::new(Some(rendered.clone()), own.into()));
            current.outage = None;
        });
        self.make_ready();
        self.polls.send_modify(|polls| *polls += 1);
        rendered
    }

    /// Publishes that a poll failed.
    pub(crate) fn fail(&self, class: Class, took: Duration) {
        self.current.send_modify(|current| {
            self.telemetry.poll_failed(took, class);
            current.replace_own(&self.telemetry);
            let since = current.outage.map_or_else(Instant::now, |(since, _)| since);
            current.outage = Some((since, class));
        });
        self.make_ready();
        self.polls.send_modify(|polls| *polls += 1);
    }

    /// Counts a poll whose result was lost. Nothing is published.
    pub(crate) fn lost(&self) {
        self.polls.send_modify(|polls| *polls += 1);
    }

    /// Publishes that parts of the configuration were loaded, at a time since the Unix epoch.
    pub(crate) fn config_loaded(&self, parts: &[ConfigPart], at: Duration) {
        for &part in parts {
            self.telemetry.config_loaded(part, at);
        }
        self.gather();
    }

    /// Publishes that a part of the configuration was refused, and the old one is kept.
    pub(crate) fn config_refused(&self, part: ConfigPart) {
        self.telemetry.config_refused(part);
        self.gather();
    }

    /// Gathers the own metrics again if a client scraped lately. Call it every second.
    pub(crate) fn refresh(&self) {
        if self.demand.iter().next().is_some() {
            self.gather();
        }
    }

    /// Gathers the own metrics again, so that the next scrape has what just happened.
    fn gather(&self) {
        self.current
            .send_modify(|current| current.replace_own(&self.telemetry));
        self.make_ready();
    }

    /// Assembles the answers in demand, unless their snapshot is withheld.
    fn make_ready(&self) {
        let current = self.current.borrow().clone();
        if current.is_withheld() {
            return;
        }
        for (format, encoding) in self.demand.iter() {
            let _ = current.page.pieces(format, encoding);
        }
    }

    /// Notes that a format was asked for, so that the next snapshots are ready in it.
    pub fn ask(&self, format: Format, encoding: Encoding) {
        self.demand.note(format, encoding);
    }

    /// Returns the answer to a scrape, without a snapshot that is withheld. Gathers the own metrics if that was not
    /// done lately.
    pub(crate) fn page(&self) -> Arc<MetricsPage> {
        if !self.current.borrow().page.own.are_fresh() {
            self.current.send_modify(|current| {
                // The first of many concurrent scrapes gathers for all.
                if !current.page.own.are_fresh() {
                    current.replace_own(&self.telemetry);
                }
            });
        }
        let current = self.current.borrow();
        if current.is_withheld() {
            Arc::new(MetricsPage::new(None, current.page.own.clone()))
        } else {
            current.page.clone()
        }
    }

    /// Returns the latest snapshot; `None` before the first, and while it is withheld.
    ///
    /// The age is checked here, and not when a poll fails: a poller that hangs must not keep an old snapshot alive.
    pub(crate) fn rendered(&self) -> Option<Arc<RenderedSnapshot>> {
        let current = self.current.borrow();
        let rendered = current.page.rendered.clone();
        rendered.filter(|_| !current.is_withheld())
    }

    /// Returns a consistent view of one moment.
    pub(crate) fn view(&self) -> View {
        let current = self.current.borrow();
        let shown = current.page.rendered.as_ref();
        let shown = shown.filter(|_| !current.is_withheld());
        View {
            snapshot: shown.map(|rendered| rendered.snapshot.clone()),
            age: current.age(),
            outage: current.outage.map(|(since, class)| Outage {
                lasted: since.elapsed(),
                class,
            }),
            stale_after: current.stale_after,
            poll_interval: current.poll_interval,
            uptime: self.started.elapsed(),
        }
    }

    /// Returns the last hour of these services, in their order, up to now.
    pub(crate) fn hours<'a>(
        &self,
        services: impl IntoIterator<Item = &'a Service>,
    ) -> Vec<Option<Hour>> {
        let history = self.history();
        // Read while the lock is held, so that no snapshot is younger.
        let now = axis::now();
        let hour = |service| history.hour(service, now);
        services.into_iter().map(hour).collect()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // A panic while recording leaves a history that lacks rows; the next snapshot adds them again.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Latest {
    /// Returns one with a limit of 30 s and a poll interval of 5 s.
    pub(crate) fn fixture() -> Self {
        let [stale_after, interval] = [30, 5].map(Duration::from_secs);
        Self::new(Telemetry::fixture(), stale_after, interval)
    }

    /// Publishes a poll that has just found one service: `cinder-volume` on `block1`.
    pub(crate) fn show_one(&self) -> Arc<RenderedSnapshot> {
        self.show_one_of(chrono::TimeDelta::zero())
    }

    /// Publishes the same poll, which began so long ago.
    fn show_one_of(&self, age: chrono::TimeDelta) -> Arc<RenderedSnapshot> {
        let rendered = RenderedSnapshot::fixture();
        self.show(Poll {
            snapshot: (*rendered.snapshot).clone(),
            sent: rendered.taken - age,
            took: Duration::ZERO,
            clock: crate::heartbeat::time::ClockOffset::default(),
        })
    }
}

#[cfg(test)]
mod tests;
