//! Rows with several writers, and rows that only resemble them.

use super::*;

/// Reads, every 5 s, a row whose writers report every `interval` seconds; each writer is (phase, seconds ahead).
fn shared(interval: f64, writers: &[(f64, f64)]) -> Skew {
    let turns = (0..60_i32).map(|turn| f64::from(turn) * interval);
    let beats = turns.flat_map(|turn| {
        writers
            .iter()
            .map(move |(phase, ahead)| (phase + turn, phase + turn + ahead))
    });
    let mut beats: Vec<(f64, f64)> = beats.collect();
    beats.sort_by(|a, b| a.0.total_cmp(&b.0));
    let reads = (2..60_i32).map(|poll| {
        // The polls move through the writers' turns, as the dither causes.
        let sent = f64::from(poll) * 5.0 + f64::from(poll * 37 % 17) * 0.09;
        let count = beats.partition_point(|beat| beat.0 + 0.005 < sent);
        (sent, i64::try_from(count).unwrap(), beats[count - 1].1)
    });
    observed(&reads.collect::<Vec<_>>()).0
}

fn check(interval: f64, writers: &[(f64, f64)], number: Option<u32>) -> Skew {
    let skew = shared(interval, writers);
    assert_eq!(skew.writers(), number, "every {interval} s: {writers:?}");
    skew
}

#[test]
fn writers_are_counted_by_their_order() {
    check(10.0, &[(1.0, 0.0), (4.0, 0.0)], Some(2));
    check(10.0, &[(1.0, 0.0), (4.0, 5.0)], Some(2));
    check(10.0, &[(1.0, 0.0), (3.0, 0.0), (8.0, 40.0)], Some(3));
    // Each reports less often than configured: only stamps that go back prove two writers.
    check(30.0, &[(1.0, 0.0), (8.0, 75.0)], Some(2));
    check(30.0, &[(1.0, 0.0), (8.0, 0.0)], None);
    // Together they report as often as configured: one clock set forward and back could produce the same stamps.
    check(20.0, &[(1.0, 0.0), (8.0, 75.0)], None);
}

#[test]
fn one_writer_that_reports_more_often_than_configured_is_not_several() {
    check(10.0, &[(1.0, 75.0)], None);
    check(5.0, &[(1.0, 0.0)], None);
    check(3.3, &[(1.0, 0.0)], None);
}

#[test]
fn writers_whose_stamps_are_evenly_spaced_look_like_one() {
    check(10.0, &[(1.0, 0.0), (6.0, 0.0)], None);
}

#[test]
fn a_row_with_several_writers_has_no_interval_and_stops_counting_steps() {
    let skew = check(10.0, &[(1.0, 0.0), (4.0, 75.0)], Some(2));
    assert_eq!(skew.interval(), None);
    assert!(skew.steps() <= 12, "{} steps", skew.steps());
}
