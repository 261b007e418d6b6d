//! Logs polls: each change of state once.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::database;
use crate::error::chain;
use crate::heartbeat::service::Rejection;
use crate::heartbeat::snapshot::Snapshot;

/// Rows that are logged one by one; more are counted.
const MOST_ROWS: usize = 20;

/// The name of a source, and the address of its database.
type Place<'a> = (&'a str, &'a str);

/// The state of one source that was logged last.
#[derive(Debug, Default)]
pub(crate) enum PollLog {
    #[default]
    Starting,
    /// The last poll was successful.
    Reading {
        rejected: Vec<Rejection>,
        stands_still: bool,
    },
    Failing {
        since: Instant,
        failures: u32,
        /// The messages of this outage so far, so that causes that alternate are not logged at each poll.
        messages: Vec<String>,
        /// Whether the table stood still at the last successful poll.
        stood_still: bool,
    },
}

impl PollLog {
    /// Logs what a successful poll changed.
    pub(crate) fn succeeded(&mut self, (database, address): Place<'_>, snapshot: &Snapshot) {
        let services = snapshot.services.len();
        if let Some(jump) = snapshot.clock_jump {
            warn!(
                database,
                address,
                seconds = jump.as_seconds_f64(),
                "the database's clock jumped: it was set, or another server answered"
            );
        }
        let is_first = !matches!(self, Self::Reading { .. });
        let stands_still = snapshot.standstill.is_some();
        let was_still = self.stands_still();
        if stands_still && !was_still {
            warn!(
                database,
                address,
                "no service sends heartbeats any more: check whether the database accepts writes, and whether the server that answers is current"
            );
        } else if was_still && !stands_still {
            info!(database, address, "services send heartbeats again");
        }
        let known = match std::mem::take(self) {
            Self::Reading { rejected, .. } => rejected,
            Self::Starting => {
                info!(database, address, services, "reading heartbeats");
                Vec::new()
            }
            Self::Failing {
                since, failures, ..
            } => {
                let outage = Duration::from_secs(since.elapsed().as_secs());
                let outage = humantime::format_duration(outage);
                info!(database, address, %outage, failures, services, "the database can be read again");
                Vec::new()
            }
        };
        if is_first && services == 0 {
            let check = snapshot.project.words.empty;
            let check = check.unwrap_or("check that the URL names the right database");
            warn!(database, address, "the table has no services; {check}");
        }
        if snapshot.rejected != known {
            log_rejected(database, &snapshot.rejected);
        }
        *self = Self::Reading {
            rejected: snapshot.rejected.clone(),
            stands_still,
        };
    }

    /// Logs a failure if it is new. Returns the number of failures in a row.
    pub(crate) fn failed(&mut self, database: &str, error: &database::Error) -> u32 {
        let stood_still = self.stands_still();
        let class = error.class().as_str();
        let message = error.to_string();
        let error = chain(error);
        let Self::Failing {
            failures, messages, ..
        } = self
        else {
            error!(database, class, error, "the database can't be read");
            *self = Self::Failing {
                since: Instant::now(),
                failures: 1,
                messages: vec![message],
                stood_still,
            };
            return 1;
        };
        *failures = failures.saturating_add(1);
        if messages.contains(&message) {
            debug!(
                database,
                class,
                error,
                failures = *failures,
                "the poll failed again"
            );
        } else {
            error!(database, class, error, "the database still can't be read");
            messages.push(message);
        }
        *failures
    }

    /// Returns whether the table stood still when it was last read.
    fn stands_still(&self) -> bool {
        match self {
            Self::Starting => false,
            Self::Reading { stands_still, .. } => *stands_still,
            Self::Failing { stood_still, .. } => *stood_still,
        }
    }
}

/// Names the rows that could not be read, so that an operator can look them up.
fn log_rejected(database: &str, rejected: &[Rejection]) {
    if rejected.is_empty() {
        info!(database, "all rows can be read again");
        return;
    }
    for row in rejected.iter().take(MOST_ROWS) {
        warn!(
            database,
            table = row.table,
            id = row.id.map(tracing::field::display),
            reason = row.defect.as_str(),
            "a row can't be read in full"
        );
    }
    if rejected.len() > MOST_ROWS {
        warn!(
            database,
            rows = rejected.len(),
            "more rows can't be read in full"
        );
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::database::Target;
    use crate::heartbeat::fixture;
    use crate::heartbeat::standstill::Stale;

    #[test]
    fn a_standstill_before_an_outage_is_remembered_until_it_ends() {
        let mut log = PollLog::default();
        let moving = fixture::snapshot(fixture::reading(vec![]));
        let still = Snapshot {
            standstill: Some(TimeDelta::seconds(35)),
            ..fixture::snapshot(fixture::reading(vec![]))
        };
        log.succeeded(("cinder", "db:3306"), &moving);
        assert!(!log.stands_still());
        log.succeeded(("cinder", "db:3306"), &still);
        assert!(log.stands_still());
        let target = Target::fixture("mysql://u:p@db/cinder");
        let error = target.stale(None, Stale::Outdated);
        assert_eq!(log.failed("cinder", &error), 1);
        assert_eq!(log.failed("cinder", &error), 2);
        assert!(log.stands_still());
        log.succeeded(("cinder", "db:3306"), &moving);
        assert!(!log.stands_still());
    }
}
