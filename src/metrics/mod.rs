//! What is published: every metric's name and meaning, and the bytes of `/metrics`.

pub mod exposition;
pub mod gzip;
pub mod loading;
pub mod process;
pub mod table;
pub mod telemetry;
