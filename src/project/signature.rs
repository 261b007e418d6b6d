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
}

/// Whose tables a database has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This project's.
    Project(&'static Project),
    /// More than one project's.
    Several(Vec<&'static Project>),
    /// It has a table of services that lacks these columns of the project that fits best, or they are not granted.
    Lacking(&'static Project, Vec<&'static str>),
    /// Nobody's that the exporter knows.
    Unknown,
}

/// The largest number of missing columns with which a table is still taken for a project's.
const MOST_MISSING: usize = 3;

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
        let missing = project.services.missing_of(columns)?;
        Some((project, missing))
    });
    let (whole, partial): (Vec<_>, Vec<_>) =
        candidates.partition(|(_, missing)| missing.is_empty());
    match whole.as_slice() {
        [(project, _)] => Owner::Project(project),
        [_, _, ..] => Owner::Several(whole.into_iter().map(|(project, _)| project).collect()),
        [] => {
            let closest = partial.into_iter().min_by_key(|(_, missing)| missing.len());
            let closest = closest.filter(|(_, missing)| missing.len() <= MOST_MISSING);
            closest.map_or(Owner::Unknown, |(project, missing)| {
                Owner::Lacking(project, missing)
            })
        }
    }
}

impl Table {
    /// Returns the required columns that are not among these; `None` if the table is another's.
    fn missing_of(&self, columns: &[SeenColumn]) -> Option<Vec<&'static str>> {
        let own = || columns.iter().filter(|column| column.table == self.name);
        own().next()?;
        let find = |name: &str| own().find(|column| column.name == name);
        let is_another = self.lacks.iter().any(|name| find(name).is_some())
            || find(self.live.column()).is_some_and(|column| !self.live.fits(&column.kind));
        if is_another {
            return None;
        }
        Some(
            self.required()
                .filter(|name| find(name).is_none())
                .collect(),
        )
    }
}

impl Live {
    /// Returns whether a column of this type marks deleted rows in this way.
    fn fits(self, kind: &str) -> bool {
        let is_boolean = kind.starts_with("bool") || kind == "tinyint(1)";
        match self {
            Self::False(_) => is_boolean,
            Self::Zero(_) => !is_boolean && kind.contains("int"),
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
        let column = |name: &str| SeenColumn {
            table: table.name.to_owned(),
            name: name.to_owned(),
            kind: if name == table.live.column() {
                kind.to_owned()
            } else {
                "varchar(255)".to_owned()
            },
        };
        table.required().map(column).collect()
    }

    #[test]
    fn the_type_of_the_deletion_mark_tells_two_tables_of_one_name_apart() {
        for (kind, expected) in [
            ("tinyint(1)", Owner::Project(&cinder::PROJECT)),
            ("boolean", Owner::Project(&cinder::PROJECT)),
            ("int(11)", Owner::Project(&manila::PROJECT)),
            ("int", Owner::Project(&manila::PROJECT)),
            ("integer", Owner::Project(&manila::PROJECT)),
            ("varchar(36)", Owner::Unknown),
        ] {
            let seen = columns(&cinder::PROJECT, kind);
            assert_eq!(owner(&seen), expected, "{kind}");
        }
    }

    #[test]
    fn a_column_that_the_project_never_has_makes_the_table_anothers() {
        let mut seen = columns(&manila::PROJECT, "int");
        seen.push(SeenColumn {
            name: "last_seen_up".to_owned(),
            ..seen[0].clone()
        });
        assert_eq!(owner(&seen), Owner::Unknown);
    }

    #[test]
    fn a_few_missing_columns_are_named_and_a_table_with_fewer_is_unknown() {
        let mut seen = columns(&manila::PROJECT, "int");
        seen.retain(|column| column.name != "updated_at");
        let lacking = Owner::Lacking(&manila::PROJECT, vec!["updated_at"]);
        assert_eq!(owner(&seen), lacking);
        seen.truncate(MOST_MISSING);
        assert_eq!(owner(&seen), Owner::Unknown);
        assert_eq!(owner(&[]), Owner::Unknown);
    }
}
