//! The life of the server: start, reload, reports to systemd, log, and shutdown.

pub(crate) mod configuration;
pub(crate) mod discovery;
pub(crate) mod logging;
pub(crate) mod past;
mod pollers;
pub(crate) mod serve;
pub(crate) mod systemd;
pub(crate) mod watchdog;
