use std::time::Duration;

use super::connection::{Activity, IDLE_TIMEOUT, REQUEST_TIMEOUT, RESPONSE_TIMEOUT};
use super::*;

const ATTACKER: &str = "203.0.113.7";

/// Checks which connection is closed first. Each one is an address, a phase, and the seconds since its last activity.
fn check(connections: &[(&str, Phase, u64)], expected: u64) {
    let now = Instant::now() + Duration::from_mins(5);
    let mut registry = Registry::default();
    for &(peer, phase, seconds) in connections {
        let connection = Connection::new(peer.parse().unwrap());
        let since = now - Duration::from_secs(seconds);
        connection.set_activity(Activity { phase, since });
        registry.add(Arc::new(connection));
    }
    assert_eq!(registry.first_to_close(1), [expected], "{connections:?}");
}

#[test]
fn the_client_with_the_most_connections_loses_one() {
    use Phase::{Idle, Receiving, Sending};
    check(
        &[
            ("192.0.2.1", Idle, 90),
            (ATTACKER, Receiving, 1),
            (ATTACKER, Receiving, 2),
        ],
        2,
    );
    check(
        &[
            ("192.0.2.1", Idle, 90),
            (ATTACKER, Sending, 9),
            (ATTACKER, Receiving, 0),
        ],
        2,
    );
    check(
        &[
            ("192.0.2.1", Receiving, 9),
            (ATTACKER, Sending, 1),
            (ATTACKER, Sending, 2),
        ],
        2,
    );
}

#[test]
fn among_equals_the_oldest_is_closed_and_one_that_sends_comes_last() {
    use Phase::{Idle, Receiving, Sending};
    check(
        &[
            ("192.0.2.1", Sending, 9),
            ("192.0.2.2", Idle, 1),
            ("192.0.2.3", Receiving, 0),
        ],
        1,
    );
    check(&[("192.0.2.1", Sending, 9), ("192.0.2.2", Sending, 1)], 0);
}

#[test]
fn an_ipv6_network_is_one_client_and_a_mapped_address_is_ipv4() {
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
fn a_closed_connection_no_longer_counts() {
    let connections = Arc::new(Connections::new(3));
    let open = |peer: &str| connections.open(peer.parse().unwrap());
    let held = |peer: &str| {
        let client = client(peer.parse().unwrap());
        connections.registry().held.get(&client).copied()
    };
    let first = open("2001:db8::1");
    let second = open("2001:db8::2");
    assert_eq!(held("2001:db8::"), Some(2));
    drop(open("2001:db8:0:1::1"));
    assert_eq!(held("2001:db8:0:1::"), None);
    drop(first);
    let _third = open("2001:db8::3");
    assert_eq!(held("2001:db8::"), Some(2));
    let _other = open("192.0.2.1");
    // The second is closed for this one, and stops counting before its task ends.
    drop(open("2001:db8::4"));
    assert_eq!(held("2001:db8::"), Some(1));
    drop(second);
    assert_eq!(held("2001:db8::"), Some(1));
    assert_eq!(connections.registry().held.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn limits_are_inclusive_and_count_from_progress() {
    let connections = Arc::new(Connections::new(9));
    let slot = connections.open(ATTACKER.parse().unwrap());
    let connection = &slot.connection;
    let overdue = || connection.activity().overdue(Instant::now());
    for (phase, limit, reason) in [
        (Phase::Receiving, REQUEST_TIMEOUT, CloseReason::SlowRequest),
        (Phase::Sending, RESPONSE_TIMEOUT, CloseReason::SlowReader),
        (Phase::Idle, IDLE_TIMEOUT, CloseReason::Idle),
    ] {
        connection.begin(phase);
        let instant = Duration::from_millis(1);
        tokio::time::advance(limit.saturating_sub(instant)).await;
        assert_eq!(overdue(), None);
        tokio::time::advance(instant).await;
        assert_eq!(overdue(), Some(reason));
    }
    // The first byte begins a request, and further ones do not extend it.
    connection.progress(Phase::Receiving);
    tokio::time::advance(REQUEST_TIMEOUT / 2).await;
    connection.progress(Phase::Receiving);
    tokio::time::advance(REQUEST_TIMEOUT / 2).await;
    assert_eq!(overdue(), Some(CloseReason::SlowRequest));
    // Each part of a response that the client reads restarts the timeout.
    connection.begin(Phase::Sending);
    tokio::time::advance(RESPONSE_TIMEOUT).await;
    connection.progress(Phase::Sending);
    assert_eq!(overdue(), None);
}

#[tokio::test(start_paused = true)]
async fn one_connection_over_the_limit_closes_exactly_one() {
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
        assert_eq!(staying.connection.close_reason(), None);
    }
    drop(third);
    let _fifth = connections.open("192.0.2.1".parse().unwrap());
    assert_eq!(fourth.connection.close_reason(), None);
}
