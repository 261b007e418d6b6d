//! The latest snapshot as the bytes of `/metrics` and of the JSON, when it is too old to be shown, and the hour before it.
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
use crate::heartbeat::service::Service;
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::snapshot::Snapshot;
use crate::listing;
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

/// Which services the JSON lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// Those that the API lists as down, disabled ones included.
    Down,
}

/// For how long a format that was asked for is made ready: longer than any sensible scrape interval.
const REMEMBERED: Duration = Duration::from_mins(5);

/// One snapshot and what was rendered of it so far.
#[derive(Debug)]
pub struct Picture {
    /// What is shown.
    pub snapshot: Arc<Snapshot>,
    /// When the rows were asked for, by the monotonic clock.
    pub taken: Instant,
    text: [OnceLock<Bytes>; Format::ALL.len()],
    gzip: [OnceLock<Opening>; Format::ALL.len()],
    json: [[OnceLock<Bytes>; 2]; 2],
}

impl Picture {
    /// A picture of which nothing is rendered yet.
    #[must_use]
    pub fn new(snapshot: Snapshot, taken: Instant) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            taken,
            text: [const { OnceLock::new() }; Format::ALL.len()],
            gzip: [const { OnceLock::new() }; Format::ALL.len()],
            json: [const { [const { OnceLock::new() }; 2] }; 2],
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

    /// Returns the services as JSON, rendered when that is first asked for: of ten thousand it takes a while.
    #[must_use]
    pub fn json(&self, selection: Selection, encoding: Encoding) -> &Bytes {
        self.json[selection as usize][encoding as usize].get_or_init(|| match encoding {
            Encoding::Identity => {
                let shown = |status: &_| selection == Selection::All || listing::is_down(status);
                listing::json(&self.snapshot, shown).into()
            }
            Encoding::Gzip => gzip::whole(self.json(selection, Encoding::Identity)),
        })
    }

    /// Returns the same, `None` unless it is rendered already.
    #[must_use]
    pub fn rendered_json(&self, selection: Selection, encoding: Encoding) -> Option<&Bytes> {
        self.json[selection as usize][encoding as usize].get()
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

/// What there is to see at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The latest picture, see [`Gallery::latest`].
    pub picture: Option<Arc<Picture>>,
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
struct Polled {
    picture: Option<Arc<Picture>>,
    outage: Option<Outage>,
    stale_after: Duration,
    poll_interval: Duration,
}

/// Holds the latest picture, for one that makes them and many that look.
#[derive(Debug)]
pub struct Gallery {
    polled: watch::Sender<Polled>,
    history: Mutex<History>,
    /// Origin of the history's axis.
    started: Instant,
    /// When each format and encoding was last asked for, in milliseconds since `started`, plus one; 0: never.
    asked: [[AtomicU64; 2]; Format::ALL.len()],
}

impl Gallery {
    /// An empty one; pictures of `stale_after` and older will be withheld, and they come every `poll_interval`.
    #[must_use]
    pub fn new(stale_after: Duration, poll_interval: Duration) -> Self {
        Self {
            polled: watch::Sender::new(Polled {
                picture: None,
                outage: None,
                stale_after,
                poll_interval,
            }),
            history: Mutex::new(History::new(poll_interval)),
            started: Instant::now(),
            asked: [const { [const { AtomicU64::new(0) }; 2] }; Format::ALL.len()],
        }
    }

    /// Changes what [`Gallery::new`] was told; the latest picture and the last hour are kept.
    pub fn set_pace(&self, stale_after: Duration, poll_interval: Duration) {
        self.history().set_pace(poll_interval);
        self.polled.send_modify(|polled| {
            polled.stale_after = stale_after;
            polled.poll_interval = poll_interval;
        });
    }

    /// Renders the picture in the formats in demand, shows it in place of the last, and returns it. What `note`
    /// does and the new picture are seen together by [`Gallery::with_latest`], or neither.
    pub fn show(&self, picture: Picture, note: impl FnOnce()) -> Arc<Picture> {
        for format in Format::ALL {
            if self.in_demand(format, Encoding::Gzip) {
                let _ = picture.gzip(format);
            } else if self.in_demand(format, Encoding::Identity) {
                let _ = picture.text(format);
            }
        }
        let at = self.monotonic(picture.taken);
        self.history().record(at, &picture.snapshot);
        let picture = Arc::new(picture);
        self.polled.send_modify(|polled| {
            note();
            polled.picture = Some(picture.clone());
            polled.outage = None;
        });
        picture
    }

    /// Notes a poll that failed, in place of [`Gallery::show`].
    pub fn fail(&self, class: Class, note: impl FnOnce()) {
        self.polled.send_modify(|polled| {
            note();
            let since = polled
                .outage
                .map_or_else(Instant::now, |outage| outage.since);
            polled.outage = Some(Outage { since, class });
        });
    }

    /// Returns the latest picture unless there is none or it is too old to be true.
    ///
    /// The age is looked at here, and not when a poll fails, so that a poller that hangs can't keep an old
    /// picture alive.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Picture>> {
        self.view().picture
    }

    /// Returns the latest picture, and what `read` returns between two polls.
    pub fn with_latest<T>(&self, read: impl FnOnce() -> T) -> (Option<Arc<Picture>>, T) {
        let polled = self.polled.borrow();
        let read = read();
        (self.seen(polled.clone()).picture, read)
    }

    /// Returns what there is to see, all of it at one moment.
    #[must_use]
    pub fn view(&self) -> View {
        self.seen(self.polled.borrow().clone())
    }

    fn seen(&self, polled: Polled) -> View {
        let Polled {
            picture,
            outage,
            stale_after,
            poll_interval,
        } = polled;
        let age = picture.as_ref().map(|picture| picture.taken.elapsed());
        View {
            picture: picture.filter(|_| age.is_some_and(|age| age < stale_after)),
            age,
            outage,
            stale_after,
            poll_interval,
            uptime: self.started.elapsed(),
        }
    }

    /// Returns the last hour of these services, in their order, up to now.
    #[must_use]
    pub fn hours<'a>(&self, services: impl IntoIterator<Item = &'a Service>) -> Vec<Option<Hour>> {
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

    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::history::MINUTES;

    fn picture() -> Picture {
        let reading = fixture::reading(vec![fixture::service("cinder-volume", "block1")]);
        Picture::new(fixture::snapshot(reading), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_is_withheld_at_the_limit() {
        let gallery = Gallery::new(Duration::from_secs(30), Duration::from_secs(5));
        assert!(gallery.latest().is_none());
        gallery.show(picture(), || {});
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(gallery.latest().is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(gallery.latest().is_none());
        gallery.show(picture(), || {});
        assert!(gallery.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_pace_holds_for_the_picture_that_is_there() {
        let gallery = Gallery::new(Duration::from_secs(30), Duration::from_secs(5));
        gallery.show(picture(), || {});
        tokio::time::advance(Duration::from_secs(10)).await;
        gallery.set_pace(Duration::from_secs(10), Duration::from_secs(2));
        assert!(gallery.latest().is_none());
        gallery.set_pace(Duration::from_secs(11), Duration::from_secs(2));
        assert!(gallery.latest().is_some());
        assert_eq!(gallery.view().poll_interval, Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_its_first_failure_to_the_next_picture() {
        let gallery = Gallery::new(Duration::from_secs(30), Duration::from_secs(5));
        assert_eq!(gallery.view().outage, None);
        gallery.fail(Class::Connect, || {});
        let since = Instant::now();
        tokio::time::advance(Duration::from_secs(5)).await;
        gallery.fail(Class::Timeout, || {});
        let class = Class::Timeout;
        assert_eq!(gallery.view().outage, Some(Outage { since, class }));
        gallery.show(picture(), || {});
        assert_eq!(gallery.view().outage, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_withheld_picture_keeps_its_age_and_its_hour() {
        let gallery = Gallery::new(Duration::from_secs(30), Duration::from_secs(5));
        assert_eq!(gallery.view().age, None);
        gallery.show(picture(), || {});
        tokio::time::advance(Duration::from_mins(2)).await;
        assert_eq!(gallery.view().age, Some(Duration::from_mins(2)));
        let shown = fixture::service("cinder-volume", "block1");
        let other = fixture::service("cinder-volume", "block2");
        let hours = gallery.hours([&shown, &other]);
        let minutes = hours[0].unwrap().minutes;
        assert_eq!(minutes[MINUTES - 2..], [None, None]);
        assert!(minutes[MINUTES - 3].is_some());
        assert_eq!(hours[1], None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_lately_is_ready_and_nothing_else() {
        let gallery = Gallery::new(Duration::from_secs(30), Duration::from_secs(5));
        gallery.ask(Format::OpenMetrics, Encoding::Gzip);
        gallery.show(picture(), || {});
        let shown = gallery.latest().unwrap();
        assert!(shown.gzip[Format::OpenMetrics as usize].get().is_some());
        assert!(shown.text[Format::Text as usize].get().is_none());

        tokio::time::advance(REMEMBERED).await;
        gallery.show(picture(), || {});
        let shown = gallery.latest().unwrap();
        assert!(shown.gzip[Format::OpenMetrics as usize].get().is_none());
        assert!(shown.text[Format::OpenMetrics as usize].get().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_json_of_a_picture_is_rendered_once() {
        let picture = picture();
        for selection in [Selection::All, Selection::Down] {
            for encoding in [Encoding::Identity, Encoding::Gzip] {
                assert_eq!(picture.rendered_json(selection, encoding), None);
                let first = picture.json(selection, encoding).clone();
                let again = picture.rendered_json(selection, encoding).unwrap();
                assert_eq!(first.as_ptr(), again.as_ptr());
            }
        }
        let identity = |selection| picture.json(selection, Encoding::Identity);
        assert!(
            std::str::from_utf8(identity(Selection::All)).is_ok_and(|text| text.contains("block1"))
        );
    }
}
