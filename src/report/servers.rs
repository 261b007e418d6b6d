//! Advice on services whose rows the processes of another program stamp.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::words::seconds;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::reference::BEYOND;
use crate::heartbeat::skew::Bounds;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;

/// Most hosts that a sentence names.
const MOST_NAMED: usize = 3;

/// Returns the program whose processes stamp the row of a service; `None` where it stamps its own.
pub(super) fn stamping_program(
    status: &ServiceStatus,
    snapshot: &Snapshot,
) -> Option<&'static str> {
    let rules = &snapshot.project.rules;
    rules.stamping_program(&status.service.facts.binary)
}

/// Returns whose clock makes a service look down, and by how much.
pub(super) fn clock(status: &ServiceStatus, snapshot: &Snapshot) -> String {
    let program = stamping_program(status, snapshot).unwrap_or_default();
    let age = status.heartbeat_age.unwrap_or_default();
    let by = match status.observed.server_clock {
        Some(Bounds { lower, .. }) if lower > TimeDelta::zero() => {
            format!("at least {} ahead of", seconds(lower))
        }
        Some(Bounds {
            upper: Some(upper), ..
        }) if upper < TimeDelta::zero() => format!("at least {} behind", seconds(upper.abs())),
        _ if age < TimeDelta::zero() => format!("at least {} ahead of", seconds(age.abs())),
        _ => format!("at most {} behind", seconds(age)),
    };
    let suspects = suspects(status, snapshot, program);
    let check = if suspects.is_empty() {
        format!("every host that runs {program}")
    } else {
        let hosts: Vec<_> = suspects.into_iter().take(MOST_NAMED).collect();
        hosts.join(", ")
    };
    format!(
        "It reports, but the {program} that stamped its last heartbeat has a clock {by} the database's. Its own host's \
         clock does not matter. Check time synchronisation on {check} (chronyc tracking, timedatectl)."
    )
}

/// Returns the hosts of `program` whose own rows show the clock that stamped the last heartbeat of a service.
fn suspects<'a>(
    status: &ServiceStatus,
    snapshot: &'a Snapshot,
    program: &str,
) -> BTreeSet<&'a str> {
    let shown = status.observed.server_clock;
    let services = snapshot.services.iter();
    let own = services.filter(|server| *server.service.facts.binary == *program);
    let matching = own.filter(|server| {
        let skew = server.observed.clock_skew;
        skew.is_some_and(|skew| {
            skew.bounds.are_beyond(BEYOND) && shown.is_none_or(|it| it.meets(&skew.bounds))
        })
    });
    matching
        .map(|server| server.service.facts.machine())
        .collect()
}

/// Returns what to check for a service of which `program` processes no heartbeats any more: first what other services that
/// stopped with it have in common. `process` says how to check the service itself.
pub(super) fn stopped(
    status: &ServiceStatus,
    snapshot: &Snapshot,
    program: &str,
    process: &str,
) -> String {
    let host = status.service.facts.machine();
    let services = snapshot.services.iter();
    let others = services.filter(|other| {
        stamping_program(other, snapshot).is_some()
            && other.service.facts.machine() != host
            && stopped_together(status, other, snapshot)
    });
    let others = match others.count() {
        0 => {
            return format!(
                "It is alone: others like it go on. {process} If it runs, and its log has no error, its messages do not \
                 reach {program}, or are dropped there."
            );
        }
        1 => "Another one like it".to_owned(),
        others => format!("{others} others like it"),
    };
    let first = if have_stopped(program, snapshot) {
        format!(", and every {program}: check those and the message bus first.")
    } else {
        format!(": check the message bus and {program} first.")
    };
    format!("{others} stopped at the same time{first}")
}

/// Returns whether all services of a program stopped, and there is one.
fn have_stopped(program: &str, snapshot: &Snapshot) -> bool {
    let services = snapshot.services.iter();
    let mut own = services
        .filter(|other| *other.service.facts.binary == *program)
        .peekable();
    own.peek().is_some() && own.all(|own| own.observed.reason == Some(Reason::Stopped))
}

/// Returns whether two services may have stopped within one report interval of each other.
fn stopped_together(one: &ServiceStatus, other: &ServiceStatus, snapshot: &Snapshot) -> bool {
    let interval = snapshot.intervals.report_interval;
    let silences = one.observed.silence_least.zip(other.observed.silence_least);
    other.observed.reason == Some(Reason::Stopped)
        && silences.is_some_and(|(one, other)| (one - other).abs() <= interval)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::status::Observed;
    use crate::project::nova;

    fn bounds(lower: i64, upper: i64) -> Bounds {
        Bounds {
            lower: TimeDelta::seconds(lower),
            upper: Some(TimeDelta::seconds(upper)),
        }
    }

    /// A service that has been silent for so many seconds.
    fn service(binary: &str, host: &str, reason: Option<Reason>, silent: i64) -> ServiceStatus {
        let observed = Observed {
            reason,
            silence_least: Some(TimeDelta::seconds(silent)),
            ..Observed::default()
        };
        ServiceStatus {
            observed,
            ..fixture::status(fixture::service(binary, host), Some(reason.is_none()))
        }
    }

    /// A conductor with this skew, in seconds.
    fn conductor(host: &str, skew: i64) -> ServiceStatus {
        let mut conductor = service("nova-conductor", host, None, 1);
        let (lower, upper) = (skew * 1_000 - 1_000, skew * 1_000 + 2_000);
        let skew = fixture::skew(Some(skew * 1_000), lower, Some(upper));
        conductor.observed.clock_skew = Some(skew);
        conductor
    }

    fn snapshot(services: Vec<ServiceStatus>) -> Snapshot {
        Snapshot {
            services,
            ..fixture::snapshot_of(&nova::PROJECT, fixture::reading(vec![]))
        }
    }

    /// Checks the advice on a compute whose last stamp is from a clock within these bounds.
    fn check_clock(conductors: Vec<ServiceStatus>, clock: Option<Bounds>, by: &str, on: &str) {
        let mut compute = service("nova-compute", "compute1", Some(Reason::ServerClock), 1);
        compute.observed.server_clock = clock;
        compute.heartbeat_age = Some(TimeDelta::seconds(-72));
        let expected = format!(
            "It reports, but the nova-conductor that stamped its last heartbeat has a clock {by} the database's. Its own \
             host's clock does not matter. Check time synchronisation on {on} (chronyc tracking, timedatectl)."
        );
        assert_eq!(super::clock(&compute, &snapshot(conductors)), expected);
    }

    #[test]
    fn the_server_is_named_whose_own_row_shows_the_clock() {
        let conductors = || {
            vec![
                conductor("c1", 0),
                conductor("c2", 75),
                conductor("c3", -75),
            ]
        };
        let ahead = "at least 70.0 s ahead of";
        check_clock(conductors(), Some(bounds(70, 77)), ahead, "c2");
        let behind = "at least 71.0 s behind";
        check_clock(conductors(), Some(bounds(-78, -71)), behind, "c3");
        let every = "every host that runs nova-conductor";
        check_clock(vec![conductor("c1", 0)], Some(bounds(70, 77)), ahead, every);
        // Until a heartbeat was observed, the stamp alone tells.
        check_clock(conductors(), None, "at least 72.0 s ahead of", "c2, c3");
    }

    /// Checks the advice on a compute that stopped, beside others.
    fn check_stopped(others: Vec<ServiceStatus>, expected: &str) {
        let compute = service("nova-compute", "compute1", Some(Reason::Stopped), 70);
        let mut services = others;
        services.push(compute.clone());
        let process =
            "Check whether the process is running on compute1, then its log, and the database.";
        let snapshot = snapshot(services);
        let advice = super::stopped(&compute, &snapshot, "nova-conductor", process);
        assert_eq!(advice, expected);
    }

    #[test]
    fn what_stopped_with_a_service_is_checked_before_its_host() {
        let stopped = |binary, host, silent| service(binary, host, Some(Reason::Stopped), silent);
        let alone = "It is alone: others like it go on. Check whether the process is running on compute1, then its log, and \
                     the database. If it runs, and its log has no error, its messages do not reach nova-conductor, or are \
                     dropped there.";
        check_stopped(vec![service("nova-compute", "compute2", None, 3)], alone);
        // It stopped at another time.
        check_stopped(vec![stopped("nova-compute", "compute2", 500)], alone);
        check_stopped(
            vec![stopped("nova-compute", "compute2", 65), conductor("c1", 0)],
            "Another one like it stopped at the same time: check the message bus and nova-conductor first.",
        );
        check_stopped(
            vec![
                stopped("nova-compute", "compute2", 65),
                stopped("nova-conductor", "c1", 71),
            ],
            "Another one like it stopped at the same time, and every nova-conductor: check those and the message bus first.",
        );
    }
}
