//! `serve`: reads the configuration, opens the ports, then runs the server.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, Command};

use super::entry::Entry;
use super::flags;
use super::outcome::{Outcome, WRONG, failure, invalid};
use super::startup::{access, block_on};
use crate::config::settings::Settings;
use crate::daemon::configuration::Load;
use crate::daemon::past::Pasts;
use crate::daemon::{logging, serve, systemd};

pub(super) const ENTRY: Entry = Entry {
    exit_codes: &[
        (0, "stopped by SIGTERM or SIGINT"),
        (1, "failed to start, or failed while running"),
    ],
    examples: &[
        (
            "Read the database that cinder.conf names",
            "serve --project cinder=/etc/cinder/cinder.conf",
        ),
        (
            "Read every known database on the server of a URL without a database",
            "serve --database.url-file database-url",
        ),
    ],
    ..Entry::new("serve", describe, |matches, _| run(matches))
};

fn describe(command: Command) -> Command {
    command
        .about("Polls the databases and serves the results; the default command")
        .args(flags::all())
}

fn run(matches: &ArgMatches) -> Outcome {
    let flags = flags::given(matches);
    let load: Load = Arc::new(move || Settings::load(flags.clone()));
    let settings = load().map_err(invalid(WRONG))?;
    let access = access(&settings)?;
    logging::start(settings.log);
    let passed = systemd::socket::passed();
    // One thread polls and renders while the other answers requests.
    block_on(2, WRONG, async {
        let bound = serve::bind(&settings.listen, passed).await;
        let listeners = bound.map_err(failure(WRONG))?;
        let served = serve::run(settings, listeners, load, access, Pasts::new()).await;
        served.map_err(failure(WRONG))?;
        Ok(ExitCode::SUCCESS)
    })
}
