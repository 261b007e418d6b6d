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
use crate::database::Target;
use crate::heartbeat::tracker::Tracker;
use crate::metrics::telemetry::Telemetry;
use crate::picture::Gallery;
use crate::poller::{Poller, Reader};
use crate::web::server::{self, Site};

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address can't be listened on.
    #[error("cannot listen on {address}: {remedy}")]
    Bind {
        /// As configured.
        address: ListenAddress,
        /// What to do.
        remedy: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The own metrics could not be registered.
    #[error("cannot register the exporter's own metrics")]
    Telemetry(#[from] prometheus::Error),
    /// A task broke down.
    #[error("{0} ended early; this is a mistake in the exporter, please report it with the log")]
    Ended(&'static str),
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
            remedy: if source.kind() == io::ErrorKind::AddrInUse {
                "another process has it; choose another with --web.listen-address"
            } else {
                "it must be a name or an address of this machine, and a port that this user may open"
            },
            source,
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Polls and serves until SIGTERM or SIGINT.
///
/// # Errors
/// What prevents it from beginning, and [`Error::Ended`].
pub async fn run(settings: Settings, listeners: Vec<TcpListener>) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (stop, stopping) = watch::channel(false);

    let target = Target::of(&settings);
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    for listener in &listeners {
        info!(
            address = %listener.local_addr()?,
            database = %settings.url.redacted(),
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
    let gallery = Arc::new(Gallery::new(settings.stale_after, settings.poll_interval));
    let telemetry = Arc::new(Telemetry::new(
        target.layout.project,
        &settings.intervals,
        settings.poll_interval,
        loaded(),
    )?);
    let (count, polls) = watch::channel(0);
    let site = Arc::new(Site {
        gallery: gallery.clone(),
        telemetry: telemetry.clone(),
        telemetry_path: settings.telemetry_path,
        poll_interval: settings.poll_interval,
        polls,
    });
    let poller = Poller::new(
        Reader::new(target),
        Tracker::new(settings.intervals, settings.tolerances),
        settings.poll_interval,
        gallery,
        telemetry,
    );
    let mut polling = tokio::spawn(poller.run(stopping.clone(), count));
    let mut serving = tokio::spawn(server::run(listeners, site, stopping));

    let ignore_hangups = async {
        while hangup.recv().await.is_some() {
            warn!("the configuration is not read again while running; restart the exporter");
        }
    };
    tokio::select! {
        () = ignore_hangups => {}
        _ = terminate.recv() => info!(signal = "SIGTERM", "stopping"),
        _ = interrupt.recv() => info!(signal = "SIGINT", "stopping"),
        // An exporter that no longer polls, or no longer answers, is better started anew.
        _ = &mut polling => return Err(Error::Ended("polling")),
        _ = &mut serving => return Err(Error::Ended("serving")),
    }
    stop.send_replace(true);
    polling.await.map_err(|_| Error::Ended("polling"))?;
    serving.await.map_err(|_| Error::Ended("serving"))
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
