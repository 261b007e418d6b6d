//! The active configuration, and how a reload replaces it.
//!
//! A reload applies the whole new configuration, or none of it. One reload runs at a time. Requests that arrive during
//! a reload are answered by the next one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::discovery::{Discovery, Look};
use super::pollers::Pollers;
use super::{logging, systemd};
use crate::config::change::Change;
use crate::config::fault::Fault;
use crate::config::search::Search;
use crate::config::settings::Settings;
use crate::database::Target;
use crate::error::chain;
use crate::heartbeat::failure::Class;
use crate::publish::latest::Latest;
use crate::publish::telemetry::ConfigPart;
use crate::report::view::{SearchState, View};
use crate::source::finding::Finding;
use crate::web::access::Access;
use crate::web::reload::{ReloadOutcome, ReloadRequest};

/// Loads the settings from the same places as at the start.
pub(crate) type Load = Arc<dyn Fn() -> Result<Settings, Vec<Fault>> + Send + Sync>;

/// Shortest time between two checks for another login. The polls of all sources are occasions for one.
const CHECK_LOGIN_AGAIN: Duration = Duration::from_millis(500);

/// The largest number of databases that are found and read.
const MOST_FOUND: usize = 64;

/// The active configuration.
pub(crate) struct Configuration {
    load: Load,
    access: Arc<Access>,
    started: Arc<Settings>,
    current: Arc<Settings>,
    pollers: Arc<Pollers>,
    latest: Arc<Latest>,
    /// What [`Discovery`] looks for.
    searches: watch::Sender<Option<Arc<Search>>>,
    /// Whether a look for the active search has succeeded.
    has_looked: bool,
    /// When the settings were last loaded to check for another login.
    login_checked: Instant,
}

impl Configuration {
    /// Makes the settings of the start the active configuration.
    pub(crate) fn new(
        load: Load,
        access: Arc<Access>,
        settings: Arc<Settings>,
        pollers: Arc<Pollers>,
        latest: Arc<Latest>,
    ) -> Self {
        publish_search(&latest, &settings);
        Self {
            load,
            access,
            started: settings.clone(),
            current: settings,
            pollers,
            latest,
            searches: watch::Sender::default(),
            has_looked: false,
            login_checked: Instant::now(),
        }
    }

    /// Reloads on each signal and each request, and takes up the databases that are found, until all of them are closed.
    ///
    /// Also reloads when a database refuses the login and the configured login has changed since it was loaded.
    pub(crate) async fn run(
        mut self,
        mut signal: Signal,
        mut requests: mpsc::Receiver<ReloadRequest>,
    ) {
        let mut polls = self.latest.polls();
        let (sender, mut looks) = mpsc::channel(1);
        let discovery = Discovery::new(self.searches.subscribe(), sender);
        tokio::spawn(discovery.run());
        self.search();
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                Some(()) = signal.recv() => {}
                Some(request) = requests.recv() => waiting.push(request),
                look = looks.recv() => {
                    // It ends only by a panic. Without it the exporter must be restarted.
                    let Some(look) = look else { return };
                    self.take(look).await;
                    continue;
                }
                Ok(()) = polls.changed() => {
                    if !self.is_login_outdated().await {
                        continue;
                    }
                    info!("reloading: a database refused the login, and the configured login has changed");
                }
                else => return,
            }
            while let Ok(request) = requests.try_recv() {
                waiting.push(request);
            }
            systemd::reloading();
            let outcome = self.reload().await;
            systemd::ready();
            for request in waiting {
                // The requester may be gone.
                let _ = request.send(outcome.clone());
            }
        }
    }

    /// Returns whether a database refuses the active login, and the configured login has changed since.
    ///
    /// A rotated password may reach this machine later than the database.
    async fn is_login_outdated(&mut self) -> bool {
        let is_refused = |view: &View| view.outage.is_some_and(|it| it.class == Class::Auth);
        let views = self.latest.views();
        let refused: Vec<_> = views.iter().filter(|view| is_refused(view)).collect();
        let is_search_refused = self.latest.search() == Some(SearchState::Failed(Class::Auth));
        let is_refused = is_search_refused || !refused.is_empty();
        if !is_refused || self.login_checked.elapsed() < CHECK_LOGIN_AGAIN {
            return false;
        }
        self.login_checked = Instant::now();
        let load = self.load.clone();
        // The next reload reports faults.
        let Ok(Ok(mut settings)) = tokio::task::spawn_blocking(move || load()).await else {
            return false;
        };
        settings.keep_found(&self.current);
        let url = |settings: &Settings| settings.search.as_ref().map(Search::url);
        if is_search_refused && url(&settings) != url(&self.current) {
            return true;
        }
        let target = |settings: &Settings, name| settings.source(name).map(Target::of);
        let mut names = refused.iter().map(|view| &*view.database);
        names.any(|name| target(&settings, name) != target(&self.current, name))
    }

    async fn reload(&mut self) -> ReloadOutcome {
        let (load, access) = (self.load.clone(), self.access.clone());
        let work = move || {
            let settings = load().map_err(|faults| (ConfigPart::Settings, faults))?;
            let reloaded = access.reload();
            reloaded.map_err(|faults| (ConfigPart::Web, faults))?;
            Ok(settings)
        };
        // The files may be on a network file system and block.
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(settings)) => Ok(self.adopt(settings).await),
            Ok(Err((part, faults))) => {
                let faults = faults.iter().map(|fault| chain(fault)).collect();
                Err(self.refuse(part, faults))
            }
            Err(error) => {
                let remedy = "this is a bug in the exporter: please report it with the log";
                let fault = format!("{error}; {remedy}");
                Err(self.refuse(ConfigPart::Settings, vec![fault]))
            }
        }
    }

    fn refuse(&self, part: ConfigPart, faults: Vec<String>) -> Vec<String> {
        for fault in &faults {
            error!(fault, "invalid configuration");
        }
        error!(
            faults = faults.len(),
            "reload failed; the previous configuration stays active"
        );
        self.latest.config_refused(part);
        faults
    }

    /// Looks for databases as the active settings say.
    fn search(&mut self) {
        self.has_looked = false;
        self.searches
            .send_replace(self.current.search.clone().map(Arc::new));
    }

    /// Takes up what a look found. Databases stay until a reload, whether later looks find them or not.
    async fn take(&mut self, look: Look) {
        let active = self.searches.borrow().clone();
        if !active.is_some_and(|active| Arc::ptr_eq(&active, &look.search)) {
            return;
        }
        let state = match &look.found {
            Ok(finding) if finding.is_complete() => SearchState::Found,
            Ok(finding) if finding.unreadable.is_empty() => SearchState::Empty,
            Ok(_) => SearchState::Partial,
            Err(class) => SearchState::Failed(*class),
        };
        if let Ok(finding) = look.found {
            self.read_found(finding).await;
        }
        self.latest.searched(Some(state));
    }

    /// Reads what was found, and goes on with what was known. After a reload, that is only what still looks like a
    /// project's database.
    async fn read_found(&mut self, finding: Finding) {
        let mut settings = Settings::clone(&self.current);
        if !self.has_looked {
            let unreadable = finding.unreadable_names();
            settings
                .sources
                .retain(|source| unreadable.contains(source.url.database.as_str()));
        }
        self.has_looked = true;
        for source in finding.sources {
            let (database, project) = (&source.name, source.project.name);
            if settings.source(database).is_some() {
                continue;
            }
            if settings.sources.len() == MOST_FOUND {
                warn!(
                    database,
                    project,
                    most = MOST_FOUND,
                    "a database is left out: too many were found; see discovery.exclude"
                );
                continue;
            }
            if self.current.source(database).is_none() {
                info!(database, project, "found a database");
            }
            settings.sources.push(source);
        }
        self.pollers.adopt(Some(&self.current), &settings).await;
        self.current = Arc::new(settings);
    }

    async fn adopt(&mut self, mut settings: Settings) -> Change {
        settings.keep_found(&self.current);
        publish_search(&self.latest, &settings);
        let change = Change::between(&self.started, &self.current, &settings);
        for warning in &settings.warnings {
            warn!("{warning}");
        }
        logging::set_level(settings.log.level);
        self.pollers.adopt(Some(&self.current), &settings).await;
        self.current = Arc::new(settings);
        self.search();
        self.latest
            .config_loaded(&[ConfigPart::Settings, ConfigPart::Web], now());
        let changed = change.taken.join(", ");
        if changed.is_empty() {
            info!("configuration reloaded; nothing changed");
        } else {
            info!(changed, "configuration reloaded");
        }
        if !change.restart.is_empty() {
            let settings = change.restart.join(", ");
            warn!(settings, "changed settings take effect after a restart");
        }
        change
    }
}

/// Publishes whether databases are looked for, before any is found.
fn publish_search(latest: &Latest, settings: &Settings) {
    if settings.search.is_some() != latest.search().is_some() {
        latest.searched(settings.search.as_ref().map(|_| SearchState::Running));
    }
}

/// Returns the time since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the time is only shown to people; nothing is computed from it"
)]
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
