//! A progress line on standard error, erased at the end.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

/// Erases the line and moves to its beginning.
const ERASE_LINE: &str = "\r\x1b[2K";

/// Returns whether output to a stream can be erased again.
pub(super) fn is_erasable(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// The progress line, erased on drop. It is not shown where it could not be erased.
pub(super) struct Progress {
    can_erase: bool,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            can_erase: is_erasable(&io::stderr()),
            is_shown: false,
        }
    }

    /// Shows the number of services without a reason yet, and the time left.
    pub(super) fn waiting(&mut self, services: usize, left: Duration) {
        if self.can_erase {
            self.is_shown = true;
            write(&format!("{ERASE_LINE}{}", line(services, left)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            write(ERASE_LINE);
        }
    }
}

fn write(text: &str) {
    let mut out = io::stderr().lock();
    // A progress line is not worth a failure.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Returns the text, short enough for a narrow terminal.
fn line(services: usize, left: Duration) -> String {
    let plural = if services == 1 { "" } else { "s" };
    // Rounded up, so that it never shows 0 s.
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    format!("waiting for heartbeats of {services} service{plural}, {seconds} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_services_and_the_seconds_left() {
        let one = line(1, Duration::from_millis(24_001));
        assert_eq!(one, "waiting for heartbeats of 1 service, 25 s left");
        let many = line(12, Duration::from_millis(500));
        assert_eq!(many, "waiting for heartbeats of 12 services, 1 s left");
    }
}
