//! The listener: limits on clients, and a shutdown that lets answers finish.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::{io, pin::pin};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, warn};

use super::route;
use crate::config::listen_address::ListenAddress;
use crate::lifecycle::Reload;
use crate::metrics::telemetry::Telemetry;
use crate::picture::Gallery;

/// Connections served at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// Time for a client to send a request's head, the time between two requests included.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a client to take some more of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a request's head.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Time for answers to finish at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, such as for want of descriptors, which only time can mend.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What the answers are made of.
#[derive(Debug)]
pub struct Site {
    /// The latest picture.
    pub gallery: Arc<Gallery>,
    /// The exporter's own metrics.
    pub telemetry: Arc<Telemetry>,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Has the configuration loaded anew; `None` unless a request may do so.
    pub reload: Option<Reload>,
    /// Counts the polls made so far: with the first the exporter is ready.
    pub polls: watch::Receiver<u64>,
}

/// Binds one address; without a host IPv6 and IPv4, or IPv4 alone where there is no IPv6.
///
/// # Errors
/// Those of the system: a name that does not resolve, a port in use.
pub async fn bind(address: &ListenAddress) -> io::Result<TcpListener> {
    match &address.host {
        Some(host) => TcpListener::bind((host.as_str(), address.port)).await,
        None => match TcpListener::bind(("::", address.port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind(("0.0.0.0", address.port)).await
            }
            bound => bound,
        },
    }
}

/// Serves all listeners until `shutdown` turns true, then lets answers under way finish, for five seconds at
/// most.
pub async fn run(listeners: Vec<TcpListener>, site: Arc<Site>, shutdown: watch::Receiver<bool>) {
    let graceful = Arc::new(GracefulShutdown::new());
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(
            listener,
            site.clone(),
            connections.clone(),
            graceful.clone(),
            shutdown.clone(),
        ));
    }
    while accepting.join_next().await.is_some() {}
    let graceful =
        Arc::into_inner(graceful).expect("the accepting tasks, which held the others, have ended");
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some clients did not take their answer in time; closing their connections");
    }
}

async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    connections: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut stop = pin!(shutdown.wait_for(|stop| *stop));
    loop {
        let permit = tokio::select! {
            permit = connections.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            _ = &mut stop => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, site.clone(), graceful.watcher());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, site: Arc<Site>, watcher: Watcher) {
    // A page is written in two parts, the second of which must not wait for an acknowledgement of the first.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let site = site.clone();
        // Nobody has anything to tell us in a body.
        let request = request.map(drop);
        async move { Ok::<_, Infallible>(route::answer(&site, &request).await) }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        // Without a timer hyper ignores the timeout.
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a client's connection ended early");
    }
}
