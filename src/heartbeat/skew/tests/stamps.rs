//! Rows that count no heartbeats.

use super::*;

fn stamped(second: f64) -> Row {
    Row {
        heartbeats: None,
        ..row(0, second)
    }
}

/// Reads two seconds before and after each of five heartbeats, of which `stamps` are the stamps.
fn settled(stamps: [f64; 5]) -> Skew {
    let mut skew = Skew::new(
        read(2.0),
        stamped(stamps[0]),
        assumptions(Quantum::TRUNCATED),
    );
    for (turn, pair) in (1_i32..).zip(stamps.windows(2)) {
        let time = f64::from(turn) * 10.0;
        skew.observe(read(time - 2.0), stamped(pair[0]));
        skew.observe(read(time + 2.0), stamped(pair[1]));
    }
    skew
}

const REGULAR: [f64; 5] = [0.0, 10.0, 20.0, 30.0, 40.0];

/// Checks what reads of these stamps prove, after five regular heartbeats.
fn check(reads: &[(f64, f64)], expected: Observation) -> Skew {
    let mut skew = settled(REGULAR);
    let mut last = Observation::Same;
    for &(sent, second) in reads {
        last = skew.observe(read(sent), stamped(second));
    }
    assert_eq!(last, expected, "{reads:?}");
    skew
}

#[test]
fn a_later_stamp_is_a_heartbeat() {
    let skew = check(&[(48.0, 40.0), (52.0, 50.0)], Observation::Heartbeat);
    assert_close(Some(skew.interval().unwrap().mean), Some(10.0), "interval");
    assert_eq!(skew.writers(), None);
}

#[test]
fn a_set_clock_is_no_regular_heartbeat_though_it_is_set_by_whole_intervals() {
    for (ahead, steps) in [(10.0, 1), (20.0, 1), (75.0, 1)] {
        let reads = [(48.0, 40.0), (52.0, 50.0 + ahead)];
        let skew = check(&reads, Observation::Irregular);
        assert_eq!(skew.steps(), steps, "{ahead}");
    }
    // One interval back repeats the stamp, and the next heartbeat seems to be the first.
    let repeated = [(48.0, 40.0), (52.0, 40.0), (58.0, 40.0), (62.0, 50.0)];
    assert_eq!(check(&repeated, Observation::Irregular).steps(), 1);
}

#[test]
fn an_earlier_stamp_is_accepted_at_once_and_proves_no_upper_bound_until_the_next() {
    let mut skew = check(&[(48.0, 40.0), (52.0, -25.0)], Observation::Foreign);
    let end = at(52.01);
    check_bounds(skew.bounds(end), Some(-77.01), None, "bounds");
    // It may be a heartbeat.
    assert_close(Some(skew.silence(end).0), Some(0.0), "silence");
    assert!(!skew.is_stamp_of_heartbeat());
    skew.observe(read(58.0), stamped(-25.0));
    assert_eq!(
        skew.observe(read(62.0), stamped(-15.0)),
        Observation::Restart
    );
    assert_eq!(skew.steps(), 1);
}

#[test]
fn an_earlier_stamp_of_another_server_is_stale_until_it_stays_too_long() {
    let mut skew = settled(REGULAR);
    let older = Row {
        elsewhere: true,
        ..stamped(30.0)
    };
    let before = skew.bounds(at(200.0));
    for (sent, expected) in [
        (48.0, Observation::Stale),
        // The visibility delay and service_down_time.
        (110.0, Observation::Stale),
        (110.1, Observation::Recreated),
    ] {
        if expected == Observation::Stale {
            assert_eq!(skew.bounds(at(200.0)), before);
        }
        assert_eq!(skew.observe(read(sent), older), expected, "{sent}");
    }
}

#[test]
fn heartbeats_that_a_read_may_hide_are_not_compared() {
    // 9 s without a read, and the visibility delay: an unseen heartbeat may have come before.
    let skew = check(&[(43.0, 40.0), (52.0, 50.0)], Observation::Restart);
    assert_eq!(skew.interval(), None);
}

#[test]
fn another_write_may_be_a_heartbeat() {
    let mut skew = settled(REGULAR);
    let other = Row {
        foreign: true,
        ..stamped(50.0)
    };
    assert_eq!(skew.observe(read(52.0), other), Observation::Foreign);
    let (least, most) = skew.silence(at(52.01));
    assert_close(Some(least), Some(0.0), "least");
    assert_close(most, Some(16.01), "most");
}
