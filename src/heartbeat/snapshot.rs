//! The snapshot published after each poll: every service with Cinder's verdicts, at one time of the database.
//!
//! A published snapshot is never changed. Each poll creates a new one.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::liveness::{self, Intervals};
use super::reference::{self, Reference};
use super::service::{Cluster, Defect, Rejection, Service, Stamp};
use super::status::{ClusterStatus, ObservedService, ServiceStatus};
use super::time::{DatabaseTime, HostTime, apparent_age};

/// All services and clusters at one time of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The database's clock when the rows were read: "now" for every verdict and age in the snapshot.
    pub now: DatabaseTime,
    /// The options behind the verdicts.
    pub intervals: Intervals,
    /// One status for each binary and host, sorted by binary, then host.
    pub services: Vec<ServiceStatus>,
    /// One status for each cluster, sorted by binary, then name.
    pub clusters: Vec<ClusterStatus>,
    /// Number of rows of `services` that are not deleted, unreadable rows included.
    pub rows: usize,
    /// Rows that could not be read, or not in full; sorted.
    pub rejected: Vec<Rejection>,
    /// Whether the database's clock is more likely off than the hosts', see [`reference::is_suspect`].
    pub reference_clock_suspect: bool,
    /// Jump of the database's clock since the last reading, if any; positive is forward.
    pub clock_jump: Option<TimeDelta>,
    /// Jump of the database's clock since hosts last confirmed it, see [`Reference`].
    pub unconfirmed_jump: Option<TimeDelta>,
}

/// The rows of one reading. Rows of services come with what was learnt about them.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Sorted by [name](super::service::Facts::name).
    pub services: Vec<ObservedService>,
    /// In any order.
    pub clusters: Vec<Cluster>,
    /// In any order.
    pub rejected: Vec<Rejection>,
    /// Number of rows of `services` that are not deleted, unreadable rows included.
    pub count: usize,
}

impl Snapshot {
    /// Returns the verdicts on one reading, by the database's clock.
    pub(crate) fn new(rows: Rows, reference: Reference, intervals: Intervals) -> Self {
        let Rows {
            services,
            clusters,
            mut rejected,
            count,
        } = rows;
        rejected.sort_unstable();
        let clusters = cluster_statuses(clusters, &services, reference, &intervals);
        let services = service_statuses(services, reference, &intervals);
        Self {
            now: reference.now,
            intervals,
            rows: count,
            reference_clock_suspect: reference::is_suspect(&services),
            clock_jump: reference.jump,
            unconfirmed_jump: reference.unconfirmed_jump,
            clusters,
            services,
            rejected,
        }
    }

    /// Returns the number of services that are not shown because their rows are unreadable.
    pub(crate) fn hidden(&self) -> usize {
        let duplicates: usize = self.services.iter().map(|status| status.duplicates).sum();
        self.rows.saturating_sub(self.services.len() + duplicates)
    }

    /// Returns how many rows have a defect.
    pub(crate) fn rejected_with(&self, defect: Defect) -> usize {
        self.rejected
            .iter()
            .filter(|row| row.defect == defect)
            .count()
    }
}

/// Keeps the freshest row of each name.
///
/// Between equally fresh rows the highest primary key decides, so the choice is stable.
fn service_statuses(
    mut services: Vec<ObservedService>,
    reference: Reference,
    intervals: &Intervals,
) -> Vec<ServiceStatus> {
    let mut statuses = Vec::with_capacity(services.len());
    let same =
        |a: &ObservedService, b: &ObservedService| a.service.facts.name() == b.service.facts.name();
    for rows in services.chunk_by_mut(same) {
        let duplicates = rows.len() - 1;
        let freshest = rows
            .iter_mut()
            .max_by_key(|row| (freshness(&row.service), row.service.id));
        if let Some(row) = freshest {
            statuses.push(service_status(
                row.clone(),
                duplicates,
                reference,
                intervals,
            ));
        }
    }
    statuses
}

/// Returns the sort key of a row: a time is fresher than no time, and an unreadable time is the least fresh.
fn freshness(service: &Service) -> (u8, Option<HostTime>) {
    match service.last_heartbeat() {
        Stamp::At(stamp) => (2, Some(stamp)),
        Stamp::Never => (1, None),
        Stamp::Unreadable => (0, None),
    }
}

fn service_status(
    row: ObservedService,
    duplicates: usize,
    reference: Reference,
    intervals: &Intervals,
) -> ServiceStatus {
    let ObservedService {
        service,
        mut observed,
    } = row;
    let last_heartbeat = match service.last_heartbeat() {
        Stamp::At(stamp) => Some(stamp),
        Stamp::Never | Stamp::Unreadable => None,
    };
    let up = reference.verdict(|now| liveness::is_up(&service, now, intervals));
    let up_for_scheduler =
        reference.verdict(|now| liveness::is_up_for_scheduler(&service, now, intervals));
    if up.is_none() {
        // A reason explains a verdict, and there is no verdict.
        observed.reason = None;
    }
    ServiceStatus {
        up,
        up_for_scheduler,
        last_heartbeat,
        heartbeat_age: last_heartbeat.map(|stamp| apparent_age(reference.now, stamp)),
        duplicates,
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
    services: &[ObservedService],
    reference: Reference,
    intervals: &Intervals,
) -> Vec<ClusterStatus> {
    clusters.sort_unstable_by(|a, b| (&a.binary, &a.name).cmp(&(&b.binary, &b.name)));
    // Cinder joins members by the cluster's name alone (cinder/db/models.py), not by the binary.
    let mut members: HashMap<&str, Members> = HashMap::new();
    for ObservedService { service, .. } in services {
        let Some(name) = service.facts.cluster_name.as_deref() else {
            continue;
        };
        let cluster = members.entry(name).or_default();
        cluster.hosts += 1;
        match reference.verdict(|now| liveness::is_member_down(service, now, intervals)) {
            Some(down) => cluster.hosts_down += usize::from(down),
            None => cluster.unknown = true,
        }
        if let Stamp::At(stamp) = service.updated_at {
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
    use crate::heartbeat::service::Reading;

    /// A service whose last heartbeat is `age` seconds old.
    fn beating(id: i64, host: &str, age: i64) -> Service {
        let stamp = HostTime(now().0 - TimeDelta::seconds(age));
        Service {
            id,
            updated_at: Stamp::At(stamp),
            ..fixture::service("cinder-volume", host)
        }
    }

    fn now() -> DatabaseTime {
        fixture::now("2026-03-30 00:54:14")
    }

    fn snapshot(services: Vec<Service>, clusters: Vec<Cluster>) -> Snapshot {
        fixture::snapshot(Reading {
            clusters,
            ..fixture::reading(services)
        })
    }

    fn member(cluster: &str, service: Service) -> Service {
        fixture::with(service, |facts| facts.cluster_name = Some(cluster.into()))
    }

    fn cluster(name: &str) -> Cluster {
        Cluster {
            binary: "cinder-volume".to_owned(),
            name: name.to_owned(),
            disabled: false,
        }
    }

    #[test]
    fn services_are_sorted_by_binary_and_host() {
        let binary = "cinder-scheduler".into();
        let scheduler = fixture::with(beating(3, "z", 0), |facts| facts.binary = binary);
        let snapshot = snapshot(
            vec![beating(1, "b", 0), scheduler, beating(2, "a", 0)],
            vec![],
        );
        let ids: Vec<i64> = snapshot.services.iter().map(|s| s.service.id).collect();
        assert_eq!(ids, [3, 2, 1]);
    }

    #[test]
    fn the_freshest_row_of_a_name_is_shown_and_the_others_are_counted() {
        let unreadable = Service {
            id: 4,
            updated_at: Stamp::Unreadable,
            ..fixture::service("cinder-volume", "a")
        };
        let never = Service {
            id: 5,
            ..fixture::service("cinder-volume", "a")
        };
        let snapshot = snapshot(
            vec![
                unreadable,
                never,
                beating(1, "a", 500),
                beating(2, "a", 5),
                beating(3, "a", 50),
                beating(6, "b", 5),
            ],
            vec![],
        );
        let shown: Vec<(i64, usize)> = snapshot
            .services
            .iter()
            .map(|s| (s.service.id, s.duplicates))
            .collect();
        assert_eq!(shown, [(2, 4), (6, 0)]);
        assert_eq!(snapshot.services[0].up, Some(true));
    }

    #[test]
    fn the_newest_of_two_equally_fresh_rows_is_shown() {
        for rows in [
            vec![beating(1, "a", 5), beating(2, "a", 5)],
            vec![beating(2, "a", 5), beating(1, "a", 5)],
        ] {
            assert_eq!(snapshot(rows, vec![]).services[0].service.id, 2);
        }
    }

    #[test]
    fn the_age_is_negative_when_the_host_is_ahead() {
        let snapshot = snapshot(vec![beating(1, "a", -75)], vec![]);
        assert_eq!(
            snapshot.services[0].heartbeat_age,
            Some(TimeDelta::seconds(-75))
        );
    }

    #[test]
    fn a_cluster_is_up_while_one_member_is_up() {
        let snapshot = snapshot(
            vec![
                member("c@lvm", beating(1, "a", 5)),
                member("c@lvm", beating(2, "b", 500)),
                beating(3, "c", 5),
            ],
            vec![cluster("c@lvm")],
        );
        let status = &snapshot.clusters[0];
        assert_eq!(
            (status.up, status.hosts, status.hosts_down),
            (Some(true), 2, 1)
        );
    }

    #[test]
    fn a_cluster_without_members_is_down() {
        let snapshot = snapshot(vec![], vec![cluster("c@lvm")]);
        let status = &snapshot.clusters[0];
        assert_eq!(
            (status.up, status.hosts, status.hosts_down),
            (Some(false), 0, 0)
        );
    }

    #[test]
    fn a_member_that_never_reported_counts_as_a_host_but_not_as_down() {
        let never = member("c@lvm", fixture::service("cinder-volume", "a"));
        let snapshot = snapshot(vec![never], vec![cluster("c@lvm")]);
        let status = &snapshot.clusters[0];
        assert_eq!(
            (status.up, status.hosts, status.hosts_down),
            (Some(false), 1, 0)
        );
    }

    #[test]
    fn an_unreadable_member_leaves_a_cluster_unknown_unless_another_proves_it_up() {
        let unreadable = || Service {
            updated_at: Stamp::Unreadable,
            ..member("c@lvm", fixture::service("cinder-volume", "a"))
        };
        let unknown = snapshot(vec![unreadable()], vec![cluster("c@lvm")]);
        assert_eq!(unknown.clusters[0].up, None);
        let proven = snapshot(
            vec![unreadable(), member("c@lvm", beating(2, "b", 5))],
            vec![cluster("c@lvm")],
        );
        assert_eq!(proven.clusters[0].up, Some(true));
    }
}
