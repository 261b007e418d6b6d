//! What heartbeats prove: rows as values, Cinder's verdicts, and the picture published after each poll.
//!
//! Everything here is pure: no task, no socket, no clock read, and no `Result`, because what can fail has
//! failed in [`database`](crate::database) before.

pub mod liveness;
pub mod service;
pub mod snapshot;
