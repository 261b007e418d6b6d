//! Rows whose heartbeats a message bus carries, perhaps late and out of order.

use super::*;

/// Reads the first row, two seconds after its stamp, and then before and after each of five heartbeats.
fn settled() -> Skew {
    let assumptions = Assumptions {
        bus_delay: TimeDelta::seconds(30),
        ..assumptions(Quantum::TRUNCATED)
    };
    let mut skew = Skew::new(read(2.0), carried(0.0), assumptions);
    for turn in 1..=5_i32 {
        let time = f64::from(turn) * 10.0;
        skew.observe(read(time - 2.0), carried(time - 10.0));
        skew.observe(read(time + 2.0), carried(time));
    }
    skew
}

fn carried(second: f64) -> Row {
    Row {
        heartbeats: None,
        ..row(0, second)
    }
}

/// Checks the bounds after further reads (sent, stamp), and the number of steps.
fn check(reads: &[(f64, f64)], (lower, upper): (f64, f64), steps: u64) -> Skew {
    let mut skew = settled();
    for &(sent, second) in reads {
        skew.observe(read(sent), carried(second));
    }
    let end = at(reads.last().unwrap().0 + 0.01);
    let bounds = skew.bounds(end);
    let shown = |bound: TimeDelta| (bound.as_seconds_f64() * 10.0).round() / 10.0;
    let rounded = (shown(bounds.lower), bounds.upper.map(shown));
    assert_eq!(rounded, (lower, Some(upper)), "{reads:?}");
    assert_eq!(skew.steps(), steps, "{reads:?}");
    assert_eq!(skew.conflicts, 0, "{reads:?}");
    skew
}

#[test]
fn both_delays_widen_the_upper_bound_and_the_lower_one_is_proven_whatever_the_bus_does() {
    let skew = check(&[(58.0, 50.0), (62.0, 60.0)], (-2.0, 35.0), 0);
    // Typical delays are short: the middle of -2 and 3 s.
    let estimate = skew.estimate(skew.bounds(at(62.01)), at(62.01)).unwrap();
    assert!((estimate - seconds(0.5)).abs() < seconds(0.1), "{estimate}");
    assert_close(Some(skew.interval().unwrap().mean), Some(10.0), "interval");
    let (least, most) = skew.silence(at(62.01));
    assert_close(Some(least), Some(0.0), "least");
    assert_close(most, Some(36.01), "most");
}

#[test]
fn a_late_heartbeat_is_neither_a_step_nor_a_conflict_nor_another_writer() {
    // 31 s old, and ten seconds before the one that was seen.
    let skew = check(
        &[(78.0, 50.0), (82.0, 70.0), (91.0, 60.0)],
        (-31.0, 35.0),
        0,
    );
    assert_eq!(skew.writers(), None);
    assert!(skew.is_stamp_of_heartbeat());
    // It is the latest news of the process.
    assert_close(Some(skew.silence(at(91.01)).0), Some(0.0), "least");
    // The estimate does without it.
    let estimate = skew.estimate(skew.bounds(at(91.01)), at(91.01)).unwrap();
    assert!(estimate.abs() < TimeDelta::seconds(3), "{estimate}");
}

#[test]
fn the_bounds_narrow_again_once_nothing_late_can_follow() {
    let late = [(78.0, 50.0), (82.0, 70.0), (91.0, 60.0)];
    let after = |until: i32| -> Vec<(f64, f64)> {
        let beats = (8..until).map(f64::from);
        let pairs = beats.flat_map(|beat| {
            let time = beat * 10.0;
            [(time + 13.0, time), (time + 18.0, time)]
        });
        late.into_iter().chain(pairs).collect()
    };
    check(&after(11), (-31.0, 25.0), 0);
    check(&after(13), (-13.0, 25.0), 0);
}

#[test]
fn a_clock_set_by_more_than_the_delay_is_one_step() {
    for by in [75.0, -75.0] {
        let (lower, upper) = if by > 0.0 {
            (-2.0, 110.0)
        } else {
            (-77.0, 35.0)
        };
        let beats = [(58.0, 50.0), (62.0, 60.0 + by)];
        let skew = check(&beats, (lower, upper), 1);
        // A backup of the table looks the same.
        assert_eq!(skew.is_stamp_of_heartbeat(), by > 0.0);
        // A late heartbeat from before is no further step, nor is the next one.
        let beats = [
            (58.0, 50.0),
            (62.0, 60.0 + by),
            (68.0, 55.0),
            (72.0, 70.0 + by),
        ];
        let (lower, upper) = if by > 0.0 {
            (-13.0, 110.0)
        } else {
            (-77.0, 35.0)
        };
        let skew = check(&beats, (lower, upper), 1);
        assert_eq!(skew.is_stamp_of_heartbeat(), by > 0.0);
    }
}

#[test]
fn after_a_suspension_the_upper_bound_is_unknown_for_as_long_as_a_heartbeat_may_be_late() {
    let mut skew = settled();
    skew.suspect_axis(at(53.0));
    let mut unknown = Vec::new();
    for turn in 6..=12_i32 {
        let time = f64::from(turn) * 10.0;
        skew.observe(read(time - 2.0), carried(time - 10.0));
        skew.observe(read(time + 2.0), carried(time));
        unknown.push(skew.bounds(at(time + 3.0)).upper.is_none());
    }
    assert_eq!(unknown, [true, true, true, false, false, false, false]);
}

#[test]
fn a_longer_delay_widens_the_bounds_at_once() {
    let mut skew = settled();
    let end = at(53.0);
    let before = skew.bounds(end).upper.unwrap();
    let longer = Assumptions {
        bus_delay: TimeDelta::seconds(40),
        ..*skew.assumptions
    };
    skew.set_assumptions(longer);
    let after = skew.bounds(end).upper.unwrap();
    assert_close(Some(after - before), Some(10.0), "upper");
}
