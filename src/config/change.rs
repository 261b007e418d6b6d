//! The settings that differ between two configurations, and whether the change needs a restart.

use super::key::Uptake;
use super::keys::KEYS;
use super::settings::Settings;

/// The names of the settings that differ, in the order of the help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Applied by a reload. A password counts as part of `database.url`, wherever it was given.
    pub taken: Vec<&'static str>,
    /// Active only after a restart.
    pub restart: Vec<&'static str>,
}

impl Change {
    /// Compares reloaded settings with the active ones: `current`, or `started` for settings that need a restart.
    pub(crate) fn between(started: &Settings, current: &Settings, new: &Settings) -> Self {
        let mut change = Self::default();
        for key in KEYS {
            // The shown values hide secrets, so compare those directly.
            let hidden = key.secret && current.url != new.url;
            let (active, names) = match key.uptake {
                Uptake::Reload => (current, &mut change.taken),
                Uptake::Restart => (started, &mut change.restart),
            };
            if hidden || values(active, key.name).ne(values(new, key.name)) {
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
        if !yaml.contains("database.url") {
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
        check(&old, &old, &new, &["database.url"], &[]);
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
}
