//! The output of `services --watch`, from the latest poll of each source.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::outcome::{self, try_write_coloured, warning, write_stderr};
use crate::cli::services::output::{Choice, OutputFormat, exit_code, table_warnings};
use crate::cli::services::progress::is_erasable;
use crate::config::settings::Settings;
use crate::error::chain;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::report::view::{Listed, PollFailure};
use crate::report::{json, table, words};
use crate::source;

/// Erases the screen and moves to its first line.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// The output so far.
pub(super) struct Screen<'a> {
    choice: &'a Choice,
    /// Whether a report replaces the one before it.
    is_live: bool,
    /// The shortest time between two polls of a source.
    pub(super) interval: Duration,
    states: Vec<State>,
    /// Warnings about the settings, not printed yet.
    warnings: Vec<String>,
    /// The latest report, as text.
    report: String,
    /// Messages of the last report, which are not repeated.
    printed: Vec<String>,
}

/// What is known of a source.
struct State {
    database: String,
    snapshot: Option<Snapshot>,
    /// Why the last poll failed.
    failure: Option<(PollFailure, String)>,
    /// Whether the last poll is in no report yet.
    is_new: bool,
}

impl State {
    fn listed(&self) -> Listed<'_> {
        Listed {
            database: &self.database,
            snapshot: self.snapshot.as_ref(),
            failure: self.failure.as_ref().map(|(failure, _)| *failure),
        }
    }
}

impl<'a> Screen<'a> {
    pub(super) fn new(settings: &Settings, choice: &'a Choice) -> Self {
        let sources = settings.sources.iter();
        let intervals = sources.clone().map(|source| source.polls.interval);
        Self {
            choice,
            is_live: choice.format == OutputFormat::Table && is_erasable(&io::stdout()),
            interval: intervals.min().unwrap_or_default(),
            states: sources
                .map(|source| State {
                    database: source.name.clone(),
                    snapshot: None,
                    failure: None,
                    is_new: false,
                })
                .collect(),
            warnings: settings.warnings.iter().map(warning).collect(),
            report: String::new(),
            printed: Vec::new(),
        }
    }

    /// Takes the result of a poll. Returns whether each source has one that is in no report yet.
    pub(super) fn take(&mut self, index: usize, polled: Result<Snapshot, source::Error>) -> bool {
        let state = &mut self.states[index];
        state.is_new = true;
        match polled {
            Ok(snapshot) => {
                state.snapshot = Some(snapshot);
                state.failure = None;
            }
            Err(error) => {
                // A terminal keeps what was known, and says that it is outdated.
                state.snapshot = state.snapshot.take().filter(|_| self.is_live);
                state.failure = Some((PollFailure::of(error.class()), chain(&error)));
            }
        }
        self.states.iter().all(|state| state.is_new)
    }

    /// Returns the exit code that the last polls give.
    pub(super) fn exit_code(&self) -> ExitCode {
        exit_code(&self.listed())
    }

    fn listed(&self) -> Vec<Listed<'_>> {
        self.states.iter().map(State::listed).collect()
    }

    /// Lists the services. If no database can be read, keeps the last report, and marks it as outdated.
    pub(super) fn show(&mut self) -> io::Result<()> {
        let is_news = self.states.iter().any(|state| state.is_new);
        let is_read = |state: &State| state.failure.is_none() && state.snapshot.is_some();
        let can_read = self.states.iter().any(is_read);
        if is_news && can_read {
            self.report = self.text();
        }
        let mut notes = table_warnings(&self.listed());
        notes.extend(self.states.iter().filter_map(|state| self.fault(state)));
        for state in &mut self.states {
            state.is_new = false;
        }
        self.tell(notes)?;
        if self.is_live || !(is_news && can_read) {
            return Ok(());
        }
        try_write_coloured(&self.report)
    }

    fn text(&self) -> String {
        let listed = self.listed();
        let shown = |status: &ServiceStatus| self.choice.shows(status);
        match self.choice.format {
            OutputFormat::Json => json::services_line(&listed, shown),
            OutputFormat::Table | OutputFormat::Csv => {
                let heading = self.heading(&listed);
                format!("{heading}\n{}\n", table::table(&listed, shown))
            }
        }
    }

    fn fault(&self, state: &State) -> Option<String> {
        let (failure, error) = state.failure.as_ref()?;
        let what = match failure {
            PollFailure::Database(_) => "the database can't be read",
            PollFailure::Evaluation => "the last poll failed",
        };
        let is_outdated = self.is_live && state.snapshot.is_some();
        let old = ["", "; the list is outdated"][usize::from(is_outdated)];
        let text = format!("{what}{old}: {error}");
        let text = words::of_source(self.states.len(), &state.database, &text);
        Some(outcome::error(text))
    }

    fn heading(&self, listed: &[Listed]) -> String {
        let read = listed.iter().filter(|it| it.failure.is_none());
        let now = read.filter_map(|it| it.snapshot).map(|it| it.now.0).max();
        let now = now.unwrap_or_default();
        let now = now.format("%Y-%m-%d %H:%M:%S UTC (database clock)");
        if !self.is_live {
            return now.to_string();
        }
        let interval = humantime::format_duration(self.interval);
        format!("{now}; read every {interval} until Ctrl-C")
    }

    /// Redraws the screen with the messages, or prints those that the last report did not have.
    fn tell(&mut self, notes: Vec<String>) -> io::Result<()> {
        if self.is_live {
            let mut text = self.report.clone();
            for note in notes.iter().chain(&self.warnings) {
                text.extend([note, "\n"]);
            }
            // Written directly: the filter for colours would remove this sequence.
            io::stdout().write_all(CLEAR.as_bytes())?;
            return try_write_coloured(&text);
        }
        let warnings = std::mem::take(&mut self.warnings);
        let new = notes.iter().filter(|note| !self.printed.contains(note));
        for note in warnings.iter().chain(new) {
            write_stderr(note);
        }
        self.printed = notes;
        Ok(())
    }
}
