//! A line on standard error that says what is waited for, gone when it is over.

use std::io::{self, Write as _};
use std::time::Duration;

use crate::cli::terminal::{ERASE_LINE, is_erasable};

/// The line; it is erased when this is dropped. Where it could not be erased, there is none.
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

    /// Says that heartbeats of so many services are waited for, for so long at most.
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
    // It is a courtesy.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Returns what fits in a line of the narrowest terminal.
fn line(services: usize, left: Duration) -> String {
    let plural = if services == 1 { "" } else { "s" };
    // The last second is one, too.
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    format!("waiting for heartbeats of {services} service{plural}, {seconds} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_services_and_seconds() {
        for (services, left, expected) in [
            (1, 24_001, "waiting for heartbeats of 1 service, 25 s left"),
            (12, 500, "waiting for heartbeats of 12 services, 1 s left"),
        ] {
            assert_eq!(line(services, Duration::from_millis(left)), expected);
        }
    }
}
