//! The options of a project's own configuration files that the exporter reads, and their defaults.

/// Which options a project has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Usual path of the configuration file, for advice.
    pub file: &'static str,
    /// Age above which a service is down.
    pub service_down_time: Seconds,
    /// Time between two heartbeats of a service.
    pub report_interval: Seconds,
    /// Group of `connection`, the database URL.
    pub database: &'static str,
    /// An option of `[DEFAULT]` that makes the table useless, if the project has one.
    pub refused: Option<Refused>,
}

/// An option with a value that the exporter cannot work with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Name of the option.
    pub name: &'static str,
    /// The value.
    pub value: &'static str,
    /// What it does.
    pub why: &'static str,
}

/// An option with a number of seconds, or a constant of the project's code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seconds {
    /// Group of the option; `None` for a constant.
    pub group: Option<&'static str>,
    /// Name of the option; of a constant, the setting for it.
    pub name: &'static str,
    /// The project's own default.
    pub default: u32,
    /// By what the option is multiplied; the default is.
    pub factor: u32,
    /// Whether the option may have a fraction.
    pub is_float: bool,
}

impl Seconds {
    /// Returns an option of the group `DEFAULT`.
    pub(crate) const fn new(name: &'static str, default: u32) -> Self {
        Self::of("DEFAULT", name, default)
    }

    /// Returns an option of a group.
    pub(crate) const fn of(group: &'static str, name: &'static str, default: u32) -> Self {
        Self {
            group: Some(group),
            name,
            default,
            factor: 1,
            is_float: false,
        }
    }

    /// Returns the option as one that may have a fraction.
    pub(crate) const fn float(self) -> Self {
        Self {
            is_float: true,
            ..self
        }
    }

    /// Returns a multiple of the option.
    pub(crate) const fn times(self, factor: u32) -> Self {
        Self {
            default: self.default * factor,
            factor,
            ..self
        }
    }

    /// Returns what it is, for messages: its name, or `2 × name`.
    pub(crate) fn label(&self) -> String {
        match self.factor {
            1 => self.name.to_owned(),
            factor => format!("{factor} × {}", self.name),
        }
    }

    /// Returns an interval between heartbeats that is a constant of the project's code.
    pub(crate) const fn constant_interval(seconds: u32) -> Self {
        Self {
            group: None,
            name: "report-interval",
            default: seconds,
            factor: 1,
            is_float: false,
        }
    }

    /// Returns whether the project has an option for it.
    pub(crate) fn is_option(&self) -> bool {
        self.group.is_some()
    }
}
