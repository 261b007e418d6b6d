//! Handshakes of TLS, on a thread of their own: a flood of them takes no time from clients who are connected.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::tls;

/// The thread that secures connections.
#[derive(Debug)]
pub struct Handshakes(Option<Runtime>);

impl Handshakes {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start() -> io::Result<Self> {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("handshakes")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    /// Secures a connection; a handshake that is no longer waited for ends.
    ///
    /// # Errors
    /// Those of [`tls::accept`].
    pub async fn secure<S>(&self, config: Arc<ServerConfig>, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        let mut handshake = JoinSet::new();
        handshake.spawn_on(tls::accept(config, stream), runtime.handle());
        let accepted = handshake.join_next().await.expect("there is one");
        accepted.map_err(io::Error::other)?
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        // Dropped as it is, a runtime would wait for its threads, which asynchronous code must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
