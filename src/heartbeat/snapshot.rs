//! The picture published after each poll: every service with Cinder's verdicts, at one time of the database.
//!
//! A published snapshot is never changed. Each poll makes a new one.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::cause::Reason;
use super::liveness::{self, Intervals};
use super::reference::{self, Reference};
use super::service::{
    Cluster, DatabaseTime, Defect, HostTime, Reading, Rejection, Service, Stamp, apparent_age,
};
use super::skew::ClockSkew;

/// What is known of all services at one time of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The database's clock when the rows were read: "now" for everything in here.
    pub now: DatabaseTime,
    /// The options that the verdicts were made with.
    pub intervals: Intervals,
    /// One status for each (binary, host), in this order.
    pub services: Vec<ServiceStatus>,
    /// One status for each cluster, by binary and name.
    pub clusters: Vec<ClusterStatus>,
    /// Rows of `services` that are not deleted, the unreadable ones included.
    pub rows: usize,
    /// What could not be read, sorted.
    pub rejected: Vec<Rejection>,
    /// Whether it is rather the database's clock that is off, see [`reference::is_suspect`].
    pub reference_clock_suspect: bool,
    /// By how much the database's clock jumped since the last reading, if it did; positive: forward.
    pub clock_jump: Option<TimeDelta>,
    /// By how much it jumped since hosts last confirmed it, see [`Reference`].
    pub unconfirmed_jump: Option<TimeDelta>,
}

/// What was learnt of a row over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Skew of the host's clock against the database's; `None` while nothing is known, or no longer.
    pub clock_skew: Option<ClockSkew>,
    /// Times the clock was seen to be set; `None` for a row that was never observed.
    pub clock_steps: Option<u64>,
    /// Times a heartbeat contradicted the bounds though it came in time: an assumption does not hold; `None` as
    /// above.
    pub clock_conflicts: Option<u64>,
    /// Mean interval between heartbeats on the host's clock.
    pub report_interval: Option<TimeDelta>,
    /// Number of processes that write the row; `None` while one explains what is seen.
    pub writers: Option<u32>,
    /// How long ago, at least, the last heartbeat was stamped; `None` for a row that was never observed.
    pub silence_least: Option<TimeDelta>,
    /// How long ago at most; `None` until a heartbeat was observed.
    pub silence_most: Option<TimeDelta>,
    /// Why the service is down, see [`cause::reason`](super::cause::reason).
    pub reason: Option<Reason>,
}

/// A service and what Cinder thinks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// The row, the freshest one where several share binary and host.
    pub service: Service,
    /// As the API lists it, see [`liveness::is_up`] and [`Reference::verdict`].
    pub up: Option<bool>,
    /// As the scheduler sees it, see [`liveness::is_up_for_scheduler`] and [`Reference::verdict`].
    pub up_for_scheduler: Option<bool>,
    /// `updated_at or created_at` by the service host's clock; `None` when both are NULL or it is unreadable.
    pub last_heartbeat: Option<HostTime>,
    /// The database's time less `last_heartbeat`: apparent, negative when the host is ahead.
    pub heartbeat_age: Option<TimeDelta>,
    /// Rows beyond the first with the same binary and host.
    pub duplicates: usize,
    /// What was learnt of the row over time.
    pub observed: Observed,
}

/// A cluster and what Cinder thinks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The row.
    pub cluster: Cluster,
    /// As the API lists it, see [`liveness::is_cluster_up`]; `None` when no member's time proves it up and one
    /// is unreadable, or in doubt, see [`Reference::verdict`].
    pub up: Option<bool>,
    /// Members, whatever their binary, as `Cluster.num_hosts` counts them.
    pub hosts: usize,
    /// Members counted as down, see [`liveness::is_member_down`].
    pub hosts_down: usize,
}

impl Snapshot {
    /// Returns the picture that one reading gives, along with what was learnt of each of its services, and their
    /// [`order`].
    #[must_use]
    pub(crate) fn new(
        reading: Reading,
        intervals: Intervals,
        observed: Vec<Observed>,
        order: &[u32],
        clock_jump: Option<TimeDelta>,
        unconfirmed_jump: Option<TimeDelta>,
    ) -> Self {
        let Reading {
            now,
            quantum: _,
            services,
            clusters,
            mut rejected,
            rows,
        } = reading;
        rejected.sort_unstable();
        let reference = Reference {
            now,
            unconfirmed_jump,
        };
        let clusters = cluster_statuses(clusters, &services, reference, &intervals);
        let services = service_statuses(&services, observed, order, reference, &intervals);
        Self {
            now,
            intervals,
            rows,
            reference_clock_suspect: reference::is_suspect(&services),
            clock_jump,
            unconfirmed_jump,
            clusters,
            services,
            rejected,
        }
    }

    /// Returns the number of rows of `services` that can't be read and so stand for services that are not shown.
    #[must_use]
    pub(crate) fn hidden(&self) -> usize {
        let duplicates: usize = self.services.iter().map(|status| status.duplicates).sum();
        self.rows.saturating_sub(self.services.len() + duplicates)
    }

    /// Returns how many rows have a defect.
    #[must_use]
    pub(crate) fn rejected_with(&self, defect: Defect) -> usize {
        self.rejected
            .iter()
            .filter(|row| row.defect == defect)
            .count()
    }
}

/// Returns the places of services in the order of their names.
#[must_use]
pub(crate) fn order(services: &[Service]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(services.len()).collect();
    let name = |&place: &u32| services[place as usize].facts.name();
    order.sort_by(|a, b| name(a).cmp(&name(b)));
    order
}

fn service_statuses(
    services: &[Service],
    mut observed: Vec<Observed>,
    order: &[u32],
    reference: Reference,
    intervals: &Intervals,
) -> Vec<ServiceStatus> {
    let mut statuses: Vec<ServiceStatus> = Vec::with_capacity(services.len());
    let places = order.iter().map(|&place| place as usize);
    let same = |&a: &usize, &b: &usize| services[a].facts.name() == services[b].facts.name();
    let places: Vec<usize> = places.collect();
    for rows in places.chunk_by(same) {
        // The freshest row of a name is shown; of two equally fresh the younger, so that the choice is stable.
        let freshest = rows
            .iter()
            .max_by_key(|&&place| (freshness(&services[place]), services[place].id));
        let Some(&place) = freshest else { continue };
        let observed = std::mem::take(&mut observed[place]);
        let service = services[place].clone();
        statuses.push(ServiceStatus {
            duplicates: rows.len() - 1,
            ..service_status(service, observed, reference, intervals)
        });
    }
    statuses
}

/// Orders rows of one name: any time is fresher than none, and an unreadable one is last.
fn freshness(service: &Service) -> (u8, Option<HostTime>) {
    match service.last_heartbeat() {
        Stamp::At(stamp) => (2, Some(stamp)),
        Stamp::Never => (1, None),
        Stamp::Unreadable => (0, None),
    }
}

fn service_status(
    service: Service,
    mut observed: Observed,
    reference: Reference,
    intervals: &Intervals,
) -> ServiceStatus {
    let last_heartbeat = match service.last_heartbeat() {
        Stamp::At(stamp) => Some(stamp),
        Stamp::Never | Stamp::Unreadable => None,
    };
    let up = reference.verdict(|now| liveness::is_up(&service, now, intervals));
    let up_for_scheduler =
        reference.verdict(|now| liveness::is_up_for_scheduler(&service, now, intervals));
    if up.is_none() {
        // There is no reason for what is not known.
        observed.reason = None;
    }
    ServiceStatus {
        up,
        up_for_scheduler,
        last_heartbeat,
        heartbeat_age: last_heartbeat.map(|stamp| apparent_age(reference.now, stamp)),
        duplicates: 0,
        observed,
        service,
    }
}

/// What the members of one cluster say.
#[derive(Default)]
struct Members {
    hosts: usize,
    hosts_down: usize,
    latest: Option<HostTime>,
    unknown: bool,
}

fn cluster_statuses(
    mut clusters: Vec<Cluster>,
    services: &[Service],
    reference: Reference,
    intervals: &Intervals,
) -> Vec<ClusterStatus> {
    clusters.sort_unstable_by(|a, b| (&a.binary, &a.name).cmp(&(&b.binary, &b.name)));
    // Cinder joins members by the cluster's name alone (cinder/db/models.py), not by the binary.
    let mut members: HashMap<&str, Members> = HashMap::new();
    for service in services {
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
    let nobody = Members::default();
    clusters
        .into_iter()
        .map(|cluster| {
            let members = members.get(cluster.name.as_str()).unwrap_or(&nobody);
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

    /// A service whose heartbeat is so many seconds old.
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
        let rendered = snapshot(
            vec![beating(1, "b", 0), scheduler, beating(2, "a", 0)],
            vec![],
        );
        let ids: Vec<i64> = rendered.services.iter().map(|s| s.service.id).collect();
        assert_eq!(ids, [3, 2, 1]);
    }

    #[test]
    fn of_rows_with_one_name_the_freshest_is_shown_and_the_others_counted() {
        let unreadable = Service {
            id: 4,
            updated_at: Stamp::Unreadable,
            ..fixture::service("cinder-volume", "a")
        };
        let never = Service {
            id: 5,
            ..fixture::service("cinder-volume", "a")
        };
        let rendered = snapshot(
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
        let shown: Vec<(i64, usize)> = rendered
            .services
            .iter()
            .map(|s| (s.service.id, s.duplicates))
            .collect();
        assert_eq!(shown, [(2, 4), (6, 0)]);
        assert_eq!(rendered.services[0].up, Some(true));
    }

    #[test]
    fn of_two_equally_fresh_rows_the_younger_is_shown() {
        for rows in [
            vec![beating(1, "a", 5), beating(2, "a", 5)],
            vec![beating(2, "a", 5), beating(1, "a", 5)],
        ] {
            assert_eq!(snapshot(rows, vec![]).services[0].service.id, 2);
        }
    }

    #[test]
    fn the_age_is_negative_when_the_host_is_ahead() {
        let rendered = snapshot(vec![beating(1, "a", -75)], vec![]);
        assert_eq!(
            rendered.services[0].heartbeat_age,
            Some(TimeDelta::seconds(-75))
        );
    }

    #[test]
    fn a_cluster_is_up_while_one_member_is() {
        let rendered = snapshot(
            vec![
                member("c@lvm", beating(1, "a", 5)),
                member("c@lvm", beating(2, "b", 500)),
                beating(3, "c", 5),
            ],
            vec![cluster("c@lvm")],
        );
        let status = &rendered.clusters[0];
        assert_eq!(
            (status.up, status.hosts, status.hosts_down),
            (Some(true), 2, 1)
        );
    }

    #[test]
    fn a_cluster_without_members_is_down() {
        let rendered = snapshot(vec![], vec![cluster("c@lvm")]);
        let status = &rendered.clusters[0];
        assert_eq!(
            (status.up, status.hosts, status.hosts_down),
            (Some(false), 0, 0)
        );
    }

    #[test]
    fn a_member_that_never_reported_counts_as_a_host_and_not_as_down() {
        let never = member("c@lvm", fixture::service("cinder-volume", "a"));
        let rendered = snapshot(vec![never], vec![cluster("c@lvm")]);
        let status = &rendered.clusters[0];
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
        let alone = snapshot(vec![unreadable()], vec![cluster("c@lvm")]);
        assert_eq!(alone.clusters[0].up, None);
        let proven = snapshot(
            vec![unreadable(), member("c@lvm", beating(2, "b", 5))],
            vec![cluster("c@lvm")],
        );
        assert_eq!(proven.clusters[0].up, Some(true));
    }
}
