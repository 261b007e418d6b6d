//! The configuration in force, and how another takes its place while the exporter runs.
//!
//! A configuration is taken as a whole or not at all. One reload runs at a time, and everybody who asks meanwhile
//! is answered by the next one, which begins after the question.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::{logging, systemd};
use crate::config::change::Change;
use crate::config::fault::Fault;
use crate::config::settings::Settings;
use crate::database::Target;
use crate::error::chain;
use crate::heartbeat::failure::Class;
use crate::publish::latest::Latest;
use crate::publish::loading::ConfigPart;
use crate::publish::metrics_page::OwnMetrics;
use crate::publish::telemetry::Telemetry;
use crate::source::poll_settings::PollSettings;
use crate::source::poller::Reconfigure;
use crate::web::access::Access;

/// What became of a reload: what changed, or everything that is wrong.
pub(crate) type Answer = Result<Change, Vec<String>>;

/// Loads the settings from where they were loaded at the start.
pub(crate) type Load = Arc<dyn Fn() -> Result<Settings, Vec<Fault>> + Send + Sync>;

/// Questions that wait while a reload runs; more wait to be put.
const QUEUE: usize = 16;

/// The way to have the configuration loaded anew.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<oneshot::Sender<Answer>>);

/// Who asks for reloads.
#[derive(Debug)]
pub(crate) struct Requests(mpsc::Receiver<oneshot::Sender<Answer>>);

impl Reload {
    /// Returns both ends of the way.
    #[must_use]
    pub(crate) fn channel() -> (Self, Requests) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), Requests(receiver))
    }

    /// Has the configuration loaded anew and waits until that is done; `None` when the exporter is about to end.
    pub(crate) async fn request(&self) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        self.0.send(sender).await.ok()?;
        answer.await.ok()
    }
}

/// Holds the configuration in force.
pub(crate) struct Configuration {
    load: Load,
    access: Arc<Access>,
    started: Arc<Settings>,
    current: Arc<Settings>,
    poller: mpsc::Sender<Reconfigure>,
    telemetry: Arc<Telemetry>,
    latest: Arc<Latest>,
    /// How long the watchdog waits for a poll.
    patience: watch::Sender<Duration>,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

impl Configuration {
    /// Takes over the settings that the exporter was started with.
    #[must_use]
    pub(crate) fn new(
        load: Load,
        access: Arc<Access>,
        settings: Settings,
        poller: mpsc::Sender<Reconfigure>,
        telemetry: Arc<Telemetry>,
        latest: Arc<Latest>,
    ) -> Self {
        let settings = Arc::new(settings);
        Self {
            load,
            access,
            started: settings.clone(),
            patience: watch::Sender::new(PollSettings::of(&settings).patience()),
            current: settings,
            poller,
            telemetry,
            latest,
        }
    }

    /// Returns how long a poll may take in the configuration in force.
    #[must_use]
    pub(crate) fn patience(&self) -> watch::Receiver<Duration> {
        self.patience.subscribe()
    }

    /// Reloads at each signal and each request, until nobody is left who could ask; and when the database refuses a
    /// password that was replaced meanwhile. `polls` changes with each poll.
    pub(crate) async fn run(
        mut self,
        mut signal: Signal,
        mut requests: Requests,
        mut polls: watch::Receiver<u64>,
    ) {
        loop {
            let mut asking = Vec::new();
            tokio::select! {
                Some(()) = signal.recv() => {}
                Some(request) = requests.0.recv() => asking.push(request),
                Ok(()) = polls.changed() => {
                    if !self.is_login_outdated().await {
                        continue;
                    }
                    info!("the database refuses a login that was replaced meanwhile");
                }
                else => return,
            }
            while let Ok(request) = requests.0.try_recv() {
                asking.push(request);
            }
            systemd::reloading();
            let answer = self.reload().await;
            systemd::ready();
            for request in asking {
                // Whoever asked may be gone.
                let _ = request.send(answer.clone());
            }
        }
    }

    /// Returns whether the database refuses the login in force, and another one stands where that came from: a
    /// password that was rotated may be known here later than to the database.
    async fn is_login_outdated(&self) -> bool {
        let outage = self.latest.view().outage;
        if outage.is_none_or(|outage| outage.class != Class::Auth) {
            return false;
        }
        let load = self.load.clone();
        // What is wrong with the settings is said when somebody asks for them.
        let Ok(Ok(settings)) = tokio::task::spawn_blocking(move || load()).await else {
            return false;
        };
        Target::of(&settings) != Target::of(&self.current)
    }

    async fn reload(&mut self) -> Answer {
        let (load, access) = (self.load.clone(), self.access.clone());
        let work = move || {
            let settings = load().map_err(|faults| (ConfigPart::Settings, faults))?;
            access
                .reload()
                .map_err(|faults| (ConfigPart::Web, faults))?;
            Ok(settings)
        };
        // Files may lie on a network.
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(settings)) => Ok(self.adopt(settings).await),
            Ok(Err((part, faults))) => {
                let faults = faults.iter().map(|fault| chain(fault)).collect();
                Err(self.refuse(part, faults))
            }
            Err(error) => {
                let mistake = "this is a mistake in the exporter, please report it with the log";
                let fault = format!("{error}; {mistake}");
                Err(self.refuse(ConfigPart::Settings, vec![fault]))
            }
        }
    }

    fn refuse(&self, part: ConfigPart, faults: Vec<String>) -> Vec<String> {
        for fault in &faults {
            error!(fault, "the new configuration is wrong");
        }
        error!(
            faults = faults.len(),
            "the configuration was not reloaded, and the old one is kept in full"
        );
        self.telemetry.config_refused(part);
        self.latest.gather(|| OwnMetrics::gather(&self.telemetry));
        faults
    }

    async fn adopt(&mut self, settings: Settings) -> Change {
        let change = Change::between(&self.started, &self.current, &settings);
        for warning in &settings.warnings {
            warn!("{warning}");
        }
        logging::set_level(settings.log.level);
        let plan = PollSettings::of(&settings);
        if plan != PollSettings::of(&self.current) {
            self.patience.send_replace(plan.patience());
            let (adopted, done) = oneshot::channel();
            // A poller that has ended has nothing to adopt.
            if self
                .poller
                .send(Reconfigure { plan, adopted })
                .await
                .is_ok()
            {
                let _ = done.await;
            }
        }
        self.current = Arc::new(settings);
        for part in [ConfigPart::Settings, ConfigPart::Web] {
            self.telemetry.config_loaded(part, now());
        }
        self.latest.gather(|| OwnMetrics::gather(&self.telemetry));
        let changed = change.taken.join(", ");
        if changed.is_empty() {
            info!("the configuration was reloaded; nothing new is in force");
        } else {
            info!(changed, "the configuration was reloaded");
        }
        if !change.restart.is_empty() {
            let settings = change.restart.join(", ");
            warn!(settings, "a change of these settings takes a restart");
        }
        change
    }
}

/// Returns the time since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a point in time for people, from which nothing is computed"
)]
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
