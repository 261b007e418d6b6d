//! Which services `services` lists, in which format, and what it says and returns besides.

use std::process::ExitCode;

use clap::ArgMatches;

use crate::cli::outcome::{NO_ANSWER, warning};
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::verdict;
use crate::report::view::Listed;
use crate::report::words;

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFormat {
    Table,
    Json,
    Csv,
}

/// The services to list, and the format.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) format: OutputFormat,
    only_down: bool,
}

impl Choice {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        Self {
            format: match matches.get_one::<String>("format").map(String::as_str) {
                Some("json") => OutputFormat::Json,
                Some("csv") => OutputFormat::Csv,
                _ => OutputFormat::Table,
            },
            only_down: matches.get_flag("down"),
        }
    }

    pub(super) fn shows(&self, status: &ServiceStatus) -> bool {
        !self.only_down || verdict::is_down(status)
    }
}

/// Returns warnings about the tables of services.
pub(super) fn table_warnings(sources: &[Listed]) -> Vec<String> {
    let read = sources
        .iter()
        .filter_map(|source| Some((source.database, source.snapshot?)));
    let warnings = read.flat_map(|(database, snapshot)| {
        let warnings = table_faults(snapshot);
        warnings.map(move |text| warning(words::of_source(sources.len(), database, &text)))
    });
    warnings.collect()
}

fn table_faults(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let rejected = snapshot.rejected.iter().map(|row| {
        let id = row.id.map_or("unknown".to_owned(), |id| id.to_string());
        let (table, reason) = (row.table, row.defect.as_str());
        format!("row {id} of table {table} has an unreadable value: {reason}")
    });
    let is_empty = snapshot.services.is_empty();
    let empty = is_empty.then(|| words::no_services(snapshot.project));
    rejected.chain(empty)
}

/// Returns the exit code: a service that is down matters more than a database that can't be read.
pub(super) fn exit_code(sources: &[Listed]) -> ExitCode {
    let all_up = |source: &Listed| {
        let snapshot = source.snapshot.filter(|_| source.failure.is_none());
        snapshot.and_then(verdict::all_up)
    };
    let states: Vec<Option<bool>> = sources.iter().map(all_up).collect();
    if states.contains(&Some(false)) {
        ExitCode::from(1)
    } else if states.contains(&None) {
        ExitCode::from(NO_ANSWER)
    } else {
        ExitCode::SUCCESS
    }
}
