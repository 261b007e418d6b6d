//! `man`: the manual page, made from the commands and the settings.

mod argument;
mod page;
mod words;

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::command::Entry;
use super::outcome::{Outcome, WRONG, write};

pub(super) const ENTRY: Entry = Entry {
    examples: &[("Read the manual", "man | man -l -")],
    ..Entry::plain("man", describe, run)
};

fn describe(command: Command) -> Command {
    command.about("Prints the manual page, in roff")
}

fn run(_: &ArgMatches) -> Outcome {
    write(page::roff(), WRONG)?;
    Ok(ExitCode::SUCCESS)
}
