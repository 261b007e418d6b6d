//! The limit on open files; each connection needs one descriptor.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors reserved for the database, listeners, configuration and the log.
const RESERVED: u64 = 64;

/// Raises the soft limit to the hard one, and returns the number of connections it allows: at most `wanted`.
pub(super) fn for_clients(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    // `None` is unlimited.
    let Some(descriptors) = limit.current else {
        return wanted;
    };
    // A quarter is for connections that are being closed.
    let room = descriptors.saturating_sub(RESERVED) / 4 * 3;
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted {
        warn!(
            descriptors,
            connections = room.max(1),
            "the limit on open files allows fewer connections than usual; raise the hard limit (LimitNOFILE=)"
        );
    }
    room.clamp(1, wanted)
}
