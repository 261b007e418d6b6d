//! The command `serve`: configuration before ports, one poller, one server, and an orderly end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::listen_address::ListenAddress;
use crate::config::settings::Settings;
use crate::metrics::telemetry::Telemetry;
use crate::picture::Gallery;
use crate::poller::Poller;
use crate::web::server::{self, Site};

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address can't be listened on.
    #[error(
        "cannot listen on {address}: is another process there? choose another with --web.listen-address"
    )]
    Bind {
        /// As configured.
        address: ListenAddress,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The own metrics could not be registered.
    #[error("cannot register the exporter's own metrics")]
    Telemetry(#[from] prometheus::Error),
    /// Signals can't be received.
    #[error("cannot receive signals")]
    Signals(#[from] io::Error),
}

/// Binds all addresses of the settings.
///
/// # Errors
/// [`Error::Bind`] for the first that can't be bound.
pub async fn bind(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = server::bind(address).await.map_err(|source| Error::Bind {
            address: address.clone(),
            source,
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Polls and serves until SIGTERM or SIGINT.
///
/// # Errors
/// What prevents it from beginning; nothing ends it later but a signal.
pub async fn run(settings: Settings, listeners: Vec<TcpListener>) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopping) = watch::channel(false);

    for warning in &settings.warnings {
        warn!("{warning}");
    }
    for listener in &listeners {
        info!(
            address = %listener.local_addr()?,
            database = %settings.target.url.redacted(),
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
    let gallery = Arc::new(Gallery::new(settings.stale_after));
    let telemetry = Arc::new(Telemetry::new(
        settings.target.layout.project,
        &settings.intervals,
        settings.poll_interval,
        loaded(),
    )?);
    let (count, polls) = watch::channel(0);
    let site = Arc::new(Site {
        gallery: gallery.clone(),
        telemetry: telemetry.clone(),
        telemetry_path: settings.telemetry_path,
        polls,
    });
    let poller = Poller::new(
        settings.target,
        settings.intervals,
        settings.poll_interval,
        gallery,
        telemetry,
    );
    let polling = tokio::spawn(poller.run(stopping.clone(), count));
    let serving = tokio::spawn(server::run(listeners, site, stopping));

    tokio::select! {
        _ = terminate.recv() => info!(signal = "SIGTERM", "stopping"),
        _ = interrupt.recv() => info!(signal = "SIGINT", "stopping"),
    }
    stop.send_replace(true);
    for task in [polling, serving] {
        if let Err(error) = task.await {
            warn!(%error, "a task ended early; this is a mistake in the exporter, please report it");
        }
    }
    Ok(())
}

/// Returns the time since the Unix epoch, for the time when the configuration was loaded.
#[expect(
    clippy::disallowed_methods,
    reason = "a point in time for people, from which nothing is computed"
)]
fn loaded() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
