//! What is published: every metric's name and meaning, the bytes of `/metrics`, and the latest snapshot as bytes.

mod demand;
pub mod exposition;
pub(crate) mod gzip;
pub mod latest;
pub(crate) mod loading;
pub(crate) mod metrics_page;
mod own_metrics;
pub(crate) mod process;
pub mod rendered;
pub mod table;
pub mod telemetry;
