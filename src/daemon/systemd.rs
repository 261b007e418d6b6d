//! The interface to systemd: notifications by `sd_notify(3)`, and passed sockets.
//!
//! Without systemd nothing here has an effect, because systemd enables each part by an environment variable.

pub(crate) mod socket;

use sd_notify::NotifyState;
use tracing::warn;

/// Notifies systemd that the exporter listens, or that a reload has ended.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Notifies systemd that a reload has begun; [`ready`] must follow.
pub(crate) fn reloading() {
    // The time identifies the reload.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot read the monotonic clock for systemd"),
    }
}

/// Notifies systemd that the exporter is shutting down.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Sends several notifications in one message.
pub(crate) fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot notify systemd");
    }
}
