//! Advice for the operator who was paged: the fault of a service and its remedy.

use chrono::TimeDelta;

use super::servers;
use super::view::ListedService;
use super::words::{seconds, span_of};
use crate::heartbeat::cause::Reason;
use crate::heartbeat::limits::Limits;
use crate::heartbeat::reference::Suspect;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::{Processes, ServiceStatus};
use crate::heartbeat::urgency::{Doubt, Urgency};
use crate::project::Project;
use crate::project::options::Options;
use crate::project::rules::CarriedBy;

/// Returns what is wrong with a service and what to check; `None` when no fault is known.
pub(crate) fn advice(service: ListedService) -> Option<String> {
    let ListedService {
        status, snapshot, ..
    } = service;
    let project = snapshot.project;
    let writers = status.observed.writers.map(|writers| {
        let or_cluster = match project.clusters {
            Some(_) => ", or make them a cluster",
            None => "",
        };
        format!(
            "At least {writers} processes write this row. Give each host its own name{or_cluster}."
        )
    });
    let duplicates = (status.duplicates > 0).then(|| {
        format!(
            "{} rows have this name; the one with the latest heartbeat is shown. Remove the others from the database.",
            status.duplicates + 1
        )
    });
    let lacks_processes = Doubt::of(status) == Some(Doubt::Processes) && status.up == Some(true);
    let processes = status.processes.filter(|_| lacks_processes);
    let processes = processes.map(|Processes { all, down, .. }| {
            format!(
                "{down} of {all} processes are down. Find on {} those that hang or failed to start, and restart the service.",
                status.service.facts.machine()
            )
        });
    let reason = status.observed.reason;
    let reason = reason.map(|reason| explain(service, reason));
    let abandoned = (Urgency::of(status) == Urgency::Abandoned).then(|| {
        let what = if status.service.has_reported() {
            "last heartbeat"
        } else {
            "row"
        };
        let remove = match project.words.remove {
            Some(command) => format!("remove its row ({command})"),
            None => format!("delete its row from the table {}", project.services.name),
        };
        format!("Its {what} is more than a week old. If it was retired, {remove}.")
    });
    let sentences = [reason, abandoned, writers, processes, duplicates].into_iter();
    let sentences: Vec<String> = sentences.flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Returns what to check where most hosts share one clock skew.
pub(crate) fn suspect(suspect: Suspect) -> &'static str {
    match suspect {
        Suspect::Database => {
            "The clock of the exporter agrees with them, so the clock of the database server is probably off. Check it \
             first."
        }
        Suspect::Hosts => {
            "The clock of the exporter does not agree with them. Check the time servers that these hosts follow. If the \
             exporter reads a replica, check its lag."
        }
    }
}

fn explain(service: ListedService, reason: Reason) -> String {
    let ListedService {
        status, snapshot, ..
    } = service;
    let host = status.service.facts.machine();
    let limits = snapshot.limits_of(&status.service);
    let mut text = match reason {
        Reason::ClockSkew => clock(status, snapshot, host),
        Reason::ServerClock => servers::clock(status, snapshot),
        // No service is blamed while none sends heartbeats.
        Reason::Stopped | Reason::Undetermined if let Some(silence) = snapshot.standstill => {
            format!(
                "{} {}",
                no_heartbeats(silence),
                standstill(snapshot.project)
            )
        }
        Reason::Stopped => {
            let process = format!(
                "Check whether the process is running on {host}, then its log, {}.",
                snapshot.project.words.stopped
            );
            let check = match servers::stamping_program(status, snapshot) {
                Some(program) => servers::stopped(status, snapshot, program, &process),
                None => process,
            };
            format!("{} {check}", since(service))
        }
        Reason::ShutDown => format!(
            "It said goodbye: somebody shut it down, or its node. If that was not intended, start it on {host}."
        ),
        Reason::MarkedDown => format!(
            "It sends heartbeats, but its stored state says down. {}",
            snapshot.project.words.marked_down.unwrap_or_default()
        ),
        Reason::ForcedDown => {
            "An operator forced it down. It stays down until an operator undoes that.".to_owned()
        }
        Reason::SlowReports => slow(status, &limits, &snapshot.project.options),
        Reason::NeverReported => format!(
            "It has a row but never sent a heartbeat. Its start may have failed: check its log on {host}, {}.",
            snapshot.project.words.stopped
        ),
        Reason::Undetermined if !status.service.has_reported() => format!(
            "Reason not known yet. Its row has no heartbeat so far. Read its log on {host}."
        ),
        Reason::Undetermined => format!(
            "Reason not known yet. One heartbeat would prove a clock skew; {} without one would prove that the service \
             stopped.",
            seconds(limits.service_down_time)
        ),
    };
    if reason == Reason::Stopped && status.up == Some(true) {
        text.push_str(match status.service.shown {
            Some(_) => " The API still lists it as up because its stored state says up.",
            None if servers::stamping_program(status, snapshot).is_some() => {
                " The API still lists it as up because the clock that stamped its last heartbeat is ahead."
            }
            None => " The API still lists it as up because its host's clock is ahead.",
        });
    }
    text
}

/// Returns the condition that the table stands still, in words.
pub(crate) fn no_heartbeats(silence: TimeDelta) -> String {
    format!("No service has sent a heartbeat for {}.", span_of(silence))
}

/// Returns what to check when the table stands still.
pub(crate) fn standstill(project: &Project) -> String {
    let database = "whether the database accepts writes, and whether the server that answers is current: it may be a \
                    replica that stands still, or a restored copy.";
    let writer = match project.rules.carried_by {
        CarriedBy::Nobody => {
            let servers = project.rules.servers();
            let of_all = servers.filter(|servers| servers.stamped.is_none());
            of_all.map(|servers| servers.program)
        }
        CarriedBy::Bus(writer) => Some(writer),
    };
    match writer {
        None => format!("Check first {database}"),
        Some(writer) => format!(
            "Check first whether {writer} runs, which writes the heartbeats of all services, and the message bus, which \
             carries them. Then check {database}"
        ),
    }
}

fn clock(status: &ServiceStatus, snapshot: &Snapshot, host: &str) -> String {
    let age = status.heartbeat_age.unwrap_or_default();
    let check = match snapshot.suspect {
        Some(Suspect::Database) => {
            "Most hosts share this skew: check the clock of the database server first.".to_owned()
        }
        Some(Suspect::Hosts) => {
            "Most hosts share this skew: check the time servers that they follow first.".to_owned()
        }
        None => format!("Check time synchronisation on {host} (chronyc tracking, timedatectl)."),
    };
    // Only a stamp ahead of the database's clock proves a skew without an observed heartbeat.
    if status.observed.silence_most.is_none() && age < TimeDelta::zero() {
        return format!(
            "Its last stamp is {} ahead of the database's clock: the host's clock was at least that far ahead when it wrote \
             it. No heartbeat has been observed yet. {check}",
            seconds(age.abs())
        );
    }
    let skew = status.observed.clock_skew;
    let estimate = skew.and_then(|skew| skew.estimate);
    // Without an estimate, the apparent age gives the side: it is negative if the host is ahead.
    let ahead = estimate.unwrap_or(-age) > TimeDelta::zero();
    let by = match (estimate, skew.and_then(|skew| skew.margin())) {
        (Some(estimate), Some(margin)) => {
            let margin = margin.as_seconds_f64();
            format!("{} (± {margin:.1})", seconds(estimate.abs()))
        }
        // The apparent age includes the time since the heartbeat, which is never negative.
        _ if ahead => format!("at least {}", seconds(age.abs())),
        _ => format!("at most {}", seconds(age.abs())),
    };
    let side = match (ahead, status.up_for_scheduler) {
        (true, Some(true)) => "ahead of the database's, and the scheduler still uses it",
        (true, _) => "ahead of the database's",
        (false, _) => "behind the database's",
    };
    format!("It reports, but its host's clock is {by} {side}. {check}")
}

/// Returns since when a service is silent, as a sentence.
fn since(service: ListedService) -> String {
    let (status, now) = (service.status, service.snapshot.now.0);
    let at = |silence: TimeDelta| (now - silence).format("%Y-%m-%d %H:%M:%S");
    let since = match (status.observed.silence_least, status.observed.silence_most) {
        // The earlier end may precede the last stamp, which would contradict the row.
        (Some(least), Some(most)) if most - least < TimeDelta::seconds(60) => {
            format!("at about {} UTC", at(least))
        }
        (Some(least), Some(most)) => format!("between {} and {} UTC", at(most), at(least)),
        (Some(least), None) => format!("before {} UTC", at(least)),
        (None, _) => "at an unknown time".to_owned(),
    };
    format!("Its heartbeats stopped {since}, by the database's clock.")
}

fn slow(status: &ServiceStatus, limits: &Limits, options: &Options) -> String {
    let limit = seconds(limits.service_down_time);
    let interval = status.observed.report_interval;
    let interval = interval.map_or_else(|| format!("more than {limit}"), seconds);
    let remedy = if options.service_down_time.factor > 1 {
        "That limit follows from the configured interval, so find what delays its heartbeats."
    } else if options.report_interval.is_option() {
        "Lower its report interval, or raise that limit on every node."
    } else {
        "Find what delays its heartbeats, or raise that limit on every node."
    };
    format!("Its report interval is {interval}, but {limit} without a heartbeat is down. {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::project::{cinder, designate, heat, watcher};

    use crate::heartbeat::service::Service;
    use crate::heartbeat::status::Observed;
    use crate::project::manila;

    /// Checks the advice on a service with a heartbeat of this age in seconds.
    fn check(age: i64, observed: Observed, suspect: Option<Suspect>, expected: &str) {
        let service = fixture::service("cinder-volume", "block1@lvm");
        let status = ServiceStatus {
            up_for_scheduler: Some(age <= 60),
            heartbeat_age: Some(TimeDelta::seconds(age)),
            observed,
            ..fixture::status(service, Some(age.abs() <= 60))
        };
        let snapshot = Snapshot {
            suspect,
            ..fixture::snapshot(fixture::reading(vec![]))
        };
        assert_eq!(advise(&status, &snapshot).unwrap_or_default(), expected);
    }

    fn advise(status: &ServiceStatus, snapshot: &Snapshot) -> Option<String> {
        advice(ListedService {
            database: "cinder",
            status,
            snapshot,
        })
    }

    fn because(reason: Reason) -> Observed {
        Observed {
            reason: Some(reason),
            ..Observed::default()
        }
    }

    fn skewed(estimate: i64) -> Observed {
        let (lower, upper) = (estimate - 1_000, estimate + 2_000);
        Observed {
            clock_skew: Some(fixture::skew(Some(estimate), lower, Some(upper))),
            silence_most: Some(TimeDelta::seconds(5)),
            ..because(Reason::ClockSkew)
        }
    }

    #[test]
    fn a_service_that_is_up_gets_no_advice() {
        check(5, Observed::default(), None, "");
    }

    #[test]
    fn clock_skew_names_side_size_host_and_several_writers() {
        let rest = "ahead of the database's, and the scheduler still uses it. Check time synchronisation on block1 \
                    (chronyc tracking, timedatectl).";
        let ahead = format!("It reports, but its host's clock is 75.0 s (± 2.0) {rest}");
        check(-75, skewed(75_000), None, &ahead);
        check(
            80,
            skewed(-75_000),
            Some(Suspect::Database),
            "It reports, but its host's clock is 75.0 s (± 2.0) behind the database's. Most hosts share this skew: \
             check the clock of the database server first.",
        );
        let unbounded = Observed {
            clock_skew: None,
            ..skewed(75_000)
        };
        let expected = format!("It reports, but its host's clock is at least 75.0 s {rest}");
        check(-75, unbounded, None, &expected);
        check(
            -75,
            because(Reason::ClockSkew),
            None,
            "Its last stamp is 75.0 s ahead of the database's clock: the host's clock was at least that far ahead when it \
             wrote it. No heartbeat has been observed yet. Check time synchronisation on block1 (chronyc tracking, \
             timedatectl).",
        );
        let shared = Observed {
            writers: Some(2),
            ..skewed(75_000)
        };
        let writers = "At least 2 processes write this row. Give each host its own name, or make them a cluster.";
        check(-75, shared, None, &format!("{ahead} {writers}"));
    }

    #[test]
    fn stopped_names_the_time() {
        let rest = ", by the database's clock. Check whether the process is running on block1, then its log, the \
                    database and the driver.";
        let between = "between 2026-03-30 00:51:20 and 2026-03-30 00:53:00 UTC";
        let before = "before 2026-03-30 00:53:00 UTC";
        let hidden = " The API still lists it as up because its host's clock is ahead.";
        for (age, least, most, when, end) in [
            (140, 134, Some(140), "at about 2026-03-30 00:52:00 UTC", ""),
            (140, 74, Some(174), between, ""),
            (140, 74, None, before, ""),
            (20, 74, None, before, hidden),
        ] {
            let stopped = Observed {
                silence_least: Some(TimeDelta::seconds(least)),
                silence_most: most.map(TimeDelta::seconds),
                ..because(Reason::Stopped)
            };
            let expected = format!("Its heartbeats stopped {when}{rest}{end}");
            check(age, stopped, None, &expected);
        }
    }

    #[test]
    fn a_service_that_never_reported_has_no_last_heartbeat() {
        let of = |reason, age: i64| {
            let mut service = fixture::service("cinder-backup", "block1@lvm");
            service.heartbeats = Some(0);
            let status = ServiceStatus {
                heartbeat_age: Some(TimeDelta::seconds(age)),
                observed: because(reason),
                ..fixture::status(service, Some(false))
            };
            let snapshot = fixture::snapshot(fixture::reading(vec![]));
            advise(&status, &snapshot).unwrap_or_default()
        };
        let never = "It has a row but never sent a heartbeat. Its start may have failed: check its log on block1, the \
                     database and the driver.";
        assert_eq!(of(Reason::NeverReported, 80), never);
        let week = 7 * 24 * 3_600;
        let remove = cinder::PROJECT.words.remove.unwrap();
        let old = format!(
            "Its row is more than a week old. If it was retired, remove its row ({remove})."
        );
        assert_eq!(
            of(Reason::NeverReported, week + 1),
            format!("{never} {old}")
        );
        assert_eq!(
            of(Reason::Undetermined, 80),
            "Reason not known yet. Its row has no heartbeat so far. Read its log on block1."
        );
    }

    #[test]
    fn no_service_is_blamed_while_none_sends_heartbeats() {
        let snapshot = Snapshot {
            standstill: Some(TimeDelta::seconds(95)),
            ..fixture::snapshot(fixture::reading(vec![]))
        };
        let expected = "No service has sent a heartbeat for 95 s. Check first whether the database accepts writes, \
                      and whether the server that answers is current: it may be a replica that stands still, or a \
                      restored copy.";
        for reason in [Reason::Stopped, Reason::Undetermined] {
            let status = ServiceStatus {
                observed: because(reason),
                ..fixture::status(fixture::service("cinder-volume", "block1"), Some(false))
            };
            assert_eq!(advise(&status, &snapshot).unwrap(), expected);
        }
        let carried = Snapshot {
            project: &designate::PROJECT,
            ..snapshot
        };
        let status = ServiceStatus {
            observed: because(Reason::Stopped),
            ..fixture::status(fixture::service("designate-worker", "dns1"), Some(true))
        };
        let advice = advise(&status, &carried).unwrap();
        let expected = "No service has sent a heartbeat for 95 s. Check first whether designate-central runs, which writes \
                        the heartbeats of all services, and the message bus, which carries them. Then check whether the \
                        database accepts writes,";
        assert!(advice.starts_with(expected), "{advice}");
    }

    #[test]
    fn a_service_that_somebody_took_down_is_told_from_one_that_failed() {
        for (reason, expected) in [
            (
                Reason::ShutDown,
                "It said goodbye: somebody shut it down, or its node. If that was not intended, start it on block1.",
            ),
            (
                Reason::MarkedDown,
                "It sends heartbeats, but its stored state says down. ",
            ),
            (
                Reason::ForcedDown,
                "An operator forced it down. It stays down until an operator undoes that.",
            ),
        ] {
            check(80, because(reason), None, expected);
        }
    }

    #[test]
    fn each_project_has_its_own_words() {
        let snapshot = Snapshot {
            project: &manila::PROJECT,
            ..fixture::snapshot(fixture::reading(vec![]))
        };
        let advice = |reason, up, shown: Option<&str>| {
            let service = Service {
                shown: shown.map(Into::into),
                ..fixture::service("manila-share", "share1@nfs")
            };
            let status = ServiceStatus {
                observed: Observed {
                    writers: Some(2),
                    ..because(reason)
                },
                ..fixture::status(service, Some(up))
            };
            let listed = ListedService {
                database: "manila",
                status: &status,
                snapshot: &snapshot,
            };
            super::advice(listed).unwrap()
        };
        let marked = advice(Reason::MarkedDown, false, Some("down"));
        assert!(
            marked.contains("a manila-scheduler marks the service"),
            "{marked}"
        );
        let writers = "At least 2 processes write this row. Give each host its own name.";
        for (shown, cause) in [
            (Some("up"), "its stored state says up"),
            (None, "its host's clock is ahead"),
        ] {
            let stopped = advice(Reason::Stopped, true, shown);
            let end = format!(" The API still lists it as up because {cause}. {writers}");
            assert!(stopped.ends_with(&end), "{stopped}");
        }
    }

    #[test]
    fn slow_reports_name_the_interval_the_limit_and_what_can_be_changed() {
        for (project, remedy) in [
            (
                &cinder::PROJECT,
                "Lower its report interval, or raise that limit on every node.",
            ),
            (
                &watcher::PROJECT,
                "Find what delays its heartbeats, or raise that limit on every node.",
            ),
            (
                &heat::PROJECT,
                "That limit follows from the configured interval, so find what delays its heartbeats.",
            ),
        ] {
            let status = ServiceStatus {
                observed: Observed {
                    report_interval: Some(TimeDelta::seconds(90)),
                    ..because(Reason::SlowReports)
                },
                ..fixture::status(fixture::service("engine", "control1"), Some(false))
            };
            let snapshot = fixture::snapshot_of(project, fixture::reading(vec![]));
            let expected = format!(
                "Its report interval is 90.0 s, but 60.0 s without a heartbeat is down. {remedy}"
            );
            assert_eq!(advise(&status, &snapshot).unwrap(), expected);
        }
    }
}
