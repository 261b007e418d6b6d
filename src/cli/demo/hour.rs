//! The hour before the start: what polls of the databases would have shown.
//!
//! The rows that the database has at the start are the pattern of all earlier ones, so that the first poll continues
//! what was simulated.

use std::time::Duration;

use chrono::TimeDelta;

use super::cloud::Start;
use super::service::SimulatedService;
use super::story::Story;
use crate::config::source::SourceSettings;
use crate::daemon::past::Past;
use crate::database::{self, Target};
use crate::heartbeat::row_id::RowId;
use crate::heartbeat::service::{Reading, Service, Stamp};
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::skew::Read;
use crate::heartbeat::time::{DatabaseTime, HostTime};
use crate::source::PollSettings;
use crate::source::poller::dithered;
use crate::source::reader::{Answer, Reader};

/// How long before the start the first poll was.
const HOUR: TimeDelta = TimeDelta::hours(1);

/// More frequent polls would take too long to simulate.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The last part of the hour has the most frequent polls. Heartbeats count for five minutes, so the bounds of the
/// clock skews are then as narrow as they can be.
const FREQUENT: TimeDelta = TimeDelta::minutes(6);

/// Time from the sending of a statement to its answer.
const ROUND_TRIP: TimeDelta = TimeDelta::milliseconds(2);

/// Returns what is known of a source that was polled for an hour before the start.
///
/// # Errors
/// The database can't be read.
pub(super) async fn past(
    story: &Story,
    start: Start,
    source: &SourceSettings,
) -> Result<Past, database::Error> {
    let settings = PollSettings::of(source);
    let mut reader = Reader::new(settings.name.clone(), Target::of(source));
    let pattern = reader.read().await?;
    reader.close().await;
    let usual = settings.poll_interval.max(SHORTEST_INTERVAL);
    let times = std::iter::successors(Some(-HOUR), |at| {
        let is_frequent = *at >= -FREQUENT;
        let interval = dithered(if is_frequent {
            SHORTEST_INTERVAL
        } else {
            usual
        });
        Some(*at + TimeDelta::from_std(interval).unwrap_or(HOUR))
    });
    let times = times.take_while(|at| *at + ROUND_TRIP < TimeDelta::zero());
    let answers = times.map(|at| answer(story, start, &pattern, at));
    Ok(Past::of(&settings, answers))
}

/// Returns the answer to a poll at a time.
fn answer(story: &Story, start: Start, pattern: &Answer, at: TimeDelta) -> Answer {
    let sent = Monotonic(start.axis.0 + at);
    let services = pattern.reading.services.iter();
    Answer {
        reading: Reading {
            now: DatabaseTime(start.database.0 + at),
            services: services.map(|row| row_at(story, start, row, at)).collect(),
            ..pattern.reading.clone()
        },
        read: Read {
            sent,
            answered: Monotonic(sent.0 + ROUND_TRIP),
        },
        clock: pattern.clock,
    }
}

/// Returns a row as it was at a time.
fn row_at(story: &Story, start: Start, row: &Service, at: TimeDelta) -> Service {
    let is_its = |service: &&SimulatedService| RowId::Number(service.id) == row.id;
    let Some(service) = story.services.iter().find(is_its) else {
        return row.clone();
    };
    let shown = service.at(at);
    Service {
        heartbeats: Some(shown.heartbeats),
        stamp: Stamp::At(HostTime(start.database.0 + shown.stamp)),
        shown: row.shown.as_ref().map(|_| shown.state.into()),
        ..row.clone()
    }
}
