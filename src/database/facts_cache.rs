//! The facts of the last reading, reused while they do not change.
//!
//! Most of a row is unchanged from poll to poll. Reuse saves allocations and makes comparisons cheap.

use std::collections::HashSet;
use std::sync::Arc;

use crate::heartbeat::row_id::RowId;
use crate::heartbeat::service::{Facts, Service};

/// The facts and texts of the last reading on a connection.
#[derive(Debug, Default)]
pub(super) struct FactsCache {
    /// With the primary key, in its order.
    facts: Vec<(RowId, Arc<Facts>)>,
    /// Index of the last hit: rows mostly come in the same order.
    last: usize,
    /// Texts that occur in many rows.
    texts: HashSet<Arc<str>>,
}

impl FactsCache {
    /// Returns the number of services in the last reading.
    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    /// Returns the facts of a row: the cached value if they are unchanged.
    pub(super) fn reuse(&mut self, id: RowId, facts: &Facts<&str>) -> Arc<Facts> {
        let matches = |&(key, _): &(RowId, _)| key == id;
        let next = Some(self.last + 1).filter(|&next| self.facts.get(next).is_some_and(matches));
        let index = next.or_else(|| self.facts.binary_search_by_key(&id, |(key, _)| *key).ok());
        if let Some(index) = index {
            self.last = index;
            let known = &self.facts[index].1;
            if known.borrowed() == *facts {
                return known.clone();
            }
        }
        Arc::new(facts.to_shared(|text| self.shared(text)))
    }

    /// Returns a text shared by all rows that contain it.
    pub(super) fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    /// Replaces the content by this reading.
    pub(super) fn replace(&mut self, services: &[Service]) {
        let facts = services
            .iter()
            .map(|service| (service.id, service.facts.clone()));
        self.facts.clear();
        self.facts.extend(facts);
        self.facts.sort_unstable_by_key(|(id, _)| *id);
        self.last = 0;
        // Texts that change at every poll would accumulate: drop those that no row contains.
        if self.texts.len() > services.len() + 64 {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;

    #[test]
    fn unchanged_facts_are_the_same_value_in_any_order_of_rows() {
        let mut cache = FactsCache::default();
        let services: Vec<Service> = (1..=3)
            .map(|id| Service {
                id: id.into(),
                ..fixture::service("cinder-volume", &format!("block{id}"))
            })
            .collect();
        cache.replace(&services);
        for id in [3, 1, 2, 3] {
            let facts = services[usize::try_from(id).unwrap() - 1].facts.clone();
            assert!(Arc::ptr_eq(
                &cache.reuse(id.into(), &facts.borrowed()),
                &facts
            ));
        }
        let moved = Facts {
            availability_zone: Some("elsewhere"),
            ..services[0].facts.borrowed()
        };
        let reused = cache.reuse(1.into(), &moved);
        assert_eq!(reused.borrowed(), moved);
        // A new row with the facts of another.
        assert_eq!(cache.reuse(4.into(), &moved), reused);
        cache.replace(&[]);
        assert_eq!(cache.reuse(1.into(), &moved), reused);
    }
}
