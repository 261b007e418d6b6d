//! What systemd is told, and what it passes: `sd_notify(3)`, its watchdog, and sockets.
//!
//! Without systemd none of this does anything: who listens is named by environment variables that it sets.

pub(crate) mod socket;

use sd_notify::NotifyState;
use tracing::warn;

/// Tells that the exporter listens, or that a reload is over.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Tells that the configuration is being loaded anew; [`ready`] must follow.
pub(crate) fn reloading() {
    // Which of several reloads is meant is told by the time.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot read the monotonic clock for systemd"),
    }
}

/// Tells that the exporter is about to end.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Tells systemd several things at once.
pub(crate) fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot notify systemd");
    }
}
