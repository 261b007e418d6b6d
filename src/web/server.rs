//! The listener: routes, limits on clients, and a shutdown that lets answers finish.
//!
//! No handler asks the database. A handler copies what the poller left in the [`Gallery`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::{io, pin::pin};

use bytes::{Buf as _, Bytes};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName,
    HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, warn};

use super::{negotiation, page};
use crate::config::listen_address::ListenAddress;
use crate::listing;
use crate::metrics::exposition;
use crate::metrics::gzip;
use crate::metrics::telemetry::Telemetry;
use crate::picture::{Encoding, Gallery};

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

/// Two parts: what was rendered once a poll, and what was rendered for this answer.
type Body = Full<bytes::buf::Chain<Bytes, Bytes>>;

/// What the answers are made of.
#[derive(Debug)]
pub struct Site {
    /// The latest picture.
    pub gallery: Arc<Gallery>,
    /// The exporter's own metrics.
    pub telemetry: Arc<Telemetry>,
    /// Path of the metrics.
    pub telemetry_path: String,
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
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(answer(&site, &request)) }
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

fn answer(site: &Site, request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    let known = match path {
        "/" | "/-/healthy" | "/-/ready" | "/api/v1/services" => path,
        path if path == site.telemetry_path => path,
        _ => "other",
    };
    let response = if known == "other" {
        plain(
            StatusCode::NOT_FOUND,
            "not found; see / for what there is\n",
        )
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD are answered here\n",
        );
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    } else {
        match path {
            "/" => html(page::landing(site)),
            "/-/healthy" => plain(StatusCode::OK, "healthy\n"),
            "/-/ready" if *site.polls.borrow() > 0 => plain(StatusCode::OK, "ready\n"),
            "/-/ready" => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "the first poll has not ended yet\n",
            ),
            "/api/v1/services" => services(site),
            _ => metrics(site, request),
        }
    };
    site.telemetry.answered(known, response.status().as_u16());
    response
}

fn metrics(site: &Site, request: &Request<Incoming>) -> Response<Body> {
    let header = |name: HeaderName| {
        // A header may be sent in several lines.
        let values = request.headers().get_all(name);
        let lines: Vec<&str> = values.iter().filter_map(|v| v.to_str().ok()).collect();
        lines.join(",")
    };
    let format = negotiation::format(Some(&header(ACCEPT)));
    let encoding = negotiation::encoding(Some(&header(ACCEPT_ENCODING)));
    site.gallery.ask(format, encoding);
    let picture = site.gallery.latest();
    let own = exposition::telemetry(&site.telemetry.gather(), format);
    let (first, second) = match (picture, encoding) {
        (Some(picture), Encoding::Identity) => (picture.text(format).clone(), own.into()),
        (Some(picture), Encoding::Gzip) => {
            let opening = picture.gzip(format);
            (opening.bytes.clone(), gzip::close(opening, own.as_bytes()))
        }
        (None, Encoding::Identity) => (Bytes::new(), own.into()),
        (None, Encoding::Gzip) => {
            let opening = gzip::open(b"");
            let rest = gzip::close(&opening, own.as_bytes());
            (opening.bytes, rest)
        }
    };
    let mut response = response(StatusCode::OK, format.content_type(), first, second);
    let headers = response.headers_mut();
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    response
}

fn services(site: &Site) -> Response<Body> {
    match site.gallery.latest() {
        Some(picture) => {
            let body = listing::json(&picture.snapshot, |_| true);
            response(StatusCode::OK, "application/json", body.into(), Bytes::new())
        }
        None => response(
            StatusCode::SERVICE_UNAVAILABLE,
            "application/json",
            Bytes::from_static(b"{\"error\":\"no recent picture of the services; see the log and openstack_heartbeat_poll_failures_total\"}\n"),
            Bytes::new(),
        ),
    }
}

fn html(page: String) -> Response<Body> {
    response(
        StatusCode::OK,
        "text/html; charset=utf-8",
        page.into(),
        Bytes::new(),
    )
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    response(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
        Bytes::new(),
    )
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    first: Bytes,
    second: Bytes,
) -> Response<Body> {
    let mut response = Response::new(Full::new(first.chain(second)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
