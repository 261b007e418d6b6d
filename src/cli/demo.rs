//! `demo`: polls and serves a simulated Cinder.

mod cloud;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use tokio::net::TcpListener;

use self::cloud::Demo;
use super::entry::Entry;
use super::flags;
use super::outcome::{Outcome, WRONG, failure, invalid, write};
use super::startup::{access, block_on};
use crate::config::keys;
use crate::config::settings::Settings;
use crate::daemon::configuration::Load;
use crate::daemon::{logging, serve, systemd};

pub(super) const ENTRY: Entry = Entry::new("demo", describe, |matches, _| run(matches));

fn describe(command: Command) -> Command {
    command
        .about("Serves a simulated Cinder with six services, two of them down")
        .args(flags::only(&["web.", "log.", "poll."]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let passed = systemd::socket::passed();
    block_on(2, WRONG, async {
        let demo = Demo::new().await.map_err(failure(WRONG))?;
        let load = load(matches, &demo);
        let settings = load().map_err(invalid(WRONG))?;
        let access = access(&settings)?;
        logging::start(settings.log);
        let bound = serve::bind(&settings.listen, passed).await;
        let listeners = bound.map_err(failure(WRONG))?;
        write(welcome(&listeners, &settings), WRONG)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let services = tokio::spawn(demo.run(async {
            let _ = stopped.await;
        }));
        let served = serve::run(settings, listeners, load, access).await;
        drop(stop);
        let _ = services.await;
        served.map_err(failure(WRONG))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns a loader of the settings that sets the database to the demo's.
fn load(matches: &ArgMatches, demo: &Demo) -> Load {
    let mut flags = flags::given(matches);
    if let Some(url) = keys::find("database.url") {
        let file = format!("sqlite:///{}", demo.database.display());
        flags.layer.add(url, file, "demo");
    }
    Arc::new(move || {
        let mut settings = Settings::load_apart(flags.clone())?;
        // The warnings are about the configuration of a real cloud.
        settings.warnings.clear();
        Ok(settings)
    })
}

/// Returns a description of the demo, and the addresses to open.
fn welcome(listeners: &[TcpListener], settings: &Settings) -> String {
    let mut text = String::from(
        "A simulated Cinder with six services: the clock of block1 is 75 s behind, the scheduler on controller has \
         stopped, and the clock of network is 3 s ahead and drifts. Proving the clock skews takes up to a minute.\n",
    );
    for address in listeners.iter().flat_map(TcpListener::local_addr) {
        let host = if address.ip().is_unspecified() {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        };
        let path = &settings.telemetry_path;
        let _ = writeln!(
            text,
            "Open http://{host}/ or http://{host}{path}. Press Ctrl-C to stop."
        );
    }
    text
}
