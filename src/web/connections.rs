//! The clients that are connected: how long each may take, and who makes room for one more.
//!
//! Everybody is let in, so that a health check is answered whatever hundreds of others do; what is bounded is how
//! many stay. A client that holds many connections loses its own before it costs another client one.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Time from the first byte of a request to the end of its head; on a new connection from its beginning, the
/// handshake included.
const ASKING: Duration = Duration::from_secs(10);
/// Time for a client to take some more of an answer.
const ANSWERING: Duration = Duration::from_secs(10);
/// Time between two requests: longer than sensible scrape intervals, so that Prometheus keeps its connection.
const IDLE: Duration = Duration::from_mins(2);

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It sends the head of a request, or has not begun with its first.
    Asking,
    /// It is sent an answer.
    Answering,
    /// It was answered, and has not asked again.
    Idle,
}

/// Why a connection was closed before its client did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// It made room for another.
    Crowded,
    /// Its request took too long to arrive, or, in a flood of handshakes, its own took too long to be made.
    SlowRequest,
    /// Its client did not take its answer.
    SlowReader,
    /// It asked for nothing for long.
    Idle,
}

impl CloseReason {
    /// All, in the order of the exposition.
    pub(crate) const ALL: [Self; 4] = [
        Self::Crowded,
        Self::SlowRequest,
        Self::SlowReader,
        Self::Idle,
    ];

    /// Returns the value of the label `reason`.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::SlowRequest => "slow_request",
            Self::SlowReader => "slow_reader",
            Self::Idle => "idle",
        }
    }
}

/// What a connection is at, and since when; of an answer: since when nothing of it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// What it is at.
    pub phase: Phase,
    /// Since when.
    pub since: Instant,
}

impl Moment {
    /// Returns why the connection is to be closed now, `None` if it may stay. The limits are inclusive.
    #[must_use]
    pub(crate) fn overdue(self, now: Instant) -> Option<CloseReason> {
        let (limit, reason) = match self.phase {
            Phase::Asking => (ASKING, CloseReason::SlowRequest),
            Phase::Answering => (ANSWERING, CloseReason::SlowReader),
            Phase::Idle => (IDLE, CloseReason::Idle),
        };
        (now.saturating_duration_since(self.since) >= limit).then_some(reason)
    }
}

/// Returns what one client has to itself: an address of IPv4, a network of 64 bits of IPv6.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    /// How many of them each client has, see [`network`].
    held: HashMap<IpAddr, usize>,
}

impl Registry {
    fn add(&mut self, connection: Arc<Connection>) -> u64 {
        let key = self.next;
        self.next += 1;
        *self.held.entry(network(connection.peer)).or_default() += 1;
        self.open.insert(key, connection);
        key
    }

    /// Returns the connections that make room, `most` of them at most: of the clients with the most connections, those
    /// that are longest without an answer to take; only after these, those that are longest without taking some.
    fn first_to_close(&self, most: usize) -> Vec<u64> {
        let ranked = self.open.iter().map(|(key, connection)| {
            let moment = connection.moment();
            let answered = moment.phase == Phase::Answering;
            let held = self.held[&network(connection.peer)];
            (Reverse(held), answered, moment.since, *key)
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(.., key)| key).take(most).collect()
    }

    fn remove(&mut self, key: u64) -> Option<Arc<Connection>> {
        let connection = self.open.remove(&key)?;
        if let Entry::Occupied(mut held) = self.held.entry(network(connection.peer)) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        Some(connection)
    }
}

/// One connection, as it is seen by its stream and by the crowd.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: IpAddr,
    moment: Mutex<Moment>,
    close_reason: OnceLock<CloseReason>,
    notify: Notify,
}

/// A place in the crowd, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    connections: Arc<Connections>,
    key: u64,
    /// How many connections its client (see [`network`]) had when it came, this one included.
    pub held: usize,
    /// Its connection.
    pub connection: Arc<Connection>,
}

impl Connections {
    /// An empty one, of `most` connections at most.
    #[must_use]
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            registry: Mutex::default(),
        }
    }

    /// Lets a client in, and dismisses others if there are too many; these no longer count.
    pub(crate) fn open(self: &Arc<Self>, peer: IpAddr) -> Slot {
        let mut registry = self.registry();
        if registry.open.len() >= self.most {
            // Several, so that not every one of a flood makes us look at all.
            for key in registry.first_to_close((self.most / 16).max(1)) {
                if let Some(connection) = registry.remove(key) {
                    connection.close(CloseReason::Crowded);
                }
            }
        }
        let connection = Arc::new(Connection::new(peer));
        let key = registry.add(connection.clone());
        Slot {
            connections: self.clone(),
            key,
            held: registry.held[&network(peer)],
            connection,
        }
    }

    /// Dismisses those who take too long.
    pub(crate) fn close_overdue(&self) {
        let now = Instant::now();
        for connection in self.registry().open.values() {
            if let Some(reason) = connection.moment().overdue(now) {
                connection.close(reason);
            }
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn new(peer: IpAddr) -> Self {
        Self {
            peer,
            moment: Mutex::new(Moment {
                phase: Phase::Asking,
                since: Instant::now(),
            }),
            close_reason: OnceLock::new(),
            notify: Notify::new(),
        }
    }

    /// Returns what it is at.
    #[must_use]
    pub(crate) fn moment(&self) -> Moment {
        *self.locked()
    }

    /// Notes that it is at something from now on.
    pub(crate) fn begin(&self, phase: Phase) {
        let since = Instant::now();
        *self.locked() = Moment { phase, since };
    }

    /// Notes that its client took some of an answer, or sent some of a request.
    pub(crate) fn progress(&self, phase: Phase) {
        let mut moment = self.locked();
        match (moment.phase, phase) {
            (Phase::Answering, Phase::Answering) => moment.since = Instant::now(),
            (Phase::Idle, Phase::Asking) => {
                let since = Instant::now();
                *moment = Moment { phase, since };
            }
            _ => {}
        }
    }

    /// Waits until it is to be closed, and returns why.
    pub(crate) async fn closed(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.close_reason.get() {
                return *reason;
            }
            self.notify.notified().await;
        }
    }

    fn close(&self, reason: CloseReason) {
        // The first reason counts.
        let _ = self.close_reason.set(reason);
        self.notify.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.registry().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACKER: &str = "203.0.113.7";

    /// Checks who makes room: each connection is an address, a phase, and the seconds that it has lasted.
    fn check(connections: &[(&str, Phase, u64)], goes: u64) {
        let now = Instant::now() + Duration::from_mins(5);
        let mut registry = Registry::default();
        for &(peer, phase, seconds) in connections {
            let connection = Connection::new(peer.parse().unwrap());
            let since = now - Duration::from_secs(seconds);
            *connection.locked() = Moment { phase, since };
            registry.add(Arc::new(connection));
        }
        assert_eq!(registry.first_to_close(1), [goes], "{connections:?}");
    }

    #[test]
    fn who_holds_most_connections_loses_one() {
        use Phase::{Answering, Asking, Idle};
        check(
            &[
                ("192.0.2.1", Idle, 90),
                (ATTACKER, Asking, 1),
                (ATTACKER, Asking, 2),
            ],
            2,
        );
        check(
            &[
                ("192.0.2.1", Idle, 90),
                (ATTACKER, Answering, 9),
                (ATTACKER, Asking, 0),
            ],
            2,
        );
        check(
            &[
                ("192.0.2.1", Asking, 9),
                (ATTACKER, Answering, 1),
                (ATTACKER, Answering, 2),
            ],
            2,
        );
    }

    #[test]
    fn of_as_many_the_one_that_waits_longest_goes_and_answers_stay() {
        use Phase::{Answering, Asking, Idle};
        check(
            &[
                ("192.0.2.1", Answering, 9),
                ("192.0.2.2", Idle, 1),
                ("192.0.2.3", Asking, 0),
            ],
            1,
        );
        check(
            &[("192.0.2.1", Answering, 9), ("192.0.2.2", Answering, 1)],
            0,
        );
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_mapped_addresses_are_ipv4() {
        use Phase::Idle;
        check(
            &[
                ("192.0.2.1", Idle, 9),
                ("2001:db8::1", Idle, 1),
                ("2001:db8::2", Idle, 2),
            ],
            2,
        );
        check(
            &[
                ("2001:db8::1", Idle, 9),
                ("192.0.2.1", Idle, 1),
                ("::ffff:192.0.2.1", Idle, 2),
            ],
            2,
        );
    }

    #[test]
    fn a_client_holds_what_has_not_left_or_been_dismissed() {
        let connections = Arc::new(Connections::new(3));
        let open = |peer: &str| connections.open(peer.parse().unwrap());
        let first = open("2001:db8::1");
        let second = open("2001:db8::2");
        assert_eq!((first.held, second.held), (1, 2));
        assert_eq!(open("2001:db8:0:1::1").held, 1);
        drop(first);
        let third = open("2001:db8::3");
        assert_eq!(third.held, 2);
        let _other = open("192.0.2.1");
        // Of the three that are there, the second makes room, and is gone before it leaves.
        assert_eq!(open("2001:db8::4").held, 2);
        drop(second);
        assert_eq!(open("2001:db8::5").held, 2);
        assert_eq!(connections.registry().held.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn limits_are_inclusive_and_count_from_progress() {
        let connections = Arc::new(Connections::new(9));
        let place = connections.open(ATTACKER.parse().unwrap());
        let connection = &place.connection;
        let overdue = || connection.moment().overdue(Instant::now());
        for (phase, limit, reason) in [
            (Phase::Asking, ASKING, CloseReason::SlowRequest),
            (Phase::Answering, ANSWERING, CloseReason::SlowReader),
            (Phase::Idle, IDLE, CloseReason::Idle),
        ] {
            connection.begin(phase);
            let instant = Duration::from_millis(1);
            tokio::time::advance(limit.saturating_sub(instant)).await;
            assert_eq!(overdue(), None);
            tokio::time::advance(instant).await;
            assert_eq!(overdue(), Some(reason));
        }
        // A first byte begins a request, and further ones do not prolong it.
        connection.progress(Phase::Asking);
        tokio::time::advance(ASKING / 2).await;
        connection.progress(Phase::Asking);
        tokio::time::advance(ASKING / 2).await;
        assert_eq!(overdue(), Some(CloseReason::SlowRequest));
        // Each part of an answer that is taken gives time for the next.
        connection.begin(Phase::Answering);
        tokio::time::advance(ANSWERING).await;
        connection.progress(Phase::Answering);
        assert_eq!(overdue(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_than_there_is_room_for_dismisses_one_and_no_more() {
        let connections = Arc::new(Connections::new(2));
        let first = connections.open(ATTACKER.parse().unwrap());
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = connections.open(ATTACKER.parse().unwrap());
        tokio::time::advance(Duration::from_secs(1)).await;
        let third = connections.open("192.0.2.1".parse().unwrap());
        assert_eq!(first.connection.closed().await, CloseReason::Crowded);
        drop(first);
        let fourth = connections.open("192.0.2.1".parse().unwrap());
        assert_eq!(second.connection.closed().await, CloseReason::Crowded);
        for staying in [&third, &fourth] {
            assert_eq!(staying.connection.close_reason.get(), None);
        }
        drop(third);
        let _fifth = connections.open("192.0.2.1".parse().unwrap());
        assert_eq!(fourth.connection.close_reason.get(), None);
    }
}
