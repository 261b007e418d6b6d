//! Looks for the databases to read.

use futures_util::future::join_all;

use super::finding::Finding;
use crate::config::search::Search;
use crate::database::catalog::{self, Entry};
use crate::database::{self, Target};
use crate::project;

/// Number of databases of PostgreSQL that are looked into at the same time.
const AT_ONCE: usize = 8;

/// Looks for databases.
///
/// # Errors
/// Any class, if the server cannot be asked.
pub(crate) async fn find(search: &Search) -> Result<Finding, database::Error> {
    let polls = search.polls();
    let target = Target {
        url: search.url(),
        project: project::ALL[0],
        connect_timeout: polls.connect_timeout,
        query_timeout: polls.query_timeout,
    };
    let entries = match search.database() {
        Some(database) => vec![(database.to_owned(), Ok(catalog::columns(&target).await?))],
        None => all(search, &target).await?,
    };
    Ok(Finding::of(search, &target, entries))
}

/// Reads the columns of all databases of a server.
async fn all(search: &Search, target: &Target) -> Result<Vec<Entry>, database::Error> {
    let mut entries = Vec::new();
    let mut unread = Vec::new();
    for (name, columns) in catalog::all(target).await? {
        match columns {
            _ if search.excludes(&name) => entries.push((name, Ok(Vec::new()))),
            Some(columns) => entries.push((name, Ok(columns))),
            None => unread.push(name),
        }
    }
    for names in unread.chunks(AT_ONCE) {
        let reads = names.iter().map(async |name| {
            let columns = catalog::columns(&target.in_database(name)).await;
            (name.clone(), columns)
        });
        entries.extend(join_all(reads).await);
    }
    entries.sort_by(|(name, _), (other, _)| name.cmp(other));
    Ok(entries)
}
