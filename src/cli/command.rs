//! The list of all commands.

use clap::{ArgMatches, Command};

use super::entry::{self, Entry};
use super::outcome::Outcome;
use super::{check_config, completions, demo, flags, healthcheck, man, print, serve, services};

/// Every command, in the order of the help.
const COMMANDS: [Entry; 8] = [
    serve::ENTRY,
    services::ENTRY,
    check_config::ENTRY,
    healthcheck::ENTRY,
    print::ENTRY,
    demo::ENTRY,
    completions::ENTRY,
    man::ENTRY,
];

/// Returns all commands with their flags and help.
pub(super) fn command() -> Command {
    entry::program(&COMMANDS).args(flags::all())
}

/// Runs the command that the command line names, or [`serve`] by default.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some((name, matches)) => (find(Some(name)).run)(matches, &COMMANDS),
        None => (serve::ENTRY.run)(matches, &COMMANDS),
    }
}

/// Returns the exit code for an invalid command line that begins with this word.
pub(super) fn refusal(name: Option<&str>) -> u8 {
    find(name).refusal
}

fn find(name: Option<&str>) -> Entry {
    let found = COMMANDS.into_iter().find(|entry| Some(entry.name) == name);
    found.unwrap_or(serve::ENTRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::entry::NAME;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_example_is_valid_and_fits_a_terminal() {
        for (_, example) in COMMANDS.iter().flat_map(|entry| entry.examples) {
            let line = format!("{NAME} {example}");
            assert!(line.len() + 4 <= 80, "{line}");
            let own = line.split(['|', '>']).next().unwrap();
            let parsed = command().try_get_matches_from(own.split_whitespace());
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }
}
