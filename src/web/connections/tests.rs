//! Activities and limits of connections.

use std::time::Duration;

use super::Phase::{Idle, Receiving, Sending};
use super::connection::{Activity, IDLE_TIMEOUT, REQUEST_TIMEOUT, RESPONSE_TIMEOUT};
use super::*;

/// Three clients.
const A: &str = "192.0.2.1";
const B: &str = "203.0.113.7";
const C: &str = "198.51.100.2";

/// Checks which connection is closed first. Each one is an address, a phase, and the seconds since its last activity.
fn check(connections: &[(&str, Phase, u64)], expected: u64) {
    let now = Instant::now() + Duration::from_mins(5);
    let mut registry = Registry::default();
    for &(peer, phase, seconds) in connections {
        let connection = Connection::new(peer.parse().unwrap());
        let since = now - Duration::from_secs(seconds);
        *connection.activity() = Activity { phase, since };
        registry.add(Arc::new(connection));
    }
    assert_eq!(registry.first_to_close(1), [expected], "{connections:?}");
}

fn open(connections: &Arc<Connections>, peer: &str) -> Slot {
    connections.open(peer.parse().unwrap())
}

#[test]
fn the_client_with_the_most_connections_loses_one() {
    check(&[(A, Idle, 90), (B, Receiving, 1), (B, Receiving, 2)], 2);
    check(&[(A, Idle, 90), (B, Sending, 9), (B, Receiving, 0)], 2);
    check(&[(A, Receiving, 9), (B, Sending, 1), (B, Sending, 2)], 2);
}

#[test]
fn among_equals_the_oldest_is_closed_and_one_that_sends_comes_last() {
    check(&[(A, Sending, 9), (C, Idle, 1), (B, Receiving, 0)], 1);
    check(&[(A, Sending, 9), (C, Sending, 1)], 0);
}

#[test]
fn an_ipv6_network_is_one_client_and_a_mapped_address_is_ipv4() {
    let (first, second, mapped) = ("2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1");
    check(&[(A, Idle, 9), (first, Idle, 1), (second, Idle, 2)], 2);
    check(&[(first, Idle, 9), (A, Idle, 1), (mapped, Idle, 2)], 2);
}

#[test]
fn a_closed_connection_no_longer_counts() {
    let connections = Arc::new(Connections::new(3));
    let held = |network: &str| {
        let held = connections.registry().held();
        held.get(&network.parse().unwrap()).copied()
    };
    let first = open(&connections, "2001:db8::1");
    let second = open(&connections, "2001:db8::2");
    assert_eq!(held("2001:db8::"), Some(2));
    drop(open(&connections, "2001:db8:0:1::1"));
    assert_eq!(held("2001:db8:0:1::"), None);
    drop(first);
    let _third = open(&connections, "2001:db8::3");
    assert_eq!(held("2001:db8::"), Some(2));
    let _other = open(&connections, A);
    // The second is closed for this one, and stops counting before its task ends.
    drop(open(&connections, "2001:db8::4"));
    assert_eq!(held("2001:db8::"), Some(1));
    drop(second);
    assert_eq!(held("2001:db8::"), Some(1));
    assert_eq!(connections.registry().held().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn limits_are_inclusive_and_count_from_progress() {
    let connections = Arc::new(Connections::new(9));
    let connection = &open(&connections, A).connection;
    let overdue = || connection.activity().overdue(Instant::now());
    for (phase, limit, reason) in [
        (Receiving, REQUEST_TIMEOUT, CloseReason::SlowRequest),
        (Sending, RESPONSE_TIMEOUT, CloseReason::SlowReader),
        (Idle, IDLE_TIMEOUT, CloseReason::Idle),
    ] {
        *connection.activity() = Activity::now(phase);
        let instant = Duration::from_millis(1);
        tokio::time::advance(limit.saturating_sub(instant)).await;
        assert_eq!(overdue(), None);
        tokio::time::advance(instant).await;
        assert_eq!(overdue(), Some(reason));
    }
    // The first byte begins a request, and further ones do not extend it.
    connection.received();
    tokio::time::advance(REQUEST_TIMEOUT / 2).await;
    connection.received();
    tokio::time::advance(REQUEST_TIMEOUT / 2).await;
    assert_eq!(overdue(), Some(CloseReason::SlowRequest));
    // Each part of a response that the client reads restarts the timeout.
    let response = connection.begin_response();
    tokio::time::advance(RESPONSE_TIMEOUT).await;
    connection.sent();
    assert_eq!(overdue(), None);
    // A pending response may still write more.
    connection.flushed();
    assert_eq!(connection.activity().phase, Sending);
    drop(response);
    connection.flushed();
    assert_eq!(connection.activity().phase, Idle);
}

#[tokio::test(start_paused = true)]
async fn one_connection_over_the_limit_closes_exactly_one() {
    let connections = Arc::new(Connections::new(2));
    let first = open(&connections, B);
    tokio::time::advance(Duration::from_secs(1)).await;
    let second = open(&connections, B);
    tokio::time::advance(Duration::from_secs(1)).await;
    let third = open(&connections, A);
    assert_eq!(
        first.connection.close_reason.get(),
        Some(&CloseReason::Crowded)
    );
    drop(first);
    let fourth = open(&connections, A);
    assert_eq!(
        second.connection.close_reason.get(),
        Some(&CloseReason::Crowded)
    );
    for staying in [&third, &fourth] {
        assert_eq!(staying.connection.close_reason.get(), None);
    }
    drop(third);
    let _fifth = open(&connections, A);
    assert_eq!(fourth.connection.close_reason.get(), None);
}
