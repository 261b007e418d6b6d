//! `completions`: the completion script of a shell.

use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;

use super::entry::{Entry, NAME, program};
use super::flags;
use super::outcome::{Outcome, WRONG, write};

pub(super) const ENTRY: Entry = Entry {
    examples: &[
        (
            "Write completions for bash, to be sourced",
            "completions bash > heartbeat.bash",
        ),
        (
            "Write completions for zsh, for a folder of its $fpath",
            "completions zsh > _openstack-heartbeat-exporter",
        ),
        (
            "Load completions into this fish session",
            "completions fish | source",
        ),
    ],
    ..Entry::new("completions", describe, run)
};

fn describe(command: Command) -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true);
    let shell = shell.value_parser(["bash", "zsh", "fish"]);
    command
        .about("Prints the completion script of a shell")
        .arg(shell.help("The shell"))
}

fn run(matches: &ArgMatches, entries: &[Entry]) -> Outcome {
    let program = program(entries);
    let (shell, mut program) = match matches.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => (Shell::Zsh, program.args(flags::all())),
        // The argparse of fish rejects flags with a dot, and then fish completes not even the commands.
        Some("fish") => (Shell::Fish, program),
        _ => (Shell::Bash, program.args(flags::all())),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut script);
    write(with_states(&String::from_utf8_lossy(&script)), WRONG)
}

/// Renames the states of a bash script to the names that it looks up.
///
/// Without this, bash completes nothing after a command: <https://github.com/clap-rs/clap/issues/6421>.
fn with_states(script: &str) -> String {
    script.replace(&NAME.replace('-', "__subcmd__"), &NAME.replace('-', "__"))
}
