//! What a project's file fills in.

use super::options::Options;
use super::rules::Rules;
use super::table::{Role, Table};

/// The largest number of facts without a role of their own.
pub(crate) const MOST_FACTS: usize = 5;

/// An OpenStack project: what its services write, where, and what it concludes from it.
#[derive(Debug, PartialEq, Eq)]
pub struct Project {
    /// The project's name in lower case, which is also the usual name of its database.
    pub name: &'static str,
    /// The options that its processes read.
    pub(crate) options: Options,
    /// The table of services, which contains the heartbeats.
    pub(crate) services: Table,
    /// The table of clusters, if the project has one.
    pub(crate) clusters: Option<Table>,
    /// The table of the processes that stamp other services' rows, where they have rows in a table of their own.
    pub(crate) servers: Option<Table>,
    /// The project's rules for up and down.
    pub rules: Rules,
    /// What operators call things.
    pub(crate) words: Words,
}

/// A project's words for operators.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// How the project calls itself.
    pub(crate) title: &'static str,
    /// The command that creates the tables.
    pub(crate) sync: &'static str,
    /// The command that lists the services.
    pub(crate) list: &'static str,
    /// How to remove the row of a service that was retired; `None` where only the database can.
    pub(crate) remove: Option<&'static str>,
    /// What to look at when a service stopped, after its process and its log.
    pub(crate) stopped: &'static str,
    /// Why a table without services can be right.
    pub(crate) empty: Option<&'static str>,
    /// Why a service can be listed as down though it beats; `None` where no state is stored.
    pub(crate) marked_down: Option<&'static str>,
}

impl Project {
    /// Returns the labels of the facts that have no role of their own, in the order of
    /// [`Facts::info`](crate::heartbeat::service::Facts::info).
    pub(crate) fn info_labels(&self) -> impl Iterator<Item = &'static str> {
        let columns = self.services.columns.iter();
        let labels = columns.filter_map(|column| match column.role {
            Role::Info(label) => Some(label),
            _ => None,
        });
        labels.take(MOST_FACTS)
    }

    /// Returns a function that tells whether each row of a program's services is a process.
    pub(crate) fn has_processes(&self) -> impl Fn(&str) -> bool {
        let services = self.services.is_of_processes();
        let servers = self.servers.as_ref();
        let servers = servers.map(|table| (table.program, table.is_of_processes()));
        move |program| match servers {
            Some((own, is_of_processes)) if own == Some(program) => is_of_processes,
            _ => services,
        }
    }

    /// Returns the column with the time of the last heartbeat.
    pub(crate) fn stamp(&self) -> &'static str {
        let column = self.services.column(Role::Stamp);
        column.map_or("", |column| column.name)
    }

    /// Returns each table with its columns, and each table in which values are looked up.
    pub(crate) fn tables(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let own = [
            Some(&self.services),
            self.clusters.as_ref(),
            self.servers.as_ref(),
        ];
        let own = own.into_iter().flatten();
        let lookups = own.clone().flat_map(|table| table.columns);
        let lookups = lookups.filter_map(|column| column.lookup);
        own.map(|table| (table.name, table.column_names().collect()))
            .chain(lookups.map(|lookup| (lookup.table, vec![lookup.key, lookup.value])))
            .collect()
    }
}
