//! Handshakes of TLS, on threads of their own: a flood of them does not stand in line before the answers of clients who
//! are connected, nor before the handshake of a client with few connections.
//!
//! What it does not keep off: clients from many addresses, with few connections each, delay each other's handshakes; so
//! do clients who share an address, as behind a proxy that does not speak HTTP. And the processors are everybody's.

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

/// The threads that secure connections. They wait where nobody asks for TLS, which a reload may change.
#[derive(Debug)]
pub struct HandshakePool {
    few: Lane,
    many: Lane,
}

impl HandshakePool {
    /// Starts the threads.
    ///
    /// # Panics
    /// The system gives no more of them.
    #[must_use]
    pub fn start() -> Self {
        Self {
            few: Lane::start("tls-few"),
            many: Lane::start("tls-many"),
        }
    }

    /// Secures a connection of a client who has so many, this one included; a handshake that is no longer waited for
    /// ends.
    ///
    /// # Errors
    /// Those of [`tls::accept`].
    pub(crate) async fn secure<S>(
        &self,
        held: usize,
        config: Arc<ServerConfig>,
        stream: S,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.lane(held).run(tls::accept(config, stream)).await?
    }

    fn lane(&self, held: usize) -> &Lane {
        if held < MANY { &self.few } else { &self.many }
    }
}

/// A thread on which work is done in the order in which it can go on.
#[derive(Debug)]
struct Lane(Option<Runtime>);

impl Lane {
    fn start(name: &str) -> Self {
        // A timer for the time that a handshake may take; a stream is woken by the runtime that accepted it.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name)
            .enable_time()
            .build()
            .expect("nothing that can fail is asked of the system but a thread");
        Self(Some(runtime))
    }

    /// Returns what comes of the work, or that it broke down.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        // Unlike the handle of a task, the set ends its tasks when it is dropped.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work, runtime.handle());
        let done = tasks.join_next().await.expect("there is one");
        done.map_err(io::Error::other)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Dropped as it is, a runtime would wait for its threads, which asynchronous code must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn who_has_few_connections_does_not_wait_for_those_with_many() {
        let handshakes = HandshakePool::start();
        let (release, released) = mpsc::channel::<()>();
        // Keeps the thread busy, which no await does.
        let busy = handshakes.lane(MANY).run(async move { released.recv() });
        tokio::select! {
            biased;
            _ = busy => panic!("it is not released yet"),
            done = handshakes.lane(MANY - 1).run(async { 7 }) => assert_eq!(done.unwrap(), 7),
        }
        drop(release);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends_and_work_that_breaks_down_is_an_error() {
        let lane = Lane::start("test");
        let (held, ended) = oneshot::channel::<()>();
        let (started, starts) = oneshot::channel();
        let work = lane.run(async move {
            let _held = held;
            started.send(()).unwrap();
            pending::<()>().await;
        });
        tokio::select! {
            _ = work => panic!("it never ends by itself"),
            started = starts => started.unwrap(),
        }
        // The sender is dropped with the work.
        ended.await.unwrap_err();
        let broken: io::Result<()> = lane.run(async { panic!("as it is to be") }).await;
        assert!(broken.is_err());
    }
}
