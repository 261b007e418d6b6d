//! What is published: every metric's name and meaning, the bytes of `/metrics`, and the latest snapshot as bytes.

pub mod exposition;
pub(crate) mod gzip;
pub mod latest;
pub(crate) mod loading;
pub mod metrics_page;
pub(crate) mod process;
pub mod rendered;
pub mod table;
pub mod telemetry;
