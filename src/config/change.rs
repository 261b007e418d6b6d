//! The settings that differ between two configurations, and whether the change needs a restart.

use super::key::Uptake;
use super::keys::{self, KEYS};
use super::search::Search;
use super::settings::Settings;
use super::source::SourceSettings;
use super::values::Effective;

/// The names of the settings that differ, in the order of the help, then source by source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Applied by a reload. A password counts as part of `database.url`, wherever it was given.
    pub taken: Vec<String>,
    /// Active only after a restart.
    pub restart: Vec<&'static str>,
}

impl Change {
    /// Compares reloaded settings with the active ones: `current`, or `started` for settings that need a restart.
    pub(crate) fn between(started: &Settings, current: &Settings, new: &Settings) -> Self {
        let mut change = Self::default();
        for key in KEYS {
            let differs = |active: &Settings| differs(&active.effective, &new.effective, key.name);
            match key.uptake {
                Uptake::Restart if differs(started) => change.restart.push(key.name),
                Uptake::Reload if differs(current) => change.taken.push(key.name.to_owned()),
                Uptake::Restart | Uptake::Reload => {}
            }
        }
        change.compare_searches(current, new);
        change.compare_sources(current, new);
        change
    }

    /// Adds the database URL if the search for databases has another, even if only its password differs.
    fn compare_searches(&mut self, current: &Settings, new: &Settings) {
        let url = |settings: &Settings| settings.search.as_ref().map(Search::url);
        let name = "database.url".to_owned();
        if url(current) != url(new) && !self.taken.contains(&name) {
            self.taken.push(name);
        }
    }

    /// Adds the settings that differ of a source that was there before; of another one, its name.
    fn compare_sources(&mut self, current: &Settings, new: &Settings) {
        for source in &new.sources {
            match current.source(&source.name) {
                None => self.taken.push(source.full_name()),
                Some(before) => self.taken.extend(changed(before, source)),
            }
        }
        let gone = current
            .sources
            .iter()
            .filter(|it| new.source(&it.name).is_none());
        self.taken.extend(gone.map(SourceSettings::full_name));
    }
}

fn changed<'a>(
    before: &'a SourceSettings,
    after: &'a SourceSettings,
) -> impl Iterator<Item = String> {
    let keys = keys::of_source().filter(move |key| {
        // The shown values hide secrets, so compare those directly.
        let is_hidden_change = key.secret && before.url != after.url;
        is_hidden_change || differs(&before.effective, &after.effective, key.name)
    });
    keys.map(|key| format!("{}.{}", after.full_name(), key.name))
}

fn differs(before: &[Effective], after: &[Effective], name: &str) -> bool {
    let values = |effective: &'_ [Effective]| {
        let named = effective.iter().filter(|value| value.name == name);
        named.map(|value| value.value.clone()).collect::<Vec<_>>()
    };
    values(before) != values(after)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::flags::Flags;
    use crate::config::keys;

    /// Loads settings from this text only.
    fn settings(yaml: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.yaml");
        fs::write(&file, yaml).unwrap();
        let mut flags = Flags {
            config_file: Some(file),
            ..Flags::default()
        };
        if !yaml.starts_with("database.url") {
            let url = keys::find("database.url").unwrap();
            flags.layer.add(url, "mysql://u:p@h/cinder", "a test");
        }
        Settings::load_apart(flags).unwrap()
    }

    fn check(started: &str, current: &str, new: &str, taken: &[&str], restart: &[&str]) {
        let [started, current, new] = [started, current, new].map(settings);
        let change = Change::between(&started, &current, &new);
        assert_eq!(change.taken, taken);
        assert_eq!(change.restart, restart);
    }

    #[test]
    fn the_origin_of_a_setting_is_not_compared() {
        check("", "", "", &[], &[]);
        check("", "", "poll.interval: 5s", &[], &[]);
    }

    #[test]
    fn a_default_that_follows_from_a_changed_setting_changes_too() {
        let taken = ["poll.interval", "poll.stale-after"];
        check("", "", "poll.interval: 20s", &taken, &[]);
    }

    #[test]
    fn a_hidden_password_is_compared() {
        let [old, new] = ["p", "q"].map(|it| format!("database.url: mysql://u:{it}@h/cinder"));
        check(&old, &old, &new, &["sources.cinder.database.url"], &[]);
        check(&old, &new, &new, &[], &[]);
    }

    #[test]
    fn settings_that_need_a_restart_are_compared_with_the_start() {
        let new = "web: {listen-address: [':1', ':2'], enable-lifecycle: true}\nlog.level: debug";
        let restart = ["web.listen-address", "web.enable-lifecycle"];
        check("", "", new, &["log.level"], &restart);
        // After a second reload the restart is still pending; after a revert it is not.
        check("", new, new, &[], &restart);
        check("", new, "", &["log.level"], &[]);
    }

    #[test]
    fn a_source_is_compared_setting_by_setting_or_is_new_or_gone() {
        let one = "sources: {cinder: {}}";
        let other = "sources: {cinder: {report-interval: 9s, limit: 5}}";
        let taken = ["sources.cinder.report-interval", "sources.cinder.limit"];
        check(one, one, other, &taken, &[]);
        let two = "sources: {cinder: {}, more: {project: cinder, database.url: 'mysql://h/d'}}";
        check(one, one, two, &["sources.more"], &[]);
        check(two, two, one, &["sources.more"], &[]);
    }
}
