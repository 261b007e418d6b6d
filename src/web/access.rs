//! The web configuration in force: what is asked of clients now, and when its files are read again.
//!
//! Rules are replaced as a whole or not at all: a file that is wrong leaves those that were.

pub(crate) mod file_stamps;
pub(crate) mod refusal;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::rustls::ServerConfig;
use tracing::{error, info};

use self::file_stamps::FileStamps;
use self::refusal::Refusal;
use super::auth::{LoginChecker, Users, Verdict};
use super::rate_limit::Bucket;
use super::tls;
use crate::config::fault::Fault;
use crate::config::web::{self, RateLimit};
use crate::error::chain;

/// Time between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What is asked of clients, with all that is remembered of them.
#[derive(Debug)]
pub struct Access {
    /// The web configuration file; `None`: nothing is asked of anybody.
    file: Option<PathBuf>,
    rules: RwLock<Arc<Rules>>,
    /// Remembers who was let in, beyond a change of the rules.
    login_checker: LoginChecker,
    bucket: Mutex<Bucket>,
    /// The files as they were when they were last read, in vain or not.
    seen: Mutex<FileStamps>,
}

/// What one state of the files asks for.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    tls: Option<Arc<ServerConfig>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    users: Users,
    rate_limit: Option<RateLimit>,
}

impl Access {
    /// Reads the web configuration file, if there is one, and all files that it names.
    ///
    /// # Errors
    /// Every fault there is.
    pub fn new(file: Option<PathBuf>) -> Result<Self, Vec<Fault>> {
        let (rules, seen) = match &file {
            None => (Ok(Rules::default()), FileStamps::default()),
            Some(file) => read(file),
        };
        let login_checker = LoginChecker::new().map_err(|_| {
            vec![Fault::Syntax {
                origin: "the system".to_owned(),
                what: "gives no random numbers".to_owned(),
            }]
        })?;
        Ok(Self {
            file,
            rules: RwLock::new(Arc::new(rules?)),
            login_checker,
            bucket: Mutex::default(),
            seen: Mutex::new(seen),
        })
    }

    /// Returns the rules in force now.
    #[must_use]
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    /// Returns whether a request is to be answered by these rules.
    ///
    /// # Errors
    /// What to answer instead.
    pub(crate) async fn check(&self, rules: &Rules, request: &Request<()>) -> Result<(), Refusal> {
        if let Some(limit) = &rules.rate_limit {
            let taken = locked(&self.bucket).take(limit, Instant::now());
            taken.map_err(Refusal::RateLimit)?;
        }
        if rules.users.is_empty() {
            return Ok(());
        }
        match self.login_checker.check(&rules.users, request).await {
            Verdict::Granted => Ok(()),
            Verdict::Denied => Err(Refusal::Login),
            Verdict::Busy => Err(Refusal::Busy),
        }
    }

    /// Reads all files again, and puts in force what they say. Blocks for as long as the disk does.
    ///
    /// # Errors
    /// Every fault there is; the rules stay what they were.
    pub(crate) fn reload(&self) -> Result<(), Vec<Fault>> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        // Held throughout, so that of two reloads the later one reads later.
        let mut seen = locked(&self.seen);
        let (rules, found) = read(file);
        *seen = found;
        let rules = rules?;
        self.login_checker.keep(&rules.users);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }

    /// Reads the files again whenever they have changed, until `stop` turns true.
    ///
    /// `report` is told whether that succeeded, once for each change, which is logged as well.
    pub(crate) async fn watch(
        self: Arc<Self>,
        mut stop: watch::Receiver<bool>,
        report: impl Fn(bool),
    ) {
        let Some(file) = self.file.clone() else {
            return;
        };
        self.rules().announce(&file);
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changing = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let access = self.clone();
            let looked = tokio::task::spawn_blocking(move || access.look(changing.as_ref())).await;
            let (still_changing, reloaded) = looked.unwrap_or_default();
            changing = still_changing;
            match reloaded {
                None => continue,
                Some(Ok(())) => self.rules().announce(&file),
                Some(Err(faults)) => {
                    for fault in &faults {
                        error!(
                            error = chain(fault),
                            "the web configuration has changed and can't be used; the old one is kept"
                        );
                    }
                    report(false);
                    continue;
                }
            }
            report(true);
        }
    }

    /// Reloads what has changed since it was read, and not since the look before: a certificate and its key are
    /// seldom replaced in one moment.
    fn look(
        &self,
        changing: Option<&FileStamps>,
    ) -> (Option<FileStamps>, Option<Result<(), Vec<Fault>>>) {
        let known = locked(&self.seen).clone();
        let now = known.again();
        if now == known {
            (None, None)
        } else if changing == Some(&now) {
            (None, Some(self.reload()))
        } else {
            (Some(now), None)
        }
    }
}

impl Rules {
    /// Returns how connections are secured; `None`: they are not.
    #[must_use]
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.clone()
    }

    /// Puts the headers that were asked for on an answer.
    pub(crate) fn dress<B>(&self, response: &mut Response<B>) {
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
    }

    fn announce(&self, file: &std::path::Path) {
        info!(
            file = %file.display(),
            tls = self.tls.is_some(),
            users = self.users.len(),
            rate_limit = self.rate_limit.is_some(),
            "the web configuration is in force"
        );
    }
}

/// Reads all files, and returns how they were just before.
fn read(file: &std::path::Path) -> (Result<Rules, Vec<Fault>>, FileStamps) {
    let mut seen = FileStamps::default();
    seen.add(file);
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(source) => {
            let fault = Fault::Read {
                path: file.to_owned(),
                origin: "web.config.file".to_owned(),
                source,
            };
            return (Err(vec![fault]), seen);
        }
    };
    let (config, files) = web::read(file, &text);
    for file in &files {
        seen.add(file);
    }
    let rules = config.and_then(|config| {
        let tls = config
            .tls
            .map(|tls| tls::server_config(&tls, config.http2))
            .transpose()?;
        Ok(Rules {
            tls: tls.map(Arc::new),
            headers: config.headers,
            users: config.users,
            rate_limit: config.rate_limit,
        })
    });
    (rules, seen)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in there can be half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
