//! What differs between two configurations, and what of it can be taken up while running.

use super::key::{KEYS, Uptake};
use super::settings::Settings;

/// The names of the settings that differ, in the order of the help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Taken up while running. A password counts as a part of `database.url`, wherever it is kept.
    pub taken: Vec<&'static str>,
    /// In force only after a restart.
    pub restart: Vec<&'static str>,
}

impl Change {
    /// Compares what was loaded anew with what is in force: `current`, but `started` for what takes a restart.
    #[must_use]
    pub(crate) fn between(started: &Settings, current: &Settings, new: &Settings) -> Self {
        let mut change = Self::default();
        for key in KEYS {
            // What is hidden differs unseen.
            let hidden = key.secret && current.url != new.url;
            let (in_force, names) = match key.uptake {
                Uptake::Reload => (current, &mut change.taken),
                Uptake::Restart => (started, &mut change.restart),
            };
            if hidden || values(in_force, key.name).ne(values(new, key.name)) {
                names.push(key.name);
            }
        }
        change
    }
}

fn values<'a>(settings: &'a Settings, name: &'static str) -> impl Iterator<Item = &'a str> {
    let values = settings.effective.iter();
    values
        .filter(move |value| value.name == name)
        .map(|value| value.value.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::key;
    use crate::config::settings::Flags;

    /// Settings as a file gives them, and nothing on this machine but that.
    fn settings(yaml: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.yaml");
        fs::write(&file, yaml).unwrap();
        let mut flags = Flags {
            config_file: Some(file),
            ..Flags::default()
        };
        if !yaml.contains("database.url") {
            let url = key::find("database.url").unwrap();
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
    fn the_same_settings_do_not_differ_wherever_they_are_given() {
        check("", "", "", &[], &[]);
        check("", "", "poll.interval: 5s", &[], &[]);
    }

    #[test]
    fn what_follows_from_a_change_is_one_too() {
        let taken = ["poll.interval", "poll.stale-after"];
        check("", "", "poll.interval: 20s", &taken, &[]);
    }

    #[test]
    fn a_password_differs_though_it_is_hidden() {
        let (old, new) = (
            "database.url: mysql://u:p@h/cinder",
            "database.url: mysql://u:q@h/cinder",
        );
        check(old, old, new, &["database.url"], &[]);
        check(old, new, new, &[], &[]);
    }

    #[test]
    fn what_takes_a_restart_is_compared_with_the_start() {
        let new = "web: {listen-address: [':1', ':2'], enable-lifecycle: true}\nlog.level: debug";
        let restart = ["web.listen-address", "web.enable-lifecycle"];
        check("", "", new, &["log.level"], &restart);
        // Loaded once more, it still takes a restart; taken back, it does not.
        check("", new, new, &[], &restart);
        check("", new, "", &["log.level"], &[]);
    }
}
