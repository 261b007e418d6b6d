//! The command `serve`: bind the ports, start the pollers and the server, and shut down in order.

use std::io;
use std::sync::Arc;

use listenfd::ListenFd;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use super::configuration::{self, Configuration, Load};
use super::past::Pasts;
use super::pollers::Pollers;
use super::systemd::{self, socket};
use super::watchdog;
use crate::config::listen_address::{Listen, ListenAddress};
use crate::config::settings::Settings;
use crate::publish::latest::Latest;
use crate::publish::telemetry::{ConfigPart, Telemetry};
use crate::web::access::Access;
use crate::web::handshake::HandshakePool;
use crate::web::reload::Reload;
use crate::web::server;
use crate::web::site::Site;

/// Why the exporter could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An address could not be bound.
    #[error("cannot listen on {address}: {remedy}")]
    Bind {
        /// The address, as configured.
        address: ListenAddress,
        /// The remedy.
        remedy: &'static str,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The sockets that systemd passed are unusable.
    #[error(transparent)]
    Passed(#[from] socket::Error),
    /// The exporter's own metrics could not be registered.
    #[error("cannot register the exporter's own metrics")]
    Telemetry(#[from] prometheus::Error),
    /// A task ended unexpectedly.
    #[error("{0} ended unexpectedly; this is a bug in the exporter: please report it with the log")]
    Ended(&'static str),
    /// The signal handlers could not be installed.
    #[error("cannot receive signals")]
    Signals(#[from] io::Error),
}

/// Binds all addresses of the settings, or takes the sockets that systemd passed. Must run in a tokio runtime.
///
/// # Errors
/// [`Error::Bind`] for the first address that cannot be bound, and [`Error::Passed`].
pub(crate) async fn bind(listen: &Listen, passed: ListenFd) -> Result<Vec<TcpListener>, Error> {
    let addresses = match listen {
        Listen::Addresses(addresses) => addresses,
        Listen::Systemd => return Ok(socket::listeners(passed)?),
    };
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = server::bind(address).await.map_err(|source| Error::Bind {
            address: address.clone(),
            remedy: if source.kind() == io::ErrorKind::AddrInUse {
                "another process uses it; choose another address with --web.listen-address"
            } else {
                "choose a name or address of this machine, and a port that this user may open"
            },
            source,
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Polls and serves until SIGTERM or SIGINT. The sources of `pasts` go on from there.
///
/// `access` decides which clients get answers. `load` loads the settings again on SIGHUP, and on request where the
/// settings allow it.
///
/// # Errors
/// [`Error::Signals`], [`Error::Telemetry`] and [`Error::Ended`].
pub(crate) async fn run(
    settings: Settings,
    listeners: Vec<TcpListener>,
    load: Load,
    access: Access,
    pasts: Pasts,
) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let (stop, stopping) = watch::channel(false);

    announce(&settings, &listeners)?;
    let latest = Arc::new(Latest::new(Telemetry::new(configuration::now())?));
    let pollers = Arc::new(Pollers::new(latest.clone(), pasts));
    pollers.adopt(None, &settings).await;
    let access = Arc::new(access);
    let shown = latest.clone();
    let report = move |successful| {
        if successful {
            shown.config_loaded(&[ConfigPart::Web], configuration::now());
        } else {
            shown.config_refused(ConfigPart::Web);
        }
    };
    tokio::spawn(access.clone().watch(stopping.clone(), report));
    let (reload, requests) = Reload::channel();
    let site = Arc::new(Site {
        latest: latest.clone(),
        telemetry_path: settings.telemetry_path.clone(),
        reload: settings.enable_lifecycle.then_some(reload),
        access: access.clone(),
        handshakes: HandshakePool::start(),
    });
    let settings = Arc::new(settings);
    let configuration = Configuration::new(load, access, settings, pollers.clone(), latest.clone());
    let keep_alive = sd_notify::watchdog_enabled();
    let mut serving = tokio::spawn(server::run(listeners, site, stopping));
    let mut reloading = tokio::spawn(configuration.run(hangup, requests));
    let report = watchdog::report(latest, keep_alive, systemd::notify);
    let reporting = tokio::spawn(report);
    systemd::ready();

    tokio::select! {
        _ = terminate.recv() => info!(signal = "SIGTERM", "stopping"),
        _ = interrupt.recv() => info!(signal = "SIGINT", "stopping"),
        // Without polling, serving or reloading, the exporter must be restarted.
        () = pollers.panicked() => return Err(Error::Ended("polling")),
        _ = &mut serving => return Err(Error::Ended("serving")),
        _ = &mut reloading => return Err(Error::Ended("reloading")),
    }
    systemd::stopping();
    // Pending reload requests must not delay the shutdown.
    reloading.abort();
    reporting.abort();
    stop.send_replace(true);
    pollers.stop().await;
    serving.await.map_err(|_| Error::Ended("serving"))
}

/// Logs the warnings about the settings, and the addresses.
fn announce(settings: &Settings, listeners: &[TcpListener]) -> Result<(), Error> {
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    let sources = settings.sources.iter();
    let databases = sources.map(|it| format!("{} {}", it.name, it.url.redacted()));
    let searched = settings
        .search
        .iter()
        .map(|it| format!("looked for at {}", it.shown()));
    let databases = databases.chain(searched).collect::<Vec<_>>().join(", ");
    for listener in listeners {
        info!(
            address = %listener.local_addr()?,
            databases,
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
    Ok(())
}
