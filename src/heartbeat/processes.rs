//! Services of which each row is a process: what the rows of one service say together.
//!
//! A service is up while any of its processes is. All run on one host, so that all times in the rows are of one clock.

use super::cause::Reason;
use super::service::Freshness;
use super::status::{Observed, Processes, ServiceStatus};
use super::time::HostTime;

/// Returns the status of a service from those of its rows; `None` without rows.
///
/// The row with the freshest heartbeat is shown, among those that decide the verdict. What the others know better
/// completes it: the silence is the shortest, and no count falls when another row becomes the freshest.
pub(super) fn status(rows: Vec<ServiceStatus>) -> Option<ServiceStatus> {
    let processes = Processes::of(&rows);
    let id = rows.iter().map(|row| row.service.id).min()?;
    let observed = || rows.iter().map(|row| &row.observed);
    let together = Observed {
        clock_steps: observed().filter_map(|it| it.clock_steps).max(),
        clock_conflicts: observed().filter_map(|it| it.clock_conflicts).max(),
        silence_least: observed().filter_map(|it| it.silence_least).min(),
        silence_most: observed().filter_map(|it| it.silence_most).min(),
        // Of the same row in each snapshot, as long as it lives.
        report_interval: rows
            .iter()
            .filter(|row| !is_down(row))
            .find_map(|row| row.observed.report_interval),
        ..Observed::default()
    };
    let mut shown = rows.into_iter().max_by_key(decides)?;
    shown.service.id = id;
    shown.processes = Some(processes);
    shown.observed = Observed {
        clock_skew: shown.observed.clock_skew,
        reason: shown.observed.reason,
        report_interval: together.report_interval.or(shown.observed.report_interval),
        ..together
    };
    Some(shown)
}

/// Returns the sort key of a row: the greatest is shown; of equal ones, that with the highest primary key.
///
/// Between rows that are down, one whose clock is proven to be off decides: it sends heartbeats.
fn decides(row: &ServiceStatus) -> (u8, Freshness) {
    let verdict = match (row.up, row.observed.reason) {
        (Some(true), None) => 4,
        (Some(true), Some(_)) => 3,
        (None, _) => 2,
        (Some(false), Some(Reason::ClockSkew)) => 1,
        (Some(false), _) => 0,
    };
    (verdict, row.service.freshness())
}

/// Returns whether a process is down, or proven to have stopped though a clock ahead hides it.
fn is_down(row: &ServiceStatus) -> bool {
    row.up == Some(false) || row.observed.reason == Some(Reason::Stopped)
}

impl Processes {
    fn of(rows: &[ServiceStatus]) -> Self {
        let alive = rows.iter().filter(|row| !is_down(row));
        let newest = alive.filter_map(|row| row.service.facts.created.time());
        let newest = newest.max();
        let down = rows.iter().filter(|row| is_down(row));
        let (leftovers, down): (Vec<_>, Vec<_>) = down.partition(|row| is_leftover(row, newest));
        Self {
            all: rows.len() - leftovers.len(),
            down: down.len(),
            leftovers: leftovers.len(),
        }
    }
}

/// Returns whether a row that is down was left behind by a process that was killed, and has a successor: a process that
/// is up, and was created after the row's last heartbeat.
fn is_leftover(row: &ServiceStatus, newest: Option<HostTime>) -> bool {
    row.last_heartbeat
        .zip(newest)
        .is_some_and(|(stamp, newest)| stamp < newest)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::heartbeat::fixture;
    use crate::heartbeat::service::{Service, Stamp};
    use crate::heartbeat::snapshot::Snapshot;
    use crate::heartbeat::time::HostTime;
    use crate::project::heat;

    /// A process of an engine: seconds since its creation and since its last heartbeat, and its report interval.
    type Process = (i64, i64, i64);

    /// Returns the snapshot of the processes of one host.
    fn snapshot(processes: &[Process]) -> Snapshot {
        let now = fixture::now("2026-03-30 00:54:14");
        let ago = |seconds| Stamp::At(HostTime(now.0 - TimeDelta::seconds(seconds)));
        let row = |(id, &(created, age, interval)): (i64, &Process)| Service {
            id: id.into(),
            heartbeats: None,
            stamp: ago(age),
            ..fixture::with(fixture::service("heat-engine", "control1"), |facts| {
                facts.created = ago(created);
                facts.report_interval = Some(TimeDelta::seconds(interval));
                facts.service_down_time = Some(TimeDelta::seconds(2 * interval));
            })
        };
        let rows = (1..).zip(processes).map(row).collect();
        fixture::snapshot_of(&heat::PROJECT, fixture::reading(rows))
    }

    /// Checks verdict, age of the last heartbeat, and the numbers of processes: all, down, and left over.
    #[track_caller]
    fn check(processes: &[Process], up: bool, age: i64, expected: (usize, usize, usize)) {
        let snapshot = snapshot(processes);
        let [status] = snapshot.services.as_slice() else {
            panic!("{snapshot:?}");
        };
        assert_eq!(status.up, Some(up));
        assert_eq!(status.heartbeat_age, Some(TimeDelta::seconds(age)));
        let counted = status.processes.unwrap();
        assert_eq!((counted.all, counted.down, counted.leftovers), expected);
        assert_eq!((status.duplicates, snapshot.hidden()), (0, 0));
    }

    #[test]
    fn a_service_is_up_while_one_of_its_processes_is_within_the_limit_of_its_row() {
        check(&[(900, 5, 60)], true, 5, (1, 0, 0));
        check(&[(900, 120, 60)], true, 120, (1, 0, 0));
        check(&[(900, 121, 60)], false, 121, (1, 1, 0));
        // There is no limit ahead.
        check(&[(900, -500, 60)], true, -500, (1, 0, 0));
        check(&[(900, 121, 60), (900, 50, 60)], true, 50, (2, 1, 0));
        check(&[(900, 130, 60), (900, 125, 60)], false, 125, (2, 2, 0));
        // The freshest row is down by its own limit.
        check(&[(900, 50, 10), (900, 90, 60)], true, 90, (2, 1, 0));
    }

    #[test]
    fn a_row_that_a_killed_process_left_behind_is_not_counted() {
        let new = [(100, 5, 60), (100, 7, 60)];
        let with = |old: Process| [old, new[0], new[1]];
        check(&with((900, 150, 60)), true, 5, (2, 0, 1));
        check(&with((900, 101, 40)), true, 5, (2, 0, 1));
        // It is not down yet.
        check(&with((900, 110, 60)), true, 5, (3, 0, 0));
        // It went on after the others were created, and then stopped.
        check(&with((900, 99, 40)), true, 5, (3, 1, 0));
        // Without a process that is up, none is known to have a successor.
        check(&[(900, 300, 60), (200, 150, 60)], false, 150, (2, 2, 0));
    }

    #[test]
    fn the_limits_of_a_binary_are_those_of_the_service_with_the_shortest_limit() {
        for intervals in [[60, 10], [10, 60]] {
            let rows = intervals.map(|interval| (900, 5, interval));
            let snapshot = snapshot(&rows);
            // The freshest row with the highest id is shown.
            let limits = snapshot.limits["heat-engine"];
            assert_eq!(limits.report_interval, TimeDelta::seconds(intervals[1]));
            let shown = snapshot.limits_of(&snapshot.services[0].service);
            assert_eq!(shown, limits);
        }
    }
}
