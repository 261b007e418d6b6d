//! Published data: the names and meanings of all metrics, the latest snapshot, and both as the bytes of `/metrics`.

mod demand;
mod description;
mod entry;
mod entry_settings;
pub mod exposition;
pub(crate) mod gzip;
pub mod latest;
pub mod metric;
pub(crate) mod metrics_page;
pub(crate) mod pieces;
pub(crate) mod process;
pub mod rendered;
pub(crate) mod services;
pub mod table;
pub mod telemetry;
