//! `check-config`: prints the active settings, and tests the database on request.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::entry::{Entry, switch};
use super::flags;
use super::outcome::{
    Failure, NO_ANSWER, NO_SERVICES, Outcome, WRONG, failure, warning, write, write_stderr,
};
use super::startup::{access, block_on, settings, warn};
use crate::config::keys::KEYS;
use crate::daemon::logging;
use crate::database::{Connection, Target};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::service::{Reading, Stamp};
use crate::heartbeat::time::apparent_age;

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
        for doubt in doubts(&reading, &settings.intervals) {
            write_stderr(&warning(doubt));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what a single reading leaves in doubt.
fn doubts(reading: &Reading, intervals: &Intervals) -> impl Iterator<Item = String> {
    let empty = reading.services.is_empty().then(|| NO_SERVICES.to_owned());
    let stamps = reading.services.iter().map(|service| service.updated_at);
    let newest = stamps.filter_map(Stamp::time).max();
    let age = newest.map(|stamp| apparent_age(reading.now, stamp));
    let outdated = age.filter(|age| reading.read_only && *age > intervals.report_interval * 3);
    let outdated = outdated.map(|age| {
        format!(
            "the server accepts no writes, and the newest heartbeat is {} s old: it may be a replica that stands still, \
             and polls then fail with class `stale`; connect to the primary, or repair its replication",
            age.num_seconds()
        )
    });
    empty.into_iter().chain(outdated)
}

/// Reads once, and warns on standard error of columns that can't be read and of a connection that goes without TLS.
async fn connect(target: &Target) -> Result<Reading, Failure> {
    let mut connection = Connection::open(target).await.map_err(failure(NO_ANSWER))?;
    if let Some((names, grants)) = connection.left_out() {
        write_stderr(&warning(format!(
            "cannot read {names}: this release of Cinder lacks them, or a grant is missing; for the grants, run the \
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS};
    use crate::heartbeat::time::HostTime;

    #[test]
    fn an_empty_table_and_a_replica_without_new_heartbeats_are_in_doubt() {
        let of = |ages: &[i64], read_only| {
            let now = fixture::reading(vec![]).now;
            let stamp = |age: &i64| Stamp::At(HostTime(now.0 - TimeDelta::seconds(*age)));
            let services = ages
                .iter()
                .map(|age| fixture::stamped(stamp(age)))
                .collect();
            let reading = Reading {
                read_only,
                ..fixture::reading(services)
            };
            doubts(&reading, &INTERVALS)
                .collect::<Vec<String>>()
                .join("\n")
        };
        assert_eq!(of(&[], false), NO_SERVICES);
        for (ages, read_only) in [(&[5, 500], true), (&[31, 500], false), (&[30, 500], true)] {
            assert_eq!(of(ages, read_only), "", "{ages:?}");
        }
        assert!(of(&[31, 500], true).contains("the newest heartbeat is 31 s old"));
    }
}
