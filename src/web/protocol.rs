//! One connection, from accept to close: TLS if configured, then HTTP/1 or HTTP/2, within limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::debug;

use super::connections::{Connection, Slot};
use super::site::Site;
use super::stream::TrackedStream;
use super::{response, route, tls};

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
    let connection = &slot.connection;
    tokio::select! {
        () = secure(stream, connection.clone(), site, watcher, shutdown) => {}
        reason = connection.close_reason.wait() => {
            latest.telemetry().connections_closed(reason.as_str(), 1);
            debug!(reason = reason.as_str(), "closed a client's connection");
        }
    }
}

/// Performs the TLS handshake if TLS is on, then serves the connection.
async fn secure(
    stream: TcpStream,
    connection: Arc<Connection>,
    site: Arc<Site>,
    watcher: Watcher,
    mut shutdown: watch::Receiver<bool>,
) {
    // A response is written in two parts. The second must not wait for an acknowledgement of the first.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
    let stream = TrackedStream {
        stream,
        connection: connection.clone(),
    };
    let Some(config) = site.access.rules().tls.clone() else {
        return http(Box::pin(stream), connection, site, watcher).await;
    };
    let accepted = tokio::select! {
        accepted = site.handshakes.accept(config, Box::pin(stream)) => accepted,
        // Shutdown does not wait for clients without a request.
        _ = shutdown.wait_for(|stop| *stop) => return,
    };
    match accepted {
        Ok(stream) => {
            let multiplexed = tls::is_http2(&stream);
            connection.multiplexed.store(multiplexed, Relaxed);
            http(stream, connection, site, watcher).await;
        }
        Err(error) => debug!(%error, "TLS handshake with a client failed"),
    }
}

async fn http<S>(stream: S, connection: Arc<Connection>, site: Arc<Site>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let multiplexed = connection.multiplexed.load(Relaxed);
    let stream = TokioIo::new(stream);
    let service = service_fn(move |request: Request<Incoming>| {
        let (site, pending) = (site.clone(), connection.begin_response());
        // No route reads a request's body.
        let request = request.map(drop);
        Box::pin(async move {
            let mut response = route::answer(&site, &request).await;
            if request.method() == Method::HEAD {
                response = response::without_body(response);
            }
            // The response is pending until the connection has taken all of its body.
            let track = move |never: Infallible| {
                let _held = &pending;
                never
            };
            Ok::<_, Infallible>(response.map(|body| body.map_err(track)))
        })
    });
    let served = if multiplexed {
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .serve_connection(stream, service);
        watcher.watch(connection).await
    } else {
        let connection = http1::Builder::new()
            // The connection's own timeout covers the head.
            .header_read_timeout(None)
            // Some clients, such as `nc -N`, close their side after the request. One that has left looks the same: writing
            // to it fails, or the connection's timeout ends it.
            .half_close(true)
            .max_buf_size(MAX_HEADER_BYTES)
            .serve_connection(stream, service);
        watcher.watch(connection).await
    };
    if let Err(error) = served {
        debug!(%error, "a client's connection failed");
    }
}
