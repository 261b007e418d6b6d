//! Decodes the rows of the statement, for every engine.
//!
//! Rows are decoded one by one and column by column: a bad value loses at most its own row.

use chrono::{NaiveDateTime, TimeDelta};
use futures_util::{Stream, TryStreamExt};
use sqlx::{ColumnIndex, Decode, Row, Type};

use super::error::Error;
use super::facts_cache::FactsCache;
use super::statement::{CLOCK_ROW, CLUSTER_ROW, SERVER_ROW, SERVICE_ROW};
use crate::heartbeat::row_id::RowId;
use crate::heartbeat::service::{Cluster, Defect, Facts, Reading, Rejection, Service, Stamp};
use crate::heartbeat::skew::Quantum;
use crate::heartbeat::time::{DatabaseTime, HostTime};
use crate::project::table::{Constants, Role, Table};
use crate::project::{MOST_FACTS, Project};

// Positions in the statement: `statement::ROLES` follow the kind of the row and the clock.
const KIND: usize = 0;
const CLOCK: usize = 1;
const ID: usize = 2;
const BINARY: usize = 3;
const HOST: usize = 4;
const COUNT: usize = 5;
const STAMP: usize = 6;
const CREATED: usize = 7;
const DISABLED: usize = 8;
const DISABLED_REASON: usize = 9;
const FROZEN: usize = 10;
const ZONE: usize = 11;
const CLUSTER: usize = 12;
const UUID: usize = 13;
const SHOWN: usize = 14;
const FORCED: usize = 15;
const ONLINE: usize = 16;
const INTERVAL: usize = 17;
const INFO: usize = 18;

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
    project: &Project,
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
    let facts = project.info_labels().count();
    let decoder = Decoder::of(&project.services, facts);
    let servers = project.servers.as_ref();
    let servers = servers.map(|table| Decoder::of(table, 0));
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
        let kind = row.integer(KIND);
        match kind {
            Ok(Some(CLOCK_ROW)) => {
                now = row.time(CLOCK).map_err(Error::Clock)?;
                server = optional(row.text(HOST)).map(|text| cache.shared(text));
                read_only = optional(row.boolean(DISABLED)).unwrap_or_default();
                replayed = optional(row.time(CREATED)).filter(|_| read_only);
            }
            Ok(Some(SERVICE_ROW | SERVER_ROW)) => {
                count += 1;
                let is_server = matches!(kind, Ok(Some(SERVER_ROW)));
                let servers = servers.as_ref().filter(|_| is_server);
                let decoder = servers.unwrap_or(&decoder);
                match decoder.service(&row, cache, &mut rejected) {
                    Ok(service) => services.push(service),
                    Err(defect) => rejected.push(rejection(decoder.table, defect, &row)),
                }
            }
            Ok(Some(CLUSTER_ROW)) => match cluster(&row) {
                Ok(cluster) => clusters.push(cluster),
                Err(defect) => {
                    let table = project.clusters.as_ref();
                    let table = table.map_or(decoder.table, |table| table.name);
                    rejected.push(rejection(table, defect, &row));
                }
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
        id: id(row),
    }
}

/// What decoding a row of the table of services depends on.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each tells whether the project has a column"
)]
struct Decoder {
    table: &'static str,
    /// The program whose services have a backend.
    frozen_of: Option<&'static str>,
    /// Whether the project counts heartbeats.
    counts: bool,
    /// Whether an operator can disable a service.
    can_be_disabled: bool,
    /// Whether an operator can force a service down.
    can_be_forced: bool,
    /// Whether a service says goodbye.
    says_goodbye: bool,
    /// How many report intervals old a heartbeat may be.
    intervals_of_limit: Option<i32>,
    /// Interval and limit of all rows.
    constants: Option<(TimeDelta, TimeDelta)>,
    /// Number of facts.
    facts: usize,
}

impl Decoder {
    fn of(table: &Table, facts: usize) -> Self {
        let has = |role| table.column(role).is_some();
        let frozen = table.column(Role::Frozen(""));
        let seconds = |seconds: u32| TimeDelta::seconds(seconds.into());
        Self {
            table: table.name,
            frozen_of: frozen.and_then(|column| match column.role {
                Role::Frozen(binary) => Some(binary),
                _ => None,
            }),
            counts: has(Role::Count),
            can_be_disabled: has(Role::Disabled),
            can_be_forced: has(Role::Forced),
            says_goodbye: has(Role::Online),
            intervals_of_limit: table.intervals_of_limit(),
            constants: table.constants.map(
                |Constants {
                     report_interval,
                     service_down_time,
                 }| (seconds(report_interval), seconds(service_down_time)),
            ),
            facts,
        }
    }

    /// Decodes a row. An unreadable time is added to `rejected`, and the row is kept.
    fn service(
        &self,
        row: &impl Decodable,
        cache: &mut FactsCache,
        rejected: &mut Vec<Rejection>,
    ) -> Result<Service, Defect> {
        let id = id(row).ok_or(Defect::UnreadableColumn)?;
        let stamp = time(row, STAMP);
        let binary = name(row, BINARY, Defect::NullBinary)?;
        let mut info = [None; MOST_FACTS];
        for (fact, column) in info.iter_mut().take(self.facts).zip(INFO..) {
            *fact = optional(row.text(column));
        }
        let interval = optional(row.integer(INTERVAL)).and_then(|it| i32::try_from(it).ok());
        let seconds = |seconds: i32| TimeDelta::seconds(seconds.into());
        let report_interval = interval.map(seconds);
        let limit = report_interval
            .zip(self.intervals_of_limit)
            .map(|(interval, times)| interval * times);
        let facts = Facts {
            binary,
            host: name(row, HOST, Defect::NullHost)?,
            created: time(row, CREATED),
            report_interval: report_interval.or(self.constants.map(|(interval, _)| interval)),
            service_down_time: limit.or(self.constants.map(|(_, limit)| limit)),
            frozen: optional(row.boolean(FROZEN)).filter(|_| self.frozen_of == Some(binary)),
            availability_zone: optional(row.text(ZONE)),
            cluster_name: optional(row.text(CLUSTER)),
            uuid: optional(row.text(UUID)),
            info,
        };
        let count = self.counts.then(|| required(row.integer(COUNT)));
        let heartbeats = count.transpose()?;
        let boolean = |column| {
            row.boolean(column)
                .map_err(|_| Defect::UnreadableColumn)
                .map(Option::unwrap_or_default)
        };
        let (disabled, forced_down) = (boolean(DISABLED)?, boolean(FORCED)?);
        let is_online = boolean(ONLINE)?;
        if [stamp, facts.created].contains(&Stamp::Unreadable) {
            rejected.push(rejection(self.table, Defect::UnreadableTime, row));
        }
        Ok(Service {
            id,
            heartbeats,
            stamp,
            disabled: self.can_be_disabled.then_some(disabled),
            forced_down: self.can_be_forced.then_some(forced_down),
            has_left: self.says_goodbye && !is_online,
            disabled_reason: optional(row.text(DISABLED_REASON)).map(|text| cache.shared(text)),
            shown: optional(row.text(SHOWN)).map(|text| cache.shared(text)),
            facts: cache.reuse(id, &facts),
        })
    }
}

fn cluster(row: &impl Decodable) -> Result<Cluster, Defect> {
    Ok(Cluster {
        binary: name(row, BINARY, Defect::NullBinary)?.to_owned(),
        name: name(row, HOST, Defect::NullHost)?.to_owned(),
        disabled: optional(row.boolean(DISABLED)).unwrap_or(false),
    })
}

/// Returns the primary key, which the statement casts to text.
fn id(row: &impl Decodable) -> Option<RowId> {
    optional(row.text(ID)).and_then(RowId::parse)
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

fn time(row: &impl Decodable, column: usize) -> Stamp {
    match row.time(column) {
        Ok(Some(time)) => Stamp::At(HostTime(time)),
        Ok(None) => Stamp::Never,
        Err(_) => Stamp::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::statement::ROLES;

    #[test]
    fn positions_are_those_of_the_roles() {
        macro_rules! named {
            ($($position:ident)*) => { [$((stringify!($position), $position)),*] };
        }
        let positions = named![
            ID BINARY HOST COUNT STAMP CREATED DISABLED DISABLED_REASON FROZEN ZONE CLUSTER UUID SHOWN FORCED ONLINE INTERVAL
        ];
        for ((name, position), (expected, role)) in positions.into_iter().zip((2..).zip(ROLES)) {
            assert_eq!(position, expected);
            let role = format!("{role:?}").to_uppercase();
            let role = role.split('(').next().unwrap();
            assert_eq!(name.replace('_', ""), role);
        }
        assert_eq!(INFO, ROLES.len() + 2);
    }
}
