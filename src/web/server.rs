//! The listener: limits on clients, and a shutdown that lets answers finish.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::connections::{CloseReason, Connections, Slot};
use super::response::{self, Body};
use super::site::Site;
use super::stream::{PendingResponses, TrackedBody, TrackedStream};
use super::{descriptors, route, tls};
use crate::config::listen_address::ListenAddress;

/// Connections served at once, where there are descriptors for as many.
const MAX_CONNECTIONS: usize = 2000;
/// Connections that wait to be accepted; of more than that, clients try again after a second.
const BACKLOG: i32 = 4096;
/// Time between two looks for clients that take too long.
const LOOK: Duration = Duration::from_secs(1);
/// Time between two looks at the exporter's own metrics, while somebody scrapes.
const GATHER: Duration = Duration::from_secs(1);
/// Most bytes of a request's head.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// The same for HTTP/2, where it is counted after decompression.
const MAX_HEADER_LIST: u32 = 32 * 1024;
/// Requests at once on a connection of HTTP/2.
const MAX_STREAMS: u32 = 32;
/// Most bytes of an answer that the system keeps for a client who does not take them, instead of some megabytes.
const SEND_BUFFER: usize = 256 * 1024;
/// Time for answers to finish at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, such as for want of descriptors, which only time can mend.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Binds one address; without a host IPv6 and IPv4, or IPv4 alone where there is no IPv6.
///
/// # Errors
/// Those of the system: a name that does not resolve, a port in use.
pub(crate) async fn bind(address: &ListenAddress) -> io::Result<TcpListener> {
    let listener = match &address.host {
        Some(host) => TcpListener::bind((host.as_str(), address.port)).await,
        None => match TcpListener::bind(("::", address.port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind(("0.0.0.0", address.port)).await
            }
            bound => bound,
        },
    }?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Serves all listeners until `shutdown` turns true, then lets answers under way finish, for five seconds at
/// most.
pub(crate) async fn run(
    listeners: Vec<TcpListener>,
    site: Arc<Site>,
    shutdown: watch::Receiver<bool>,
) {
    let graceful = Arc::new(GracefulShutdown::new());
    let connections = Arc::new(Connections::new(descriptors::for_clients(MAX_CONNECTIONS)));
    for reason in CloseReason::ALL {
        site.latest
            .telemetry()
            .connections_closed(reason.as_str(), 0);
    }
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
    let looking = tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            connections.close_overdue();
        }
    });
    // Apart from the guard against slow clients, which must go on whatever happens here.
    let gathering = tokio::spawn(async move {
        loop {
            tokio::time::sleep(GATHER).await;
            site.latest.refresh();
        }
    });
    while accepting.join_next().await.is_some() {}
    let graceful =
        Arc::into_inner(graceful).expect("the accepting tasks, which held the others, have ended");
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some clients did not take their answer in time; closing their connections");
    }
    looking.abort();
    gathering.abort();
}

async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    connections: Arc<Connections>,
    graceful: Arc<GracefulShutdown>,
    mut shutdown: watch::Receiver<bool>,
) {
    let stopping = shutdown.clone();
    let mut stop = pin!(shutdown.wait_for(|stop| *stop));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let slot = connections.open(peer.ip());
                let watcher = graceful.watcher();
                tokio::spawn(hold(stream, slot, site.clone(), watcher, stopping.clone()));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection to its end, or until it has to go.
async fn hold(
    stream: TcpStream,
    slot: Slot,
    site: Arc<Site>,
    watcher: Watcher,
    shutdown: watch::Receiver<bool>,
) {
    let latest = site.latest.clone();
    tokio::select! {
        () = serve(stream, &slot, site, watcher, shutdown) => {}
        reason = slot.connection.closed() => {
            latest.telemetry().connections_closed(reason.as_str(), 1);
            debug!(reason = reason.as_str(), "a client's connection was closed");
        }
    }
}

/// Serves a connection, secured as the rules of this moment ask for.
async fn serve(
    stream: TcpStream,
    slot: &Slot,
    site: Arc<Site>,
    watcher: Watcher,
    mut shutdown: watch::Receiver<bool>,
) {
    // A page is written in two parts, the second of which must not wait for an acknowledgement of the first.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    let pending = PendingResponses::new(slot.connection.clone());
    let stream = Box::pin(TrackedStream::new(stream, pending.clone()));
    let Some(config) = site.access.rules().tls() else {
        return http1(stream, site, pending, watcher).await;
    };
    let accepted = tokio::select! {
        accepted = site.handshakes.accept(config, stream) => accepted,
        // Who has not asked yet is not waited for.
        _ = shutdown.wait_for(|stop| *stop) => return,
    };
    match accepted {
        Ok(stream) if tls::is_http2(&stream) => http2(stream, site, pending, watcher).await,
        Ok(stream) => http1(stream, site, pending, watcher).await,
        Err(error) => debug!(%error, "a client's connection could not be secured"),
    }
}

async fn http1<S>(stream: S, site: Arc<Site>, pending: PendingResponses, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        // The crowd looks at the time that a head takes.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(answering(site, pending)));
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a client's connection ended early");
    }
}

async fn http2<S>(stream: S, site: Arc<Site>, pending: PendingResponses, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    pending.multiplex();
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .serve_connection(TokioIo::new(stream), service_fn(answering(site, pending)));
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a client's connection ended early");
    }
}

/// Returns what answers the requests of one connection.
fn answering(
    site: Arc<Site>,
    pending: PendingResponses,
) -> impl Fn(Request<Incoming>) -> BoxFuture<'static, Result<Response<TrackedBody<Body>>, Infallible>>
{
    move |request| {
        let (site, pending) = (site.clone(), pending.begin());
        // Nobody has anything to tell us in a body.
        let request = request.map(drop);
        Box::pin(async move {
            let response = route::answer(&site, &request).await;
            let response = match *request.method() {
                Method::HEAD => response::without_body(response),
                _ => response,
            };
            Ok(response.map(|body| pending.track(body)))
        })
    }
}
