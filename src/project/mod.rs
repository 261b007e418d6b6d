//! The OpenStack projects whose services write heartbeats to a table, one file a project.
//!
//! A project's file is a [`Project`]: its tables, with the [role](table::Role) of each column, and its
//! [rules](crate::heartbeat::rules::Rules). Statement, grants, decoding and the labels of the info metric follow from it.

pub mod cinder;
pub mod manila;
pub(crate) mod options;
pub(crate) mod table;

use self::options::Options;
use self::table::{Role, Table};
use crate::heartbeat::rules::Rules;
use crate::heartbeat::service::MOST_FACTS;

/// Every project that the exporter knows.
pub static ALL: &[&Project] = &[&cinder::PROJECT, &manila::PROJECT];

/// An OpenStack project: what its services write, where, and what it concludes from it.
#[derive(Debug, PartialEq, Eq)]
pub struct Project {
    /// The project's name in lower case, which is also the usual name of its database.
    pub name: &'static str,
    /// The options that its processes read.
    pub(crate) options: Options,
    /// The table of services, which contains the heartbeats.
    pub services: Table,
    /// The table of clusters, if the project has one.
    pub clusters: Option<Table>,
    /// The project's rules for up and down.
    pub rules: Rules,
    /// What operators call things.
    pub words: Words,
}

/// Returns the project of this name.
pub(crate) fn find(name: &str) -> Option<&'static Project> {
    ALL.iter().copied().find(|project| project.name == name)
}

/// A project's words for operators.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// How the project calls itself.
    pub title: &'static str,
    /// The command that creates the tables.
    pub sync: &'static str,
    /// The command that lists the services.
    pub list: &'static str,
    /// How to remove the row of a service that was retired.
    pub remove: &'static str,
    /// What to look at when a service stopped, after its process and its log.
    pub stopped: &'static str,
    /// Why a service can be listed as down though it beats; empty where no state is stored.
    pub marked_down: &'static str,
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

    /// Returns the column with the time of the last heartbeat.
    pub(crate) fn stamp(&self) -> &'static str {
        let column = self.services.column(Role::Stamp);
        column.map_or("", |column| column.name)
    }

    /// Returns each table with its columns, and each table in which values are looked up.
    pub(crate) fn tables(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let own = [Some(&self.services), self.clusters.as_ref()];
        let own = own.into_iter().flatten();
        let lookups = own.clone().flat_map(|table| table.columns);
        let lookups = lookups.filter_map(|column| column.lookup);
        own.map(|table| (table.name, table.column_names().collect()))
            .chain(lookups.map(|lookup| (lookup.table, vec![lookup.key, lookup.value])))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_project_can_be_read_and_has_its_own_name() {
        let names: HashSet<_> = ALL.iter().map(|project| project.name).collect();
        assert_eq!(names.len(), ALL.len());
        for project in ALL {
            for role in [Role::Id, Role::Binary, Role::Host, Role::Count, Role::Stamp] {
                let column = project.services.column(role).unwrap();
                assert!(column.required, "{}: {role:?}", project.name);
            }
            let roles: Vec<Role> = project.services.columns.iter().map(|it| it.role).collect();
            let facts = roles.iter().filter(|role| matches!(role, Role::Info(_)));
            assert!(facts.count() <= MOST_FACTS, "{}", project.name);
            for role in &roles {
                let same = roles.iter().filter(|other| *other == role).count();
                assert_eq!(same, 1, "{}: {role:?}", project.name);
            }
        }
    }
}
