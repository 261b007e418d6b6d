//! All open connections: which one is closed when there are too many.
//!
//! Every client is accepted, so that a health check is answered even if others hold hundreds of connections. Beyond the
//! limit, the client with the most connections loses one first.

mod connection;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub(crate) use self::connection::{CloseReason, Connection, Phase};

/// Returns the address by which connections count as one client's: an IPv4 address, or an IPv6 network of 64 bits.
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    /// Number of open connections of each [`client`].
    held: HashMap<IpAddr, usize>,
}

impl Registry {
    fn add(&mut self, connection: Arc<Connection>) -> u64 {
        let key = self.next;
        self.next += 1;
        *self.held.entry(client(connection.peer)).or_default() += 1;
        self.open.insert(key, connection);
        key
    }

    /// Returns up to `count` connections in the order in which to close them.
    ///
    /// Clients with the most connections come first. Among equals, connections without a response to send come first,
    /// then those with the oldest activity.
    fn first_to_close(&self, count: usize) -> Vec<u64> {
        let ranked = self.open.iter().map(|(key, connection)| {
            let activity = connection.activity();
            let sending = activity.phase == Phase::Sending;
            let held = self.held[&client(connection.peer)];
            (Reverse(held), sending, activity.since, *key)
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        let keys = ranked.into_iter().map(|(.., key)| key);
        keys.take(count).collect()
    }

    fn remove(&mut self, key: u64) -> Option<Arc<Connection>> {
        let connection = self.open.remove(&key)?;
        if let Entry::Occupied(mut held) = self.held.entry(client(connection.peer)) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
        Some(connection)
    }
}

/// A connection's entry in the registry, removed on drop.
#[derive(Debug)]
pub(crate) struct Slot {
    connections: Arc<Connections>,
    key: u64,
    /// The connection.
    pub connection: Arc<Connection>,
}

impl Connections {
    /// Creates an empty registry for up to `limit` connections.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            registry: Mutex::default(),
        }
    }

    /// Registers a new connection. At the limit, closes others first and removes them at once.
    pub(crate) fn open(self: &Arc<Self>, peer: IpAddr) -> Slot {
        let mut registry = self.registry();
        if registry.open.len() >= self.limit {
            // Closing several at a time saves ranking all connections for each one of a flood.
            for key in registry.first_to_close((self.limit / 16).max(1)) {
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
            connection,
        }
    }

    /// Closes connections that have exceeded their time limit.
    pub(crate) fn close_overdue(&self) {
        let now = Instant::now();
        for connection in self.registry().open.values() {
            if let Some(reason) = connection.activity().overdue(now) {
                connection.close(reason);
            }
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.registry().remove(self.key);
    }
}

#[cfg(test)]
mod tests;
