//! Whether the database's clock, the reference for every skew, is itself off.
//!
//! When most hosts seem to share one skew, the reference is the likelier cause.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::liveness::Intervals;
use super::service::Service;
use super::skew::Bounds;
use super::status::{Observed, ServiceStatus};
use super::time::{ClockOffset, DatabaseTime};

/// Synchronised clocks and a busy database do not explain a larger skew on one side.
pub(crate) const BEYOND: TimeDelta = TimeDelta::seconds(2);
/// A majority of fewer hosts proves nothing.
const FEWEST_HOSTS: usize = 3;

/// The clock behind every verdict: the database's.
///
/// After a failover it may be another machine's clock, and an hour off. No project reads it, so that clock
/// alone must not change a verdict. After a jump, a verdict holds only where the old clock gives the same one, until
/// most hosts have confirmed the new clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The time on the database's clock.
    pub now: DatabaseTime,
    /// Jump since the last reading, if any; positive is forward.
    pub jump: Option<TimeDelta>,
    /// Jump since hosts last confirmed the clock, if any; positive is forward.
    pub unconfirmed_jump: Option<TimeDelta>,
    /// The clock against the exporter's.
    pub offset: ClockOffset,
}

/// Whose clock is off where most hosts share a skew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspect {
    /// The database's: the exporter's clock agrees with the hosts.
    Database,
    /// The hosts', which may follow one time server that is off: the exporter's clock does not agree with them. Or the
    /// reads lag.
    Hosts,
}

impl Reference {
    /// Returns the result of a rule. Also `None` where the clock from before an unconfirmed jump gives another result.
    pub(crate) fn verdict(&self, rule: impl Fn(DatabaseTime) -> Option<bool>) -> Option<bool> {
        let verdict = rule(self.now);
        match self.unconfirmed_jump {
            Some(jump) if rule(DatabaseTime(self.now.0 - jump)) != verdict => None,
            _ => verdict,
        }
    }
}

/// Returns whether more than half of the reporting hosts agree with the database's clock.
///
/// A host agrees if its skew is bounded and not proven to be beyond two seconds; where others stamp its services' rows, if
/// the clock of the last one is. A host does not count if all its
/// services are proven to have been silent for longer than their limit.
pub(super) fn is_confirmed(services: &[(Service, Observed)], intervals: &Intervals) -> bool {
    let agrees = |Bounds { lower, upper }: Bounds| {
        lower <= BEYOND && upper.is_some_and(|upper| upper >= -BEYOND)
    };
    let mut hosts: BTreeMap<&str, bool> = BTreeMap::new();
    for (service, observed) in services {
        let limit = intervals.of(service).service_down_time;
        if observed.silence_least.is_some_and(|least| least <= limit) {
            let bounds = observed.clock_skew.map(|skew| skew.bounds);
            let agrees = bounds.or(observed.server_clock).is_some_and(agrees);
            *hosts.entry(service.facts.machine()).or_default() |= agrees;
        }
    }
    let agreeing = hosts.values().filter(|agrees| **agrees).count();
    agreeing * 2 > hosts.len()
}

/// Returns whose clock is suspect: `None` unless more than half of at least three hosts share a skew proven to be beyond
/// two seconds on one side.
///
/// The database's is suspect only if the exporter's clock is also proven to be beyond two seconds on that side.
/// Otherwise these hosts may follow one time server that is off.
///
/// Hosts share a skew when their bounds have a point in common. The services of one host (`HOST@BACKEND`) count once,
/// by the intersection of their bounds. A host whose skew is not bounded yet does not count.
pub(crate) fn suspect(services: &[ServiceStatus], clock: ClockOffset) -> Option<Suspect> {
    let bounds = |status: &ServiceStatus| status.observed.clock_skew.map(|skew| skew.bounds);
    // In most snapshots no skew is beyond the limit, so the services need not be grouped by host.
    let mut skews = services.iter().filter_map(bounds);
    if !skews.any(|bounds| bounds.are_beyond(BEYOND)) {
        return None;
    }
    let mut hosts: BTreeMap<&str, (TimeDelta, TimeDelta)> = BTreeMap::new();
    for status in services {
        let Some(Bounds {
            lower,
            upper: Some(upper),
        }) = bounds(status)
        else {
            continue;
        };
        let agreed = hosts
            .entry(status.service.facts.machine())
            .or_insert((lower, upper));
        *agreed = (agreed.0.max(lower), agreed.1.min(upper));
    }
    let ahead = hosts.values().filter(|(lower, _)| *lower > BEYOND);
    let behind = hosts.values().filter(|(_, upper)| *upper < -BEYOND);
    let (ahead, behind) = (most_sharing(ahead), most_sharing(behind));
    if hosts.len() < FEWEST_HOSTS || ahead.max(behind) * 2 <= hosts.len() {
        return None;
    }
    // Database − exporter: if hosts are ahead of the database, then it must be behind the exporter.
    let agrees = if ahead > behind {
        clock.offset + clock.error < -BEYOND
    } else {
        clock.offset - clock.error > BEYOND
    };
    Some(if agrees {
        Suspect::Database
    } else {
        Suspect::Hosts
    })
}

/// Returns the largest number of intervals that share a point (Marzullo's algorithm).
fn most_sharing<'a>(intervals: impl Iterator<Item = &'a (TimeDelta, TimeDelta)>) -> usize {
    let mut edges: Vec<(TimeDelta, bool)> = intervals
        .filter(|(lower, upper)| lower <= upper)
        .flat_map(|&(lower, upper)| [(lower, false), (upper, true)])
        .collect();
    // Intervals that touch share that point, so beginnings sort before ends.
    edges.sort_unstable();
    let (mut open, mut most) = (0, 0);
    for (_, ends) in edges {
        if ends {
            open -= 1;
        } else {
            open += 1;
            most = most.max(open);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;

    /// Checks hosts with the bounds of their skew in seconds; an upper bound of 999 stands for an unknown one.
    fn check(hosts: &[(&str, i64, i64)], is_shared: bool) {
        let suspect = is_shared.then_some(Suspect::Hosts);
        assert_eq!(suspected(hosts, 0, 0), suspect, "{hosts:?}");
    }

    /// Whose clock is suspect if database − exporter is so many milliseconds, with this error.
    fn suspected(hosts: &[(&str, i64, i64)], offset: i64, error: i64) -> Option<Suspect> {
        let services: Vec<ServiceStatus> = hosts
            .iter()
            .map(|&(host, lower, upper)| ServiceStatus {
                observed: fixture::bounded(
                    TimeDelta::seconds(lower),
                    (upper != 999).then(|| TimeDelta::seconds(upper)),
                ),
                ..fixture::status(fixture::service("cinder-volume", host), Some(true))
            })
            .collect();
        let clock = ClockOffset {
            offset: TimeDelta::milliseconds(offset),
            error: TimeDelta::milliseconds(error),
        };
        suspect(&services, clock)
    }

    #[test]
    fn the_database_is_suspect_only_if_the_exporters_clock_agrees_with_the_hosts() {
        let ahead = [
            ("a", 4, 6),
            ("b", 4, 6),
            ("c", 4, 6),
            ("d", -1, 1),
            ("e", -1, 1),
        ];
        let behind = ahead.map(|(host, lower, upper)| (host, -upper, -lower));
        for (offset, error, against_ahead, against_behind) in [
            (0, 0, Suspect::Hosts, Suspect::Hosts),
            (-2_000, 0, Suspect::Hosts, Suspect::Hosts),
            (-2_001, 0, Suspect::Database, Suspect::Hosts),
            (-2_101, 101, Suspect::Hosts, Suspect::Hosts),
            (2_001, 0, Suspect::Hosts, Suspect::Database),
        ] {
            assert_eq!(suspected(&ahead, offset, error), Some(against_ahead));
            assert_eq!(suspected(&behind, offset, error), Some(against_behind));
        }
    }

    #[test]
    fn most_of_at_least_three_hosts_must_share_a_proven_skew() {
        check(&[], false);
        check(&[("a", 9, 11), ("b", 9, 11)], false);
        check(&[("a", 9, 11), ("b", 9, 11), ("c", -1, 1)], true);
        check(&[("a", -11, -9), ("b", -11, -9), ("c", -1, 1)], true);
        let half = [("a", 9, 11), ("b", 9, 11), ("c", -1, 1), ("d", -1, 1)];
        check(&half, false);
        // It must be proven, not merely possible, and beyond the limit, not at it.
        check(&[("a", 1, 11), ("b", 1, 11), ("c", 1, 11)], false);
        check(&[("a", 2, 11), ("b", 2, 11), ("c", 2, 11)], false);
        check(&[("a", 3, 11), ("b", 3, 11), ("c", 3, 11)], true);
        // Hosts with different skews, or on different sides, do not implicate the reference.
        check(&[("a", 9, 11), ("b", 20, 22), ("c", 30, 32)], false);
        check(&[("a", 9, 11), ("b", -11, -9), ("c", -1, 1)], false);
        check(&[("a", 9, 11), ("b", 11, 13), ("c", -1, 1)], true);
    }

    #[test]
    fn services_of_one_host_count_once_and_unbounded_hosts_do_not_count() {
        let one_host = [("a@x", 9, 11), ("a@y", 9, 11), ("b", -1, 1), ("c", -1, 1)];
        check(&one_host, false);
        let unbounded = [("a", 9, 11), ("b", 9, 11), ("c", -1, 1), ("d", -1, 999)];
        check(&unbounded, true);
    }
}
