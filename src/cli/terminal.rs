//! Terminal control: erasing a line or the screen.

use std::io::IsTerminal;

/// Erases the screen and moves to its first line.
pub(super) const CLEAR: &str = "\x1b[H\x1b[2J";
/// Erases the line and moves to its beginning.
pub(super) const ERASE_LINE: &str = "\r\x1b[2K";

/// Returns whether output to a stream can be erased again.
pub(super) fn is_erasable(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}
