//! The OpenStack projects whose services write heartbeats to a table, one file a project.

pub mod cinder;
pub(crate) mod options;
pub(crate) mod table;

use self::options::Options;
use self::table::Table;

/// Every project that the exporter knows.
pub static ALL: &[&Project] = &[&cinder::PROJECT];

/// An OpenStack project: what its services write, and where. Rows are decoded by position, so the columns of services
/// keep the order of Cinder's.
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
}

/// Returns the project of this name.
pub(crate) fn find(name: &str) -> Option<&'static Project> {
    ALL.iter().copied().find(|project| project.name == name)
}
