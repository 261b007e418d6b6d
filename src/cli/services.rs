//! `services`: lists the services as a table, JSON or CSV, once or at each poll.

mod observed;
mod output;
mod progress;
mod watch;

use std::time::Duration;

use clap::{ArgMatches, Command, value_parser};

use self::observed::{Observed, observe};
use self::output::{Choice, OutputFormat, exit_code, table_warnings};
use super::entry::{Entry, option, switch};
use super::flags;
use super::outcome::{Failure, NO_ANSWER, Outcome, error, write, write_coloured, write_stderr};
use super::startup::{block_on, found, settings, warn};
use crate::daemon::logging;
use crate::error::chain;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::verdict;
use crate::report::view::Listed;
use crate::report::{csv, json, table};

pub(super) const ENTRY: Entry = Entry {
    // A monitoring script must not mistake a misspelt flag for services that are down.
    refusal: NO_ANSWER,
    exit_codes: &[
        (0, "all enabled services are up"),
        (1, "some enabled services are down"),
        (
            2,
            "a database can't be read, a state is unknown, or bad command line",
        ),
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
            "Lists the services, and why some are down.\n\nSome reasons need a new heartbeat. The command reads all \
             databases at the same time, about once a second until every service that is down has a reason. Colours appear only on a \
             terminal. A narrow terminal omits zones and times.",
        )
        .arg(format.value_parser(["table", "json", "csv"]))
        .arg(switch("down", "List only services that are down"))
        .arg(wait.value_parser(value_parser!(u64).range(..=3600)))
        .arg(watch.conflicts_with("wait"))
        .args(flags::used(&[
            "project",
            "database.",
            "discovery.",
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
        return block_on(0, NO_ANSWER, async {
            let (settings, unreadable) = found(settings, NO_ANSWER).await?;
            for (database, reason) in unreadable {
                write_stderr(&error(format!("{database}: {}", chain(&reason))));
            }
            watch::run(&settings, &choice).await
        });
    }
    warn(&settings);
    let wait = matches.get_one::<u64>("wait").copied().unwrap_or_default();
    let observed = block_on(0, NO_ANSWER, async {
        let (settings, unreadable) = found(settings, NO_ANSWER).await?;
        let mut observed = observe(&settings, Duration::from_secs(wait)).await?;
        observed.extend(unreadable.into_iter().map(Observed::from));
        Ok(observed)
    })?;
    let faults = observed.iter().filter_map(|it| it.fault(observed.len()));
    let faults: Vec<String> = faults.collect();
    if faults.len() == observed.len() {
        let code = NO_ANSWER;
        return Err(Failure {
            messages: faults,
            code,
        });
    }
    let sources: Vec<Listed> = observed.iter().map(Observed::listed).collect();
    let shown = |status: &ServiceStatus| choice.shows(status);
    match choice.format {
        OutputFormat::Table => {
            let table = table::table(&sources, shown) + &hint(&sources);
            write_coloured(&table, NO_ANSWER)
        }
        OutputFormat::Json => write(json::services(&sources, shown), NO_ANSWER),
        OutputFormat::Csv => write(csv::services(&sources, shown), NO_ANSWER),
    }?;
    for warning in table_warnings(&sources) {
        write_stderr(&warning);
    }
    for fault in faults {
        write_stderr(&error(fault));
    }
    Ok(exit_code(&sources))
}

/// Returns how to get the missing reasons; empty if none is missing.
fn hint(sources: &[Listed]) -> String {
    let snapshots = sources.iter().filter_map(|source| source.snapshot);
    let unexplained = snapshots.filter(|snapshot| verdict::unexplained(snapshot) > 0);
    let limits = unexplained.flat_map(|snapshot| snapshot.limits.values());
    let Some(limit) = limits.map(|limits| limits.service_down_time).max() else {
        return String::new();
    };
    let wait = limit.num_seconds() + 15;
    format!("\nSome reasons are not known yet; wait longer with --wait {wait}.\n")
}
