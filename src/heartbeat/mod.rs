//! What heartbeats prove: rows as values, Cinder's verdicts, and the snapshot published after each poll.
//!
//! Everything here is pure: no task, no socket, no clock read. Nothing returns a `Result`, because every operation
//! that can fail belongs to [`database`](crate::database).

pub(crate) mod budget;
pub mod cause;
pub mod failure;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod history;
pub mod liveness;
pub(crate) mod reference;
pub mod service;
pub mod skew;
pub mod snapshot;
pub(crate) mod state;
pub mod status;
pub mod time;
pub mod tracker;
pub(crate) mod urgency;
pub(crate) mod verdict;
pub(crate) mod view;
