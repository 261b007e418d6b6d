//! What is shown: the latest picture until it is too old to be true, the hour before it, and what fails since.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::time::Instant;

use super::exposition::Format;
use super::metrics_page::{MetricsPage, OwnMetrics};
use super::rendered::{Encoding, RenderedSnapshot};
use crate::heartbeat::failure::Class;
use crate::heartbeat::history::{History, Hour};
use crate::heartbeat::service::Service;
use crate::heartbeat::skew::Monotonic;

/// For how long a format that was asked for is made ready: longer than any sensible scrape interval.
const REMEMBERED: Duration = Duration::from_mins(5);

/// Polls that fail, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// When the first of them failed.
    pub since: Instant,
    /// What failed last.
    pub class: Class,
}

/// What there is to see at one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The latest picture, see [`Latest::latest`].
    pub rendered: Option<Arc<RenderedSnapshot>>,
    /// How old the latest picture is, even one that is withheld; `None` before the first.
    pub age: Option<Duration>,
    /// What fails since the last picture was shown; `None` when the last poll succeeded, and before the first.
    pub outage: Option<Outage>,
    /// The age from which on a picture is withheld.
    pub stale_after: Duration,
    /// The time between two polls.
    pub poll_interval: Duration,
    /// How long the exporter has been there.
    pub uptime: Duration,
}

/// What the polls left.
#[derive(Debug, Clone)]
struct Current {
    scrape: Arc<MetricsPage>,
    outage: Option<Outage>,
    stale_after: Duration,
    poll_interval: Duration,
}

impl Current {
    /// Returns how old the picture is, if there is one.
    fn age(&self) -> Option<Duration> {
        let rendered = self.scrape.rendered.as_ref();
        rendered.map(|rendered| rendered.taken.elapsed())
    }

    /// Returns whether there is a picture, too old to be true.
    fn is_withheld(&self) -> bool {
        self.age().is_some_and(|age| age >= self.stale_after)
    }

    fn replace_own(&mut self, gather: impl FnOnce() -> OwnMetrics) {
        let rendered = self.scrape.rendered.clone();
        self.scrape = Arc::new(MetricsPage::new(rendered, gather().into()));
    }
}

/// Holds what is shown, for one that makes pictures and many that look.
#[derive(Debug)]
pub struct Latest {
    current: watch::Sender<Current>,
    history: Mutex<History>,
    /// Origin of the history's axis.
    started: Instant,
    /// When each format and encoding was last asked for, in milliseconds since `started`, plus one; 0: never.
    asked: [[AtomicU64; Encoding::ALL.len()]; Format::ALL.len()],
}

impl Latest {
    /// An empty one; pictures of `stale_after` and older will be withheld, and they come every `poll_interval`.
    #[must_use]
    pub fn new(stale_after: Duration, poll_interval: Duration) -> Self {
        Self {
            current: watch::Sender::new(Current {
                scrape: Arc::default(),
                outage: None,
                stale_after,
                poll_interval,
            }),
            history: Mutex::new(History::new(poll_interval)),
            started: Instant::now(),
            asked: [const { [const { AtomicU64::new(0) }; 2] }; Format::ALL.len()],
        }
    }

    /// Changes what [`Latest::new`] was told; the latest picture and the last hour are kept.
    pub(crate) fn set_pace(&self, stale_after: Duration, poll_interval: Duration) {
        self.history().set_pace(poll_interval);
        self.current.send_modify(|current| {
            current.stale_after = stale_after;
            current.poll_interval = poll_interval;
        });
    }

    /// Renders the picture in the formats in demand, shows it in place of the last, and returns it. What `note`
    /// returns belongs to the new picture: a scrape sees both or neither.
    pub fn show(
        &self,
        rendered: RenderedSnapshot,
        note: impl FnOnce() -> OwnMetrics,
    ) -> Arc<RenderedSnapshot> {
        let before = self.current.borrow().scrape.rendered.clone();
        rendered.follow(before.as_deref(), |format, encoding| {
            self.is_in_demand(format, encoding)
        });
        drop(before);
        let at = self.monotonic(rendered.taken);
        self.history().record(at, &rendered.snapshot);
        let rendered = Arc::new(rendered);
        self.current.send_modify(|current| {
            current.scrape = Arc::new(MetricsPage::new(Some(rendered.clone()), note().into()));
            current.outage = None;
        });
        self.make_ready();
        rendered
    }

    /// Notes a poll that failed, in place of [`Latest::show`].
    pub(crate) fn fail(&self, class: Class, note: impl FnOnce() -> OwnMetrics) {
        self.current.send_modify(|current| {
            current.replace_own(note);
            let since = current
                .outage
                .map_or_else(Instant::now, |outage| outage.since);
            current.outage = Some(Outage { since, class });
        });
        self.make_ready();
    }

    /// Gathers the own metrics anew, as long as somebody asks for them: to be called every second.
    pub(crate) fn refresh(&self, gather: impl FnOnce() -> OwnMetrics) {
        if self.in_demand().next().is_some() {
            self.gather(gather);
        }
    }

    /// Gathers the own metrics anew, so that what just happened is in the next scrape.
    pub(crate) fn gather(&self, gather: impl FnOnce() -> OwnMetrics) {
        // Between two polls, whose own metrics belong to their pictures.
        self.current
            .send_modify(|current| current.replace_own(gather));
        self.make_ready();
    }

    /// Puts the answers in demand together, unless their picture is not to be shown.
    fn make_ready(&self) {
        let current = self.current.borrow().clone();
        if current.is_withheld() {
            return;
        }
        for (format, encoding) in self.in_demand() {
            let _ = current.scrape.page(format, encoding);
        }
    }

    /// Returns what somebody asked for lately.
    fn in_demand(&self) -> impl Iterator<Item = (Format, Encoding)> {
        let formats = Format::ALL.into_iter();
        let all = formats.flat_map(|format| Encoding::ALL.map(|encoding| (format, encoding)));
        all.filter(|(format, encoding)| self.is_in_demand(*format, *encoding))
    }

    /// Returns what a scrape is to be answered with, without a picture that is too old to be true; `gather` is
    /// called where nobody has asked for a while.
    pub(crate) fn scrape(&self, gather: impl FnOnce() -> OwnMetrics) -> Arc<MetricsPage> {
        if !self.current.borrow().scrape.is_fresh() {
            self.current.send_modify(|current| {
                // Of many who come at once the first gathers for all.
                if !current.scrape.is_fresh() {
                    current.replace_own(gather);
                }
            });
        }
        let current = self.current.borrow();
        if current.is_withheld() {
            Arc::new(MetricsPage::new(None, current.scrape.own.clone()))
        } else {
            current.scrape.clone()
        }
    }

    /// Returns the latest picture unless there is none or it is too old to be true.
    ///
    /// The age is looked at here, and not when a poll fails, so that a poller that hangs can't keep an old
    /// picture alive.
    #[must_use]
    pub(crate) fn latest(&self) -> Option<Arc<RenderedSnapshot>> {
        self.view().rendered
    }

    /// Returns what there is to see, all of it at one moment.
    #[must_use]
    pub(crate) fn view(&self) -> View {
        let current = self.current.borrow();
        let rendered = current.scrape.rendered.clone();
        View {
            rendered: rendered.filter(|_| !current.is_withheld()),
            age: current.age(),
            outage: current.outage,
            stale_after: current.stale_after,
            poll_interval: current.poll_interval,
            uptime: self.started.elapsed(),
        }
    }

    /// Returns the last hour of these services, in their order, up to now.
    #[must_use]
    pub(crate) fn hours<'a>(
        &self,
        services: impl IntoIterator<Item = &'a Service>,
    ) -> Vec<Option<Hour>> {
        let history = self.history();
        // Read with the lock held, so that no picture is younger.
        let now = self.monotonic(Instant::now());
        let hour = |service| history.hour(service, now);
        services.into_iter().map(hour).collect()
    }

    /// Returns a time on the axis of the history.
    fn monotonic(&self, at: Instant) -> Monotonic {
        Monotonic(TimeDelta::from_std(at - self.started).unwrap_or(TimeDelta::MAX))
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // A poll that broke down leaves a history that lacks rows, and the next one adds them again.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that somebody wants this format, so that the next pictures are ready in it.
    pub fn ask(&self, format: Format, encoding: Encoding) {
        self.asked[format as usize][encoding as usize].store(self.now() + 1, Ordering::Relaxed);
    }

    fn is_in_demand(&self, format: Format, encoding: Encoding) -> bool {
        let asked = self.asked[format as usize][encoding as usize].load(Ordering::Relaxed);
        let remembered = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
        asked > 0 && self.now().saturating_sub(asked - 1) < remembered
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::history::MINUTES;

    #[tokio::test(start_paused = true)]
    async fn a_picture_is_withheld_at_the_limit() {
        let latest = Latest::new(Duration::from_secs(30), Duration::from_secs(5));
        assert!(latest.latest().is_none());
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(latest.latest().is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(latest.latest().is_none());
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        assert!(latest.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_pace_holds_for_the_picture_that_is_there() {
        let latest = Latest::new(Duration::from_secs(30), Duration::from_secs(5));
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        tokio::time::advance(Duration::from_secs(10)).await;
        latest.set_pace(Duration::from_secs(10), Duration::from_secs(2));
        assert!(latest.latest().is_none());
        latest.set_pace(Duration::from_secs(11), Duration::from_secs(2));
        assert!(latest.latest().is_some());
        assert_eq!(latest.view().poll_interval, Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_its_first_failure_to_the_next_picture() {
        let latest = Latest::new(Duration::from_secs(30), Duration::from_secs(5));
        assert_eq!(latest.view().outage, None);
        latest.fail(Class::Connect, OwnMetrics::default);
        let since = Instant::now();
        tokio::time::advance(Duration::from_secs(5)).await;
        latest.fail(Class::Timeout, OwnMetrics::default);
        let class = Class::Timeout;
        assert_eq!(latest.view().outage, Some(Outage { since, class }));
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        assert_eq!(latest.view().outage, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_withheld_picture_keeps_its_age_and_its_hour() {
        let latest = Latest::new(Duration::from_secs(30), Duration::from_secs(5));
        assert_eq!(latest.view().age, None);
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        tokio::time::advance(Duration::from_mins(2)).await;
        assert_eq!(latest.view().age, Some(Duration::from_mins(2)));
        let shown = fixture::service("cinder-volume", "block1");
        let other = fixture::service("cinder-volume", "block2");
        let hours = latest.hours([&shown, &other]);
        let minutes = hours[0].unwrap().minutes;
        assert_eq!(minutes[MINUTES - 2..], [None, None]);
        assert!(minutes[MINUTES - 3].is_some());
        assert_eq!(hours[1], None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_lately_is_ready_and_nothing_else() {
        let latest = Latest::new(Duration::from_secs(30), Duration::from_secs(5));
        latest.ask(Format::OpenMetrics, Encoding::Gzip);
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        let shown = latest.latest().unwrap();
        assert!(shown.is_rendered(Format::OpenMetrics, Encoding::Gzip));
        assert!(!shown.is_rendered(Format::Text, Encoding::Identity));

        tokio::time::advance(REMEMBERED).await;
        latest.show(RenderedSnapshot::fixture(), OwnMetrics::default);
        let shown = latest.latest().unwrap();
        for encoding in Encoding::ALL {
            assert!(!shown.is_rendered(Format::OpenMetrics, encoding));
        }
    }
}
