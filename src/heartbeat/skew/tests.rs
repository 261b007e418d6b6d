//! The vectors of the reference implementation, cases for each branch, and properties.

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;

use super::*;
use crate::heartbeat::cause::{self, Reason};
use crate::heartbeat::evidence::Evidence;
use crate::heartbeat::fixture;
use crate::heartbeat::service::Stamp;
use crate::heartbeat::time::{DatabaseTime, HostTime};

mod carried;
mod processes;
mod properties;
mod shared_rows;
mod stamps;

const VECTORS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/vectors.json"
));

#[expect(
    clippy::cast_possible_truncation,
    reason = "the tests' times are whole microseconds, far below 2^53"
)]
fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::microseconds((seconds * 1e6).round() as i64)
}

fn epoch() -> NaiveDateTime {
    DateTime::UNIX_EPOCH.naive_utc()
}

fn at(time: f64) -> Monotonic {
    Monotonic(seconds(time))
}

fn stamp(time: f64) -> HostTime {
    HostTime(epoch() + seconds(time))
}

/// A read that took 10 ms.
fn read(sent: f64) -> Read {
    Read {
        sent: at(sent),
        answered: at(sent + 0.01),
    }
}

fn row(heartbeats: i64, second: f64) -> Row {
    Row {
        heartbeats: Some(heartbeats),
        stamp: stamp(second),
        foreign: false,
        elsewhere: false,
    }
}

fn assumptions(quantum: Quantum) -> Assumptions {
    Assumptions {
        max_drift_ppm: 500,
        ..Assumptions::new(quantum, TimeDelta::seconds(10))
    }
}

fn against_database(
    skew: &Skew,
    answered: Monotonic,
    database: DatabaseOffset,
) -> Option<ClockSkew> {
    let bounds = skew.known_bounds(answered)?;
    Some(skew.against_database(bounds, answered, database))
}

/// The skew after reads (sent, count, stamp) of a column with microseconds, and the last observation.
fn observed(reads: &[(f64, i64, f64)]) -> (Skew, Observation) {
    let (&(sent, count, stamp), rest) = reads.split_first().unwrap();
    let assumptions = assumptions(Quantum::MICROSECOND);
    let mut skew = Skew::new(read(sent), row(count, stamp), assumptions);
    let mut last = Observation::Same;
    for &(sent, count, stamp) in rest {
        last = skew.observe(read(sent), row(count, stamp));
    }
    (skew, last)
}

/// Checks the last observation, and the bounds after it in seconds.
fn check(reads: &[(f64, i64, f64)], expected: Observation, lower: f64, upper: f64) -> Skew {
    let (skew, last) = observed(reads);
    assert_eq!(last, expected, "{reads:?}");
    let end = at(reads.last().unwrap().0 + 0.01);
    check_bounds(skew.bounds(end), Some(lower), Some(upper), "bounds");
    skew
}

fn check_bounds(bounds: Bounds, lower: Option<f64>, upper: Option<f64>, what: &str) {
    assert_close(Some(bounds.lower), lower, what);
    assert_close(bounds.upper, upper, what);
}

fn assert_close(actual: Option<TimeDelta>, expected: Option<f64>, what: &str) {
    assert_eq!(actual.is_some(), expected.is_some(), "{what}");
    if let Some((actual, expected)) = actual.zip(expected) {
        let error = actual - seconds(expected);
        assert!(
            error.abs() <= TimeDelta::microseconds(1),
            "{what}: {actual}, expected {expected}"
        );
    }
}

/// A healthy host with a correct clock, read one second after each heartbeat: settled, bounds −1.01 and 11.
const SETTLED: [(f64, i64, f64); 5] = [
    (1.0, 1, 0.0),
    (11.0, 2, 10.0),
    (21.0, 3, 20.0),
    (31.0, 4, 30.0),
    (41.0, 5, 40.0),
];

fn after_settled(reads: &[(f64, i64, f64)]) -> Vec<(f64, i64, f64)> {
    SETTLED.iter().chain(reads).copied().collect()
}

/// The name of an observation in the vectors.
fn name(observation: Observation) -> &'static str {
    match observation {
        Observation::Same => "same",
        Observation::Stale => "stale",
        Observation::Recreated => "first",
        Observation::Foreign => "foreign",
        Observation::Restart => "fresh",
        Observation::Irregular => "odd",
        Observation::Conflict => "conflict",
        Observation::Heartbeat => "beat",
        Observation::Carried => "carried",
    }
}

#[test]
fn every_vector_of_the_reference_implementation_holds_to_a_microsecond() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 10);
    for vector in &vectors {
        check_vector(vector);
    }
}

fn check_vector(vector: &Value) {
    let name_of_vector = vector["name"].as_str().unwrap();
    let number = |value: &Value| value.as_f64();
    let assumptions = Assumptions {
        visibility_delay: seconds(number(&vector["d_max"]).unwrap()),
        max_drift_ppm: 500,
        tolerance: seconds(number(&vector["tol"]).unwrap()),
        quantum: Quantum {
            low: seconds(number(&vector["quant"][0]).unwrap()),
            high: seconds(number(&vector["quant"][1]).unwrap()),
        },
        ..assumptions(Quantum::MICROSECOND)
    };
    assert_eq!(number(&vector["rho"]), Some(500e-6));
    let mut skew: Option<Skew> = None;
    let mut end = at(0.0);
    let mut shown = stamp(0.0);
    for expected in vector["reads"].as_array().unwrap() {
        let what = format!("{name_of_vector}, read at {}", expected["a"]);
        let read = Read {
            sent: at(number(&expected["a"]).unwrap()),
            answered: at(number(&expected["b"]).unwrap()),
        };
        let row = Row {
            heartbeats: expected["count"].as_i64(),
            stamp: stamp(number(&expected["updated_at"]).unwrap()),
            foreign: expected["what"] == "foreign",
            elsewhere: false,
        };
        end = read.answered;
        let observation = if let Some(skew) = &mut skew {
            name(skew.observe(read, row))
        } else {
            skew = Some(Skew::new(read, row, assumptions));
            "first"
        };
        assert_eq!(observation, expected["what"], "{what}");
        let skew = skew.as_ref().unwrap();
        let (lower, upper) = (number(&expected["lo"]), number(&expected["hi"]));
        check_bounds(skew.bounds(end), lower, upper, &what);
        let interval = skew.interval().map(|interval| interval.mean);
        assert_close(interval, number(&expected["R"]), &what);
        // A lagging replica shows a row that is older than the last one accepted.
        if observation != "stale" {
            shown = row.stamp;
        }
        let reason = reason(skew, shown, end).map_or("up", Reason::as_str);
        assert_eq!(reason, expected["reason"], "{what}");
        assert_eq!(skew.writers(), None, "{what}");
    }
    let later = Monotonic(end.0 + TimeDelta::seconds(600));
    let aged = &vector["aged_600"];
    let (lower, upper) = (number(&aged[0]), number(&aged[1]));
    check_bounds(skew.unwrap().bounds(later), lower, upper, name_of_vector);
}

/// The reason by Cinder's defaults, with a database clock that agrees with the monotonic axis.
fn reason(skew: &Skew, stamp: HostTime, answered: Monotonic) -> Option<Reason> {
    let service = fixture::stamped(Stamp::At(stamp));
    let now = DatabaseTime(epoch() + answered.0);
    let judge = cause::Judge {
        rules: fixture::RULES,
        intervals: &fixture::INTERVALS,
        now,
        answered,
    };
    judge.reason(&service, Some(&Evidence::Own(skew.clone())), None)
}

#[test]
fn the_first_read_gives_only_a_lower_bound() {
    let (skew, _) = observed(&SETTLED[..1]);
    check_bounds(skew.bounds(at(1.01)), Some(-1.01), None, "first read");
    assert_eq!(skew.estimate(skew.bounds(at(1.01)), at(1.01)), None);
    assert_eq!((skew.interval(), skew.steps()), (None, 0));
    assert_eq!(skew.silence(at(5.01)), (TimeDelta::zero(), None));
}

#[test]
fn the_first_heartbeats_replace_the_bounds_and_regular_ones_are_intersected() {
    check(&SETTLED[..2], Observation::Restart, -1.01, 11.006_006);
    check(&SETTLED[..3], Observation::Restart, -1.01, 11.006_006);
    check(&SETTLED[..4], Observation::Heartbeat, -1.01, 11.006_006);
    let sooner = after_settled(&[(49.0, 5, 40.0), (50.5, 6, 50.0)]);
    let skew = check(&sooner, Observation::Heartbeat, -0.51, 3.001_756);
    assert_eq!((skew.steps(), skew.conflicts), (0, 0));
    // The middle of −0.51 and 3.001756 − 2.
    assert_close(
        skew.estimate(skew.bounds(at(50.51)), at(50.51)),
        Some(0.245_878),
        "estimate",
    );
}

#[test]
fn a_late_a_lost_and_a_shifted_heartbeat_replace_the_bounds() {
    let irregular = Observation::Irregular;
    // 3 s late, read a second later.
    let late = after_settled(&[(54.0, 6, 53.0)]);
    assert_eq!(check(&late, irregular, -1.01, 14.007_506).steps(), 0);
    // One lost: its count is missing too.
    let lost = after_settled(&[(51.0, 5, 40.0), (61.0, 6, 60.0)]);
    assert_eq!(check(&lost, irregular, -1.01, 11.006_006).steps(), 0);
    // Set forward, and back, by 75 s.
    let ahead = after_settled(&[(51.0, 6, 125.0)]);
    assert_eq!(check(&ahead, irregular, 73.99, 86.006_006).steps(), 1);
    let behind = after_settled(&[(51.0, 6, -25.0)]);
    assert_eq!(check(&behind, irregular, -76.01, -63.993_994).steps(), 1);
    let (skew, _) = observed(&behind);
    assert_eq!(skew.conflicts, 0);
}

#[test]
fn a_pause_of_whole_intervals_is_not_taken_for_regular() {
    // The reads show nothing for 31 s while the stamps advance by one interval.
    let paused = after_settled(&[(51.0, 5, 40.0), (75.0, 5, 40.0), (81.0, 6, 50.0)]);
    check(&paused, Observation::Irregular, -31.01, -22.995_994);
}

#[test]
fn a_slow_slew_adds_up_until_a_heartbeat_is_irregular() {
    // Each heartbeat is early by 0.2 s, within the tolerance of a single one.
    let mut reads = SETTLED.to_vec();
    for count in 6..12_i32 {
        let since = f64::from(count - 5);
        let beat = 40.0 + 10.0 * since;
        reads.push((beat + 1.0, i64::from(count), beat - 0.2 * since));
        if observed(&reads).1 == Observation::Irregular {
            return;
        }
    }
    panic!("the slew was never detected");
}

#[test]
fn causality_overrides_an_old_upper_bound() {
    // Narrowed to an upper bound of 2.0. The next stamps move ahead, each by less than counts as irregular.
    let mut reads = after_settled(&[(49.9, 5, 40.0), (50.1, 6, 50.0)]);
    reads.extend([
        (60.0, 7, 60.2),
        (70.0, 8, 70.3),
        (80.0, 9, 80.4),
        (90.0, 10, 90.5),
        (100.0, 11, 100.6),
        (110.0, 12, 110.7),
    ]);
    let (skew, _) = observed(&reads);
    assert!(skew.bounds(at(110.01)).lower >= seconds(0.68));
    reads.push((117.0, 13, 120.75));
    let (skew, last) = observed(&reads);
    assert_eq!(last, Observation::Conflict);
    assert_eq!((skew.steps(), skew.conflicts), (1, 1));
}

#[test]
fn a_regular_heartbeat_below_the_old_bounds_keeps_their_upper_bound() {
    // Visible 3 s after its stamp; at most 2 s are assumed.
    let late = after_settled(&[
        (49.9, 5, 40.0),
        (50.1, 6, 50.0),
        (63.0, 6, 50.0),
        (63.1, 7, 60.0),
    ]);
    let skew = check(&late, Observation::Conflict, -3.11, 2.107_606);
    assert_eq!((skew.steps(), skew.conflicts), (0, 1));
}

#[test]
fn unobserved_heartbeats_are_not_assumed_to_be_regular() {
    // The read at 49 shows that the first of them was stamped after 47, but the last may have been as well.
    let reads = after_settled(&[(49.0, 5, 40.0), (71.0, 8, 70.0)]);
    check(&reads, Observation::Heartbeat, -1.01, 11.021_006);
}

#[test]
fn a_heartbeat_counts_for_thirty_intervals() {
    // The read at 39.9 encloses one heartbeat closely; later reads are one second before and nine after theirs.
    let mut reads = SETTLED[..4].to_vec();
    reads.extend([(39.9, 4, 30.0), (40.1, 5, 40.0)]);
    let mut count = 5;
    let mut widest = |until: i32| {
        while count < until {
            let beat = 10.0 * f64::from(count);
            count += 1;
            reads.push((beat + 9.0, count.into(), beat));
        }
        let (skew, _) = observed(&reads);
        let Bounds { lower, upper } = skew.bounds(at(reads.last().unwrap().0 + 0.01));
        (lower.as_seconds_f64(), upper.unwrap().as_seconds_f64())
    };
    let (lower, upper) = widest(29);
    assert!(lower > -0.3 && upper < 2.4, "{lower} to {upper}");
    let (lower, upper) = widest(36);
    assert!(lower < -8.9 && upper > 2.9, "{lower} to {upper}");
}

#[test]
fn after_two_conflicts_within_ten_minutes_each_heartbeat_counts_alone() {
    let mut reads = after_settled(&[(49.9, 5, 40.0), (50.1, 6, 50.0)]);
    // Regular stamps of a host that is paused for three seconds before each heartbeat.
    for turn in 1..5_i32 {
        let seen = 50.0 + 13.0 * f64::from(turn);
        let stamp = 50.0 + 10.0 * f64::from(turn);
        reads.extend([
            (seen - 0.1, (5 + turn).into(), stamp - 10.0),
            (seen + 0.1, (6 + turn).into(), stamp),
        ]);
    }
    let conflicts = |reads: &[_]| observed(reads).0.conflicts;
    assert_eq!(conflicts(&reads[..reads.len() - 4]), 2);
    let (skew, last) = observed(&reads);
    assert_eq!((skew.conflicts, last), (2, Observation::Restart));
    let Bounds { lower, upper } = skew.bounds(at(102.11));
    assert!(lower <= seconds(-12.0) && upper >= Some(seconds(-12.0)));
    assert!(upper.unwrap() - lower < seconds(2.3));
}

#[test]
fn stale_reads_are_ignored_for_at_most_the_delay_and_service_down_time() {
    let (mut skew, _) = observed(&SETTLED);
    let older = row(4, 30.0);
    for (sent, expected) in [
        (50.0, Observation::Stale),
        (112.0, Observation::Stale),
        (112.1, Observation::Recreated),
    ] {
        assert_eq!(skew.observe(read(sent), older), expected, "{sent}");
    }
    // A read that is not stale ends the series.
    let (mut skew, _) = observed(&SETTLED);
    for (sent, shown, expected) in [
        (50.0, older, Observation::Stale),
        (51.0, row(6, 50.0), Observation::Heartbeat),
        (113.0, older, Observation::Stale),
    ] {
        assert_eq!(skew.observe(read(sent), shown), expected, "{sent}");
    }
}

#[test]
fn a_restored_row_that_catches_up_with_the_count_is_not_silent() {
    for (count, expected) in [(5, Observation::Foreign), (6, Observation::Irregular)] {
        let (mut skew, _) = observed(&SETTLED);
        let restored = row(4, -3_570.0);
        assert_eq!(skew.observe(read(51.0), restored), Observation::Stale);
        let caught_up = row(count, -3_510.0);
        assert_eq!(skew.observe(read(102.0), caught_up), expected);
        assert_eq!(skew.silence(at(102.01)).0, TimeDelta::zero(), "{count}");
    }
}

#[test]
fn nothing_is_known_after_a_suspension_until_later_reads_enclose_a_heartbeat() {
    // The axis stood still for 300 s, and the service stopped meanwhile, at 180.
    let mut skew = observed(&[(4.0, 1, 5.0), (15.1, 2, 15.0), (25.1, 3, 25.0)]).0;
    let database = DatabaseOffset::default();
    skew.suspect_axis(at(35.01));
    for (sent, shown) in [(35.0, row(19, 180.0)), (40.0, row(19, 180.0))] {
        skew.observe(read(sent), shown);
        let answered = at(sent + 0.01);
        assert_eq!(against_database(&skew, answered, database), None, "{sent}");
        assert_eq!(skew.silence(answered).1, None, "{sent}");
        assert_eq!(skew.bounds(answered).upper, None, "{sent}");
    }
    // The next heartbeat lies between two reads after the suspension.
    assert_eq!(
        skew.observe(read(45.0), row(20, 350.0)),
        Observation::Restart
    );
    let shown = against_database(&skew, at(45.01), database).unwrap();
    check_bounds(shown.bounds, Some(304.99), Some(312.003_506), "after");
    assert_eq!(skew.steps(), 0);
}

#[test]
fn rare_polls_narrow_the_bounds_too() {
    let assumptions = Assumptions {
        poll_interval: TimeDelta::seconds(60),
        ..assumptions(Quantum::MICROSECOND)
    };
    let mut skew = Skew::new(read(1.0), row(1, 0.0), assumptions);
    for turn in 1..20_i32 {
        let (sent, beats) = (61.0 * f64::from(turn), 61 * turn / 10);
        skew.observe(read(sent), row(i64::from(beats) + 1, f64::from(beats * 10)));
    }
    // Each heartbeat alone has 63 s.
    let Bounds { lower, upper } = skew.bounds(at(61.0 * 19.0 + 0.01));
    assert!(upper.unwrap() - lower < seconds(60.0), "{lower} {upper:?}");
}

#[test]
fn the_first_heartbeat_after_a_foreign_write_replaces_the_bounds() {
    for foreign in [
        // The start of the service changes only the stamp.
        Row { ..row(5, 45.0) },
        // A heartbeat and a freeze between two reads.
        Row {
            foreign: true,
            ..row(6, 50.5)
        },
    ] {
        let (mut skew, _) = observed(&SETTLED);
        let before = skew.bounds(at(51.01));
        assert_eq!(skew.observe(read(51.0), foreign), Observation::Foreign);
        assert_eq!(skew.bounds(at(51.01)), before);
        assert_eq!(skew.interval(), None);
        let next = row(foreign.heartbeats.unwrap() + 1, 60.0);
        assert_eq!(skew.observe(read(61.0), next), Observation::Restart);
    }
}

#[test]
fn silence_is_bounded_by_the_reads_and_by_the_stamp() {
    let (skew, _) = observed(&after_settled(&[(50.0, 6, 50.0), (60.0, 6, 50.0)]));
    // The skew is between 0 and 11 s, so the stamp of 50 proves no more than the read at 50.01.
    let (least, most) = skew.silence(at(60.01));
    assert_close(Some(least), Some(9.99), "least");
    assert_close(most, Some(21.01), "most");
}

#[test]
fn against_the_database_the_skew_is_shifted_and_widened_by_the_round_trip() {
    let (skew, _) = observed(&SETTLED);
    // The database's clock is 999.99 to 1,000 s ahead of the monotonic axis.
    let database = DatabaseOffset {
        lower: seconds(999.99),
        upper: seconds(1000.0),
        at_answer: seconds(999.99),
    };
    let shown = against_database(&skew, at(41.01), database).unwrap();
    check_bounds(shown.bounds, Some(-1001.01), Some(-988.983_994), "shown");
    assert_close(shown.estimate, Some(-995.991_997), "estimate");
}

#[test]
fn the_skew_of_a_host_that_fell_silent_is_withdrawn() {
    for (silence, limit, shown) in [
        (60.0, 60, true),
        (60.1, 60, false),
        (29.9, 1, true),
        (30.1, 1, false),
    ] {
        let (mut skew, _) = observed(&SETTLED);
        skew.set_assumptions(Assumptions {
            service_down_time: TimeDelta::seconds(limit),
            ..assumptions(Quantum::MICROSECOND)
        });
        // The last heartbeat was seen by 41.01.
        let sent = 41.01 + silence;
        skew.observe(read(sent), row(5, 40.0));
        let skew = against_database(&skew, at(sent + 0.01), DatabaseOffset::default());
        assert_eq!(skew.is_some(), shown, "after {silence} s of silence");
    }
}

#[test]
fn garbled_rows_cause_no_panic() {
    let far = [NaiveDateTime::MIN, NaiveDateTime::MAX, epoch()];
    let assumptions = assumptions(Quantum::UNKNOWN);
    let mut skew = Skew::new(read(0.0), row(i64::MIN, 0.0), assumptions);
    for turn in 1..200_i32 {
        let heartbeats = match turn % 3 {
            0 => i64::MIN + i64::from(turn) * (1 << 54),
            1 => i64::MIN + i64::from(turn) * (1 << 55),
            _ => i64::MAX - 200 + i64::from(turn),
        };
        let garbled = Row {
            heartbeats: Some(heartbeats),
            stamp: HostTime(far[usize::try_from(turn).unwrap() * 7 % 5 % 3]),
            foreign: false,
            elsewhere: false,
        };
        let time = f64::from(turn) * 5.0;
        skew.observe(read(time), garbled);
        let bounds = skew.bounds(at(time + 1e6));
        assert!(bounds.upper.is_none_or(|upper| upper >= bounds.lower));
        let _ = skew.estimate(skew.bounds(at(time + 0.01)), at(time + 0.01));
        let _ = skew.silence(at(time + 0.01));
        let _ = against_database(&skew, at(time + 0.01), DatabaseOffset::default());
    }
}
