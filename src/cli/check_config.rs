//! `check-config`: the settings in force, and on request a first look at the database.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::command::{Entry, switch};
use super::outcome::{Failure, NO_ANSWER, Outcome, WRONG, say, warning, write};
use super::{access, block_on, flags, settings, warn};
use crate::config::keys::KEYS;
use crate::daemon::logging;
use crate::database::{Connection, Target};
use crate::heartbeat::service::Reading;

pub(super) const ENTRY: Entry = Entry {
    exit_codes: &[
        (0, "nothing is wrong"),
        (1, "the configuration is wrong"),
        (2, "the database can't be read (--connect)"),
    ],
    examples: &[(
        "See where each setting comes from, and whether the database can be read",
        "check-config --connect",
    )],
    ..Entry::plain("check-config", describe, run)
};

fn describe(command: Command) -> Command {
    command
        .about("Prints every setting in force with its origin")
        .arg(switch(
            "connect",
            "Also connect, log in, and read the heartbeats once",
        ))
        .args(flags::of_use(&[""]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches, WRONG)?;
    let mut text = String::new();
    for key in KEYS {
        let values = settings.effective.iter();
        for value in values.filter(|value| value.name == key.name) {
            let _ = writeln!(text, "{} = {}  ({})", value.name, value.value, value.origin);
        }
    }
    write(&text, WRONG)?;
    warn(&settings);
    access(&settings)?;
    if matches.get_flag("connect") {
        logging::start(settings.log);
        let target = Target::of(&settings);
        let reading = block_on(0, NO_ANSWER, connect(&target))?;
        let text = format!(
            "connected to {}: {} services, {} clusters, {} rows that can't be read in full\n",
            target.address(),
            reading.services.len(),
            reading.clusters.len(),
            reading.rejected.len()
        );
        write(&text, NO_ANSWER)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads once, and says on standard error what can't be read.
async fn connect(target: &Target) -> Result<Reading, Failure> {
    let failure = |error| Failure::new(&error, NO_ANSWER);
    let mut connection = Connection::open(target).await.map_err(failure)?;
    if let Some((names, grant)) = connection.left_out(target) {
        say(&warning(format!(
            "not everything can be read ({names}); an old release lacks some of it, or a grant is missing: {grant}"
        )));
    }
    let reading = connection.read(target).await.map_err(failure)?;
    connection.close().await;
    Ok(reading)
}
