//! One connection: what it is doing, since when, and how long it may take.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::SetOnce;
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
    pub phase: Phase,
    pub since: Instant,
}

impl Activity {
    pub(super) fn now(phase: Phase) -> Self {
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
    /// The address by which connections count as one client's: IPv4, or an IPv6 network of 64 bits.
    pub(super) client: IpAddr,
    activity: Mutex<Activity>,
    /// Number of responses that are not fully sent.
    pending: AtomicUsize,
    /// Whether incoming bytes need not belong to a request, as with HTTP/2.
    pub multiplexed: AtomicBool,
    /// Set when the server decides to close the connection.
    pub close_reason: SetOnce<CloseReason>,
}

impl Connection {
    pub(super) fn new(peer: IpAddr) -> Self {
        let client = match peer.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => address,
        };
        Self {
            client,
            activity: Mutex::new(Activity::now(Phase::Receiving)),
            pending: AtomicUsize::default(),
            multiplexed: AtomicBool::default(),
            close_reason: SetOnce::default(),
        }
    }

    /// Returns the current activity.
    pub(super) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a request has arrived.
    pub(crate) fn begin_response(self: &Arc<Self>) -> PendingResponse {
        self.pending.fetch_add(1, Relaxed);
        *self.activity() = Activity::now(Phase::Sending);
        PendingResponse(self.clone())
    }

    /// Records that bytes were received.
    pub(crate) fn received(&self) {
        if !self.multiplexed.load(Relaxed) {
            self.progress(Phase::Idle, Phase::Receiving);
        }
    }

    /// Records that bytes were sent.
    pub(crate) fn sent(&self) {
        self.progress(Phase::Sending, Phase::Sending);
    }

    /// Records that all written bytes were sent.
    pub(crate) fn flushed(&self) {
        if self.pending.load(Relaxed) == 0 {
            self.progress(Phase::Sending, Phase::Idle);
        }
    }

    fn progress(&self, from: Phase, to: Phase) {
        let mut activity = self.activity();
        if activity.phase == from {
            *activity = Activity::now(to);
        }
    }
}

/// A response that counts as pending until it is dropped.
#[derive(Debug)]
pub(crate) struct PendingResponse(Arc<Connection>);

impl Drop for PendingResponse {
    fn drop(&mut self) {
        // Its last bytes may still be in the connection's buffers, until the stream is flushed.
        self.0.pending.fetch_sub(1, Relaxed);
    }
}
