//! Handshakes of TLS, on threads of their own: a flood of them takes no time from clients who are connected, nor does
//! a client who comes with many at once delay one with few.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::tls;

/// Connections of one client from which on it waits among its like: more than a Prometheus, a health check and a
/// browser have together.
const MANY: usize = 16;

/// The threads that secure connections.
#[derive(Debug)]
pub struct Handshakes {
    few: Thread,
    many: Thread,
}

impl Handshakes {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no more of them.
    pub fn start() -> io::Result<Self> {
        Ok(Self {
            few: Thread::start()?,
            many: Thread::start()?,
        })
    }

    /// Secures a connection of a client who holds so many; a handshake that is no longer waited for ends.
    ///
    /// # Errors
    /// Those of [`tls::accept`].
    pub async fn secure<S>(
        &self,
        held: usize,
        config: Arc<ServerConfig>,
        stream: S,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let thread = if held < MANY { &self.few } else { &self.many };
        thread.run(tls::accept(config, stream)).await?
    }
}

/// A runtime of one thread.
#[derive(Debug)]
struct Thread(Option<Runtime>);

impl Thread {
    fn start() -> io::Result<Self> {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("handshakes")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        // Unlike a handle alone, the set ends its task when it is dropped.
        let mut task = JoinSet::new();
        task.spawn_on(work, runtime.handle());
        let done = task.join_next().await.expect("there is one");
        done.map_err(io::Error::other)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Dropped as it is, a runtime would wait for its threads, which asynchronous code must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
