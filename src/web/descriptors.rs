//! The system's limit on open files, each connection being one.

use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors kept for everything but clients: the database, listeners, configuration, the log.
const OWN: u64 = 64;

/// Raises the soft limit to the hard one, and returns for how many clients there are descriptors: `wanted`, or fewer.
pub(super) fn for_clients(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    // No limit is none to mind.
    let Some(descriptors) = limit.current else {
        return wanted;
    };
    // A connection that made room for another is closed a little later: a quarter is for those.
    let room = descriptors.saturating_sub(OWN) / 4 * 3;
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room < wanted {
        warn!(
            descriptors,
            connections = room.max(1),
            "few files may be open, and so fewer clients are served at once; raise the hard limit (LimitNOFILE=)"
        );
    }
    room.clamp(1, wanted)
}
