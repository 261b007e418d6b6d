//! The snapshot published after each poll: every service with its project's verdicts, at one time of the database.
//!
//! A published snapshot is never changed. Each poll creates a new one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;

use super::cause::Reason;
use super::limits::Limits;
use super::liveness::{self, Intervals};
use super::processes;
use super::reference::{self, Reference, Suspect};
use super::server_clocks::ServerClockSpread;
use super::service::{Cluster, Defect, Rejection, Service, Stamp};
use super::status::{ClusterStatus, Observed, ServiceStatus};
use super::time::{DatabaseTime, HostTime, apparent_age};
use crate::project::Project;
use crate::project::rules::Rules;

/// All services and clusters at one time of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The database's clock when the rows were read: "now" for every verdict and age in the snapshot.
    pub now: DatabaseTime,
    /// The project whose rules are behind the verdicts.
    pub project: &'static Project,
    /// The options behind the verdicts.
    pub intervals: Intervals,
    /// The limits of each binary that has a service.
    pub(crate) limits: BTreeMap<Arc<str>, Limits>,
    /// One status for each binary and host, sorted by binary, then host.
    pub services: Vec<ServiceStatus>,
    /// One status for each cluster, sorted by binary, then name.
    pub clusters: Vec<ClusterStatus>,
    /// Number of rows of `services` that are not deleted, unreadable rows included.
    pub rows: usize,
    /// Rows that could not be read, or not in full; sorted.
    pub rejected: Vec<Rejection>,
    /// What is proven of the clocks of those who stamp other services' rows; `None` until a heartbeat of one was observed.
    pub servers: Option<ServerClockSpread>,
    /// Whose clock is off where most hosts share a skew, see [`reference::suspect`].
    pub(crate) suspect: Option<Suspect>,
    /// Jump of the database's clock since the last reading, if any; positive is forward.
    pub clock_jump: Option<TimeDelta>,
    /// Jump of the database's clock since hosts last confirmed it, see [`Reference`].
    pub unconfirmed_jump: Option<TimeDelta>,
    /// Time since any service sent a heartbeat, if the table stands still; `None` while heartbeats arrive.
    pub standstill: Option<TimeDelta>,
}

/// The rows of one reading, with the observations of each service.
pub(crate) struct Rows {
    /// Sorted by [name](super::service::Facts::name).
    pub services: Vec<(Service, Observed)>,
    /// See [`Snapshot::servers`].
    pub servers: Option<ServerClockSpread>,
    pub clusters: Vec<Cluster>,
    pub rejected: Vec<Rejection>,
    /// See [`Snapshot::rows`].
    pub count: usize,
}

impl Snapshot {
    /// Returns the verdicts on one reading, by the database's clock.
    pub(crate) fn new(
        mut rows: Rows,
        reference: Reference,
        project: &'static Project,
        intervals: Intervals,
    ) -> Self {
        rows.rejected.sort_unstable();
        let clusters = cluster_statuses(rows.clusters, &rows.services, reference, &intervals);
        let judged = |row| service_status(row, reference, &project.rules, &intervals);
        let services = service_statuses(rows.services, project, judged);
        Self {
            now: reference.now,
            project,
            intervals,
            limits: Limits::by_binary(&services, &project.rules, &intervals),
            rows: rows.count,
            servers: rows.servers,
            suspect: reference::suspect(&services, reference.offset),
            clock_jump: reference.jump,
            unconfirmed_jump: reference.unconfirmed_jump,
            standstill: None,
            clusters,
            services,
            rejected: rows.rejected,
        }
    }

    /// Returns the limits of a service.
    pub(crate) fn limits_of(&self, service: &Service) -> Limits {
        Limits::of(&self.project.rules, &self.intervals.of(service))
    }

    /// Returns the number of services that are not shown because their rows are unreadable.
    pub(crate) fn hidden(&self) -> usize {
        let shown: usize = self.services.iter().map(ServiceStatus::rows).sum();
        self.rows.saturating_sub(shown)
    }

    /// Returns how many rows have a defect.
    pub(crate) fn rejected_with(&self, defect: Defect) -> usize {
        let rows = self.rejected.iter();
        rows.filter(|row| row.defect == defect).count()
    }
}

/// Returns one status for the rows of each name: of its processes, where each row is one, and else of the freshest row.
///
/// Between equally fresh rows the highest primary key decides, so the choice is stable.
fn service_statuses(
    services: Vec<(Service, Observed)>,
    project: &Project,
    judged: impl Fn((Service, Observed)) -> ServiceStatus,
) -> Vec<ServiceStatus> {
    let mut statuses: Vec<ServiceStatus> = Vec::with_capacity(services.len());
    let key = |service: &Service| (service.freshness(), service.id);
    let has_processes = project.has_processes();
    let mut rows = services.into_iter().peekable();
    while let Some(first) = rows.next() {
        let facts = first.0.facts.clone();
        let is_its = |(service, _): &(Service, Observed)| service.facts.name() == facts.name();
        if has_processes(&facts.binary) {
            let others = std::iter::from_fn(|| rows.next_if(is_its));
            let all = std::iter::once(first).chain(others).map(&judged).collect();
            statuses.extend(processes::status(all));
            continue;
        }
        let (mut freshest, mut duplicates) = (first, 0);
        while let Some(row) = rows.next_if(is_its) {
            duplicates += 1;
            if key(&row.0) > key(&freshest.0) {
                freshest = row;
            }
        }
        statuses.push(ServiceStatus {
            duplicates,
            ..judged(freshest)
        });
    }
    statuses
}

fn service_status(
    (service, mut observed): (Service, Observed),
    reference: Reference,
    rules: &Rules,
    intervals: &Intervals,
) -> ServiceStatus {
    let last_heartbeat = service.last_heartbeat().time();
    let intervals = &intervals.of(&service);
    let up = reference.verdict(|now| rules.is_up(&service, now, intervals));
    let up_for_scheduler =
        reference.verdict(|now| rules.is_up_for_scheduler(&service, now, intervals));
    let is_known = up.is_some() && (rules.scheduler.is_none() || up_for_scheduler.is_some());
    observed.reason = match observed.reason {
        // A reason explains a verdict, and there is no verdict.
        _ if up.is_none() => None,
        // A stored state is known whatever the clock. What rests on the clock is not.
        Some(Reason::ClockSkew | Reason::ServerClock | Reason::Undetermined) if !is_known => {
            (up == Some(false)).then_some(Reason::Undetermined)
        }
        reason => reason,
    };
    ServiceStatus {
        up,
        up_for_scheduler,
        last_heartbeat,
        heartbeat_age: last_heartbeat.map(|stamp| apparent_age(reference.now, stamp)),
        duplicates: 0,
        processes: None,
        observed,
        service,
    }
}

/// Totals over the members of one cluster.
#[derive(Default)]
struct Members {
    hosts: usize,
    hosts_down: usize,
    latest: Option<HostTime>,
    unknown: bool,
}

fn cluster_statuses(
    mut clusters: Vec<Cluster>,
    services: &[(Service, Observed)],
    reference: Reference,
    intervals: &Intervals,
) -> Vec<ClusterStatus> {
    clusters.sort_unstable_by(|a, b| (&a.binary, &a.name).cmp(&(&b.binary, &b.name)));
    // Members are joined by the cluster's name alone, not by the binary.
    let mut members: HashMap<&str, Members> = HashMap::new();
    for (service, _) in services {
        let Some(name) = service.facts.cluster_name.as_deref() else {
            continue;
        };
        let cluster = members.entry(name).or_default();
        cluster.hosts += 1;
        match reference.verdict(|now| liveness::is_member_down(service, now, intervals)) {
            Some(down) => cluster.hosts_down += usize::from(down),
            None => cluster.unknown = true,
        }
        if let Stamp::At(stamp) = service.stamp {
            cluster.latest = cluster.latest.max(Some(stamp));
        }
    }
    let no_members = Members::default();
    clusters
        .into_iter()
        .map(|cluster| {
            let members = members.get(cluster.name.as_str()).unwrap_or(&no_members);
            let rule = |now| Some(liveness::is_cluster_up(members.latest, now, intervals));
            let up = reference.verdict(rule);
            ClusterStatus {
                up: up.filter(|up| *up || !members.unknown),
                hosts: members.hosts,
                hosts_down: members.hosts_down,
                cluster,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::row_id::RowId;
    use crate::heartbeat::service::Reading;

    /// A service whose last heartbeat is `age` seconds old.
    fn beating(id: i64, host: &str, age: i64) -> Service {
        let now = fixture::now("2026-03-30 00:54:14");
        Service {
            id: id.into(),
            stamp: Stamp::At(HostTime(now.0 - TimeDelta::seconds(age))),
            ..fixture::service("cinder-volume", host)
        }
    }

    /// Checks id and duplicates of the services that are shown, all of them up.
    fn check(services: Vec<Service>, expected: &[(i64, usize)]) {
        let snapshot = fixture::snapshot(fixture::reading(services));
        let shown = snapshot.services.iter();
        assert!(shown.clone().all(|status| status.up == Some(true)));
        let shown: Vec<(RowId, usize)> = shown.map(|s| (s.service.id, s.duplicates)).collect();
        let expected: Vec<(RowId, usize)> =
            expected.iter().map(|&(id, n)| (id.into(), n)).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn services_are_sorted_by_binary_and_host() {
        let binary = "cinder-scheduler".into();
        let scheduler = fixture::with(beating(3, "z", 0), |facts| facts.binary = binary);
        let services = vec![beating(1, "b", 0), scheduler, beating(2, "a", 0)];
        check(services, &[(3, 0), (2, 0), (1, 0)]);
    }

    #[test]
    fn the_freshest_row_of_a_name_is_shown_and_the_others_are_counted() {
        let unreadable = Service {
            stamp: Stamp::Unreadable,
            ..beating(4, "a", 0)
        };
        let never = Service {
            stamp: Stamp::Never,
            ..beating(5, "a", 0)
        };
        let other = beating(6, "b", 5);
        let [old, fresh, older] =
            [(1, 500), (2, 5), (3, 50)].map(|(id, age)| beating(id, "a", age));
        let rows = vec![unreadable, never, old, fresh, older, other];
        check(rows, &[(2, 4), (6, 0)]);
    }

    #[test]
    fn the_newest_of_two_equally_fresh_rows_is_shown() {
        check(vec![beating(1, "a", 5), beating(2, "a", 5)], &[(2, 1)]);
        check(vec![beating(2, "a", 5), beating(1, "a", 5)], &[(2, 1)]);
    }

    #[test]
    fn the_age_is_negative_when_the_host_is_ahead() {
        for (age, up) in [(5, true), (-75, false)] {
            let snapshot = fixture::snapshot(fixture::reading(vec![beating(1, "a", age)]));
            let status = &snapshot.services[0];
            assert_eq!(status.heartbeat_age, Some(TimeDelta::seconds(age)));
            assert_eq!(status.up, Some(up));
        }
    }

    /// Checks a cluster with these members: whether it is up, and its hosts and hosts that are down.
    fn check_cluster(members: Vec<Service>, expected: (Option<bool>, usize, usize)) {
        let join =
            |member| fixture::with(member, |facts| facts.cluster_name = Some("c@lvm".into()));
        let mut services: Vec<Service> = members.into_iter().map(join).collect();
        services.push(beating(9, "elsewhere", 5));
        let cluster = Cluster {
            binary: "cinder-volume".to_owned(),
            name: "c@lvm".to_owned(),
            disabled: false,
        };
        let snapshot = fixture::snapshot(Reading {
            clusters: vec![cluster],
            ..fixture::reading(services)
        });
        let status = &snapshot.clusters[0];
        let shown = (status.up, status.hosts, status.hosts_down);
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_cluster_is_up_while_one_member_is_up() {
        let members = vec![beating(1, "a", 5), beating(2, "b", 500)];
        check_cluster(members, (Some(true), 2, 1));
        check_cluster(vec![], (Some(false), 0, 0));
        // A member that never reported counts as a host, but not as down.
        check_cluster(vec![fixture::stamped(Stamp::Never)], (Some(false), 1, 0));
    }

    #[test]
    fn an_unreadable_member_leaves_a_cluster_unknown_unless_another_proves_it_up() {
        let unreadable = fixture::stamped(Stamp::Unreadable);
        check_cluster(vec![unreadable.clone()], (None, 1, 0));
        let members = vec![unreadable, beating(2, "b", 5)];
        check_cluster(members, (Some(true), 2, 0));
    }
}
