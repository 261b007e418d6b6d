//! `check-config`: prints the active settings, and tests the database on request.

use std::fmt::Write as _;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{ArgMatches, Command};

use super::entry::{Entry, switch};
use super::flags;
use super::outcome::{
    Failure, NO_ANSWER, NO_SERVICES, Outcome, WRONG, failure, warning, write, write_stderr,
};
use super::startup::{access, block_on, settings, warn};
use crate::config::keys::KEYS;
use crate::config::settings::Settings;
use crate::daemon::logging;
use crate::database::{Connection, Target};
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::{Monotonic, Read};
use crate::heartbeat::standstill::{Motion, Standstill};

pub(super) const ENTRY: Entry = Entry {
    exit_codes: &[
        (0, "the configuration is valid"),
        (1, "the configuration is invalid"),
        (2, "the database can't be read (--connect)"),
    ],
    examples: &[(
        "Show where each setting comes from, and test the database",
        "check-config --connect",
    )],
    ..Entry::new("check-config", describe, |matches, _| run(matches))
};

fn describe(command: Command) -> Command {
    let help = "Also connect to the database and read the heartbeats once";
    command
        .about("Prints each active setting with its origin")
        .arg(switch("connect", help))
        .args(flags::used(&[""]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches, WRONG)?;
    let mut text = String::new();
    for key in KEYS {
        let values = settings.effective.iter();
        for value in values.filter(|value| value.name == key.name) {
            let _ = writeln!(text, "{} = {}  ({})", value.name, value.value, value.origin);
        }
    }
    write(&text, WRONG)?;
    warn(&settings);
    access(&settings)?;
    if matches.get_flag("connect") {
        logging::start(settings.log);
        let target = Target::of(&settings);
        let reading = block_on(0, NO_ANSWER, connect(&target))?;
        let text = format!(
            "connected to {}: {} services, {} clusters, {} rows with unreadable values\n",
            target.address(),
            reading.services.len(),
            reading.clusters.len(),
            reading.rejected.len()
        );
        write(&text, NO_ANSWER)?;
        if reading.services.is_empty() {
            write_stderr(&warning(NO_SERVICES));
        }
        check_current(&reading, &target, &settings)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails as a poll does if the server is known not to be current.
fn check_current(reading: &Reading, target: &Target, settings: &Settings) -> Result<(), Failure> {
    let read = Read {
        sent: Monotonic(TimeDelta::zero()),
        answered: Monotonic(TimeDelta::zero()),
    };
    let (intervals, tolerances) = (&settings.intervals, &settings.tolerances);
    let mut standstill = Standstill::default();
    match standstill.observe(reading, read, intervals, tolerances, std::iter::empty) {
        Motion::Stale(stale) => {
            let error = target.stale(reading.server.as_deref(), stale);
            Err(failure(NO_ANSWER)(error))
        }
        Motion::Moves | Motion::Resumes | Motion::Still(_) => Ok(()),
    }
}

/// Reads once, and warns on standard error of columns that can't be read and of a connection that goes without TLS.
async fn connect(target: &Target) -> Result<Reading, Failure> {
    let mut connection = Connection::open(target).await.map_err(failure(NO_ANSWER))?;
    if let Some((names, grants)) = connection.left_out() {
        write_stderr(&warning(format!(
            "cannot read {names}: this release lacks them, or a grant is missing; for the grants, run the \
             output of `{grants}` as the database administrator"
        )));
    }
    if let Some(error) = connection.unencrypted() {
        write_stderr(&warning(format!(
            "the connection is not encrypted: it failed with TLS, which the database URL does not require: {error}"
        )));
    }
    let reading = connection.read(target).await.map_err(failure(NO_ANSWER))?;
    connection.close().await;
    Ok(reading)
}
