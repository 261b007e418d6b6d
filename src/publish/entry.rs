//! The published state of each source: one writer a source, and many readers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::demand::Demand;
use super::entry_settings::EntrySettings;
use super::metrics_page::{MetricsPage, OwnMetrics, Shown};
use super::rendered::RenderedSnapshot;
use super::services::Published;
use super::telemetry::Telemetry;
use crate::database::Product;
use crate::heartbeat::failure::Class;
use crate::heartbeat::history::History;
use crate::heartbeat::snapshot::Snapshot;
use crate::report::view::{Outage, SearchState, View};
use crate::source::poller::Sink;
use crate::source::{Poll, PollSettings, axis};

/// State of one source after its last poll.
#[derive(Debug)]
pub(super) struct Current {
    rendered: Option<Arc<RenderedSnapshot>>,
    /// When the first of the latest failures in a row happened, and the class of the last one.
    outage: Option<(Instant, Class)>,
    settings: EntrySettings,
    /// The product that answers; `None` before the first answer.
    product: Option<Product>,
    added: Instant,
    /// When the last poll ended; `None` before the first.
    polled: Option<Instant>,
    /// Also tells this source from a later one of the same name.
    pub(super) history: Arc<Mutex<History>>,
}

impl Current {
    fn new(settings: EntrySettings) -> Self {
        Self {
            rendered: None,
            outage: None,
            settings,
            product: None,
            added: Instant::now(),
            polled: None,
            history: Arc::new(Mutex::new(History::new(settings.poll_interval))),
        }
    }

    /// Returns the latest snapshot and its age, if there is one.
    ///
    /// The age is checked here, and not when a poll fails: a poller that hangs must not keep an old snapshot alive.
    fn aged(&self) -> Option<(Shown, Duration)> {
        let rendered = self.rendered.clone()?;
        let age = axis::now() - rendered.taken;
        let age = age.to_std().unwrap_or_default();
        let is_withheld = age >= self.settings.stale_after;
        let shown = Shown {
            rendered,
            is_withheld,
        };
        Some((shown, age))
    }

    /// Returns the view of the source of this name, and the rendered snapshot unless it is withheld. The clock is read
    /// once, so that both agree.
    fn published(&self, database: &Arc<str>) -> (View, Option<Arc<RenderedSnapshot>>) {
        let (shown, age) = self.aged().unzip();
        let rendered = shown.and_then(|shown| (!shown.is_withheld).then_some(shown.rendered));
        let view = View {
            database: database.clone(),
            snapshot: rendered.as_ref().map(|rendered| rendered.snapshot.clone()),
            age,
            outage: self.outage.map(|(since, class)| Outage {
                lasted: since.elapsed(),
                class,
            }),
            stale_after: self.settings.stale_after,
            poll_interval: self.settings.poll_interval,
            watched: self.added.elapsed(),
        };
        (view, rendered)
    }

    /// Returns whether a poll has ended.
    pub(super) fn was_polled(&self) -> bool {
        self.polled.is_some()
    }

    /// Returns whether no poll ended for longer than a poll may take.
    pub(super) fn is_overdue(&self) -> bool {
        let last = self.polled.unwrap_or(self.added);
        last.elapsed() > self.settings.longest_poll
    }
}

/// All sources, and the page that was made of them last.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) sources: BTreeMap<Arc<str>, Current>,
    pub(super) page: Arc<MetricsPage>,
    /// `None` where all sources are named.
    pub(super) search: Option<SearchState>,
}

impl State {
    /// Returns the latest snapshot of each source.
    fn shown(&self) -> Vec<Shown> {
        let shown = self.sources.values().filter_map(Current::aged);
        shown.map(|(shown, _)| shown).collect()
    }

    /// Returns the view of each source, and the rendered snapshots that are not withheld.
    pub(super) fn published(&self) -> Published {
        let sources = self.sources.iter();
        let (views, rendered): (_, Vec<_>) = sources
            .map(|(database, current)| current.published(database))
            .unzip();
        let rendered = rendered.into_iter().flatten().collect();
        Published { views, rendered }
    }

    /// Makes the page again, with the current values of the own metrics.
    pub(super) fn gather(&mut self, telemetry: &Telemetry) {
        let own = OwnMetrics::gather(telemetry).into();
        self.page = Arc::new(MetricsPage::new(self.shown(), own));
    }

    /// Leaves out of the page what is withheld since it was made.
    pub(super) fn withhold(&mut self) {
        let shown = self.shown();
        if !self.page.shows(&shown) {
            self.page = Arc::new(MetricsPage::new(shown, self.page.own.clone()));
        }
    }
}

/// What all sources share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) telemetry: Telemetry,
    pub(super) demand: Demand,
    /// Number of polls so far.
    pub(super) polls: watch::Sender<u64>,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self {
            telemetry,
            demand: Demand::new(),
            polls: watch::Sender::new(0),
            state: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic leaves a page that belongs to an earlier poll; the next poll makes it again.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gathers the own metrics again, so that the next scrape has what just happened.
    pub(super) fn gather(&self) {
        self.state().gather(&self.telemetry);
        self.make_ready();
    }

    /// Assembles the answers in demand.
    pub(super) fn make_ready(&self) {
        let page = {
            let mut state = self.state();
            state.withhold();
            state.page.clone()
        };
        for (format, encoding) in self.demand.iter() {
            let _ = page.pieces(format, encoding);
        }
    }
}

/// The place of one source among those that are published. Its poller writes to it.
///
/// Polls that end after the source was removed are ignored.
#[derive(Debug)]
pub struct Entry {
    database: Arc<str>,
    shared: Arc<Shared>,
    history: Arc<Mutex<History>>,
}

impl Entry {
    /// Adds a source, in place of one with the same name.
    pub(super) fn add(shared: &Arc<Shared>, database: &str, settings: EntrySettings) -> Self {
        let current = Current::new(settings);
        let entry = Self {
            database: database.into(),
            shared: shared.clone(),
            history: current.history.clone(),
        };
        let mut state = shared.state();
        shared.telemetry.remove(database);
        shared.telemetry.add(database, &settings);
        state.sources.insert(entry.database.clone(), current);
        state.gather(&shared.telemetry);
        drop(state);
        entry
    }

    /// Renders a snapshot in the encodings in demand, and publishes it in place of the last one.
    ///
    /// A scrape sees the services of a poll and the own metrics of the same poll, or neither.
    #[expect(
        clippy::must_use_candidate,
        reason = "called to publish; the rendered snapshot is for the log and for tests"
    )]
    pub fn show(&self, poll: Poll) -> Arc<RenderedSnapshot> {
        let before = {
            let state = self.shared.state();
            let current = state.sources.get(&self.database);
            current.and_then(|current| current.rendered.clone())
        };
        let Poll { snapshot, sent, .. } = poll;
        let rendered = RenderedSnapshot::new(self.database.clone(), snapshot, sent);
        rendered.follow(before.as_deref(), |encoding| {
            let mut demand = self.shared.demand.iter();
            demand.any(|(_, asked)| asked == encoding)
        });
        drop(before);
        self.history().record(rendered.taken, &rendered.snapshot);
        let rendered = Arc::new(rendered);
        self.polled(|telemetry, current| {
            telemetry.poll_succeeded(&self.database, poll.took, &rendered.snapshot, poll.clock);
            current.rendered = Some(rendered.clone());
            current.outage = None;
        });
        rendered
    }

    /// Publishes that a poll failed.
    pub(crate) fn fail(&self, class: Class, took: Duration) {
        self.polled(|telemetry, current| {
            telemetry.poll_failed(&self.database, took, class);
            let since = current.outage.map_or_else(Instant::now, |(since, _)| since);
            current.outage = Some((since, class));
        });
    }

    fn polled(&self, change: impl FnOnce(&Telemetry, &mut Current)) {
        self.change(|telemetry, current| {
            current.polled = Some(Instant::now());
            change(telemetry, current);
        });
        self.shared.polls.send_modify(|polls| *polls += 1);
    }

    /// Changes the state and the page at once, unless the source was removed.
    fn change(&self, change: impl FnOnce(&Telemetry, &mut Current)) {
        let telemetry = &self.shared.telemetry;
        let mut state = self.shared.state();
        let current = state.sources.get_mut(&self.database);
        if let Some(current) =
            current.filter(|current| Arc::ptr_eq(&current.history, &self.history))
        {
            change(telemetry, current);
            state.gather(telemetry);
        }
        drop(state);
        self.shared.make_ready();
    }

    fn history(&self) -> MutexGuard<'_, History> {
        locked(&self.history)
    }
}

/// Locks a history. A panic while recording leaves one that lacks rows; the next snapshot adds them again.
pub(super) fn locked(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Entry {
    fn answered_by(&self, product: &Product) {
        self.change(|telemetry, current| {
            current.product = Some(product.clone());
            telemetry.configured(&self.database, &current.settings, Some(product));
        });
    }

    fn succeeded(&self, poll: Poll) -> Arc<Snapshot> {
        self.show(poll).snapshot.clone()
    }

    fn failed(&self, class: Class, took: Duration) {
        self.fail(class, took);
    }

    fn lost(&self) {
        self.polled(|_, _| {});
    }

    fn reconfigured(&self, settings: &PollSettings) {
        self.reconfigure(EntrySettings::of(settings));
    }
}

impl Entry {
    /// Goes on from earlier snapshots of the same source. Call it before the first poll.
    pub(crate) fn resume(&self, history: History) {
        *self.history() = history;
    }

    /// Changes the settings. The latest snapshot and the last hour are kept.
    pub(crate) fn reconfigure(&self, settings: EntrySettings) {
        self.history().set_poll_interval(settings.poll_interval);
        self.change(|telemetry, current| {
            if current.settings.engine != settings.engine {
                current.product = None;
            }
            current.settings = settings;
            telemetry.configured(&self.database, &settings, current.product.as_ref());
        });
    }
}
