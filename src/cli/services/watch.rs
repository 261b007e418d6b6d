//! `services --watch`: a terminal shows only the latest report; a file or a pipe gets all of them.

use std::io::{self, ErrorKind, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::output::{Choice, OutputFormat, exit_code, table_warnings};
use super::progress::is_erasable;
use crate::cli::outcome::{self, NO_ANSWER, Outcome, failure};
use crate::cli::outcome::{try_write_coloured, warning, write_stderr};
use crate::cli::startup::source;
use crate::config::settings::Settings;
use crate::error::chain;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::view::Listed;
use crate::report::{json, table};
use crate::source::{self, poller};

/// Erases the screen and moves to its first line.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Lists at each poll until SIGINT, SIGTERM or a closed pipe; the last poll sets the exit code.
pub(super) async fn run(settings: &Settings, choice: &Choice) -> Outcome {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failure(NO_ANSWER))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failure(NO_ANSWER))?;
    let mut ended = pin!(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let mut source = source(settings);
    let mut screen = Screen::new(settings, choice);
    let mut code = ExitCode::from(NO_ANSWER);
    loop {
        let next = Instant::now() + poller::dithered(settings.sources[0].polls.interval);
        let polled = tokio::select! {
            polled = source.poll() => polled,
            () = &mut ended => break,
        };
        let shown = match polled {
            Ok(poll) => {
                code = exit_code(&poll.snapshot);
                screen.show(choice, &poll.snapshot)
            }
            Err(error) => {
                code = ExitCode::from(NO_ANSWER);
                screen.fail(&error)
            }
        };
        match shown {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            shown => shown.map_err(failure(NO_ANSWER))?,
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = &mut ended => break,
        }
    }
    source.close().await;
    Ok(code)
}

/// The output so far.
struct Screen {
    /// Whether a report replaces the one before it.
    is_live: bool,
    interval: Duration,
    database: &'static str,
    /// Warnings about the settings, not printed yet.
    warnings: Vec<String>,
    /// The latest report, as text.
    report: String,
    /// Messages of the last poll, which are not repeated.
    printed: Vec<String>,
}

impl Screen {
    fn new(settings: &Settings, choice: &Choice) -> Self {
        Self {
            is_live: choice.format == OutputFormat::Table && is_erasable(&io::stdout()),
            interval: settings.sources[0].polls.interval,
            database: settings.sources[0].project.name,
            warnings: settings.warnings.iter().map(warning).collect(),
            report: String::new(),
            printed: Vec::new(),
        }
    }

    fn show(&mut self, choice: &Choice, snapshot: &Snapshot) -> io::Result<()> {
        let shown = |status: &ServiceStatus| choice.shows(status);
        let sources = [Listed::read(self.database, snapshot)];
        self.report = match choice.format {
            OutputFormat::Json => json::services_line(&sources, shown),
            OutputFormat::Table | OutputFormat::Csv => {
                let heading = self.heading(snapshot);
                format!("{heading}\n{}\n", table::table(&sources, shown))
            }
        };
        self.tell(table_warnings(snapshot))?;
        if self.is_live {
            return Ok(());
        }
        try_write_coloured(&self.report)
    }

    /// Keeps the last report, and marks it as outdated.
    fn fail(&mut self, error: &source::Error) -> io::Result<()> {
        let old = if self.is_live && !self.report.is_empty() {
            "; the list is outdated"
        } else {
            ""
        };
        let note = format!("the database can't be read{old}: {}", chain(error));
        self.tell(vec![outcome::error(note)])
    }

    fn heading(&self, snapshot: &Snapshot) -> String {
        let now = snapshot.now.0;
        let now = now.format("%Y-%m-%d %H:%M:%S UTC (database clock)");
        if !self.is_live {
            return now.to_string();
        }
        let interval = humantime::format_duration(self.interval);
        format!("{now}; read every {interval} until Ctrl-C")
    }

    /// Redraws the screen with the messages, or prints those that the last poll did not have.
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
