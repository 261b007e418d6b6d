//! Commands, flags and exit codes; no decisions. A file a command.

mod check_config;
mod completions;
mod demo;
pub mod embedded;
mod entry;
mod flags;
mod healthcheck;
mod man;
mod outcome;
mod print;
mod probe;
mod serve;
mod services;
mod startup;

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use self::entry::Entry;
use self::outcome::{Outcome, error, write_stderr};

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

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().collect();
    let name = arguments.get(1).and_then(|name| name.to_str());
    let refusal = find(name).refusal;
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(refusal)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    run(&matches).unwrap_or_else(|failure| {
        for message in &failure.messages {
            write_stderr(&error(message));
        }
        ExitCode::from(failure.code)
    })
}

/// Returns all commands with their flags and help.
fn command() -> Command {
    entry::program(&COMMANDS).args(flags::all())
}

/// Runs the command that the command line names, or [`serve`] by default.
fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some((name, matches)) => (find(Some(name)).run)(matches, &COMMANDS),
        None => (serve::ENTRY.run)(matches, &COMMANDS),
    }
}

/// Returns the named command, or [`serve`] if none has the name.
fn find(name: Option<&str>) -> Entry {
    let found = COMMANDS.into_iter().find(|entry| Some(entry.name) == name);
    found.unwrap_or(serve::ENTRY)
}

/// Prevents core dumps, and memory reads by other programs of the same user: the memory holds the password.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A sandbox may forbid this call. The exporter runs without it then.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(test)]
mod tests {
    use super::entry::NAME;
    use super::*;

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
