//! One connection, from accept to close: TLS if configured, then HTTP/1 or HTTP/2, within limits.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::debug;

use super::connections::Slot;
use super::response::{self, Body};
use super::site::Site;
use super::stream::{PendingResponses, TrackedBody, TrackedStream};
use super::{route, tls};

/// Maximum size of a request head in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Maximum size of a request head with HTTP/2, counted after decompression.
const MAX_HEADER_LIST: u32 = 32 * 1024;
/// Maximum number of concurrent requests on an HTTP/2 connection.
const MAX_STREAMS: u32 = 32;
/// Bytes of a response that the kernel buffers for a slow client; its default is several megabytes.
const SEND_BUFFER: usize = 256 * 1024;

/// Serves a connection until it ends or is closed by the rules of [`connections`](super::connections).
pub(super) async fn serve(
    stream: TcpStream,
    slot: Slot,
    site: Arc<Site>,
    watcher: Watcher,
    shutdown: watch::Receiver<bool>,
) {
    let latest = site.latest.clone();
    tokio::select! {
        () = secure(stream, &slot, site, watcher, shutdown) => {}
        reason = slot.connection.closed() => {
            latest.telemetry().connections_closed(reason.as_str(), 1);
            debug!(reason = reason.as_str(), "closed a client's connection");
        }
    }
}

/// Performs the TLS handshake if TLS is on, then serves the connection.
async fn secure(
    stream: TcpStream,
    slot: &Slot,
    site: Arc<Site>,
    watcher: Watcher,
    mut shutdown: watch::Receiver<bool>,
) {
    // A response is written in two parts. The second must not wait for an acknowledgement of the first.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    let pending = PendingResponses::new(slot.connection.clone());
    let stream = Box::pin(TrackedStream::new(stream, pending.clone()));
    let Some(config) = site.access.rules().tls() else {
        return http1(stream, site, pending, watcher).await;
    };
    let accepted = tokio::select! {
        accepted = site.handshakes.accept(config, stream) => accepted,
        // Shutdown does not wait for clients without a request.
        _ = shutdown.wait_for(|stop| *stop) => return,
    };
    match accepted {
        Ok(stream) if tls::is_http2(&stream) => http2(stream, site, pending, watcher).await,
        Ok(stream) => http1(stream, site, pending, watcher).await,
        Err(error) => debug!(%error, "TLS handshake with a client failed"),
    }
}

async fn http1<S>(stream: S, site: Arc<Site>, pending: PendingResponses, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        // The connection's own timeout covers the head.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(service(site, pending)));
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a client's connection failed");
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
        .serve_connection(TokioIo::new(stream), service_fn(service(site, pending)));
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a client's connection failed");
    }
}

/// Returns the function that answers the requests of one connection.
fn service(
    site: Arc<Site>,
    pending: PendingResponses,
) -> impl Fn(Request<Incoming>) -> BoxFuture<'static, Result<Response<TrackedBody<Body>>, Infallible>>
{
    move |request| {
        let (site, pending) = (site.clone(), pending.begin());
        // No route reads a request's body.
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
