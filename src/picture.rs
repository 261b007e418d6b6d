//! The latest snapshot as the bytes of `/metrics`, when it is too old to be shown, and the hour before it.
//!
//! A picture is rendered in a format when that is first asked for; and at once, before anybody asks, in the
//! formats that were asked for lately, so that no scrape waits for the work of a poll.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::database::Class;
use crate::heartbeat::history::{History, Hour};
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::snapshot::Snapshot;
use crate::metrics::exposition::{self, Format};
use crate::metrics::gzip::{self, Opening};

/// How the bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Identity,
    /// Compressed.
    Gzip,
}

/// For how long a format that was asked for is made ready: longer than any sensible scrape interval.
const REMEMBERED: Duration = Duration::from_mins(5);

/// One snapshot and what was rendered of it so far.
#[derive(Debug)]
pub struct Picture {
    /// What is shown.
    pub snapshot: Snapshot,
    /// When the rows were asked for, by the monotonic clock.
    pub taken: Instant,
    text: [OnceLock<Bytes>; Format::ALL.len()],
    gzip: [OnceLock<Opening>; Format::ALL.len()],
}

impl Picture {
    /// A picture of which nothing is rendered yet.
    #[must_use]
    pub fn new(snapshot: Snapshot, taken: Instant) -> Self {
        Self {
            snapshot,
            taken,
            text: [const { OnceLock::new() }; Format::ALL.len()],
            gzip: [const { OnceLock::new() }; Format::ALL.len()],
        }
    }

    /// Returns the services' part of the page.
    #[must_use]
    pub fn text(&self, format: Format) -> &Bytes {
        self.text[format as usize]
            .get_or_init(|| exposition::services(&self.snapshot, format).into())
    }

    /// Returns the services' part of the page, compressed.
    #[must_use]
    pub fn gzip(&self, format: Format) -> &Opening {
        self.gzip[format as usize].get_or_init(|| gzip::open(self.text(format)))
    }
}

/// Polls that fail, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the first of them failed.
    pub since: Instant,
    /// What failed last.
    pub class: Class,
}

/// Holds the latest picture, for one that makes them and many that look.
#[derive(Debug)]
pub struct Gallery {
    latest: watch::Sender<Option<Arc<Picture>>>,
    outage: watch::Sender<Option<Outage>>,
    history: Mutex<History>,
    stale_after: Duration,
    /// Origin of the history's axis.
    started: Instant,
    /// When each format and encoding was last asked for, in milliseconds since `started`, plus one; 0: never.
    asked: [[AtomicU64; 2]; Format::ALL.len()],
}

impl Gallery {
    /// An empty one; pictures of `stale_after` and older will be withheld.
    #[must_use]
    pub fn new(stale_after: Duration) -> Self {
        Self {
            latest: watch::Sender::new(None),
            outage: watch::Sender::new(None),
            history: Mutex::default(),
            stale_after,
            started: Instant::now(),
            asked: [const { [const { AtomicU64::new(0) }; 2] }; Format::ALL.len()],
        }
    }

    /// Renders the picture in the formats in demand, shows it in place of the last, and returns it.
    pub fn show(&self, picture: Picture) -> Arc<Picture> {
        for format in Format::ALL {
            if self.in_demand(format, Encoding::Gzip) {
                let _ = picture.gzip(format);
            } else if self.in_demand(format, Encoding::Identity) {
                let _ = picture.text(format);
            }
        }
        let at = self.monotonic(picture.taken);
        self.history().record(at, &picture.snapshot.services);
        let picture = Arc::new(picture);
        self.latest.send_replace(Some(picture.clone()));
        self.outage.send_replace(None);
        picture
    }

    /// Notes a poll that failed, in place of [`Gallery::show`].
    pub fn fail(&self, class: Class) {
        self.outage.send_modify(|outage| {
            let since = outage.map_or_else(Instant::now, |outage| outage.since);
            *outage = Some(Outage { since, class });
        });
    }

    /// Returns what fails since the last picture was shown; `None` when the last poll succeeded, and before the
    /// first.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        *self.outage.borrow()
    }

    /// Returns the latest picture unless there is none or it is too old to be true.
    ///
    /// The age is looked at here, and not when a poll fails, so that a poller that hangs can't keep an old
    /// picture alive.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Picture>> {
        let picture = self.latest.borrow().clone()?;
        (picture.taken.elapsed() < self.stale_after).then_some(picture)
    }

    /// Returns how old the last picture is, even one that is withheld; `None` before the first.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let latest = self.latest.borrow();
        latest.as_ref().map(|picture| picture.taken.elapsed())
    }

    /// Returns the age from which on a picture is withheld.
    #[must_use]
    pub fn stale_after(&self) -> Duration {
        self.stale_after
    }

    /// Returns how long this gallery, and so the exporter, has been there.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the last hour of these rows, in their order, up to now.
    #[must_use]
    pub fn hours(&self, ids: impl IntoIterator<Item = i64>) -> Vec<Option<Hour>> {
        let history = self.history();
        // Read with the lock held, so that no picture is younger.
        let now = self.monotonic(Instant::now());
        ids.into_iter().map(|id| history.hour(id, now)).collect()
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

    fn in_demand(&self, format: Format, encoding: Encoding) -> bool {
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
    use std::collections::HashMap;

    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::history::MINUTES;
    use crate::heartbeat::liveness::Intervals;
    use crate::heartbeat::service::{Reading, fixture};
    use crate::heartbeat::skew::Quantum;

    fn picture() -> Picture {
        let reading = Reading {
            now: fixture::now("2026-03-30 00:54:14"),
            quantum: Quantum::MICROSECOND,
            services: vec![fixture::service("cinder-volume", "block1")],
            clusters: vec![],
            rejected: vec![],
            rows: 1,
        };
        let intervals = Intervals {
            service_down_time: TimeDelta::seconds(60),
            report_interval: TimeDelta::seconds(10),
        };
        Picture::new(
            Snapshot::new(reading, intervals, HashMap::new(), None),
            Instant::now(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_is_withheld_at_the_limit() {
        let gallery = Gallery::new(Duration::from_secs(30));
        assert!(gallery.latest().is_none());
        gallery.show(picture());
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(gallery.latest().is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(gallery.latest().is_none());
        gallery.show(picture());
        assert!(gallery.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_its_first_failure_to_the_next_picture() {
        let gallery = Gallery::new(Duration::from_secs(30));
        assert_eq!(gallery.outage(), None);
        gallery.fail(Class::Connect);
        let since = Instant::now();
        tokio::time::advance(Duration::from_secs(5)).await;
        gallery.fail(Class::Timeout);
        let class = Class::Timeout;
        assert_eq!(gallery.outage(), Some(Outage { since, class }));
        gallery.show(picture());
        assert_eq!(gallery.outage(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_withheld_picture_keeps_its_age_and_its_hour() {
        let gallery = Gallery::new(Duration::from_secs(30));
        assert_eq!(gallery.age(), None);
        gallery.show(picture());
        tokio::time::advance(Duration::from_mins(2)).await;
        assert_eq!(gallery.age(), Some(Duration::from_mins(2)));
        let hours = gallery.hours([1, 2]);
        let minutes = hours[0].unwrap().minutes;
        assert_eq!(minutes[MINUTES - 2..], [None, None]);
        assert!(minutes[MINUTES - 3].is_some());
        assert_eq!(hours[1], None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_lately_is_ready_and_nothing_else() {
        let gallery = Gallery::new(Duration::from_secs(30));
        gallery.ask(Format::OpenMetrics, Encoding::Gzip);
        gallery.show(picture());
        let shown = gallery.latest().unwrap();
        assert!(shown.gzip[Format::OpenMetrics as usize].get().is_some());
        assert!(shown.text[Format::Text as usize].get().is_none());

        tokio::time::advance(REMEMBERED).await;
        gallery.show(picture());
        let shown = gallery.latest().unwrap();
        assert!(shown.gzip[Format::OpenMetrics as usize].get().is_none());
        assert!(shown.text[Format::OpenMetrics as usize].get().is_none());
    }
}
