//! Advice on services whose rows the processes of another program stamp.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::advice::seconds;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::skew::Bounds;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;

/// A skew that synchronised clocks and a busy database explain.
const USUAL: TimeDelta = TimeDelta::seconds(2);
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
    let is_off =
        |bounds: Bounds| bounds.lower > USUAL || bounds.upper.is_some_and(|upper| upper < -USUAL);
    let shown = status.observed.server_clock;
    let services = snapshot.services.iter();
    let own = services.filter(|server| *server.service.facts.binary == *program);
    let matching = own.filter(|server| {
        let skew = server.observed.clock_skew;
        skew.is_some_and(|skew| {
            is_off(skew.bounds) && shown.is_none_or(|it| it.meets(&skew.bounds))
        })
    });
    matching
        .map(|server| server.service.facts.machine())
        .collect()
}

/// Returns what to check for a service of which `program` processes no heartbeats any more: first what other services that
/// stopped with it have in common.
pub(super) fn stopped(status: &ServiceStatus, snapshot: &Snapshot, program: &str) -> String {
    let host = status.service.facts.machine();
    let is_stamped = |other: &&ServiceStatus| stamping_program(other, snapshot).is_some();
    let others = snapshot.services.iter().filter(is_stamped);
    let others = others.filter(|other| {
        other.service.facts.machine() != host && stopped_together(status, other, snapshot)
    });
    let process = format!("Check whether the process is running on {host}, then its log");
    let end = snapshot.project.words.stopped;
    match others.count() {
        0 => format!(
            "It is alone: others like it go on. {process}, {end}. If it runs, and its log has no error, its messages do not \
             reach {program}, or are dropped there."
        ),
        others if have_stopped(program, snapshot) => format!(
            "{others} others like it stopped at the same time, and every {program}: check those and the message bus first."
        ),
        others => format!(
            "{others} others like it stopped at the same time: check the message bus and {program} first."
        ),
    }
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
