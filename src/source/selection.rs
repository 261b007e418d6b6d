//! Which services of a source count: those that no pattern excludes, up to a limit.

use crate::config::pattern::Pattern;
use crate::heartbeat::row_id::RowId;
use crate::heartbeat::service::{Reading, Rejection, Service};

/// Chooses services. What it leaves out is as if it were not in the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// The services to leave out.
    pub exclude: Vec<Pattern>,
    /// The largest number of services.
    pub limit: usize,
}

impl Selection {
    /// Removes the services that do not count, and their defects. Returns the number of those above the limit.
    pub(crate) fn apply(&self, reading: &mut Reading) -> usize {
        let services = &mut reading.services;
        let found = services.len();
        let is_excluded = |service: &Service| {
            let (binary, host) = (&service.facts.binary, &service.facts.host);
            self.exclude.iter().any(|it| it.includes(binary, host))
        };
        let mut removed: Vec<RowId> = Vec::new();
        if !self.exclude.is_empty() {
            let excluded = services.extract_if(.., |service| is_excluded(service));
            removed.extend(excluded.map(|service| service.id));
        }
        let surplus = services.len().saturating_sub(self.limit);
        if surplus > 0 {
            // The database's order may differ from poll to poll. New rows, whatever their ids, must not displace those that are known.
            services.sort_by_key(|service| (service.facts.created.time(), service.id));
            removed.extend(services.drain(self.limit..).map(|service| service.id));
        }
        reading.rows -= found - services.len();
        let is_removed = |row: &Rejection| row.id.is_some_and(|id| removed.contains(&id));
        reading.rejected.retain(|row| !is_removed(row));
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::service::Defect;

    fn unreadable_time(id: i64) -> Rejection {
        Rejection {
            table: "services",
            defect: Defect::UnreadableTime,
            id: Some(id.into()),
        }
    }

    /// Checks the hosts that remain of four, and the number of those above the limit.
    #[track_caller]
    fn check(exclude: &[&str], limit: usize, hosts: &str, surplus: usize) {
        let services: Vec<Service> = [(7, "d"), (1, "a"), (5, "c"), (3, "b")]
            .map(|(id, host)| Service {
                id: id.into(),
                ..fixture::service("cinder-volume", host)
            })
            .into();
        let patterns = exclude.iter().map(|text| Pattern::parse(text).unwrap());
        let selection = Selection {
            exclude: patterns.collect(),
            limit,
        };
        let mut reading = fixture::reading(services);
        reading.rejected = [1, 3, 5, 7].map(unreadable_time).into();
        assert_eq!(selection.apply(&mut reading), surplus, "{exclude:?}");
        let left = reading.services.iter();
        let left: String = left.map(|it| &*it.facts.host).collect();
        assert_eq!(left, hosts, "{exclude:?} {limit}");
        let counts = (reading.rows, reading.rejected.len());
        assert_eq!(counts, (hosts.len(), hosts.len()));
    }

    #[test]
    fn excluded_services_are_removed_and_do_not_count_towards_the_limit() {
        check(&[], 4, "dacb", 0);
        check(&["a", "cinder-volume/c"], 2, "db", 0);
        check(&["*-volume"], 2, "", 0);
        check(&["*-backup"], 4, "dacb", 0);
    }

    #[test]
    fn the_oldest_services_stay_below_the_limit() {
        check(&[], 3, "abc", 1);
        check(&["a"], 1, "b", 2);
    }
}
