//! Requests for a reload of the configuration.

use tokio::sync::{mpsc, oneshot};

use crate::config::change::Change;

/// Result of a reload: what changed, or every fault.
pub(crate) type ReloadOutcome = Result<Change, Vec<String>>;

/// A request for a reload, which takes the outcome.
pub(crate) type ReloadRequest = oneshot::Sender<ReloadOutcome>;

/// Requests that may wait while a reload runs; further ones wait to be sent.
const QUEUE: usize = 16;

/// Requests reloads of the configuration.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<ReloadRequest>);

impl Reload {
    /// Returns the handle for requests, and where they arrive.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Requests a reload and waits for its outcome; `None` when the exporter is shutting down.
    pub(crate) async fn request(&self) -> Option<ReloadOutcome> {
        let (sender, outcome) = oneshot::channel();
        self.0.send(sender).await.ok()?;
        outcome.await.ok()
    }
}
