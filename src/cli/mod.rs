//! Commands, flags and exit codes; no decisions. A file a command.

mod check_config;
mod command;
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
mod terminal;

use std::process::ExitCode;

use self::outcome::{error, write_stderr};

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().collect();
    let name = arguments.get(1).and_then(|name| name.to_str());
    let refusal = command::refusal(name);
    let matches = match command::command().try_get_matches_from(arguments) {
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
    command::run(&matches).unwrap_or_else(|failure| {
        for message in &failure.messages {
            write_stderr(&error(message));
        }
        ExitCode::from(failure.code)
    })
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
