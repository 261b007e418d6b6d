//! One connection to a database, kept from poll to poll, and the clocks around each statement.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{debug, warn};

use super::axis;
use crate::database::{self, Connection, Product, Target};
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::{Monotonic, Read};
use crate::heartbeat::time::{ClockOffset, DatabaseTime};

/// Age at which a connection is replaced. Columns and grants are looked up once a connection.
const RENEW_AFTER: Duration = Duration::from_mins(10);

/// Maximum time between two statements on one connection. Firewalls and proxies drop idle connections, many of them
/// silently, and the driver offers no TCP keepalive. Few drop one within half a minute.
const IDLE_AFTER: Duration = Duration::from_secs(30);

/// Reads one database, over one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Name of the source, for the log.
    pub(crate) name: Arc<str>,
    /// The database to read; only [`set_target`](Self::set_target) may change it.
    pub(crate) target: Target,
    kept: Option<Kept>,
    /// Why the last connection is not encrypted although the server offers it.
    unencrypted: Option<String>,
}

/// A connection that is kept for the next poll.
#[derive(Debug)]
struct Kept {
    connection: Connection,
    opened: Monotonic,
    /// When it was opened, or when its last statement was answered.
    used: Monotonic,
}

impl Kept {
    /// Returns whether it may serve again. Its times go on while the machine is suspended, unlike those of tokio.
    fn is_fresh(&self, now: Monotonic) -> bool {
        let is_within = |since: Monotonic, limit: Duration| {
            (now - since).to_std().is_ok_and(|time| time < limit)
        };
        is_within(self.opened, RENEW_AFTER) && is_within(self.used, IDLE_AFTER)
    }
}

/// The answer to one statement, and the clocks around it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The rows.
    pub reading: Reading,
    /// When the statement was sent and answered.
    pub read: Read,
    /// The database's clock against the exporter's.
    pub clock: ClockOffset,
}

impl Reader {
    /// Makes a reader without a connection.
    pub(crate) fn new(name: Arc<str>, target: Target) -> Self {
        Self {
            name,
            target,
            kept: None,
            unencrypted: None,
        }
    }

    /// Reads the database, over a new connection if there is none or the last statement failed.
    ///
    /// A kept connection may have been closed since: servers and proxies limit how long a connection is idle, and
    /// restart. It is replaced, once, if it ends before the statement has any answer.
    ///
    /// # Errors
    /// Any class of failure.
    pub(crate) async fn read(&mut self) -> Result<Answer, database::Error> {
        match self.kept.take() {
            Some(kept) if kept.is_fresh(axis::now()) => match self.read_over(kept).await {
                Err(database::Error::Lost(_, error)) => {
                    debug!(database = &*self.name, %error, "the kept connection was closed; connecting again");
                }
                result => return result,
            },
            old => close(old).await,
        }
        let new = self.open().await?;
        self.read_over(new).await
    }

    /// Reads the database over this connection, and keeps it if it answers.
    async fn read_over(&mut self, mut kept: Kept) -> Result<Answer, database::Error> {
        // If this future is dropped, the connection goes with it: it may be in the middle of an answer.
        let sent = axis::now();
        let wall = wall_clock();
        let reading = kept.connection.read(&self.target).await?;
        let answered = axis::now();
        kept.used = answered;
        self.kept = Some(kept);
        Ok(Answer {
            clock: clock_offset(reading.now, wall, answered - sent),
            read: Read { sent, answered },
            reading,
        })
    }

    /// Returns the product that answered last; `None` before the first answer and after a failure.
    pub(super) fn product(&self) -> Option<&Product> {
        Some(self.kept.as_ref()?.connection.product())
    }

    /// Connects. Warns when the reason to go without TLS changes. Columns that a release lacks are no warning.
    async fn open(&mut self) -> Result<Kept, database::Error> {
        let connection = Connection::open(&self.target).await?;
        let unencrypted = connection.unencrypted().map(str::to_owned);
        if let Some(error) = &unencrypted
            && unencrypted != self.unencrypted
        {
            warn!(
                database = &*self.name,
                error,
                "the connection to the database is not encrypted: it failed with TLS, which the database URL does not require"
            );
        }
        self.unencrypted = unencrypted;
        let opened = axis::now();
        Ok(Kept {
            connection,
            opened,
            used: opened,
        })
    }

    /// Reads another database from now on, or the same one with other credentials or limits. Reconnects if anything
    /// differs.
    pub(crate) async fn set_target(&mut self, target: Target) {
        if target == self.target {
            return;
        }
        self.target = target;
        self.disconnect().await;
    }

    /// Closes the connection; the next read opens another.
    pub(crate) async fn disconnect(&mut self) {
        close(self.kept.take()).await;
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        close(self.kept).await;
    }
}

async fn close(kept: Option<Kept>) {
    if let Some(kept) = kept {
        kept.connection.close().await;
    }
}

/// Reads the wall clock, to compare the database's clock with it.
#[expect(
    clippy::disallowed_methods,
    reason = "the only use: publish how far the database's clock is from it"
)]
fn wall_clock() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// Compares the two clocks: the database read its own somewhere within the round trip.
fn clock_offset(database: DatabaseTime, sent: DateTime<Utc>, round_trip: TimeDelta) -> ClockOffset {
    let half = round_trip / 2;
    let middle = sent.naive_utc() + half;
    ClockOffset {
        offset: database.0 - middle,
        error: half,
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

    use super::*;
    use crate::heartbeat::fixture;
    use crate::project::cinder::PROJECT;

    /// Returns an empty table in a file of SQLite.
    async fn table(folder: &tempfile::TempDir) -> Target {
        let file = folder.path().join("cinder.sqlite");
        let columns: Vec<String> = PROJECT
            .services
            .column_names()
            .map(|name| format!("\"{name}\""))
            .collect();
        let statement = format!("CREATE TABLE services ({})", columns.join(", "));
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        Target::fixture(&format!("sqlite:///{}", file.display()))
    }

    #[tokio::test]
    async fn a_connection_that_is_old_or_was_idle_is_replaced_before_its_use() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = Reader::new("cinder".into(), table(&folder).await);
        reader.read().await.unwrap();
        for (age, idle, is_kept) in [
            (RENEW_AFTER / 2, IDLE_AFTER / 3, true),
            (RENEW_AFTER / 2, IDLE_AFTER, false),
            (RENEW_AFTER, IDLE_AFTER / 3, false),
        ] {
            let now = axis::now();
            let [age, idle] = [age, idle].map(|time| TimeDelta::from_std(time).unwrap());
            let kept = reader.kept.as_mut().unwrap();
            (kept.opened, kept.used) = (now - age, now - idle);
            reader.read().await.unwrap();
            let kept = reader.kept.as_ref().unwrap();
            assert_eq!(kept.opened == now - age, is_kept, "{age}, {idle}");
            assert!(kept.used >= now && kept.is_fresh(axis::now()));
        }
    }

    #[test]
    fn the_offset_is_positive_when_the_database_is_ahead() {
        let sent = fixture::now("2026-03-30 00:54:14").0.and_utc();
        let database = fixture::now("2026-03-30 00:54:17.1");
        let clock = clock_offset(database, sent, TimeDelta::milliseconds(200));
        assert_eq!(clock.offset, TimeDelta::seconds(3));
        assert_eq!(clock.error, TimeDelta::milliseconds(100));
    }
}
