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
}

/// An option with a whole number of seconds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seconds {
    /// Group of the option.
    pub group: &'static str,
    /// Name of the option.
    pub name: &'static str,
    /// The project's own default.
    pub default: u32,
}

impl Seconds {
    /// Returns an option of the group `DEFAULT`.
    pub(crate) const fn new(name: &'static str, default: u32) -> Self {
        Self {
            group: "DEFAULT",
            name,
            default,
        }
    }
}
