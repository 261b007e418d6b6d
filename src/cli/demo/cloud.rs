//! The databases of the simulated cloud: an `SQLite` file for each project, in a temporary folder.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;
use tracing::warn;

use super::service::{SimulatedService, creation, text};
use super::story::Story;
use super::{cinder, manila};
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::time::DatabaseTime;
use crate::source::axis;

/// All services on hosts of the same name are on one machine.
static STORIES: [&Story; 2] = [&cinder::STORY, &manila::STORY];

/// Heartbeats that are later than this are left out, as services do after a pause.
const LATEST: TimeDelta = TimeDelta::seconds(10);

/// Why the demo failed to start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot create a temporary folder; set TMPDIR to a writable folder")]
    Folder(#[from] std::io::Error),
    #[error("cannot write the demo database")]
    Database(#[from] sqlx::Error),
}

/// The databases; dropping them removes the folder.
#[derive(Debug)]
pub(super) struct Cloud {
    folder: tempfile::TempDir,
    databases: Vec<Database>,
    pub(super) start: Start,
}

/// The start of the demo on all clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) database: DatabaseTime,
    pub(super) axis: Monotonic,
    runtime: Instant,
}

/// The database of a project.
#[derive(Debug)]
struct Database {
    story: &'static Story,
    connection: SqliteConnection,
}

impl Cloud {
    /// Creates the databases with the rows of the start.
    ///
    /// # Errors
    /// The folder or a database can't be written.
    pub(super) async fn new() -> Result<Self, Error> {
        let folder = tempfile::TempDir::with_prefix("openstack-heartbeat-demo-")?;
        let mut databases = Vec::new();
        for story in STORIES {
            let options = SqliteConnectOptions::new()
                .filename(file(&folder, story))
                .create_if_missing(true)
                // The files need not survive a crash.
                .synchronous(SqliteSynchronous::Off)
                .disable_statement_logging();
            let mut connection = options.connect().await?;
            sqlx::raw_sql(story.schema).execute(&mut connection).await?;
            databases.push(Database { story, connection });
        }
        let start = Start::now().await?;
        for database in &mut databases {
            database.fill(start.database).await?;
        }
        Ok(Self {
            folder,
            databases,
            start,
        })
    }

    /// Returns the projects, each with the path of its database.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&'static Story, PathBuf)> {
        let stories = STORIES.into_iter();
        stories.map(|story| (story, file(&self.folder, story)))
    }

    /// Returns the path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes heartbeats until `stop` completes, then removes the databases.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = self.beat() => {}
            () = stop => {}
        }
        for database in self.databases {
            let _ = database.connection.close().await;
        }
    }

    async fn beat(&mut self) {
        let mut written = TimeDelta::zero();
        loop {
            let due = |service: &SimulatedService| service.due_after(written);
            let services = STORIES.iter().flat_map(|story| story.services);
            let Some(next) = services.filter_map(due).min() else {
                return;
            };
            let wait = next.to_std().unwrap_or(Duration::ZERO);
            tokio::time::sleep_until(self.start.runtime + wait).await;
            for database in &mut self.databases {
                let services = database.story.services.iter();
                for service in services.filter(|service| due(service) == Some(next)) {
                    if let Err(error) = database.beat(service, next).await {
                        warn!(%error, "failed to write demo heartbeats");
                    }
                }
            }
            let elapsed = TimeDelta::from_std(self.start.runtime.elapsed()).unwrap_or(next);
            written = next.max(elapsed - LATEST);
        }
    }
}

impl Start {
    /// Reads all clocks. All databases of `SQLite` have the same.
    async fn now() -> Result<Self, sqlx::Error> {
        let memory = SqliteConnectOptions::new().in_memory(true);
        let mut connection = memory.disable_statement_logging().connect().await?;
        let now = sqlx::query_scalar("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')");
        let now: NaiveDateTime = now.fetch_one(&mut connection).await?;
        Ok(Self {
            database: DatabaseTime(now),
            axis: axis::now(),
            runtime: Instant::now(),
        })
    }
}

impl Database {
    /// Adds the rows of all services, as they are at the start.
    async fn fill(&mut self, start: DatabaseTime) -> Result<(), sqlx::Error> {
        for service in self.story.services {
            let shown = service.at(TimeDelta::zero());
            sqlx::query(self.story.insert)
                .bind(service.id)
                .bind(service.host)
                .bind(service.binary)
                .bind(service.zone)
                .bind(shown.heartbeats)
                .bind(text(start, creation()))
                .bind(text(start, shown.stamp))
                .bind(shown.state)
                .execute(&mut self.connection)
                .await?;
        }
        Ok(())
    }

    /// Writes a heartbeat that is due at this time.
    async fn beat(&mut self, service: &SimulatedService, at: TimeDelta) -> Result<(), sqlx::Error> {
        let skew = service.skew(at).as_seconds_f64();
        sqlx::query(self.story.beat)
            .bind(service.id)
            .bind(format!("{skew:+.3} seconds"))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

fn file(folder: &tempfile::TempDir, story: &Story) -> PathBuf {
    folder.path().join(format!("{}.sqlite", story.project))
}
