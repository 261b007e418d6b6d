//! Finds the databases to read, and tells why others are passed over.

use crate::config::search::Search;
use crate::config::source::SourceSettings;
use crate::database::catalog::{self, Columns};
use crate::database::{self, Target};
use crate::error::chain;
use crate::project::signature::{self, Owner};

/// The largest number of databases that are read.
const MOST: usize = 64;

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    /// The databases to read, sorted by name.
    pub(crate) sources: Vec<SourceSettings>,
    /// The names of the others, each with the reason.
    pub(crate) passed_over: Vec<(String, String)>,
}

/// Looks for databases.
///
/// # Errors
/// Any class, if the server cannot be asked. A database that cannot be read is passed over.
pub(crate) async fn find(search: &Search) -> Result<Finding, database::Error> {
    let target = &target(search);
    let Some(database) = search.database() else {
        let skips = |name: &str| is_excluded(search, name);
        let entries = catalog::all(target, skips).await?;
        return Ok(Finding::of(search, entries));
    };
    let columns = catalog::columns(target).await?;
    Ok(Finding::of(
        search,
        vec![(database.to_owned(), Ok(columns))],
    ))
}

/// Returns the database to ask first.
pub(crate) fn target(search: &Search) -> Target {
    let polls = search.polls();
    Target {
        url: search.url(),
        project: crate::project::ALL[0],
        connect_timeout: polls.connect_timeout,
        query_timeout: polls.query_timeout,
    }
}

fn is_excluded(search: &Search, name: &str) -> bool {
    search.exclude.iter().any(|pattern| pattern.includes(name))
}

impl Finding {
    fn of(search: &Search, entries: Vec<catalog::Entry>) -> Self {
        let mut finding = Self::default();
        for (name, columns) in entries {
            let source = match columns {
                Ok(columns) => recognise(&columns),
                Err(error) => Err(chain(&error)),
            };
            let is_full = finding.sources.len() == MOST;
            match source {
                Ok(_) if is_full => {
                    let reason = format!(
                        "more than {MOST} databases have a known table; leave some out with `discovery.exclude`"
                    );
                    finding.passed_over.push((name, reason));
                }
                Ok(project) => finding.sources.extend(search.source(&name, project)),
                Err(reason) => finding.passed_over.push((name, reason)),
            }
        }
        finding
    }
}

/// Returns whose tables a database has, or why that is not known.
fn recognise(columns: &Columns) -> Result<&'static crate::project::Project, String> {
    match signature::owner(&columns.readable) {
        Owner::Project(project) => Ok(project),
        Owner::Several(projects) => {
            let names: Vec<&str> = projects.iter().map(|project| project.name).collect();
            let names = names.join(" and of ");
            Err(format!(
                "it has the tables of {names}; name each with its own URL in `sources`"
            ))
        }
        Owner::Lacking(project, missing) => Err(format!(
            "its table `{}` looks like that of {}, but `{}` is missing or not granted",
            project.services.name,
            project.name,
            missing.join("`, `")
        )),
        Owner::Unknown => Err(match signature::owner(&columns.shown) {
            Owner::Project(project) => format!(
                "it is {}'s, but the user may not read it: run the output of `print grants {}` as the database administrator",
                project.words.title, project.name
            ),
            _ if columns.shown.is_empty() => {
                "it has no table of heartbeats that the user may read".to_owned()
            }
            _ => "its table of services is of no project that the exporter knows".to_owned(),
        }),
    }
}
