//! The OpenStack projects whose services write heartbeats to a table, one file a project.
//!
//! A project's file is a [`Project`]: its tables, with the [role](table::Role) of each column, its [rules](rules::Rules),
//! its [options](options::Options) and its [words](definition::Words). It is data alone: other rooms apply it. Statement,
//! grants, decoding and the labels of the info metric follow from it.

pub mod cinder;
pub(crate) mod definition;
pub(crate) mod designate;
pub(crate) mod heat;
pub(crate) mod ironic;
pub(crate) mod magnum;
pub(crate) mod manila;
pub(crate) mod neutron;
pub(crate) mod nova;
pub(crate) mod options;
pub(crate) mod rules;
pub(crate) mod signature;
pub(crate) mod table;
pub(crate) mod watcher;
pub(crate) mod zun;

pub(crate) use self::definition::MOST_FACTS;
pub use self::definition::Project;

/// Every project that the exporter knows.
pub static ALL: &[&Project] = &[
    &cinder::PROJECT,
    &nova::PROJECT,
    &neutron::PROJECT,
    &manila::PROJECT,
    &ironic::PROJECT,
    &heat::PROJECT,
    &designate::PROJECT,
    &magnum::PROJECT,
    &watcher::PROJECT,
    &zun::PROJECT,
];

/// Returns the project of this name; `None` where the exporter knows none.
#[must_use]
pub fn find(name: &str) -> Option<&'static Project> {
    ALL.iter().copied().find(|project| project.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::definition::Words;
    use super::options::Options;
    use super::table::Role;
    use super::*;

    #[test]
    fn each_project_can_be_read_and_has_its_own_name() {
        let names: HashSet<_> = ALL.iter().map(|project| project.name).collect();
        assert_eq!(names.len(), ALL.len());
        for project in ALL {
            let services = &project.services;
            for role in [Role::Id, Role::Host, Role::Stamp, Role::Created] {
                let column = services.column(role).unwrap();
                assert!(column.required, "{}: {role:?}", project.name);
            }
            let binary = services.column(Role::Binary);
            assert_ne!(binary.is_some(), services.program.is_some());
            // A value that is not readable must not look like one that is.
            for role in [Role::Binary, Role::Count, Role::Forced, Role::Online] {
                let column = services.column(role);
                assert!(column.is_none_or(|column| column.required), "{role:?}");
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

    /// Names that the metrics and the settings have in common with the projects.
    const OURS: &str = "availability_zone binary cluster_name disabled disabled_reason forced_down frozen host id \
                        report_interval service_down_time state topic uuid";

    /// The words that only a project's file may contain.
    fn words(project: &Project) -> Vec<String> {
        let Words {
            sync, list, remove, ..
        } = &project.words;
        let commands = [Some(*sync), Some(*list), *remove].into_iter().flatten();
        let commands = commands.filter_map(|it| it.split(' ').next());
        let Options {
            service_down_time,
            report_interval,
            ..
        } = &project.options;
        let options = [service_down_time, report_interval].into_iter();
        let tables = project.tables().into_iter();
        let columns = tables.flat_map(|(_, columns)| columns);
        [project.name, project.words.title]
            .into_iter()
            .chain(commands.filter(|command| *command != "openstack"))
            .chain(options.filter(|it| it.is_option()).map(|it| it.name))
            .chain(columns.filter(|column| column.contains('_')))
            .filter(|word| OURS.split(' ').all(|own| own != *word))
            .map(str::to_owned)
            .collect()
    }

    /// Returns the code of a file without its tests.
    fn code(path: &Path) -> String {
        let text = std::fs::read_to_string(path).unwrap();
        let mut parts = text.split("#[cfg(test)]\n");
        let first = parts.next().unwrap().to_owned();
        // An item for tests is a line, or ends with a brace of its own.
        let rest = parts.map(|part| {
            let (line, after) = part.split_once('\n').unwrap_or((part, ""));
            if line.ends_with(';') {
                return after;
            }
            part.split_once("\n}\n").map_or("", |(_, after)| after)
        });
        first + &rest.collect::<String>()
    }

    #[test]
    fn no_other_room_knows_a_project() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let words: Vec<String> = ALL.iter().flat_map(|project| words(project)).collect();
        assert!(words.contains(&"report_count".to_owned()), "{words:?}");
        let mut folders = vec![source.clone()];
        let mut findings = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&source).unwrap().to_str().unwrap();
                // The help and the demo are documentation.
                let exempt = ["project", "cli"].iter().any(|room| name.starts_with(room));
                if exempt || name.contains("tests") || name.ends_with("fixture.rs") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let code = code(&path);
                let known = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
                let known = known.filter(|word| words.iter().any(|own| own == word));
                // hyper has a type of that name.
                let is_hypers = |word: &str| {
                    name.starts_with("web") && word.eq_ignore_ascii_case(watcher::PROJECT.name)
                };
                let known = known.filter(|word| !is_hypers(word));
                findings.extend(known.map(|word| format!("{name}: {word}")));
            }
        }
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
