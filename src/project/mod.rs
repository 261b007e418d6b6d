//! The OpenStack projects whose services write heartbeats to a table, one file a project.
//!
//! A project's file is a [`Project`]: its tables, with the [role](table::Role) of each column, its [`Rules`], and its
//! [words](definition::Words). It is data alone: other rooms apply it. Statement, grants, decoding and the labels of the info metric follow from it.

pub mod cinder;
pub(crate) mod definition;
pub mod manila;
pub(crate) mod options;
pub(crate) mod rules;
pub(crate) mod table;

pub(crate) use self::definition::MOST_FACTS;
pub use self::definition::Project;

/// Every project that the exporter knows.
pub static ALL: &[&Project] = &[&cinder::PROJECT, &manila::PROJECT];

/// Returns the project of this name.
pub(crate) fn find(name: &str) -> Option<&'static Project> {
    ALL.iter().copied().find(|project| project.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::table::Role;
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
