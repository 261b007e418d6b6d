//! How a request has the configuration reloaded, whoever does that.

use tokio::sync::{mpsc, oneshot};

use crate::config::change::Change;

/// Result of a reload: what changed, or every fault.
pub(crate) type Outcome = Result<Change, Vec<String>>;

/// A request for a reload, which takes the outcome.
pub(crate) type Request = oneshot::Sender<Outcome>;

/// Requests that may wait while a reload runs; further ones wait to be sent.
const QUEUE: usize = 16;

/// Requests reloads of the configuration.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<Request>);

impl Reload {
    /// Returns the handle for requests, and where they arrive.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Requests a reload and waits for its outcome; `None` when the exporter is shutting down.
    pub(crate) async fn request(&self) -> Option<Outcome> {
        let (sender, outcome) = oneshot::channel();
        self.0.send(sender).await.ok()?;
        outcome.await.ok()
    }
}
