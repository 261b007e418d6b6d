//! `services`: lists the services as a table, JSON or CSV, once or at each poll.

mod output;
mod progress;
mod watch;

use std::time::Duration;

use clap::{ArgMatches, Command, value_parser};
use tokio::time::Instant;

use self::output::{Choice, OutputFormat, exit_code, table_warnings};
use self::progress::Progress;
use super::entry::{Entry, option, switch};
use super::flags;
use super::outcome::{Failure, NO_ANSWER, Outcome, failure, write, write_coloured, write_stderr};
use super::startup::{block_on, settings, source, warn};
use crate::config::settings::Settings;
use crate::daemon::logging;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::verdict;
use crate::heartbeat::view::Listed;
use crate::report::{csv, json, table};
use crate::source::poller;

pub(super) const ENTRY: Entry = Entry {
    // A monitoring script must not mistake a misspelt flag for services that are down.
    refusal: NO_ANSWER,
    exit_codes: &[
        (0, "all enabled services are up"),
        (1, "some enabled services are down"),
        (2, "the state is unknown, or the command line is invalid"),
    ],
    examples: &[
        (
            "List all services, with reasons for those that are down",
            "services --project cinder=cinder.conf",
        ),
        (
            "Watch the services that are down",
            "services --watch --down",
        ),
        (
            "Save the services that are down for a spreadsheet",
            "services --down --format csv > down.csv",
        ),
    ],
    ..Entry::new("services", describe, |matches, _| run(matches))
};

fn describe(command: Command) -> Command {
    let format = option("format", "FORMAT", "table", "Output format");
    let help = "Longest time to wait until every service that is down has a reason";
    let wait = option("wait", "SECONDS", "25", help);
    let help =
        "List them at each poll until Ctrl-C (table or json); the last poll sets the exit code";
    let watch = switch("watch", help);
    command
        .about("Lists the services, and why some are down")
        .long_about(
            "Lists the services, and why some are down.\n\nSome reasons need a new heartbeat. The command reads the \
             table about once a second until every service that is down has a reason. Colours appear only on a \
             terminal. A narrow terminal omits zones and times.",
        )
        .arg(format.value_parser(["table", "json", "csv"]))
        .arg(switch("down", "List only services that are down"))
        .arg(wait.value_parser(value_parser!(u64).range(..=3600)))
        .arg(watch.conflicts_with("wait"))
        .args(flags::used(&[
            "project",
            "database.",
            "poll.interval",
            "skew.",
            "log.",
        ]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let choice = Choice::of(matches);
    let is_watch = matches.get_flag("watch");
    if is_watch && choice.format == OutputFormat::Csv {
        let message = "--watch does not support csv; choose --format table or json";
        return Err(Failure::of(message, NO_ANSWER));
    }
    let settings = settings(matches, NO_ANSWER)?;
    logging::start(settings.log);
    if is_watch {
        return block_on(0, NO_ANSWER, watch::run(&settings, &choice));
    }
    warn(&settings);
    let wait = matches.get_one::<u64>("wait").copied().unwrap_or_default();
    let observing = observe(&settings, Duration::from_secs(wait));
    let snapshot = block_on(0, NO_ANSWER, observing)?;
    let shown = |status: &ServiceStatus| choice.shows(status);
    let sources = [Listed::read(&settings.sources[0].name, &snapshot)];
    match choice.format {
        OutputFormat::Table => {
            let table = table::table(&sources, shown) + &hint(&snapshot);
            write_coloured(&table, NO_ANSWER)
        }
        OutputFormat::Json => write(json::services(&sources, shown), NO_ANSWER),
        OutputFormat::Csv => write(csv::services(&sources, shown), NO_ANSWER),
    }?;
    for warning in table_warnings(&snapshot) {
        write_stderr(&warning);
    }
    Ok(exit_code(&snapshot))
}

/// Polls about once a second until every service that is down has a reason, or until `wait` is over.
async fn observe(settings: &Settings, wait: Duration) -> Result<Snapshot, Failure> {
    let mut source = source(settings);
    let mut progress = Progress::new();
    let deadline = Instant::now() + wait;
    let mut last = None;
    let snapshot = loop {
        // A later failure does not discard what is known already.
        match source.poll().await {
            Ok(poll) => last = Some(poll.snapshot),
            Err(error) if last.is_none() => return Err(failure(NO_ANSWER)(error)),
            Err(_) => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let unexplained = last.as_ref().map_or(0, verdict::unexplained);
        if let Some(snapshot) = last.take_if(|_| unexplained == 0 || left.is_zero()) {
            break snapshot;
        }
        progress.waiting(unexplained, left);
        tokio::time::sleep(poller::dithered(Duration::from_secs(1))).await;
    };
    source.close().await;
    Ok(snapshot)
}

/// Returns how to get the missing reasons; empty if none is missing.
fn hint(snapshot: &Snapshot) -> String {
    if verdict::unexplained(snapshot) == 0 {
        return String::new();
    }
    let limits = snapshot.limits.values();
    let limit = limits.map(|limits| limits.service_down_time).max();
    let wait = limit.unwrap_or_default().num_seconds() + 15;
    format!("\nSome reasons are not known yet; wait longer with --wait {wait}.\n")
}
