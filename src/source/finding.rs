//! What a look for databases found: those to read, those that should be readable, and the others.

use std::collections::BTreeSet;

use crate::config::search::Search;
use crate::config::source::SourceSettings;
use crate::database::catalog::Entry;
use crate::database::{self, Target};
use crate::error::chain;
use crate::heartbeat::failure::Class;
use crate::project::signature::{self, Owner};

/// The result of a look. Each list is sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    /// The databases to read.
    pub(crate) sources: Vec<SourceSettings>,
    /// The names of databases that look like a project's, or did not answer, with the reason.
    pub(crate) unreadable: Vec<(String, database::Error)>,
    /// The names of the others, with the reason.
    pub(crate) passed_over: Vec<(String, String)>,
}

impl Finding {
    /// Sorts the databases of a server, by the columns of their tables of services.
    pub(super) fn of(search: &Search, target: &Target, entries: Vec<Entry>) -> Self {
        let mut finding = Self::default();
        for (name, columns) in entries {
            // Logs and terminals would interpret them.
            if name.contains(char::is_control) {
                let reason = "its name contains a control character".to_owned();
                let name = name.escape_debug().to_string();
                finding.passed_over.push((name, reason));
                continue;
            }
            match columns {
                _ if search.excludes(&name) => {
                    let reason = "`discovery.exclude` leaves it out".to_owned();
                    finding.passed_over.push((name, reason));
                }
                Ok(columns) => finding.sort(search, target, name, signature::owner(&columns)),
                Err(error) if is_private(error.class()) => {
                    finding.passed_over.push((name, chain(&error)));
                }
                Err(error) => finding.unreadable.push((name, error)),
            }
        }
        finding
    }

    fn sort(&mut self, search: &Search, target: &Target, name: String, owner: Owner) {
        let reason = match owner {
            Owner::Project(project) => {
                self.sources.extend(search.source(&name, project));
                return;
            }
            Owner::Lacking(project, missing) => {
                let target = target.in_database(&name).of_project(project);
                let error = target.missing_columns(missing, target.grants(&target.account()));
                self.unreadable.push((name, error));
                return;
            }
            Owner::Several(projects) => {
                let names: Vec<&str> = projects.iter().map(|project| project.name).collect();
                let names = names.join(" and of ");
                format!("it has the tables of {names}; name each with its own URL in `sources`")
            }
            Owner::Foreign(table) => format!("its table `{table}` matches no known project"),
            Owner::Unknown => "it has no table of services that the user can see".to_owned(),
        };
        self.passed_over.push((name, reason));
    }

    /// Returns whether the look found databases, and could read all that are a known project's.
    pub(crate) fn is_complete(&self) -> bool {
        !self.sources.is_empty() && self.unreadable.is_empty()
    }

    /// Returns the names of the databases that should be readable and are not.
    pub(crate) fn unreadable_names(&self) -> BTreeSet<&str> {
        self.unreadable
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Returns whether a database refuses the user, or is gone: it is somebody else's.
fn is_private(class: Class) -> bool {
    matches!(class, Class::Auth | Class::Permission | Class::Schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::flags::Flags;
    use crate::config::keys;
    use crate::config::settings::Settings;
    use crate::project::signature::SeenColumn;
    use crate::project::{Project, cinder, manila};

    fn search() -> Search {
        let mut flags = Flags::default();
        let url = keys::find("database.url").unwrap();
        flags.layer.add(url, "mysql://u:p@h", "a test");
        Settings::load_apart(flags).unwrap().search.unwrap()
    }

    /// The columns of a project's table of services.
    fn columns(project: &Project, kind: &str) -> Vec<SeenColumn> {
        let table = &project.services;
        let column = |name: &str| SeenColumn::fixture(table.name, name, kind);
        table.required().map(column).collect()
    }

    fn names<T>(list: &[(String, T)]) -> Vec<&str> {
        list.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn databases_are_read_named_as_unreadable_or_passed_over() {
        let target = Target::fixture("mysql://u:p@h/information_schema");
        let mut hidden = columns(&manila::PROJECT, "int");
        hidden[0].is_readable = false;
        let entries = vec![
            ("a".to_owned(), Ok(columns(&cinder::PROJECT, "tinyint(1)"))),
            ("b".to_owned(), Ok(columns(&manila::PROJECT, "int"))),
            ("hidden".to_owned(), Ok(hidden)),
            ("empty".to_owned(), Ok(Vec::new())),
            (
                "foreign".to_owned(),
                Ok(vec![SeenColumn::fixture("services", "name", "text")]),
            ),
            (
                "new\nline".to_owned(),
                Ok(columns(&cinder::PROJECT, "tinyint(1)")),
            ),
            ("slow".to_owned(), Err(target.query_timed_out())),
        ];
        let finding = Finding::of(&search(), &target, entries);
        let sources: Vec<&str> = finding.sources.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(sources, ["a", "b"]);
        assert_eq!(finding.sources[1].project, &manila::PROJECT);
        assert_eq!(names(&finding.unreadable), ["hidden", "slow"]);
        let error = finding.unreadable[0].1.to_string();
        assert!(
            error.contains("print grants manila --database hidden"),
            "{error}"
        );
        let passed_over = ["empty", "foreign", "new\\nline"];
        assert_eq!(names(&finding.passed_over), passed_over);
        assert!(!finding.is_complete());
    }

    #[test]
    fn a_database_that_refuses_the_user_or_is_gone_is_somebody_elses() {
        for (class, expected) in [
            (Class::Auth, true),
            (Class::Permission, true),
            (Class::Schema, true),
            (Class::Timeout, false),
            (Class::Connect, false),
            (Class::Query, false),
        ] {
            assert_eq!(is_private(class), expected, "{class:?}");
        }
    }
}
