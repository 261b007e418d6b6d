//! `demo`: a simulated Cinder, polled and served.

mod cloud;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use tokio::net::TcpListener;

use self::cloud::Demo;
use super::command::Entry;
use super::outcome::{Failure, Outcome, WRONG, write};
use super::{access, block_on, flags};
use crate::config::keys;
use crate::config::settings::Settings;
use crate::daemon::configuration::Load;
use crate::daemon::{logging, serve, systemd};

pub(super) const ENTRY: Entry = Entry::plain("demo", describe, run);

fn describe(command: Command) -> Command {
    command
        .about("Serves a simulated Cinder, where two of six services are down")
        .args(flags::only(&["web.", "log.", "poll."]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let passed = systemd::socket::passed();
    block_on(2, WRONG, async {
        let demo = Demo::new()
            .await
            .map_err(|error| Failure::new(&error, WRONG))?;
        let load = load(matches, &demo);
        let settings = load().map_err(|faults| Failure::configuration(&faults, WRONG))?;
        let access = access(&settings)?;
        logging::start(settings.log);
        let listeners = serve::bind(&settings.listen, passed)
            .await
            .map_err(|error| Failure::new(&error, WRONG))?;
        write(welcome(&listeners, &settings), WRONG)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let services = tokio::spawn(demo.run(async {
            let _ = stopped.await;
        }));
        let served = serve::run(settings, listeners, load, access).await;
        drop(stop);
        let _ = services.await;
        served.map_err(|error| Failure::new(&error, WRONG))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns what loads the settings, whose database is the demonstration's.
fn load(matches: &ArgMatches, demo: &Demo) -> Load {
    let mut flags = flags::given(matches);
    if let Some(url) = keys::find("database.url") {
        let file = format!("sqlite:///{}", demo.database().display());
        flags.layer.add(url, file, "the demonstration");
    }
    Arc::new(move || {
        let mut settings = Settings::load_apart(flags.clone())?;
        // They are about a real cloud's configuration.
        settings.warnings.clear();
        Ok(settings)
    })
}

/// Returns what there is to see, and where.
fn welcome(listeners: &[TcpListener], settings: &Settings) -> String {
    let mut text = String::from(
        "A simulated Cinder with six services: the clock of block1 is 75 s behind, the scheduler on controller \
         stopped, and the clock of network is 3 s ahead and drifts. What is proven of them takes up to a minute.\n",
    );
    for listener in listeners {
        if let Ok(address) = listener.local_addr() {
            let host = if address.ip().is_unspecified() {
                format!("localhost:{}", address.port())
            } else {
                address.to_string()
            };
            let path = &settings.telemetry_path;
            let _ = writeln!(
                text,
                "Open http://{host}/ or http://{host}{path}; Ctrl-C ends it."
            );
        }
    }
    text
}
