//! A command as the program lists it: its flags, its help, its exit codes.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::outcome::{Outcome, WRONG};

/// Name of the program.
pub(super) const NAME: &str = env!("CARGO_PKG_NAME");

/// The order in which settings are read, for the help.
const SOURCES: &str = "Every setting has an environment variable: --poll.interval is \
     OPENSTACK_HEARTBEAT_POLL_INTERVAL. The YAML file of --config.file uses the same names. \
     Flags override environment variables, which override that file, which overrides the projects' own files.";

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
        let exit_codes = self.exit_codes.iter();
        let exit_codes = exit_codes.map(|(code, meaning)| format!("\n  {code}  {meaning}"));
        let exit_codes = section("Exit codes", exit_codes);
        let examples = self.examples.iter();
        let examples =
            examples.map(|(purpose, arguments)| format!("\n  {purpose}:\n    {NAME} {arguments}"));
        let examples = section("Examples", examples);
        let long: Vec<_> = exit_codes.iter().chain(&examples).cloned().collect();
        let command = (self.describe)(Command::new(self.name));
        if long.is_empty() {
            return command;
        }
        command
            .after_help(exit_codes.unwrap_or_default())
            .after_long_help(long.join("\n\n"))
    }
}

/// Returns a part of the help; `None` without items.
fn section(heading: &str, items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.collect();
    (!items.is_empty()).then(|| format!("{heading}:{}", items.concat()))
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
