//! The latest snapshot of each source until it is stale, the hour before it, the failures since, and the own metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::entry::{Current, Shared, locked};
use super::exposition::Format;
use super::metrics_page::MetricsPage;
use super::rendered::Encoding;
#[cfg(test)]
use super::rendered::RenderedSnapshot;
use super::services::Published;
use super::telemetry::{ConfigPart, Telemetry};
pub use super::{entry::Entry, entry_settings::EntrySettings};
use crate::heartbeat::history::Hour;
use crate::heartbeat::service::Service;
use crate::report::view::{SearchState, View};
use crate::source::axis;

/// The published state of all sources.
#[derive(Debug)]
pub struct Latest {
    shared: Arc<Shared>,
}

impl Latest {
    /// Creates it without sources.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self {
            shared: Arc::new(Shared::new(telemetry)),
        }
    }

    /// Adds a source, whose name is the label `database`, in place of one with the same name. Its poller writes to the
    /// entry.
    #[must_use]
    pub fn add(&self, database: &str, settings: EntrySettings) -> Arc<Entry> {
        Arc::new(Entry::add(&self.shared, database, settings))
    }

    /// Removes a source, its snapshot, and its own metrics. Its entry ignores all later polls.
    pub fn remove(&self, database: &str) {
        let mut state = self.shared.state();
        state.sources.remove(database);
        self.shared.telemetry.remove(database);
        state.gather(&self.shared.telemetry);
    }

    /// Publishes what the last look for databases found; `None` where none are looked for.
    pub(crate) fn searched(&self, search: Option<SearchState>) {
        let mut state = self.shared.state();
        state.search = search;
        let is_up = search.map(|search| search == SearchState::Found);
        self.shared.telemetry.searched(is_up);
        state.gather(&self.shared.telemetry);
        drop(state);
        self.shared.polls.send_modify(|polls| *polls += 1);
    }

    /// Returns what the last look for databases found; `None` where none are looked for.
    pub(crate) fn search(&self) -> Option<SearchState> {
        self.shared.state().search
    }

    /// Returns the exporter's own metrics, to count what happened. It is published within a second of a scrape.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    /// Returns the number of polls of all sources and of looks for databases so far, failed ones included, and tells when
    /// it changes.
    pub(crate) fn polls(&self) -> watch::Receiver<u64> {
        self.shared.polls.subscribe()
    }

    /// Returns whether a poll of every source has ended, and the first look for databases, successfully or not.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.shared.state();
        state.search != Some(SearchState::Running)
            && state.sources.values().all(Current::was_polled)
    }

    /// Returns the name of a source whose poller hangs.
    pub(crate) fn overdue(&self) -> Option<Arc<str>> {
        let state = self.shared.state();
        let mut sources = state.sources.iter();
        let overdue = sources.find(|(_, current)| current.is_overdue());
        overdue.map(|(database, _)| database.clone())
    }

    /// Publishes that parts of the configuration were loaded, at a time since the Unix epoch.
    pub(crate) fn config_loaded(&self, parts: &[ConfigPart], at: Duration) {
        for &part in parts {
            self.shared.telemetry.config_loaded(part, at);
        }
        self.shared.gather();
    }

    /// Publishes that a part of the configuration was refused, and the old one is kept.
    pub(crate) fn config_refused(&self, part: ConfigPart) {
        self.shared.telemetry.config_refused(part);
        self.shared.gather();
    }

    /// Gathers the own metrics again if a client scraped lately. Call it every second.
    pub(crate) fn refresh(&self) {
        if self.shared.demand.iter().next().is_some() {
            self.shared.gather();
        }
    }

    /// Notes that a format was asked for, so that the next snapshots are ready in it.
    pub fn ask(&self, format: Format, encoding: Encoding) {
        self.shared.demand.note(format, encoding);
    }

    /// Returns the answer to a scrape, without the snapshots that are withheld. Gathers the own metrics if that was not
    /// done lately; the first of many concurrent scrapes does it for all.
    pub(crate) fn page(&self) -> Arc<MetricsPage> {
        let mut state = self.shared.state();
        if state.page.own.are_fresh() {
            state.withhold();
        } else {
            state.gather(&self.shared.telemetry);
        }
        state.page.clone()
    }

    /// Returns a consistent view of one moment, of each source, sorted by name.
    pub(crate) fn views(&self) -> Vec<View> {
        self.published().views
    }

    /// Returns the views of one moment with what is rendered of them.
    pub(crate) fn published(&self) -> Published {
        self.shared.state().published()
    }

    /// Returns the last hour of these services of one source, in their order, up to now.
    pub(crate) fn hours<'a>(
        &self,
        database: &str,
        services: impl IntoIterator<Item = &'a Service>,
    ) -> Vec<Option<Hour>> {
        let services = services.into_iter();
        let state = self.shared.state();
        let history = state
            .sources
            .get(database)
            .map(|current| current.history.clone());
        drop(state);
        let Some(history) = history else {
            return services.map(|_| None).collect();
        };
        let history = locked(&history);
        // Read while the lock is held, so that no snapshot is younger.
        let now = axis::now();
        services.map(|service| history.hour(service, now)).collect()
    }
}

#[cfg(test)]
impl Latest {
    /// Returns one with the source `cinder`, a limit of 30 s and a poll interval of 5 s.
    pub(crate) fn fixture() -> (Self, Arc<Entry>) {
        let latest = Self::new(Telemetry::new(Duration::ZERO).unwrap());
        let entry = latest.add("cinder", EntrySettings::fixture());
        (latest, entry)
    }
}

#[cfg(test)]
impl Entry {
    /// Publishes a poll that has just found one service: `cinder-volume` on `block1`.
    pub(crate) fn show_one(&self) -> Arc<RenderedSnapshot> {
        self.show_one_of(chrono::TimeDelta::zero())
    }

    /// Publishes the same poll, which began so long ago.
    pub(crate) fn show_one_of(&self, age: chrono::TimeDelta) -> Arc<RenderedSnapshot> {
        let rendered = RenderedSnapshot::fixture();
        self.show(crate::source::Poll {
            snapshot: (*rendered.snapshot).clone(),
            sent: rendered.taken - age,
            took: Duration::ZERO,
            clock: crate::heartbeat::time::ClockOffset::default(),
        })
    }
}

#[cfg(test)]
mod tests;
