//! Looks for databases again and again: at the start, after a reload, and then every ten minutes.
//!
//! It hands over each result; the [configuration](super::configuration) decides what to read.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::config::search::Search;
use crate::database;
use crate::error::chain;
use crate::heartbeat::failure::Class;
use crate::source::finding::Finding;
use crate::source::search::find;

/// Time between two looks that find databases and can read all.
const INTERVAL: Duration = Duration::from_mins(10);
/// First wait after a look that fails, finds nothing, or cannot read all; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_RETRY: Duration = Duration::from_secs(15);

/// The result of one look for this search.
pub(crate) struct Look {
    /// What was looked for.
    pub(crate) search: Arc<Search>,
    /// What was found, or the class of the failure.
    pub(crate) found: Result<Finding, Class>,
}

/// Looks for the databases of the active search.
pub(crate) struct Discovery {
    /// `None` while all sources are named.
    searches: watch::Receiver<Option<Arc<Search>>>,
    looks: mpsc::Sender<Look>,
    log: LookLog,
}

impl Discovery {
    /// Looks for nothing until a search arrives.
    pub(crate) fn new(
        searches: watch::Receiver<Option<Arc<Search>>>,
        looks: mpsc::Sender<Look>,
    ) -> Self {
        Self {
            searches,
            looks,
            log: LookLog::default(),
        }
    }

    /// Looks until nobody changes the search or takes results any more. A new search begins at once.
    pub(crate) async fn run(mut self) {
        let mut failures = 0;
        loop {
            let search = self.searches.borrow_and_update().clone();
            let Some(search) = search else {
                match self.searches.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            };
            let found = tokio::select! {
                found = find(&search) => found,
                changed = self.searches.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            self.log.note(&found);
            let is_up = found.as_ref().is_ok_and(Finding::is_complete);
            let found = found.map_err(|error| error.class());
            if self.looks.send(Look { search, found }).await.is_err() {
                return;
            }
            failures = if is_up { 0 } else { failures + 1 };
            tokio::select! {
                () = tokio::time::sleep(pause(failures)) => {}
                changed = self.searches.changed() => match changed {
                    Ok(()) => failures = 0,
                    Err(_) => return,
                },
            }
        }
    }
}

/// Returns the time from the end of one look to the next, after so many in a row that failed, found nothing, or could not
/// read all.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => INTERVAL,
        Some(earlier) => (FIRST_RETRY * 2_u32.saturating_pow(earlier.min(16))).min(LONGEST_RETRY),
    }
}

/// Logs what changes from look to look.
#[derive(Default)]
struct LookLog {
    /// The last failure of a whole look.
    failure: Option<String>,
    passed_over: HashSet<(String, String)>,
    unreadable: HashSet<(String, String)>,
}

impl LookLog {
    fn note(&mut self, found: &Result<Finding, database::Error>) {
        let failure = match found {
            Ok(found) => {
                self.note_databases(found);
                let is_empty = found.sources.is_empty() && found.unreadable.is_empty();
                is_empty.then(|| NOTHING.to_owned())
            }
            Err(error) => Some(chain(error)),
        };
        if failure == self.failure {
            return;
        }
        match &failure {
            None => info!("the server shows databases again"),
            Some(error) => error!(error, "cannot find the databases; trying again"),
        }
        self.failure = failure;
    }

    fn note_databases(&mut self, found: &Finding) {
        let unreadable = found.unreadable.iter();
        let unreadable = unreadable.map(|(name, error)| (name.clone(), chain(error)));
        for (database, error) in changed(&mut self.unreadable, unreadable) {
            warn!(database, error, "a database was found, but can't be read");
        }
        let passed_over = found.passed_over.iter().cloned();
        for (database, reason) in changed(&mut self.passed_over, passed_over) {
            info!(database, reason, "a database is passed over");
        }
    }
}

/// The error of a look that finds nothing.
const NOTHING: &str = "no database of a known project is there, or the user has no grants; run the output of `print grants`";

/// Replaces what is known, and returns what is new, sorted.
fn changed(
    known: &mut HashSet<(String, String)>,
    now: impl Iterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let now: HashSet<_> = now.collect();
    let mut new: Vec<_> = now.difference(known).cloned().collect();
    new.sort();
    *known = now;
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_rare_once_databases_are_found_and_back_off_before() {
        for (failures, seconds) in [(0, 600), (1, 1), (2, 2), (4, 8), (5, 15), (1_000, 15)] {
            assert_eq!(pause(failures).as_secs(), seconds, "{failures} failures");
        }
    }
}
