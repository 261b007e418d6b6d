//! How a row of the statement becomes a value, the same for every engine.
//!
//! Rows are decoded one by one and column by column: one bad value never costs more than its own row. Most of a row
//! is the same from poll to poll, and what is the same is not made again.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::NaiveDateTime;
use futures_util::{Stream, TryStreamExt};
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::Error;
use super::statement::{CLOCK_ROW, CLUSTER_ROW, SERVICE_ROW};
use crate::heartbeat::service::{Cluster, Defect, Facts, Reading, Rejection, Service, Stamp};
use crate::heartbeat::skew::Quantum;
use crate::heartbeat::time::{DatabaseTime, HostTime};

// Positions in the statement of `Layout::statement`, in the order of `cinder::LAYOUT`.
const KIND: usize = 0;
const CLOCK: usize = 1;
const ID: usize = 2;
const BINARY: usize = 3;
const HOST: usize = 4;
const REPORT_COUNT: usize = 5;
const UPDATED_AT: usize = 6;
const CREATED_AT: usize = 7;
const DISABLED: usize = 8;
const TOPIC: usize = 9;
const DISABLED_REASON: usize = 10;
const FROZEN: usize = 11;
const AVAILABILITY_ZONE: usize = 12;
const CLUSTER_NAME: usize = 13;
const UUID: usize = 14;
const RPC_CURRENT_VERSION: usize = 15;
const OBJECT_CURRENT_VERSION: usize = 16;
const REPLICATION_STATUS: usize = 17;
const ACTIVE_BACKEND_ID: usize = 18;

const SERVICES: &str = "services";
const CLUSTERS: &str = "clusters";

/// How an engine's driver reads a time: the one kind of column that needs care in one of them.
pub(super) trait TimeColumn: Row {
    /// Returns the time in a column, `None` when it is NULL; anything that is no time is an error.
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error>;
}

/// A row of any engine: a name for bounds, implemented for everything that meets them.
pub(super) trait Decodable: TimeColumn {
    fn integer(&self, column: usize) -> Result<Option<i64>, sqlx::Error>;
    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error>;
    fn boolean(&self, column: usize) -> Result<Option<bool>, sqlx::Error>;
}

impl<R> Decodable for R
where
    R: TimeColumn,
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
{
    fn integer(&self, column: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error> {
        self.try_get(column)
    }

    fn boolean(&self, column: usize) -> Result<Option<bool>, sqlx::Error> {
        self.try_get(column)
    }
}

/// What was read last on a connection.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By primary key, in this order.
    facts: Vec<(i64, Arc<Facts>)>,
    /// Where the last one was found: rows mostly come in the same order.
    found: usize,
    /// Texts that stand in many rows.
    texts: HashSet<Arc<str>>,
}

impl Memory {
    /// Returns the facts of a row: the very ones that were last read of it, if they are the same.
    fn recall(&mut self, id: i64, facts: &Facts<&str>) -> Arc<Facts> {
        let is_next = |&(key, _): &(i64, _)| key == id;
        let next = Some(self.found + 1).filter(|&next| self.facts.get(next).is_some_and(is_next));
        let place = next.or_else(|| self.facts.binary_search_by_key(&id, |(key, _)| *key).ok());
        if let Some(place) = place {
            self.found = place;
            let known = &self.facts[place].1;
            if known.borrowed() == *facts {
                return known.clone();
            }
        }
        Arc::new(facts.to_shared(|text| self.shared(text)))
    }

    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    /// Remembers a reading instead of the one before.
    fn learn(&mut self, services: &[Service]) {
        let facts = services
            .iter()
            .map(|service| (service.id, service.facts.clone()));
        self.facts.clear();
        self.facts.extend(facts);
        self.facts.sort_unstable_by_key(|(id, _)| *id);
        self.found = 0;
        // Where rows say something of their own all the time, what no row says any more is forgotten.
        if self.texts.len() > services.len() + 64 {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
        }
    }
}

/// Reads the whole answer to one statement.
///
/// # Errors
/// The database's error, translated by `translate`, or [`Error::Clock`] when no row held the time.
pub(super) async fn collect<R, S>(
    mut rows: S,
    quantum: Quantum,
    memory: &mut Memory,
    translate: impl Fn(sqlx::Error) -> Error,
) -> Result<Reading, Error>
where
    R: Decodable,
    S: Stream<Item = Result<R, sqlx::Error>> + Unpin,
{
    let mut now = None;
    let mut services = Vec::with_capacity(memory.facts.len());
    let mut clusters = Vec::new();
    let mut rejected = Vec::new();
    let mut count = 0;
    while let Some(row) = rows.try_next().await.map_err(&translate)? {
        match row.integer(KIND) {
            Ok(Some(CLOCK_ROW)) => now = row.time(CLOCK).map_err(Error::Clock)?,
            Ok(Some(SERVICE_ROW)) => {
                count += 1;
                match service(&row, memory, &mut rejected) {
                    Ok(service) => services.push(service),
                    Err(defect) => rejected.push(rejection(SERVICES, defect, &row)),
                }
            }
            Ok(Some(CLUSTER_ROW)) => match cluster(&row) {
                Ok(cluster) => clusters.push(cluster),
                Err(defect) => rejected.push(rejection(CLUSTERS, defect, &row)),
            },
            Ok(_) => return Err(Error::Clock(sqlx::Error::RowNotFound)),
            Err(source) => return Err(Error::Clock(source)),
        }
    }
    let now = now.ok_or(Error::Clock(sqlx::Error::RowNotFound))?;
    memory.learn(&services);
    Ok(Reading {
        now: DatabaseTime(now),
        quantum,
        services,
        clusters,
        rejected,
        rows: count,
    })
}

fn rejection(table: &'static str, defect: Defect, row: &impl Decodable) -> Rejection {
    Rejection {
        table,
        defect,
        id: row.integer(ID).ok().flatten(),
    }
}

/// Decodes a row of `services`; an unreadable time is noted in `rejected` and costs that time alone.
fn service(
    row: &impl Decodable,
    memory: &mut Memory,
    rejected: &mut Vec<Rejection>,
) -> Result<Service, Defect> {
    let id = required(row.integer(ID))?;
    let updated_at = stamp(row, UPDATED_AT);
    let facts = Facts {
        binary: name(row, BINARY, Defect::NullBinary)?,
        host: name(row, HOST, Defect::NullHost)?,
        topic: optional(row.text(TOPIC)),
        created_at: stamp(row, CREATED_AT),
        frozen: optional(row.boolean(FROZEN)),
        availability_zone: optional(row.text(AVAILABILITY_ZONE)),
        cluster_name: optional(row.text(CLUSTER_NAME)),
        uuid: optional(row.text(UUID)),
        rpc_current_version: optional(row.text(RPC_CURRENT_VERSION)),
        object_current_version: optional(row.text(OBJECT_CURRENT_VERSION)),
        replication_status: optional(row.text(REPLICATION_STATUS)),
        active_backend_id: optional(row.text(ACTIVE_BACKEND_ID)),
    };
    let report_count = required(row.integer(REPORT_COUNT))?;
    let disabled = row
        .boolean(DISABLED)
        .map_err(|_| Defect::UnreadableColumn)?;
    if [updated_at, facts.created_at].contains(&Stamp::Unreadable) {
        rejected.push(rejection(SERVICES, Defect::UnreadableTime, row));
    }
    Ok(Service {
        id,
        report_count,
        updated_at,
        disabled: disabled.unwrap_or(false),
        disabled_reason: optional(row.text(DISABLED_REASON)).map(|text| memory.shared(text)),
        facts: memory.recall(id, &facts),
    })
}

fn cluster(row: &impl Decodable) -> Result<Cluster, Defect> {
    Ok(Cluster {
        binary: name(row, BINARY, Defect::NullBinary)?.to_owned(),
        name: name(row, HOST, Defect::NullHost)?.to_owned(),
        disabled: optional(row.boolean(DISABLED)).unwrap_or(false),
    })
}

fn name<R: Decodable>(row: &R, column: usize, null: Defect) -> Result<&str, Defect> {
    row.text(column)
        .map_err(|_| Defect::UnreadableColumn)?
        .ok_or(null)
}

fn required<T>(value: Result<Option<T>, sqlx::Error>) -> Result<T, Defect> {
    value.ok().flatten().ok_or(Defect::UnreadableColumn)
}

/// An optional value that can't be read counts as one that is not there.
fn optional<T>(value: Result<Option<T>, sqlx::Error>) -> Option<T> {
    value.ok().flatten()
}

fn stamp(row: &impl Decodable, column: usize) -> Stamp {
    match row.time(column) {
        Ok(Some(time)) => Stamp::At(HostTime(time)),
        Ok(None) => Stamp::Never,
        Err(_) => Stamp::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;
    use crate::project::cinder::LAYOUT;

    #[test]
    fn what_did_not_change_is_the_same_value_whatever_the_order_of_the_rows() {
        let mut memory = Memory::default();
        let services: Vec<Service> = (1..=3)
            .map(|id| Service {
                id,
                ..fixture::service("cinder-volume", &format!("block{id}"))
            })
            .collect();
        memory.learn(&services);
        for id in [3, 1, 2, 3] {
            let facts = services[usize::try_from(id).unwrap() - 1].facts.clone();
            assert!(Arc::ptr_eq(&memory.recall(id, &facts.borrowed()), &facts));
        }
        let moved = Facts {
            availability_zone: Some("elsewhere"),
            ..services[0].facts.borrowed()
        };
        let recalled = memory.recall(1, &moved);
        assert_eq!(recalled.borrowed(), moved);
        // A row that is new, with the facts of another.
        assert_eq!(memory.recall(4, &moved), recalled);
        memory.learn(&[]);
        assert_eq!(memory.recall(1, &moved), recalled);
    }

    #[test]
    fn positions_are_those_of_the_layout() {
        let names = [
            (ID, "id"),
            (BINARY, "binary"),
            (HOST, "host"),
            (REPORT_COUNT, "report_count"),
            (UPDATED_AT, "updated_at"),
            (CREATED_AT, "created_at"),
            (DISABLED, "disabled"),
            (TOPIC, "topic"),
            (DISABLED_REASON, "disabled_reason"),
            (FROZEN, "frozen"),
            (AVAILABILITY_ZONE, "availability_zone"),
            (CLUSTER_NAME, "cluster_name"),
            (UUID, "uuid"),
            (RPC_CURRENT_VERSION, "rpc_current_version"),
            (OBJECT_CURRENT_VERSION, "object_current_version"),
            (REPLICATION_STATUS, "replication_status"),
            (ACTIVE_BACKEND_ID, "active_backend_id"),
        ];
        assert_eq!(names.len(), LAYOUT.services.columns.len());
        for (position, name) in names {
            // The kind of row and the clock come before the columns.
            assert_eq!(LAYOUT.services.columns[position - 2].name, name);
        }
    }
}
