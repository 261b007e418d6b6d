//! `services --watch`: a terminal shows only the latest report; a file or a pipe gets all of them.

mod screen;

use std::io::ErrorKind;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::screen::Screen;
use super::output::Choice;
use crate::cli::outcome::{NO_ANSWER, Outcome, failure};
use crate::config::settings::Settings;
use crate::heartbeat::snapshot::Snapshot;
use crate::source::{self, PollSettings, Source, poller};

/// The number of a source, and the result of its poll.
type Update = (usize, Result<Snapshot, source::Error>);

/// Lists at each poll until SIGINT, SIGTERM or a closed pipe; the last polls set the exit code.
pub(super) async fn run(settings: &Settings, choice: &Choice) -> Outcome {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failure(NO_ANSWER))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failure(NO_ANSWER))?;
    let mut ended = pin!(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let (sender, mut updates) = mpsc::channel(1);
    let mut polling = JoinSet::new();
    for (index, source) in settings.sources.iter().enumerate() {
        let (settings, interval) = (PollSettings::of(source), source.polls.interval);
        polling.spawn(poll(
            (index, Source::new(settings)),
            interval,
            sender.clone(),
        ));
    }
    let mut screen = Screen::new(settings, choice);
    // The list waits for all sources, but not for one that hangs.
    let patience = screen.interval * 2;
    let mut due = Instant::now() + patience;
    let mut code = ExitCode::from(NO_ANSWER);
    loop {
        let is_due = tokio::select! {
            Some((index, polled)) = updates.recv() => screen.take(index, polled),
            () = tokio::time::sleep_until(due) => true,
            () = &mut ended => break,
        };
        if !is_due {
            continue;
        }
        due = Instant::now() + patience;
        code = screen.exit_code();
        match screen.show() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            shown => shown.map_err(failure(NO_ANSWER))?,
        }
    }
    drop(updates);
    polling.join_all().await;
    Ok(code)
}

/// Polls one source until nobody receives the results.
async fn poll(
    (index, mut source): (usize, Source),
    interval: Duration,
    updates: mpsc::Sender<Update>,
) {
    loop {
        let next = Instant::now() + poller::dithered(interval);
        let polled = tokio::select! {
            polled = source.poll() => polled.map(|poll| poll.snapshot),
            () = updates.closed() => break,
        };
        if updates.send((index, polled)).await.is_err() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = updates.closed() => break,
        }
    }
    source.close().await;
}
