//! Whose tables a database has, by the columns of the table of services.
//!
//! Several projects call it `services`. A table is a project's if it has every required column, none of those that the
//! project's table [lacks](Table::lacks), and the type of the column that marks deleted rows.

use super::table::{Live, Table};
use super::{ALL, Project};

/// A column that a database shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenColumn {
    /// Name of its table.
    pub(crate) table: String,
    /// Its name in lower case.
    pub(crate) name: String,
    /// Its type in the engine's words and in lower case, such as `tinyint(1)`.
    pub(crate) kind: String,
    /// Whether the user may read it.
    pub(crate) is_readable: bool,
}

/// Whose tables a database has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This project's.
    Project(&'static Project),
    /// More than one project's.
    Several(Vec<&'static Project>),
    /// Probably this project's, but these required columns are missing or not granted.
    Lacking(&'static Project, Vec<&'static str>),
    /// Nobody's that the exporter knows, though it has a table of this name.
    Foreign(String),
    /// It shows no table of services.
    Unknown,
}

/// A table is taken for a project's while at most one of so many required columns is absent.
const MOST_ABSENT: usize = 4;

/// Returns the names of all projects' tables of services.
pub(crate) fn tables() -> Vec<&'static str> {
    let mut names: Vec<_> = ALL.iter().map(|project| project.services.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns whose tables a database has that shows these columns.
pub(crate) fn owner(columns: &[SeenColumn]) -> Owner {
    let candidates = ALL.iter().copied().filter_map(|project| {
        let lack = project.services.lack_of(columns)?;
        Some((project, lack))
    });
    let (whole, partial): (Vec<_>, Vec<_>) =
        candidates.partition(|(_, lack)| lack.missing.is_empty());
    match whole.as_slice() {
        [(project, _)] => Owner::Project(project),
        [_, _, ..] => Owner::Several(whole.into_iter().map(|(project, _)| project).collect()),
        [] => {
            let closest = partial
                .into_iter()
                .min_by_key(|(_, lack)| (lack.absent, lack.missing.len()));
            match (closest, columns.first()) {
                (Some((project, lack)), _) => Owner::Lacking(project, lack.missing),
                (None, Some(column)) => Owner::Foreign(column.table.clone()),
                (None, None) => Owner::Unknown,
            }
        }
    }
}

/// The required columns that a table lacks.
struct Lack {
    /// Number of those that do not exist.
    absent: usize,
    /// Those that do not exist, or are not readable.
    missing: Vec<&'static str>,
}

impl Table {
    /// Returns the required columns that are not readable among these; `None` if the table is another's.
    fn lack_of(&self, columns: &[SeenColumn]) -> Option<Lack> {
        let own = || columns.iter().filter(|column| column.table == self.name);
        let find = |name: &str| own().find(|column| column.name == name);
        let absent = self.required().filter(|name| find(name).is_none()).count();
        // Whose table it is does not depend on grants, where the server shows more.
        let is_another = own().next().is_none()
            || absent * MOST_ABSENT > self.required().count()
            || self.lacks.iter().any(|name| find(name).is_some())
            || self
                .live
                .column()
                .and_then(find)
                .is_some_and(|column| !self.live.fits(&column.kind));
        let is_missing = |name: &&str| find(name).is_none_or(|column| !column.is_readable);
        (!is_another).then(|| Lack {
            absent,
            missing: self.required().filter(is_missing).collect(),
        })
    }
}

impl Live {
    /// Returns whether a column of this type marks deleted rows in this way.
    fn fits(self, kind: &str) -> bool {
        let is_boolean = kind.starts_with("bool") || kind == "tinyint(1)";
        match self {
            Self::All => true,
            Self::False(_) => is_boolean,
            Self::Zero(_) => !is_boolean && kind.contains("int"),
            Self::Null(_) => kind.contains("time"),
        }
    }
}

#[cfg(test)]
impl SeenColumn {
    /// Returns a readable column. All columns have the type of the one that marks deleted rows.
    pub(crate) fn fixture(table: &str, name: &str, kind: &str) -> Self {
        Self {
            table: table.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            is_readable: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{cinder, manila};

    /// Returns the required columns of a project's table, with this type of the column that marks deleted rows.
    fn columns(project: &Project, kind: &str) -> Vec<SeenColumn> {
        let table = &project.services;
        let column = |name: &str| SeenColumn::fixture(table.name, name, kind);
        table.required().map(column).collect()
    }

    fn foreign() -> Owner {
        Owner::Foreign("services".to_owned())
    }

    #[test]
    fn the_type_of_the_deletion_mark_tells_two_tables_of_one_name_apart() {
        for (kind, expected) in [
            ("tinyint(1)", Owner::Project(&cinder::PROJECT)),
            ("boolean", Owner::Project(&cinder::PROJECT)),
            ("int(11)", Owner::Project(&manila::PROJECT)),
            ("int", Owner::Project(&manila::PROJECT)),
            ("integer", Owner::Project(&manila::PROJECT)),
            ("varchar(36)", foreign()),
        ] {
            let seen = columns(&cinder::PROJECT, kind);
            assert_eq!(owner(&seen), expected, "{kind}");
        }
    }

    #[test]
    fn a_column_that_the_project_never_has_makes_the_table_anothers() {
        let mut seen = columns(&cinder::PROJECT, "tinyint(1)");
        let mut other = SeenColumn::fixture("services", "last_seen_up", "datetime");
        // It does so even where it is not granted.
        other.is_readable = false;
        seen.push(other);
        assert_eq!(owner(&seen), foreign());
    }

    #[test]
    fn a_few_absent_columns_and_all_that_are_not_granted_are_named() {
        let mut seen = columns(&manila::PROJECT, "int");
        seen.retain(|column| column.name != "updated_at");
        let lacking = Owner::Lacking(&manila::PROJECT, vec!["updated_at"]);
        assert_eq!(owner(&seen), lacking);
        for column in &mut seen {
            column.is_readable = false;
        }
        let all = manila::PROJECT.services.required().collect();
        assert_eq!(owner(&seen), Owner::Lacking(&manila::PROJECT, all));
        seen.truncate(MOST_ABSENT);
        assert_eq!(owner(&seen), foreign());
        assert_eq!(owner(&[]), Owner::Unknown);
    }
}
