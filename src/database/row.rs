//! Decodes the rows of the statement, for every engine.
//!
//! Rows are decoded one by one and column by column: a bad value loses at most its own row.

use chrono::NaiveDateTime;
use futures_util::{Stream, TryStreamExt};
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::error::Error;
use super::facts_cache::FactsCache;
use super::statement::{CLOCK_ROW, CLUSTER_ROW, SERVICE_ROW};
use crate::heartbeat::service::{Cluster, Defect, Facts, Reading, Rejection, Service, Stamp};
use crate::heartbeat::skew::Quantum;
use crate::heartbeat::time::{DatabaseTime, HostTime};

// Positions in the statement of `Project::statement`, in the order of `cinder::PROJECT`.
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

/// A row of one engine.
pub(super) trait EngineRow: Row {
    /// Returns whether a value that the driver reads as a NULL time is MySQL's `0000-00-00 00:00:00`.
    fn is_zero_date(&self, _column: usize) -> Result<bool, sqlx::Error> {
        Ok(false)
    }
}

/// A row of any engine; implemented for all types that meet the bounds.
pub(super) trait Decodable: EngineRow {
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error>;
    fn integer(&self, column: usize) -> Result<Option<i64>, sqlx::Error>;
    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error>;
    fn boolean(&self, column: usize) -> Result<Option<bool>, sqlx::Error>;
}

impl<R> Decodable for R
where
    R: EngineRow,
    usize: ColumnIndex<R>,
    for<'r> NaiveDateTime: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
{
    /// Returns an error for any value that is neither a time nor NULL, such as PostgreSQL's `infinity` and years BC.
    fn time(&self, column: usize) -> Result<Option<NaiveDateTime>, sqlx::Error> {
        if self.is_zero_date(column)? {
            return Err(sqlx::Error::Decode("a zero date".into()));
        }
        self.try_get(column)
    }

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

/// Reads the whole answer to one statement.
///
/// # Errors
/// The driver's error, translated by `translate`, or [`Error::Clock`] if no row contains the time.
pub(super) async fn collect<R, S>(
    mut rows: S,
    quantum: Quantum,
    cache: &mut FactsCache,
    translate: impl Fn(sqlx::Error) -> Error,
) -> Result<Reading, Error>
where
    R: Decodable,
    S: Stream<Item = Result<R, sqlx::Error>> + Unpin,
{
    let (mut now, mut server, mut read_only, mut replayed) = (None, None, false, None);
    let mut services = Vec::with_capacity(cache.len());
    let mut clusters = Vec::new();
    let mut rejected = Vec::new();
    let mut count = 0;
    let mut begun = false;
    while let Some(row) = rows
        .try_next()
        .await
        .map_err(|error| match translate(error) {
            Error::Lost(login, source) if begun => Error::Torn(login, source),
            error => error,
        })?
    {
        begun = true;
        match row.integer(KIND) {
            Ok(Some(CLOCK_ROW)) => {
                now = row.time(CLOCK).map_err(Error::Clock)?;
                server = optional(row.text(HOST)).map(|text| cache.shared(text));
                read_only = optional(row.boolean(DISABLED)).unwrap_or_default();
                replayed = optional(row.time(CREATED_AT)).filter(|_| read_only);
            }
            Ok(Some(SERVICE_ROW)) => {
                count += 1;
                match service(&row, cache, &mut rejected) {
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
    cache.replace(&services);
    Ok(Reading {
        now: DatabaseTime(now),
        server,
        read_only,
        replayed: replayed.map(DatabaseTime),
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

/// Decodes a row of `services`. An unreadable time is added to `rejected`, and the row is kept.
fn service(
    row: &impl Decodable,
    cache: &mut FactsCache,
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
        disabled: Some(disabled.unwrap_or(false)),
        disabled_reason: optional(row.text(DISABLED_REASON)).map(|text| cache.shared(text)),
        facts: cache.reuse(id, &facts),
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

/// Returns an optional value; an unreadable one counts as NULL.
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
    use crate::project::cinder::PROJECT;

    #[test]
    fn positions_are_those_of_the_project() {
        macro_rules! named {
            ($($position:ident)*) => { [$((stringify!($position), $position)),*] };
        }
        let positions = named![
            ID BINARY HOST REPORT_COUNT UPDATED_AT CREATED_AT DISABLED TOPIC DISABLED_REASON FROZEN AVAILABILITY_ZONE
            CLUSTER_NAME UUID RPC_CURRENT_VERSION OBJECT_CURRENT_VERSION REPLICATION_STATUS ACTIVE_BACKEND_ID
        ];
        assert_eq!(positions.len(), PROJECT.services.columns.len());
        for (name, position) in positions {
            // The kind of row and the clock come before the columns.
            let column = &PROJECT.services.columns[position - 2];
            assert_eq!(column.name, name.to_lowercase());
        }
    }
}
