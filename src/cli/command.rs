//! The command line as a whole: the commands, and what the help of each says beyond its flags.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::outcome::{Outcome, WRONG};
use super::{check_config, completions, demo, flags, healthcheck, man, print, serve, services};

/// Name of the program.
pub(super) const NAME: &str = env!("CARGO_PKG_NAME");

/// Where a setting can be given, for the help.
const PLACES: &str = "Every flag with a dot has an environment variable: --poll.interval is \
     OPENSTACK_HEARTBEAT_POLL_INTERVAL. The same names stand in the YAML file of --config.file. \
     Flags beat the environment, which beats the file, which beats cinder.conf.";

/// A command.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// Adds its description and its flags.
    pub(super) describe: fn(Command) -> Command,
    pub(super) run: fn(&ArgMatches) -> Outcome,
    /// Exit code for a command line that is wrong.
    pub(super) refusal: u8,
    /// What its exit codes mean, where that is not plain.
    pub(super) exit_codes: &'static [(u8, &'static str)],
    /// What one may want, and the arguments for it.
    pub(super) examples: &'static [(&'static str, &'static str)],
}

/// Every command, in the order of the help.
pub(super) const COMMANDS: [Entry; 8] = [
    serve::ENTRY,
    services::ENTRY,
    check_config::ENTRY,
    healthcheck::ENTRY,
    print::ENTRY,
    demo::ENTRY,
    completions::ENTRY,
    man::ENTRY,
];

/// Returns the command of this name; [`serve`] where there is none.
pub(super) fn find(name: Option<&str>) -> Entry {
    let found = COMMANDS.into_iter().find(|entry| Some(entry.name) == name);
    found.unwrap_or(serve::ENTRY)
}

impl Entry {
    /// An entry of a command of which nothing is to be said.
    pub(super) const fn plain(
        name: &'static str,
        describe: fn(Command) -> Command,
        run: fn(&ArgMatches) -> Outcome,
    ) -> Self {
        Self {
            name,
            describe,
            run,
            refusal: WRONG,
            exit_codes: &[],
            examples: &[],
        }
    }

    /// Returns its flags and its help.
    pub(super) fn command(&self) -> Command {
        let command = (self.describe)(Command::new(self.name));
        let exit_codes = self.exit_code_lines();
        let examples = self.example_lines();
        let long = [exit_codes.as_str(), examples.as_str()];
        let long: Vec<&str> = long.into_iter().filter(|part| !part.is_empty()).collect();
        if long.is_empty() {
            return command;
        }
        command
            .after_help(exit_codes.trim_end().to_owned())
            .after_long_help(long.join("\n").trim_end().to_owned())
    }

    fn exit_code_lines(&self) -> String {
        let mut text = String::new();
        for (code, meaning) in self.exit_codes {
            let heading = if text.is_empty() { "Exit codes:\n" } else { "" };
            let _ = writeln!(text, "{heading}  {code}  {meaning}");
        }
        text
    }

    fn example_lines(&self) -> String {
        let mut text = String::new();
        for (purpose, arguments) in self.examples {
            let heading = if text.is_empty() { "Examples:\n" } else { "" };
            let _ = writeln!(text, "{heading}  {purpose}:\n    {NAME} {arguments}");
        }
        text
    }
}

/// Returns all commands with their flags and help.
pub(super) fn command() -> Command {
    commands().args(flags::all())
}

/// The same without the flags that go without a command.
pub(super) fn commands() -> Command {
    let version = format!(
        "{} (revision {}, rustc {})",
        env!("CARGO_PKG_VERSION"),
        env!("BUILD_REVISION"),
        env!("BUILD_RUSTC")
    );
    Command::new(NAME)
        .version(version)
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help(PLACES)
        .args_conflicts_with_subcommands(true)
        .subcommands(COMMANDS.iter().map(Entry::command))
}

/// Returns a flag that takes a value.
pub(super) fn option(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .default_value(default)
        .help(help)
}

/// Returns a flag that is there or not.
pub(super) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_example_is_understood_and_fits_a_terminal() {
        for (_, example) in COMMANDS.iter().flat_map(|entry| entry.examples) {
            let line = format!("{NAME} {example}");
            assert!(line.len() + 4 <= 80, "{line}");
            let own = line.split(['|', '>']).next().unwrap();
            let understood = command().try_get_matches_from(own.split_whitespace());
            assert!(understood.is_ok(), "{line}: {understood:?}");
        }
    }
}
