//! The pollers of all sources: one task a source, started and ended by reloads.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::info;

use super::past::{Past, Pasts};
use crate::config::settings::Settings;
use crate::config::source::SourceSettings;
use crate::publish::latest::{EntrySettings, Latest};
use crate::source::PollSettings;
use crate::source::poller::{Poller, Reconfigure};

/// Runs a poller for each source. No source waits for another one.
pub(crate) struct Pollers {
    latest: Arc<Latest>,
    running: Mutex<BTreeMap<String, Running>>,
    /// What is known of sources that were not started yet.
    pasts: std::sync::Mutex<Pasts>,
    /// Notified when a poller panics.
    panicked: Arc<Notify>,
}

/// A poller and how to reach it.
struct Running {
    requests: mpsc::Sender<Reconfigure>,
    stop: watch::Sender<bool>,
    /// Ends with the poller.
    task: JoinHandle<()>,
}

impl Pollers {
    /// Returns none; [`adopt`](Self::adopt) starts them. Those of `pasts` go on from there.
    pub(crate) fn new(latest: Arc<Latest>, pasts: Pasts) -> Self {
        Self {
            latest,
            pasts: pasts.into(),
            running: Mutex::default(),
            panicked: Arc::default(),
        }
    }

    /// Starts, changes and ends pollers, so that there is one for each source of `new`. `current` has the settings of
    /// those that run.
    ///
    /// Returns when the changed ones have taken up their settings, between two polls. The others are not touched.
    pub(crate) async fn adopt(&self, current: Option<&Settings>, new: &Settings) {
        let mut running = self.running.lock().await;
        let before = |source: &SourceSettings| current?.source(&source.name);
        // The services of another project have nothing in common with those that are known.
        let stays = |source: &&SourceSettings| {
            before(source).is_some_and(|before| before.project == source.project)
        };
        let kept: Vec<&SourceSettings> = new.sources.iter().filter(stays).collect();
        let is_kept = |name: &String| kept.iter().any(|source| source.name == *name);
        let gone = running.extract_if(.., |name, _| !is_kept(name));
        self.end(gone.collect()).await;

        let mut pending = Vec::new();
        for source in &new.sources {
            let settings = PollSettings::of(source);
            let Some(poller) = running.get(&source.name) else {
                running.insert(source.name.clone(), self.start(settings));
                continue;
            };
            if before(source).is_some_and(|before| PollSettings::of(before) == settings) {
                continue;
            }
            let (done, is_done) = oneshot::channel();
            // Sending fails only if the poller has panicked.
            if poller
                .requests
                .send(Reconfigure { settings, done })
                .await
                .is_ok()
            {
                pending.push(is_done);
            }
        }
        for is_done in pending {
            let _ = is_done.await;
        }
    }

    fn start(&self, settings: PollSettings) -> Running {
        let entry = self
            .latest
            .add(&settings.name, EntrySettings::of(&settings));
        let (requests, reconfigurations) = mpsc::channel(1);
        let (stop, stopping) = watch::channel(false);
        let past = self.past(&settings.name);
        let mut poller = Poller::new(settings, entry.clone());
        if let Some(Past { memory, history }) = past {
            entry.resume(history);
            poller.resume(memory);
        }
        let polling = tokio::spawn(poller.run(reconfigurations, stopping));
        let panicked = self.panicked.clone();
        let task = tokio::spawn(async move {
            if polling.await.is_err() {
                panicked.notify_one();
            }
        });
        Running {
            requests,
            stop,
            task,
        }
    }

    /// Returns what is known of a source, once.
    fn past(&self, name: &str) -> Option<Past> {
        let mut pasts = self.pasts.lock().unwrap_or_else(PoisonError::into_inner);
        pasts.remove(name)
    }

    /// Ends pollers at the same time, and removes what is published of their sources.
    async fn end(&self, pollers: BTreeMap<String, Running>) {
        for poller in pollers.values() {
            poller.stop.send_replace(true);
        }
        for (name, poller) in pollers {
            // A panic was reported already.
            let _ = poller.task.await;
            self.latest.remove(&name);
            info!(database = name, "the source is no longer read");
        }
    }

    /// Waits until a poller panics. Without its polls the exporter must be restarted.
    pub(crate) async fn panicked(&self) {
        self.panicked.notified().await;
    }

    /// Ends all pollers, and keeps what is published.
    pub(crate) async fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock().await);
        for poller in running.values() {
            poller.stop.send_replace(true);
        }
        for poller in running.into_values() {
            let _ = poller.task.await;
        }
    }
}
