//! The services at each poll: a terminal shows the latest listing alone, a file or a program gets all of them.

use std::io::{self, ErrorKind, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::{Choice, OutputFormat, remarks, verdict};
use crate::cli::outcome::{self, Failure, NO_ANSWER, Outcome, paint, say, warning};
use crate::cli::terminal::{CLEAR, is_erasable};
use crate::config::settings::Settings;
use crate::database::Target;
use crate::error::chain;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::report::{json, table};
use crate::source::{self, Source, poller};

/// Lists at each poll until SIGINT or SIGTERM, or until nobody reads it any more; ends with what the last poll found.
pub(super) async fn run(settings: &Settings, choice: &Choice) -> Outcome {
    let cannot = |error| Failure::new(&error, NO_ANSWER);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut ended = pin!(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let mut source = Source::new(
        Target::of(settings),
        settings.intervals,
        settings.tolerances,
    );
    let mut screen = Screen::new(settings, choice);
    let mut code = ExitCode::from(NO_ANSWER);
    loop {
        let next = Instant::now() + poller::dithered(settings.poll_interval);
        let polled = tokio::select! {
            polled = source.poll() => polled,
            () = &mut ended => break,
        };
        let shown = match polled {
            Ok(poll) => {
                code = verdict(&poll.snapshot);
                screen.show(choice, &poll.snapshot)
            }
            Err(error) => {
                code = ExitCode::from(NO_ANSWER);
                screen.fail(&error)
            }
        };
        match shown {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            shown => shown.map_err(cannot)?,
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = &mut ended => break,
        }
    }
    source.close().await;
    Ok(code)
}

/// What is seen.
struct Screen {
    /// Whether a listing takes the place of the one before it.
    is_live: bool,
    interval: Duration,
    /// What is odd about the settings.
    warnings: Vec<String>,
    /// The latest listing, as text.
    listing: String,
    /// What was last said on standard error, so that it is said once.
    said: Vec<String>,
}

impl Screen {
    fn new(settings: &Settings, choice: &Choice) -> Self {
        Self {
            is_live: choice.format == OutputFormat::Table && is_erasable(&io::stdout()),
            interval: settings.poll_interval,
            warnings: settings.warnings.iter().map(warning).collect(),
            listing: String::new(),
            said: Vec::new(),
        }
    }

    fn show(&mut self, choice: &Choice, snapshot: &Snapshot) -> io::Result<()> {
        let shown = |status: &ServiceStatus| choice.shows(status);
        self.listing = match choice.format {
            OutputFormat::Json => json::services_line(snapshot, shown),
            OutputFormat::Table | OutputFormat::Csv => {
                let heading = self.heading(snapshot);
                format!("{heading}\n{}\n", table::table(snapshot, shown))
            }
        };
        let notes = remarks(snapshot);
        if self.is_live {
            return self.draw(&notes);
        }
        self.say(notes);
        paint(&self.listing)
    }

    /// The last listing stays, and is said to be old.
    fn fail(&mut self, error: &source::Error) -> io::Result<()> {
        let old = if self.is_live && !self.listing.is_empty() {
            "; what is listed is as it was then"
        } else {
            ""
        };
        let note = outcome::error(format!("the database can't be read{old}: {}", chain(error)));
        if self.is_live {
            return self.draw(&[note]);
        }
        self.say(vec![note]);
        Ok(())
    }

    fn heading(&self, snapshot: &Snapshot) -> String {
        let now = snapshot.now.0.format("%Y-%m-%d %H:%M:%S");
        let rest = if self.is_live {
            let interval = humantime::format_duration(self.interval);
            format!("; read every {interval} until Ctrl-C")
        } else {
            String::new()
        };
        format!("{now} UTC by the database's clock{rest}")
    }

    fn draw(&self, notes: &[String]) -> io::Result<()> {
        let mut text = self.listing.clone();
        for note in notes.iter().chain(&self.warnings) {
            text.push_str(note);
            text.push('\n');
        }
        // Not by way of what takes colours out, which would take this out with them.
        io::stdout().write_all(CLEAR.as_bytes())?;
        paint(&text)
    }

    /// Says what it has not just said.
    fn say(&mut self, notes: Vec<String>) {
        let warnings = std::mem::take(&mut self.warnings);
        let new = notes.iter().filter(|note| !self.said.contains(note));
        for note in warnings.iter().chain(new) {
            say(note);
        }
        self.said = notes;
    }
}
