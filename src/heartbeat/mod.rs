//! What heartbeats prove: rows as values, Cinder's verdicts, and the picture published after each poll.
//!
//! Everything here is pure: no task, no socket, no clock read, and no `Result`, because what can fail has
//! failed in [`database`](crate::database) before.

pub mod advice;
pub mod cause;
#[cfg(test)]
pub(crate) mod fixture;
pub mod history;
pub mod liveness;
pub mod reference;
pub mod service;
pub mod skew;
pub mod snapshot;
pub mod state;
pub mod tracker;
pub mod urgency;
