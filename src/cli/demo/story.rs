//! The simulated services of a project: where their rows are, and what has happened to them.

use super::service::SimulatedService;

/// A project's part of the simulated cloud.
#[derive(Debug)]
pub(super) struct Story {
    /// The project's name, which is also the name of the source.
    pub(super) project: &'static str,
    /// The tables as the project creates them on SQLite, without their foreign keys, and rows that do not change.
    pub(super) schema: &'static str,
    /// Adds a service: id, host, binary, zone, number of heartbeats, creation, stamp, stored state.
    pub(super) insert: &'static str,
    /// Writes a heartbeat: id, modifier of SQLite's date functions.
    pub(super) beat: &'static str,
    pub(super) services: &'static [SimulatedService],
}
