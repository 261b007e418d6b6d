//! Properties for arbitrary rows.

use proptest::prelude::*;

use super::*;

/// What happens to a row between two reads; generators pair it with a pause in milliseconds before it.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    Heartbeats { count: i64, stamp_millis: i64 },
    Foreign { stamp_millis: i64 },
    Stale,
}

fn event() -> impl Strategy<Value = (i64, Event)> {
    let heartbeats = (1..4_i64, prop_oneof![Just(10_000), -90_000..90_000_i64]).prop_map(
        |(count, stamp_millis)| Event::Heartbeats {
            count,
            stamp_millis,
        },
    );
    let event = prop_oneof![
        2 => Just(Event::Nothing),
        5 => heartbeats,
        1 => (1..90_000_i64).prop_map(|stamp_millis| Event::Foreign { stamp_millis }),
        1 => Just(Event::Stale),
    ];
    (1..20_000_i64, event)
}

fn quantum() -> impl Strategy<Value = Quantum> {
    prop_oneof![
        Just(Quantum::MICROSECOND),
        Just(Quantum::TRUNCATED),
        Just(Quantum::ROUNDED),
        Just(Quantum::UNKNOWN),
    ]
}

/// A simulated row.
struct History {
    origin: Monotonic,
    time: TimeDelta,
    row: Row,
}

impl History {
    fn new(origin: i64) -> Self {
        Self {
            origin: Monotonic(TimeDelta::nanoseconds(origin)),
            time: TimeDelta::zero(),
            row: row(1_000, 0.0),
        }
    }

    fn read(&self) -> Read {
        let sent = Monotonic(self.origin.0 + self.time);
        Read {
            sent,
            answered: Monotonic(sent.0 + TimeDelta::milliseconds(3)),
        }
    }

    /// Applies an event after its pause and returns a read and the row it shows.
    fn next(&mut self, (pause, event): (i64, Event)) -> (Read, Row) {
        self.time += TimeDelta::milliseconds(pause);
        let mut shown = self.row;
        match event {
            Event::Nothing => {}
            Event::Heartbeats {
                count,
                stamp_millis,
            } => {
                shown.heartbeats = shown.heartbeats.map(|number| number + count);
                shown.stamp.0 += TimeDelta::milliseconds(stamp_millis);
            }
            Event::Foreign { stamp_millis } => {
                shown.stamp.0 += TimeDelta::milliseconds(stamp_millis);
                shown.foreign = true;
            }
            Event::Stale => {
                shown.heartbeats = shown.heartbeats.map(|number| number - 1);
                return (self.read(), shown);
            }
        }
        self.row = Row {
            foreign: false,
            ..shown
        };
        (self.read(), shown)
    }
}

/// The skew and the row after all these events.
fn after(origin: i64, quantum: Quantum, events: &[(i64, Event)]) -> (Skew, History) {
    let mut history = History::new(origin);
    let mut skew = Skew::new(history.read(), history.row, assumptions(quantum));
    for &event in events {
        let (read, row) = history.next(event);
        skew.observe(read, row);
    }
    (skew, history)
}

fn events() -> impl Strategy<Value = Vec<(i64, Event)>> {
    prop::collection::vec(event(), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn bounds_are_in_order_and_widen_linearly(
        quantum in quantum(), events in events(), first in 0..100_000_i64, second in 0..100_000_i64,
    ) {
        let (skew, history) = after(0, quantum, &events);
        let end = history.read().answered;
        let later = |millis| skew.bounds(Monotonic(end.0 + TimeDelta::milliseconds(millis)));
        let growth = |millis| later(0).lower - later(millis).lower;
        let nanosecond = TimeDelta::nanoseconds(2);
        prop_assert!(growth(first) >= TimeDelta::zero());
        prop_assert!((growth(first) + growth(second) - growth(first + second)).abs() <= nanosecond);
        if let (Some(upper), Some(aged)) = (later(0).upper, later(first).upper) {
            prop_assert!(later(0).lower <= upper);
            prop_assert_eq!(aged - upper, growth(first));
        }
    }

    #[test]
    fn a_read_of_an_unchanged_row_changes_nothing(
        quantum in quantum(), events in events(), pause in 1..20_000_i64, later in 0..100_000_i64,
    ) {
        let (skew, mut history) = after(0, quantum, &events);
        let mut reread = skew.clone();
        let (read, row) = history.next((pause, Event::Nothing));
        prop_assert_eq!(reread.observe(read, row), Observation::Same);
        let at = Monotonic(read.answered.0 + TimeDelta::milliseconds(later));
        prop_assert_eq!(reread.bounds(at), skew.bounds(at));
        prop_assert_eq!(reread.estimate(reread.bounds(at), at), skew.estimate(skew.bounds(at), at));
        prop_assert!(reread.silence(at).0 >= skew.silence(at).0);
        prop_assert_eq!(reread.silence(at).1, skew.silence(at).1);
        prop_assert_eq!(reread.interval(), skew.interval());
        prop_assert_eq!((reread.steps(), reread.conflicts), (skew.steps(), skew.conflicts));
    }

    #[test]
    fn a_foreign_write_moves_no_bound(
        quantum in quantum(), events in events(), pause in 1..20_000_i64, count in 0..3_i64,
        stamp_millis in -90_000..90_000_i64,
    ) {
        let (skew, history) = after(0, quantum, &events);
        let mut moved = skew.clone();
        let mut row = history.row;
        row.heartbeats = row.heartbeats.map(|number| number + count);
        row.stamp.0 += TimeDelta::milliseconds(stamp_millis) + TimeDelta::microseconds(1);
        row.foreign = true;
        let answered = Monotonic(history.read().answered.0 + TimeDelta::milliseconds(pause));
        let read = Read { sent: answered, answered };
        prop_assert_eq!(moved.observe(read, row), Observation::Foreign);
        prop_assert_eq!(moved.bounds(answered), skew.bounds(answered));
    }

    #[test]
    fn a_stale_read_is_ignored(
        quantum in quantum(), events in events(), later in events(), behind in 1..5_i64,
        stamp_millis in 0..90_000_i64,
    ) {
        // A changed stamp after it could be that of a table that was restored from a backup.
        let next = later.iter().find(|(_, event)| !matches!(event, Event::Nothing | Event::Stale));
        prop_assume!(matches!(next, None | Some((_, Event::Heartbeats { .. }))));
        let (skew, history) = after(0, quantum, &events);
        let mut disturbed = skew.clone();
        let mut old = history.row;
        old.heartbeats = old.heartbeats.map(|number| number - behind);
        old.stamp.0 -= TimeDelta::milliseconds(stamp_millis);
        prop_assert_eq!(disturbed.observe(history.read(), old), Observation::Stale);
        same_future(skew, disturbed, history, &later)?;
    }

    #[test]
    fn the_origin_of_the_monotonic_axis_does_not_matter(
        quantum in quantum(), events in events(), origin in any::<i32>(), database in -100_000..100_000_i64,
    ) {
        let origin = i64::from(origin) * 1_234_567;
        let shown = |origin| {
            let (skew, history) = after(origin, quantum, &events);
            let answered = history.read().answered;
            let lower = TimeDelta::milliseconds(database) - history.origin.0;
            let database = DatabaseOffset {
                lower,
                upper: lower + TimeDelta::milliseconds(3),
                at_answer: lower,
            };
            (
                against_database(&skew, answered, database),
                skew.silence(answered),
                skew.interval(),
                (skew.steps(), skew.conflicts, skew.writers()),
            )
        };
        prop_assert_eq!(shown(0), shown(origin));
    }

    #[test]
    fn a_recreated_row_starts_over(
        quantum in quantum(), events in events(), later in events(), stamp_millis in 1..90_000_i64,
    ) {
        let (mut skew, mut history) = after(0, quantum, &events);
        history.time += TimeDelta::milliseconds(1);
        history.row.heartbeats = Some(0);
        history.row.stamp.0 += TimeDelta::milliseconds(stamp_millis);
        prop_assert_eq!(skew.observe(history.read(), history.row), Observation::Recreated);
        let new = Skew::new(history.read(), history.row, assumptions(quantum));
        same_future(skew, new, history, &later)?;
    }
}

/// Asserts that two skews that should be equal stay equal over these events.
fn same_future(
    mut one: Skew,
    mut other: Skew,
    mut history: History,
    events: &[(i64, Event)],
) -> Result<(), TestCaseError> {
    for &event in events {
        let (read, row) = history.next(event);
        prop_assert_eq!(one.observe(read, row), other.observe(read, row));
        prop_assert_eq!(one.bounds(read.answered), other.bounds(read.answered));
        prop_assert_eq!(one.interval(), other.interval());
        prop_assert_eq!(one.silence(read.answered), other.silence(read.answered));
        prop_assert_eq!(one.steps(), other.steps());
    }
    Ok(())
}
