//! TLS handshakes, run on a thread apart from the server's: a flood of handshakes does not delay responses.
//!
//! Handshakes delay each other, whichever client they belong to. All threads share the processors.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::tls;

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
    /// Those of [`tls::accept`].
    pub(crate) async fn accept<S>(
        &self,
        config: Arc<ServerConfig>,
        stream: S,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.run(tls::accept(config, stream)).await?
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
