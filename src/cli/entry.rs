//! A command as the program lists it: its flags, its help, its exit codes.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::outcome::{Outcome, WRONG};

/// Name of the program.
pub(super) const NAME: &str = env!("CARGO_PKG_NAME");

/// The order in which settings are read, for the help.
const SOURCES: &str = "Every flag with a dot has an environment variable: --poll.interval is \
     OPENSTACK_HEARTBEAT_POLL_INTERVAL. The YAML file of --config.file uses the same names. \
     Flags override environment variables, which override that file, which overrides cinder.conf.";

/// A command.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// Adds its description and its flags.
    pub(super) describe: fn(Command) -> Command,
    /// Runs it. It gets all commands too, since `completions` and `man` describe them.
    pub(super) run: fn(&ArgMatches, &[Entry]) -> Outcome,
    /// Exit code for an invalid command line.
    pub(super) refusal: u8,
    /// Exit codes and their meanings, if they need an explanation.
    pub(super) exit_codes: &'static [(u8, &'static str)],
    /// Purposes, and the arguments that serve them.
    pub(super) examples: &'static [(&'static str, &'static str)],
}

impl Entry {
    /// Returns a command without explained exit codes and examples.
    pub(super) const fn new(
        name: &'static str,
        describe: fn(Command) -> Command,
        run: fn(&ArgMatches, &[Entry]) -> Outcome,
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

/// Returns the program with these commands, without the flags that it takes if no command is given.
pub(super) fn program(entries: &[Entry]) -> Command {
    let version = format!(
        "{} (revision {}, rustc {})",
        env!("CARGO_PKG_VERSION"),
        env!("BUILD_REVISION"),
        env!("BUILD_RUSTC")
    );
    Command::new(NAME)
        .version(version)
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help(SOURCES)
        .args_conflicts_with_subcommands(true)
        .subcommands(entries.iter().map(Entry::command))
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

/// Returns a flag without a value.
pub(super) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}
