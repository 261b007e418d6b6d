//! `completions`: what a shell needs to complete commands and flags.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;

use super::command::{self, Entry, NAME};
use super::outcome::{Outcome, WRONG, write};

pub(super) const ENTRY: Entry = Entry {
    examples: &[
        (
            "Completions for bash, to be sourced",
            "completions bash > heartbeat.bash",
        ),
        (
            "Completions for zsh, to be put into a folder of its $fpath",
            "completions zsh > _openstack-heartbeat-exporter",
        ),
        (
            "Completions for fish, for this session",
            "completions fish | source",
        ),
    ],
    ..Entry::plain("completions", describe, run)
};

fn describe(command: Command) -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true);
    command.about("Prints the completions for a shell").arg(
        shell
            .value_parser(["bash", "zsh", "fish"])
            .help("The shell"),
    )
}

fn run(matches: &ArgMatches) -> Outcome {
    let (shell, mut command) = match matches.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => (Shell::Zsh, command::command()),
        // Its argparse takes no dot in the name of a flag, and without argparse not even a command is completed.
        Some("fish") => (Shell::Fish, command::commands()),
        _ => (Shell::Bash, command::command()),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    write(mended(&String::from_utf8_lossy(&script)), WRONG)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives the states of a script for bash the names by which it looks for them, without which it completes nothing
/// after a command: <https://github.com/clap-rs/clap/issues/6421>.
fn mended(script: &str) -> String {
    script.replace(&NAME.replace('-', "__subcmd__"), &NAME.replace('-', "__"))
}
