//! All open connections: which one is closed when there are too many.
//!
//! Every client is accepted, so that a health check is answered even if others hold hundreds of connections. Beyond the
//! limit, the client with the most connections loses one first.

mod connection;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub(crate) use self::connection::{CloseReason, Connection, Phase};

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
}

impl Registry {
    fn add(&mut self, connection: Arc<Connection>) -> u64 {
        let key = self.next;
        self.next += 1;
        self.open.insert(key, connection);
        key
    }

    /// Returns the number of open connections of each client.
    fn held(&self) -> HashMap<IpAddr, usize> {
        let mut held = HashMap::new();
        for connection in self.open.values() {
            *held.entry(connection.client).or_default() += 1;
        }
        held
    }

    /// Returns up to `count` connections in the order in which to close them.
    ///
    /// Clients with the most connections come first. Among equals, connections without a response to send come first,
    /// then those with the oldest activity.
    fn first_to_close(&self, count: usize) -> Vec<u64> {
        let held = self.held();
        let mut keys: Vec<u64> = self.open.keys().copied().collect();
        keys.sort_by_cached_key(|key| {
            let connection = &self.open[key];
            let activity = *connection.activity();
            let sending = activity.phase == Phase::Sending;
            let held = held[&connection.client];
            (Reverse(held), sending, activity.since, *key)
        });
        keys.truncate(count);
        keys
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
                if let Some(connection) = registry.open.remove(&key) {
                    close(&connection, CloseReason::Crowded);
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
                close(connection, reason);
            }
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the task that serves the connection to close it. The first reason counts.
fn close(connection: &Connection, reason: CloseReason) {
    let _ = connection.close_reason.set(reason);
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.registry().open.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
