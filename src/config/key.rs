//! A setting: its names as a flag, variable and YAML key, its default and its help.

use crate::project::options::{Options, Seconds};

/// A setting, and how to give it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name: `poll.interval` is the flag `--poll.interval`, the variable
    /// `OPENSTACK_HEARTBEAT_POLL_INTERVAL` and `interval` below `poll` in the YAML file.
    pub name: &'static str,
    /// Placeholder for the value in the help.
    pub value_name: &'static str,
    /// Description of valid values, for help and error messages.
    pub accepts: &'static str,
    /// The default, if it does not depend on other settings.
    pub default: Option<&'static str>,
    /// Description of a default that depends on other settings.
    pub otherwise: Option<&'static str>,
    /// Whether it can be given several times or as a list.
    pub list: bool,
    /// Whether its value must never be shown. A secret has no flag, because the process list shows flags.
    pub secret: bool,
    /// Whether it is boolean; its flag without a value means `true`.
    pub switch: bool,
    /// The valid values, if they are a few words.
    pub choices: &'static [&'static str],
    /// The equivalent option of a project.
    pub(crate) option: Option<fn(&'static Options) -> &'static Seconds>,
    /// The end of the systemd credential's name that contains the setting, or the content of the file that it names.
    pub credential: Option<&'static str>,
    /// What it is a setting of.
    pub(crate) scope: Scope,
    /// How a change becomes active.
    pub(crate) uptake: Uptake,
    /// The heading in the help.
    pub group: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// What a setting belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The exporter.
    Exporter,
    /// All sources. A source can have its own value, which wins.
    Sources,
    /// One source. It is only in the settings file, below the source's name.
    Source,
}

/// How a change of a setting becomes active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uptake {
    /// By reloading the configuration.
    Reload,
    /// By restarting the exporter.
    Restart,
}

/// Placeholder for a value, and description of valid values.
pub(super) type Form = (&'static str, &'static str);

/// The end of the name of the systemd credential that contains the database URL.
pub(super) const URL_CREDENTIAL: &str = "database-url";
/// The end of the name of the systemd credential that contains the database password.
pub(super) const PASSWORD_CREDENTIAL: &str = "database-password";

/// Name of the setting that lists the sources. The settings file has [`SOURCES`] instead.
pub(crate) const PROJECT: &str = "project";

/// Name of the mapping in the settings file that lists the sources.
pub(super) const SOURCES: &str = "sources";

/// Name of the setting for the path of the YAML file, which that file cannot contain.
pub(crate) const CONFIG_FILE: &str = "config.file";

/// Start of the names of all environment variables.
pub(super) const PREFIX: &str = "OPENSTACK_HEARTBEAT_";

pub(super) const fn key(
    group: &'static str,
    name: &'static str,
    (value_name, accepts): Form,
) -> Key {
    Key {
        name,
        value_name,
        accepts,
        default: None,
        otherwise: None,
        list: false,
        secret: false,
        switch: false,
        choices: &[],
        option: None,
        credential: None,
        scope: Scope::Exporter,
        uptake: Uptake::Reload,
        group,
        help: "",
    }
}

impl Key {
    pub(super) const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    pub(super) const fn by_default(self, text: &'static str) -> Self {
        let default = Some(text);
        Self { default, ..self }
    }

    pub(super) const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    pub(super) const fn option(self, option: fn(&'static Options) -> &'static Seconds) -> Self {
        let option = Some(option);
        Self { option, ..self }
    }

    pub(super) const fn per_source(self) -> Self {
        let scope = Scope::Sources;
        Self { scope, ..self }
    }

    pub(super) const fn list(self) -> Self {
        Self { list: true, ..self }
    }

    pub(super) const fn fixed(self) -> Self {
        let uptake = Uptake::Restart;
        Self { uptake, ..self }
    }

    pub(super) const fn switch(self) -> Self {
        let key = self.choices(&["true", "false"]).by_default("false").fixed();
        Self {
            switch: true,
            ..key
        }
    }

    /// Returns the name of the environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Returns the default as shown in the help.
    pub(crate) fn shown_default(&self) -> Option<&'static str> {
        self.default.or(self.otherwise)
    }

    /// Returns whether the setting has a flag.
    #[must_use]
    pub fn has_flag(&self) -> bool {
        !self.secret
    }
}

/// Returns the name of the systemd credential with this end: that of one source, or that of all.
pub(super) fn credential(end: &str, source: Option<&str>) -> String {
    let exporter = env!("CARGO_PKG_NAME");
    match source {
        Some(source) => format!("{exporter}.{source}.{end}"),
        None => format!("{exporter}.{end}"),
    }
}

/// Returns the name of the environment variable of a setting.
pub(crate) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace(['.', '-'], "_"))
}
