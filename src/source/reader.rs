//! One connection to a database, kept from poll to poll, and the clocks around each statement.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::warn;

use super::axis;
use crate::database::{self, Connection, Target};
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Read;
use crate::heartbeat::time::{ClockOffset, DatabaseTime};

/// Maximum age of a connection. Columns and grants are looked up once a connection.
const RENEW_AFTER: Duration = Duration::from_mins(10);

/// Reads one database, over one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The database to read; only [`set_target`](Self::set_target) may change it.
    pub(crate) target: Target,
    /// The connection, and when it was opened.
    connection: Option<(Connection, Instant)>,
    /// Unreadable names and grants of the last warning.
    left_out: Option<(String, String)>,
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
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            connection: None,
            left_out: None,
        }
    }

    /// Reads the database, over a new connection if there is none or the last statement failed.
    ///
    /// # Errors
    /// Any class of failure.
    pub(crate) async fn read(&mut self) -> Result<Answer, database::Error> {
        // If this future is dropped, the connection goes with it: it may be in the middle of an answer.
        let (mut connection, opened) = match self.connection.take() {
            Some(open) if open.1.elapsed() < RENEW_AFTER => open,
            old => {
                close(old).await;
                self.open().await?
            }
        };
        let sent = axis::now();
        let wall = wall_clock();
        let reading = connection.read(&self.target).await?;
        let answered = axis::now();
        self.connection = Some((connection, opened));
        Ok(Answer {
            clock: clock_offset(reading.now, wall, answered - sent),
            read: Read { sent, answered },
            reading,
        })
    }

    /// Connects. Warns when the unreadable columns change.
    async fn open(&mut self) -> Result<(Connection, Instant), database::Error> {
        let connection = Connection::open(&self.target).await?;
        let left_out = connection.left_out(&self.target);
        if let Some((names, grant)) = &left_out
            && left_out != self.left_out
        {
            warn!(
                names,
                grant,
                "some columns or tables are not readable: the release is old and lacks them, or a grant is missing"
            );
        }
        self.left_out = left_out;
        Ok((connection, Instant::now()))
    }

    /// Reads another database from now on, or the same one with other credentials or limits. Reconnects if anything
    /// differs.
    pub(crate) async fn set_target(&mut self, target: Target) {
        if target == self.target {
            return;
        }
        self.target = target;
        close(self.connection.take()).await;
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        close(self.connection).await;
    }
}

async fn close(connection: Option<(Connection, Instant)>) {
    if let Some((connection, _)) = connection {
        connection.close().await;
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
    use super::*;
    use crate::heartbeat::fixture;

    #[test]
    fn the_offset_is_positive_when_the_database_is_ahead() {
        let sent = fixture::now("2026-03-30 00:54:14").0.and_utc();
        let database = fixture::now("2026-03-30 00:54:17.1");
        let clock = clock_offset(database, sent, TimeDelta::milliseconds(200));
        assert_eq!(clock.offset, TimeDelta::seconds(3));
        assert_eq!(clock.error, TimeDelta::milliseconds(100));
    }
}
