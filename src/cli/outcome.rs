//! How a command ends: exit code, standard output, messages on standard error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

use crate::config::fault::Fault;
use crate::error::chain;

/// Exit code: the command line or the configuration is invalid, or the command failed.
pub(super) const WRONG: u8 = 1;
/// Exit code: `services` does not know the state; `check-config --connect` can't read the database.
pub(super) const NO_ANSWER: u8 = 2;

/// The style of clap, which reports invalid command lines.
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Messages for standard error, and the exit code.
pub(super) struct Failure {
    pub(super) messages: Vec<String>,
    pub(super) code: u8,
}

pub(super) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    pub(super) fn of(message: impl Into<String>, code: u8) -> Self {
        Self {
            messages: vec![message.into()],
            code,
        }
    }
}

/// Returns the conversion of an error into a failure with an exit code.
pub(super) fn failure<E: Error + 'static>(code: u8) -> impl Fn(E) -> Failure {
    move |error| Failure::of(chain(&error), code)
}

/// Returns the conversion of faults of the configuration into a failure with an exit code.
pub(super) fn invalid(code: u8) -> impl Fn(Vec<Fault>) -> Failure {
    move |faults| Failure {
        messages: faults.iter().map(|fault| chain(fault)).collect(),
        code,
    }
}

/// Returns the line that reports a failure.
pub(super) fn error(text: impl Display) -> String {
    format!("{ERROR}error:{ERROR:#} {text}")
}

/// Returns the line that reports a warning.
pub(super) fn warning(text: impl Display) -> String {
    format!("{WARNING}warning:{WARNING:#} {text}")
}

/// Writes a line to standard error; colours are kept only on a terminal.
pub(super) fn write_stderr(line: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Writes to standard output. A closed pipe (`| head`) is not a failure.
pub(super) fn write(text: impl AsRef<[u8]>, code: u8) -> Outcome {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    ignore_closed_pipe(written, code)
}

/// Writes coloured text to standard output, see [`try_write_coloured`]. A closed pipe is not a failure.
pub(super) fn write_coloured(text: &str, code: u8) -> Outcome {
    ignore_closed_pipe(try_write_coloured(text), code)
}

/// Writes to standard output, without colours unless it is a terminal and `NO_COLOR` is unset.
pub(super) fn try_write_coloured(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn ignore_closed_pipe(written: io::Result<()>, code: u8) -> Outcome {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failure(code)(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
