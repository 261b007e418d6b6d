//! `check-config`: prints the active settings, and tests the databases on request.

mod found_table;

use std::fmt::Write as _;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{ArgMatches, Command};

use super::entry::{Entry, switch};
use super::flags;
use super::outcome::{Failure, NO_ANSWER, Outcome, WRONG, failure, warning, write, write_stderr};
use super::startup::{access, block_on, refuse_nothing, settings, warn};
use crate::config::settings::Settings;
use crate::config::source::SourceSettings;
use crate::config::values::Effective;
use crate::daemon::logging;
use crate::database::{self, Connection, Target};
use crate::error::chain;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::{Monotonic, Read};
use crate::heartbeat::standstill::{Motion, Standstill};
use crate::report::words;
use crate::source::PollSettings;
use crate::source::search::find;

pub(super) const ENTRY: Entry = Entry {
    exit_codes: &[
        (0, "the configuration is valid"),
        (1, "the configuration is invalid"),
        (2, "a database can't be read (--connect)"),
    ],
    examples: &[(
        "Show where each setting comes from, and test the databases",
        "check-config --connect",
    )],
    ..Entry::new("check-config", describe, |matches, _| run(matches))
};

fn describe(command: Command) -> Command {
    let help = "Also connect to each database and read the heartbeats once";
    command
        .about("Prints each active setting with its origin")
        .arg(switch("connect", help))
        .args(flags::used(&[""]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches, WRONG)?;
    let mut text = String::new();
    list(&mut text, "", &settings.effective);
    for source in &settings.sources {
        list(
            &mut text,
            &format!("{}.", source.full_name()),
            &source.effective,
        );
    }
    write(&text, WRONG)?;
    warn(&settings);
    access(&settings)?;
    if matches.get_flag("connect") {
        logging::start(settings.log);
        return block_on(0, NO_ANSWER, async {
            let (sources, unreadable) = sources(settings).await?;
            connect_all(sources, unreadable).await
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the sources of the settings, or those that are found now, after a table of them. Reports those that cannot be
/// read.
async fn sources(settings: Settings) -> Result<(Vec<SourceSettings>, Vec<String>), Failure> {
    let Some(search) = settings.search else {
        return Ok((settings.sources, Vec::new()));
    };
    let found = find(&search).await.map_err(failure(NO_ANSWER))?;
    write(found_table::text(&found), NO_ANSWER)?;
    refuse_nothing(&search, &found, NO_ANSWER)?;
    let unreadable = found.unreadable.iter();
    let unreadable = unreadable.map(|(name, error)| format!("{name}: {}", chain(error)));
    Ok((found.sources, unreadable.collect()))
}

fn list(text: &mut String, above: &str, values: &[Effective]) {
    for Effective {
        name,
        value,
        origin,
    } in values
    {
        let _ = writeln!(text, "{above}{name} = {value}  ({origin})");
    }
}

/// Connects to all sources at the same time. Reports each in one line, in the order of the settings; then the messages of
/// those that cannot be read.
async fn connect_all(sources: Vec<SourceSettings>, unreadable: Vec<String>) -> Outcome {
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let connecting: Vec<_> = sources
        .into_iter()
        .map(|source| tokio::spawn(async move { connect(&source).await }))
        .collect();
    let mut messages = unreadable;
    for (name, connecting) in names.iter().zip(connecting) {
        let connected = connecting.await.map_err(failure(NO_ANSWER))?;
        match connected {
            Ok(line) => drop(write(format!("{name}: {line}\n"), NO_ANSWER)?),
            Err(error) => messages.push(format!("{name}: {}", chain(&error))),
        }
    }
    if messages.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let code = NO_ANSWER;
    Err(Failure { messages, code })
}

/// Reads a source once, and returns what it has. Fails as a poll does if the server is known not to be current.
async fn connect(source: &SourceSettings) -> Result<String, database::Error> {
    let target = Target::of(source);
    let mut reading = read(&source.name, &target).await?;
    let found = reading.services.len();
    PollSettings::of(source).selection.apply(&mut reading);
    check_current(&reading, &target, source)?;
    let services = reading.services.len();
    if services == 0 {
        let empty = words::no_services(source.project);
        write_stderr(&warning(format!("{}: {empty}", source.name)));
    }
    let left_out = match found - services {
        0 => String::new(),
        left_out => format!(" ({left_out} more left out)"),
    };
    Ok(format!(
        "connected to {}: {services} services{left_out}, {} clusters, {} rows with unreadable values",
        target.address(),
        reading.clusters.len(),
        reading.rejected.len()
    ))
}

fn check_current(
    reading: &Reading,
    target: &Target,
    source: &SourceSettings,
) -> Result<(), database::Error> {
    let read = Read {
        sent: Monotonic(TimeDelta::zero()),
        answered: Monotonic(TimeDelta::zero()),
    };
    let (intervals, tolerances) = (&source.intervals, &source.polls.tolerances);
    let mut standstill = Standstill::default();
    match standstill.observe(reading, read, intervals, tolerances, std::iter::empty) {
        Motion::Stale(stale) => Err(target.stale(reading.server.as_deref(), stale)),
        Motion::Moves | Motion::Resumes | Motion::Still(_) => Ok(()),
    }
}

/// Reads once, and warns on standard error of columns that can't be read and of a connection that goes without TLS.
async fn read(name: &str, target: &Target) -> Result<Reading, database::Error> {
    let mut connection = Connection::open(target).await?;
    if let Some((names, grants)) = connection.left_out() {
        write_stderr(&warning(format!(
            "{name}: cannot read {names}: this release lacks them, or a grant is missing; for the grants, run the output of \
             `{grants}` as the database administrator"
        )));
    }
    if let Some(error) = connection.unencrypted() {
        write_stderr(&warning(format!(
            "{name}: the connection is not encrypted: it failed with TLS, which the database URL does not require: {error}"
        )));
    }
    let reading = connection.read(target).await?;
    connection.close().await;
    Ok(reading)
}
