//! The active web configuration: what clients must prove, and when its files are reloaded.
//!
//! A reload replaces all rules or none: a file with a fault leaves the old rules active.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::rustls::ServerConfig;
use tracing::{error, info};

use super::login::{LoginChecker, Users};
use super::rate_limit::Bucket;
use super::refusal::Refusal;
use super::tls;
use crate::config::fault::Fault;
use crate::config::web::{self, RateLimit};
use crate::error::chain;

/// Time between two checks of the files for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Files, each with its stamp; `None` for a file that is missing or inaccessible.
type FileStamps = Vec<(PathBuf, Option<FileStamp>)>;

/// Metadata that changes with the content of a file. Times are seconds and nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The rules for clients, with the state that outlives a reload.
#[derive(Debug)]
pub struct Access {
    /// The web configuration file; `None`: plain HTTP without any rules.
    file: Option<PathBuf>,
    rules: RwLock<Arc<Rules>>,
    /// Keeps its cache over a reload.
    login_checker: LoginChecker,
    bucket: Mutex<Bucket>,
    /// The files at the last read, successful or not.
    stamps: Mutex<FileStamps>,
    /// The files at the last check.
    checked: Mutex<FileStamps>,
}

/// Rules of one version of the files.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    users: Users,
    rate_limit: Option<RateLimit>,
}

impl Access {
    /// Reads the web configuration file, if any, and all files that it names.
    ///
    /// # Errors
    /// All faults.
    pub fn new(file: Option<PathBuf>) -> Result<Self, Vec<Fault>> {
        let (rules, stamps) = match &file {
            None => (Ok(Rules::default()), FileStamps::default()),
            Some(file) => read(file),
        };
        let login_checker = LoginChecker::new().map_err(|_| {
            let (origin, what) = ("the system".into(), "provides no random numbers".into());
            vec![Fault::Syntax { origin, what }]
        })?;
        Ok(Self {
            file,
            rules: RwLock::new(Arc::new(rules?)),
            login_checker,
            bucket: Mutex::default(),
            stamps: Mutex::new(stamps),
            checked: Mutex::default(),
        })
    }

    /// Returns the active rules.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    /// Checks a request against the rate limit and the users.
    ///
    /// # Errors
    /// The refusal to send instead of a response.
    pub(crate) async fn check(&self, rules: &Rules, request: &Request<()>) -> Result<(), Refusal> {
        if let Some(limit) = &rules.rate_limit {
            let taken = locked(&self.bucket).take(limit, Instant::now());
            taken.map_err(Refusal::RateLimit)?;
        }
        if rules.users.is_empty() {
            return Ok(());
        }
        self.login_checker.check(&rules.users, request).await
    }

    /// Reads all files again and activates their rules. Blocks on file I/O.
    ///
    /// # Errors
    /// All faults; the old rules stay active.
    pub(crate) fn reload(&self) -> Result<(), Vec<Fault>> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        // Held throughout, so that the later of two reloads also reads later.
        let mut stamps = locked(&self.stamps);
        let (rules, current) = read(file);
        *stamps = current;
        let rules = rules?;
        self.login_checker.retain(&rules.users);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }

    /// Reloads the files whenever they change, until `stop` turns true.
    ///
    /// Logs each reload and calls `report` with its success.
    pub(crate) async fn watch(
        self: Arc<Self>,
        mut stop: watch::Receiver<bool>,
        report: impl Fn(bool),
    ) {
        let Some(file) = self.file.clone() else {
            return;
        };
        self.rules().announce(&file);
        let mut ticks = tokio::time::interval(CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let access = self.clone();
            let checked = tokio::task::spawn_blocking(move || access.reload_if_changed());
            match checked.await.unwrap_or_default() {
                None => {}
                Some(Ok(())) => {
                    self.rules().announce(&file);
                    report(true);
                }
                Some(Err(faults)) => {
                    for fault in &faults {
                        error!(
                            error = chain(fault),
                            "the changed web configuration is invalid; the old one stays active"
                        );
                    }
                    report(false);
                }
            }
        }
    }

    /// Reloads files that differ from the last read, once two checks in a row see the same change.
    ///
    /// A certificate and its key are rarely replaced at the same instant.
    fn reload_if_changed(&self) -> Option<Result<(), Vec<Fault>>> {
        let last_read = locked(&self.stamps).clone();
        let now: FileStamps = last_read.iter().map(|(path, _)| stamped(path)).collect();
        let is_changed = now != last_read;
        let last_check = std::mem::replace(&mut *locked(&self.checked), now.clone());
        (is_changed && now == last_check).then(|| self.reload())
    }
}

impl Rules {
    /// Sets the configured headers on a response.
    pub(crate) fn set_headers<B>(&self, response: &mut Response<B>) {
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
    }

    fn announce(&self, file: &Path) {
        info!(
            file = %file.display(),
            tls = self.tls.is_some(),
            users = self.users.len(),
            rate_limit = self.rate_limit.is_some(),
            "web configuration loaded"
        );
    }
}

/// Reads all files. Takes their stamps first, so that a change during the read is noticed later.
fn read(file: &Path) -> (Result<Rules, Vec<Fault>>, FileStamps) {
    let mut stamps = vec![stamped(file)];
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(source) => {
            let fault = Fault::Read {
                path: file.to_owned(),
                origin: "web.config.file".to_owned(),
                source,
            };
            return (Err(vec![fault]), stamps);
        }
    };
    let (config, files) = web::read(file, &text);
    stamps.extend(files.iter().map(|file| stamped(file)));
    let rules = config.and_then(|config| {
        let tls = config.tls.map(|tls| tls::server_config(&tls, config.http2));
        Ok(Rules {
            tls: tls.transpose()?.map(Arc::new),
            headers: config.headers,
            users: config.users,
            rate_limit: config.rate_limit,
        })
    });
    (rules, stamps)
}

/// Returns a file with its stamp. Links are followed: a link with a new target is a change. Kubernetes replaces mounted
/// secrets that way.
fn stamped(path: &Path) -> (PathBuf, Option<FileStamp>) {
    let stamp = std::fs::metadata(path).map(|data| FileStamp {
        device: data.dev(),
        inode: data.ino(),
        size: data.size(),
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
    });
    (path.to_owned(), stamp.ok())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves no half-finished change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
