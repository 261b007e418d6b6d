//! One connection: what it is doing, since when, and how long it may take.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Time to receive the head of a request, from its first byte; on a new connection from accept, so it includes the TLS
/// handshake.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without progress in sending a response.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two requests: longer than sensible scrape intervals, so that Prometheus keeps its connection.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The client is sending the head of a request, or has just connected.
    Receiving,
    /// A response is being sent.
    Sending,
    /// The last response has been sent, and no new request has begun.
    Idle,
}

/// Why the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The connection limit was reached.
    Crowded,
    /// The request head, or the TLS handshake before it, took too long.
    SlowRequest,
    /// The client stopped reading the response.
    SlowReader,
    /// No request arrived for [`IDLE_TIMEOUT`].
    Idle,
}

impl CloseReason {
    /// All reasons, in the order of the exposition.
    pub(crate) const ALL: [Self; 4] = [
        Self::Crowded,
        Self::SlowRequest,
        Self::SlowReader,
        Self::Idle,
    ];

    /// Returns the value of the label `reason`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::SlowRequest => "slow_request",
            Self::SlowReader => "slow_reader",
            Self::Idle => "idle",
        }
    }
}

/// What a connection is doing, and since when; while it sends, since the last progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Current phase.
    pub phase: Phase,
    /// Start of the phase, or last progress.
    pub since: Instant,
}

impl Activity {
    fn now(phase: Phase) -> Self {
        let since = Instant::now();
        Self { phase, since }
    }

    /// Returns why the connection must be closed now, `None` if it may stay. The limits are inclusive.
    pub(crate) fn overdue(self, now: Instant) -> Option<CloseReason> {
        let (limit, reason) = match self.phase {
            Phase::Receiving => (REQUEST_TIMEOUT, CloseReason::SlowRequest),
            Phase::Sending => (RESPONSE_TIMEOUT, CloseReason::SlowReader),
            Phase::Idle => (IDLE_TIMEOUT, CloseReason::Idle),
        };
        (now.saturating_duration_since(self.since) >= limit).then_some(reason)
    }
}

/// A connection, shared by its stream and the registry.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The client's address.
    pub(super) peer: IpAddr,
    activity: Mutex<Activity>,
    close_reason: OnceLock<CloseReason>,
    notify: Notify,
}

impl Connection {
    pub(super) fn new(peer: IpAddr) -> Self {
        Self {
            peer,
            activity: Mutex::new(Activity::now(Phase::Receiving)),
            close_reason: OnceLock::new(),
            notify: Notify::new(),
        }
    }

    /// Returns the current activity.
    pub(crate) fn activity(&self) -> Activity {
        *self.locked()
    }

    /// Starts a phase now.
    pub(crate) fn begin(&self, phase: Phase) {
        *self.locked() = Activity::now(phase);
    }

    /// Records that bytes of a response were sent, or bytes of a request received.
    pub(crate) fn progress(&self, phase: Phase) {
        let mut activity = self.locked();
        if let (Phase::Sending, Phase::Sending) | (Phase::Idle, Phase::Receiving) =
            (activity.phase, phase)
        {
            *activity = Activity::now(phase);
        }
    }

    /// Waits until the server decides to close the connection, and returns why.
    pub(crate) async fn closed(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.close_reason.get() {
                return *reason;
            }
            self.notify.notified().await;
        }
    }

    /// Asks the task that serves the connection to close it.
    pub(super) fn close(&self, reason: CloseReason) {
        // The first reason counts.
        let _ = self.close_reason.set(reason);
        self.notify.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn set_activity(&self, activity: Activity) {
        *self.locked() = activity;
    }

    #[cfg(test)]
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason.get().copied()
    }
}
