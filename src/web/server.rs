//! The listeners: accepting connections, periodic work, and a graceful shutdown.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use super::connections::{CloseReason, Connections};
use super::protocol;
use super::site::Site;
use crate::config::listen_address::ListenAddress;

/// Maximum number of connections, where the limit on open files allows as many.
const MAX_CONNECTIONS: usize = 2000;
/// File descriptors reserved for the database, listeners, configuration and the log; each connection needs one.
const RESERVED: u64 = 64;
/// Connections that may wait for accept; beyond that, clients retry after a second.
const BACKLOG: i32 = 4096;
/// Time between two checks for overdue connections.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two updates of the exporter's own metrics.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// Time for pending responses at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept: a shortage of descriptors may pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Binds one address; without a host, IPv6 and IPv4, or IPv4 only where IPv6 is unavailable.
///
/// # Errors
/// Those of the system, such as an unknown name or a port in use.
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

/// Serves all listeners until `shutdown` turns true, then sends pending responses for up to five seconds.
pub(crate) async fn run(
    listeners: Vec<TcpListener>,
    site: Arc<Site>,
    shutdown: watch::Receiver<bool>,
) {
    let graceful = Arc::new(GracefulShutdown::new());
    let connections = Arc::new(Connections::new(connection_limit(MAX_CONNECTIONS)));
    for reason in CloseReason::ALL {
        site.latest
            .telemetry()
            .connections_closed(reason.as_str(), 0);
    }
    // Aborted when dropped.
    let mut periodic = JoinSet::new();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(
            listener,
            site.clone(),
            connections.clone(),
            graceful.clone(),
            shutdown.clone(),
        ));
    }
    periodic.spawn(every(CHECK_INTERVAL, move || connections.close_overdue()));
    // A separate task: overdue connections are closed even if this one panics.
    periodic.spawn(every(REFRESH_INTERVAL, move || site.latest.refresh()));
    while accepting.join_next().await.is_some() {}
    let graceful =
        Arc::into_inner(graceful).expect("the accepting tasks, which held clones, have ended");
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some clients did not read their response in time; closing their connections");
    }
}

/// Raises the soft limit to the hard one, and returns the number of connections it allows: at most `wanted`.
fn connection_limit(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    if setrlimit(Resource::Nofile, Rlimit { current, ..limit }).is_ok() {
        limit.current = current;
    }
    // `None` is unlimited.
    let Some(descriptors) = limit.current else {
        return wanted;
    };
    // A quarter is for connections that are being closed.
    let room = descriptors.saturating_sub(RESERVED) / 4 * 3;
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted {
        warn!(
            descriptors,
            connections = room.max(1),
            "the limit on open files allows fewer connections than usual; raise the hard limit (LimitNOFILE=)"
        );
    }
    room.clamp(1, wanted)
}

async fn every(interval: Duration, work: impl Fn()) {
    loop {
        tokio::time::sleep(interval).await;
        work();
    }
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
                tokio::spawn(protocol::serve(
                    stream,
                    slot,
                    site.clone(),
                    watcher,
                    stopping.clone(),
                ));
            }
            Err(error) => {
                warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
