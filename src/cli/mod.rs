//! Commands, flags and exit codes; no decisions. A file a command.

mod check_config;
mod command;
mod completions;
mod demo;
pub mod embedded;
mod flags;
mod healthcheck;
mod man;
mod outcome;
mod print;
mod probe;
mod serve;
mod services;
mod terminal;

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use tokio::runtime::Builder;

use self::outcome::{Failure, WRONG, error, say, warning};
use crate::config::settings::Settings;
use crate::web::access::Access;

/// Runs the program with the process's own arguments.
#[must_use]
pub fn main() -> ExitCode {
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().collect();
    let name = arguments.get(1).and_then(|name| name.to_str());
    let refusal = command::find(name).refusal;
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
    let outcome = match matches.subcommand() {
        Some((name, matches)) => (command::find(Some(name)).run)(matches),
        None => (command::find(None).run)(&matches),
    };
    outcome.unwrap_or_else(|failure| {
        for message in &failure.messages {
            say(&error(message));
        }
        ExitCode::from(failure.code)
    })
}

/// Forbids core dumps, and other programs of the same user to read the memory: it holds the password.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Where a sandbox forbids that, the password is as safe as it was.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

fn settings(matches: &ArgMatches, code: u8) -> Result<Settings, Failure> {
    Settings::load(flags::given(matches)).map_err(|faults| Failure::configuration(&faults, code))
}

/// Says on standard error what is odd about the settings.
fn warn(settings: &Settings) {
    for text in &settings.warnings {
        say(&warning(text));
    }
}

/// Reads the web configuration file, if the settings name one.
fn access(settings: &Settings) -> Result<Access, Failure> {
    Access::new(settings.web_config.clone())
        .map_err(|faults| Failure::configuration(&faults, WRONG))
}

/// Runs a future to its end; without threads all of it on this one.
///
/// What is left behind, such as a name server that does not answer, is not waited for.
fn block_on<T>(
    threads: usize,
    code: u8,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut builder = match threads {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(&error, code))?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}
