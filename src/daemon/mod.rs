//! The life of the server: how it begins, reloads, reports to systemd, logs, and ends.

pub(crate) mod configuration;
pub(crate) mod logging;
pub(crate) mod serve;
mod sink;
pub(crate) mod systemd;
pub(crate) mod watchdog;
