//! TLS handshakes, run on a thread apart from the server's: a flood of handshakes does not delay responses.
//!
//! Handshakes delay each other, whichever client they belong to. All threads share the processors.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::stream::TrackedStream;

/// Maximum duration of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a refused client to read the alert.
const ALERT_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum number of bytes to read and discard from a refused client.
const MAX_DISCARDED: u64 = 64 * 1024;

type Client = Pin<Box<TrackedStream>>;

/// The thread that runs handshakes. It also exists while TLS is off, since a reload may turn TLS on.
#[derive(Debug)]
pub struct HandshakePool(Option<Runtime>);

impl HandshakePool {
    /// Starts the thread.
    ///
    /// # Panics
    /// The system refuses to create a thread.
    #[must_use]
    pub fn start() -> Self {
        // The runtime needs a timer for the handshake's timeout. The runtime that accepted a stream wakes it.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tls-handshake")
            .enable_time()
            .build()
            .expect("a runtime without I/O asks the system only for a thread");
        Self(Some(runtime))
    }

    /// Performs the handshake on a stream. Dropping the future ends the handshake.
    ///
    /// # Errors
    /// The handshake failed, took longer than ten seconds, or the client disconnected.
    pub(crate) async fn accept(
        &self,
        config: Arc<ServerConfig>,
        client: Client,
    ) -> io::Result<TlsStream<Client>> {
        let handshake = async {
            let accepted = TlsAcceptor::from(config).accept(client).into_fallible();
            match accepted.await {
                Ok(stream) => Ok(stream),
                Err((error, client)) => {
                    close_with_alert(client).await;
                    Err(error)
                }
            }
        };
        self.run(timeout(HANDSHAKE_TIMEOUT, handshake)).await??
    }

    /// Returns the output of a task, or an error if it panicked.
    async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let runtime = self.0.as_ref().expect("only drop takes the runtime");
        // Unlike a task's handle, the set aborts its tasks when dropped.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(task, runtime.handle());
        let output = tasks.join_next().await.expect("the set has one task");
        output.map_err(io::Error::other)
    }
}

/// Closes a connection and gives the client time to read the alert.
///
/// Closing a socket with unread data resets the connection and loses the alert. The client would then report a reset
/// connection instead of a rejected certificate.
async fn close_with_alert(mut client: Client) {
    if client.shutdown().await.is_ok() {
        let mut unread = client.take(MAX_DISCARDED);
        let mut sink = tokio::io::sink();
        let discard = tokio::io::copy(&mut unread, &mut sink);
        // Best effort: the connection is closed either way.
        let _ = timeout(ALERT_TIMEOUT, discard).await;
    }
}

impl Drop for HandshakePool {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which asynchronous code must not do.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_dropped_task_is_aborted_and_a_panic_is_an_error() {
        let pool = HandshakePool::start();
        let (held, aborted) = oneshot::channel::<()>();
        let (started, starts) = oneshot::channel();
        let task = pool.run(async move {
            let _held = held;
            started.send(()).unwrap();
            pending::<()>().await;
        });
        tokio::select! {
            _ = task => panic!("it is pending forever"),
            started = starts => started.unwrap(),
        }
        // The sender is dropped with the task.
        aborted.await.unwrap_err();
        let panicked: io::Result<()> = pool.run(async { panic!("on purpose") }).await;
        assert!(panicked.is_err());
    }
}
