//! How a command ends: its exit code, and what it says on standard error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};

use crate::config::fault::Fault;
use crate::error::chain;

/// The command line or the configuration is wrong, or what was asked for is not there.
pub(super) const WRONG: u8 = 1;
/// `services`: it can't be told; `check-config --connect`: the database can't be read.
pub(super) const NO_ANSWER: u8 = 2;

/// As clap has them, which reports what is wrong with the command line.
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// A failure on its way to standard error and an exit code.
pub(super) struct Failure {
    pub(super) messages: Vec<String>,
    pub(super) code: u8,
}

pub(super) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    pub(super) fn new(error: &(dyn Error + 'static), code: u8) -> Self {
        Self::of(chain(error), code)
    }

    pub(super) fn of(message: impl Into<String>, code: u8) -> Self {
        Self {
            messages: vec![message.into()],
            code,
        }
    }

    pub(super) fn configuration(faults: &[Fault], code: u8) -> Self {
        Self {
            messages: faults.iter().map(|fault| chain(fault)).collect(),
            code,
        }
    }
}

/// Returns a line that says what failed.
pub(super) fn error(text: impl Display) -> String {
    format!("{ERROR}error:{ERROR:#} {text}")
}

/// Returns a line that says what is odd.
pub(super) fn warning(text: impl Display) -> String {
    format!("{WARNING}warning:{WARNING:#} {text}")
}

/// Writes a line to standard error; in colour, if it has any, on a terminal alone.
pub(super) fn say(line: &str) {
    // Who closed standard error does not want to know.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
pub(super) fn write(text: impl AsRef<[u8]>, code: u8) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    unless_gone(
        out.write_all(text.as_ref()).and_then(|()| out.flush()),
        code,
    )
}

/// The same for a text with colours, see [`paint`].
pub(super) fn write_painted(text: &str, code: u8) -> Result<(), Failure> {
    unless_gone(paint(text), code)
}

/// Writes to standard output; the colours are left out where it is no terminal, or `NO_COLOR` is set.
pub(super) fn paint(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn unless_gone(written: io::Result<()>, code: u8) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(&error, code)),
        _ => Ok(()),
    }
}
