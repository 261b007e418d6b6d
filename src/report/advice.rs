//! Advice for the operator who was paged: the fault of a service and its remedy.

use chrono::{NaiveDateTime, TimeDelta};

use crate::heartbeat::cause::Reason;
use crate::heartbeat::skew::ClockSkew;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::Urgency;

/// Returns what is wrong with a service and what to check; `None` when no fault is known.
pub(crate) fn advice(status: &ServiceStatus, snapshot: &Snapshot) -> Option<String> {
    let writers = status.observed.writers.map(|writers| {
        format!(
            "About {writers} processes write this row. Give each host its own name, or make them a cluster."
        )
    });
    let duplicates = (status.duplicates > 0).then(|| {
        format!(
            "{} rows have this name; the one with the latest heartbeat is shown. Remove the others from the database.",
            status.duplicates + 1
        )
    });
    let reason = status
        .observed
        .reason
        .map(|reason| explain(status, snapshot, reason));
    let abandoned = (Urgency::of(status) == Urgency::Abandoned).then(|| {
        "Its last heartbeat is more than a week old. If it was retired, remove its row (cinder-manage service \
         remove)."
            .to_owned()
    });
    let sentences: Vec<String> = [reason, abandoned, writers, duplicates]
        .into_iter()
        .flatten()
        .collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn explain(status: &ServiceStatus, snapshot: &Snapshot, reason: Reason) -> String {
    let host = &status.service.facts.host;
    let mut text = match reason {
        Reason::ClockSkew => clock(status, snapshot, host),
        Reason::Stopped => stopped(status, snapshot.now.0, host),
        Reason::SlowReports => slow(status, snapshot),
        Reason::NeverReported => format!(
            "It has a row but never sent a heartbeat. Its start may have failed, or its driver is not initialised. \
             Read its log on {host}."
        ),
        Reason::Undetermined => format!(
            "Reason not known yet. One heartbeat would prove a clock skew; {} without one would prove that the service \
             stopped.",
            seconds(snapshot.intervals.service_down_time)
        ),
    };
    if reason == Reason::Stopped && status.up == Some(true) {
        text.push_str(" Cinder still lists it as up because its host's clock is ahead.");
    }
    text
}

fn clock(status: &ServiceStatus, snapshot: &Snapshot, host: &str) -> String {
    let age = status.heartbeat_age.unwrap_or_default();
    // Without an estimate, the apparent age gives the side: it is negative if the host is ahead.
    let ahead = status
        .observed
        .clock_skew
        .and_then(|skew| skew.estimate)
        .map_or(age < TimeDelta::zero(), |skew| skew > TimeDelta::zero());
    let by = status
        .observed
        .clock_skew
        .and_then(|skew| magnitude(&skew))
        .unwrap_or_else(|| {
            // The apparent age includes the time since the heartbeat, which is never negative.
            let limit = if ahead { "at least" } else { "at most" };
            format!("{limit} {}", seconds(age.abs()))
        });
    let (side, rest) = if ahead {
        let still = status.up_for_scheduler == Some(true);
        let rest = if still {
            ", and the scheduler still uses it"
        } else {
            ""
        };
        ("ahead of", rest)
    } else {
        ("behind", "")
    };
    let check = if snapshot.reference_clock_suspect {
        "Most hosts share this skew: check the clock of the database server first.".to_owned()
    } else {
        format!("Check time synchronisation on {host} (chronyc tracking, timedatectl).")
    };
    format!("It reports, but its host's clock is {by} {side} the database's{rest}. {check}")
}

/// Returns the size of a skew and its margin as `74.9 s (± 1.3)`; `None` without an estimate.
fn magnitude(skew: &ClockSkew) -> Option<String> {
    Some(format!(
        "{} (± {:.1})",
        seconds(skew.estimate?.abs()),
        skew.margin()?.as_seconds_f64()
    ))
}

fn stopped(status: &ServiceStatus, now: NaiveDateTime, host: &str) -> String {
    let at = |silence: TimeDelta| (now - silence).format("%Y-%m-%d %H:%M:%S");
    let since = match (status.observed.silence_least, status.observed.silence_most) {
        (Some(least), Some(most)) if most - least < TimeDelta::seconds(60) => {
            // The earlier end may precede the last stamp, which would contradict the row.
            format!("at about {} UTC", at(least))
        }
        (Some(least), Some(most)) => format!("between {} and {} UTC", at(most), at(least)),
        (Some(least), None) => format!("before {} UTC", at(least)),
        (None, _) => "at an unknown time".to_owned(),
    };
    format!(
        "Its heartbeats stopped {since}, by the database's clock. Check whether the process is running on {host}, \
         then its log, the database and the driver."
    )
}

fn slow(status: &ServiceStatus, snapshot: &Snapshot) -> String {
    let limit = seconds(snapshot.intervals.service_down_time);
    let interval = status
        .observed
        .report_interval
        .map_or_else(|| format!("more than {limit}"), seconds);
    format!(
        "Its report interval is {interval}, but service_down_time is {limit}. Lower its report_interval, or raise \
         service_down_time on every node."
    )
}

fn seconds(span: TimeDelta) -> String {
    format!("{:.1} s", span.as_seconds_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;

    use crate::heartbeat::skew::Bounds;
    use crate::heartbeat::status::Observed;

    fn check(age: i64, observed: Observed, suspect: bool, expected: &str) {
        let status = ServiceStatus {
            up_for_scheduler: Some(age <= 60),
            heartbeat_age: Some(TimeDelta::seconds(age)),
            observed,
            ..fixture::status(
                fixture::service("cinder-volume", "block1"),
                Some(age.abs() <= 60),
            )
        };
        let snapshot = Snapshot {
            reference_clock_suspect: suspect,
            ..fixture::snapshot(fixture::reading(vec![]))
        };
        assert_eq!(advice(&status, &snapshot).unwrap_or_default(), expected);
    }

    fn skewed(estimate: i64) -> Observed {
        Observed {
            clock_skew: Some(ClockSkew {
                estimate: Some(TimeDelta::seconds(estimate)),
                bounds: Bounds {
                    lower: TimeDelta::seconds(estimate - 1),
                    upper: Some(TimeDelta::seconds(estimate + 2)),
                },
            }),
            reason: Some(Reason::ClockSkew),
            ..Observed::default()
        }
    }

    #[test]
    fn a_service_that_is_up_gets_no_advice() {
        check(5, Observed::default(), false, "");
    }

    #[test]
    fn clock_skew_names_side_size_and_host() {
        check(
            -75,
            skewed(75),
            false,
            "It reports, but its host's clock is 75.0 s (± 2.0) ahead of the database's, and the scheduler still uses \
             it. Check time synchronisation on block1 (chronyc tracking, timedatectl).",
        );
        check(
            80,
            skewed(-75),
            true,
            "It reports, but its host's clock is 75.0 s (± 2.0) behind the database's. Most hosts share this skew: \
             check the clock of the database server first.",
        );
        let unbounded = Observed {
            reason: Some(Reason::ClockSkew),
            ..Observed::default()
        };
        check(
            -75,
            unbounded,
            false,
            "It reports, but its host's clock is at least 75.0 s ahead of the database's, and the scheduler still uses \
             it. Check time synchronisation on block1 (chronyc tracking, timedatectl).",
        );
    }

    #[test]
    fn stopped_names_the_time() {
        let stopped = |least, most: Option<i64>| Observed {
            silence_least: Some(TimeDelta::seconds(least)),
            silence_most: most.map(TimeDelta::seconds),
            reason: Some(Reason::Stopped),
            ..Observed::default()
        };
        let rest = ", by the database's clock. Check whether the process is running on block1, then its log, the \
                    database and the driver.";
        for (least, most, when) in [
            (134, Some(140), "at about 2026-03-30 00:52:00 UTC"),
            (
                74,
                Some(174),
                "between 2026-03-30 00:51:20 and 2026-03-30 00:53:00 UTC",
            ),
            (74, None, "before 2026-03-30 00:53:00 UTC"),
        ] {
            let expected = format!("Its heartbeats stopped {when}{rest}");
            check(140, stopped(least, most), false, &expected);
        }
        let hidden = format!(
            "Its heartbeats stopped before 2026-03-30 00:53:00 UTC{rest} Cinder still lists it as up because its \
             host's clock is ahead."
        );
        check(20, stopped(74, None), false, &hidden);
    }

    #[test]
    fn slow_reports_name_the_interval_and_both_options() {
        let slow = Observed {
            report_interval: Some(TimeDelta::seconds(90)),
            reason: Some(Reason::SlowReports),
            ..Observed::default()
        };
        check(
            80,
            slow,
            false,
            "Its report interval is 90.0 s, but service_down_time is 60.0 s. Lower its report_interval, or raise \
             service_down_time on every node.",
        );
    }

    #[test]
    fn several_writers_are_appended() {
        let mut observed = skewed(75);
        observed.writers = Some(2);
        check(
            -75,
            observed,
            false,
            "It reports, but its host's clock is 75.0 s (± 2.0) ahead of the database's, and the scheduler still uses \
             it. Check time synchronisation on block1 (chronyc tracking, timedatectl). About 2 processes write this \
             row. Give each host its own name, or make them a cluster.",
        );
    }
}
