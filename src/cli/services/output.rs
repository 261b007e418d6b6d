//! Which services `services` lists, in which format, and what it says and returns besides.

use std::process::ExitCode;

use clap::ArgMatches;

use crate::cli::outcome::{NO_ANSWER, NO_SERVICES, warning};
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::verdict;

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

/// Returns warnings about the table of services.
pub(super) fn table_warnings(snapshot: &Snapshot) -> Vec<String> {
    let rejected = snapshot.rejected.iter().map(|row| {
        let id = row.id.map_or("unknown".to_owned(), |id| id.to_string());
        let (table, reason) = (row.table, row.defect.as_str());
        format!("row {id} of table {table} has an unreadable value: {reason}")
    });
    let empty = snapshot.services.is_empty().then(|| NO_SERVICES.to_owned());
    rejected.chain(empty).map(warning).collect()
}

/// Returns the exit code that the services of a snapshot give.
pub(super) fn exit_code(snapshot: &Snapshot) -> ExitCode {
    match verdict::all_up(snapshot) {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::from(1),
        None => ExitCode::from(NO_ANSWER),
    }
}
