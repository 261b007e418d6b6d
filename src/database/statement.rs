//! The statement that reads a project's tables, in each dialect of SQL.
//!
//! One statement reads three kinds of rows at one moment: services, the database's clock, and clusters. Each row
//! names its kind, because a `UNION ALL` has no defined order. The clock has its own row: it is sent once, and an
//! empty table still has a time.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::heartbeat::skew::Quantum;
use crate::project::Project;
use crate::project::table::{ColumnKind, Table};

/// What a new connection found.
#[derive(Debug)]
pub(super) struct Schema {
    pub readable: Readable,
    /// The quantum of `updated_at`.
    pub quantum: Quantum,
    /// The account that grants must name, quoted.
    pub account: String,
    /// The command that prints the grants for the account.
    pub grants: String,
    pub answerer: Answerer,
}

/// Expressions for what is known of the server that answers; `None` is NULL.
#[derive(Debug, Default)]
pub(super) struct Answerer {
    /// See [`Reading::server`](crate::heartbeat::service::Reading::server).
    pub server: Option<String>,
    /// See [`Reading::read_only`](crate::heartbeat::service::Reading::read_only).
    pub read_only: Option<String>,
    /// See [`Reading::replayed`](crate::heartbeat::service::Reading::replayed).
    pub replayed: Option<String>,
}

/// The columns that exist and are granted, read once a connection.
#[derive(Debug, Default)]
pub(crate) struct Readable(HashSet<(String, String)>);

impl Readable {
    fn has(&self, table: &str, column: &str) -> bool {
        self.0.contains(&(table.to_owned(), column.to_owned()))
    }

    /// Returns whether any column of the table is readable.
    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.0.iter().any(|(name, _)| name == table)
    }
}

impl FromIterator<(String, String)> for Readable {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// The kind of a row, in its first column.
pub(crate) const CLOCK_ROW: i64 = 0;
/// See [`CLOCK_ROW`].
pub(crate) const SERVICE_ROW: i64 = 1;
/// See [`CLOCK_ROW`].
pub(crate) const CLUSTER_ROW: i64 = 2;

/// The parts of the statement that differ between engines.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Quotes identifiers: `binary` is a reserved word.
    pub quote: char,
    /// The server's clock at the start of the statement, in UTC without a zone, in microseconds where supported.
    pub clock: &'static str,
    /// The constant false.
    pub no: &'static str,
    /// Casts a selected value to its kind.
    pub typed: fn(&str, ColumnKind) -> String,
}

impl Table {
    /// Returns the required columns that are not readable.
    fn missing(&self, readable: &Readable) -> Vec<&'static str> {
        let required = self.columns.iter().filter(|column| column.required);
        required
            .map(|column| column.name)
            .chain([self.deleted])
            .filter(|name| !readable.has(self.name, name))
            .collect()
    }
}

impl Project {
    /// Returns the clusters' table if its required columns and `cluster_name` of the services are readable. Without
    /// either, clusters would lack members.
    fn readable_clusters(&self, readable: &Readable) -> Option<&Table> {
        let table = self.clusters.as_ref()?;
        let joined = readable.has(self.services.name, "cluster_name");
        (joined && table.missing(readable).is_empty()).then_some(table)
    }

    /// Returns the columns and the clusters' table that are not read: missing or not granted.
    pub(crate) fn left_out(&self, readable: &Readable) -> Vec<&'static str> {
        let columns = self.services.columns.iter().map(|column| column.name);
        let clusters = self.clusters.as_ref().map(|table| table.name);
        columns
            .filter(|column| !readable.has(self.services.name, column))
            .chain(clusters.filter(|_| self.readable_clusters(readable).is_none()))
            .collect()
    }

    /// Returns the one statement of a poll.
    ///
    /// Columns of the result: the kind of the row, the clock, then those of [`Project::services`] in order. A row of
    /// `clusters` has id, binary, name and disabled of the cluster in the columns `id`, `binary`, `host` and
    /// `disabled`. The row of the clock has the [`Answerer`] in the columns `host`, `disabled` and `created_at`: columns
    /// of its own would be sent with each service. Unreadable columns are [left out](Self::left_out).
    ///
    /// # Errors
    /// The required columns of `services` that are missing or not granted.
    pub(super) fn statement(
        &self,
        dialect: &Dialect,
        schema: &Schema,
    ) -> Result<String, Vec<&'static str>> {
        let readable = &schema.readable;
        let missing = self.services.missing(readable);
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut sql = String::new();
        let columns = self.services.columns.iter();
        let services = columns.clone().map(|column| {
            let is_readable = readable.has(self.services.name, column.name);
            (dialect.column(column.name, is_readable), column.kind)
        });
        // Services come first: engines derive the types of a UNION from its first branches.
        dialect.select(&mut sql, SERVICE_ROW, "NULL", services);
        dialect.from(&mut sql, &self.services);

        sql.push_str(" UNION ALL ");
        let answerer = columns.clone().map(|column| {
            let value = match column.name {
                "host" => schema.answerer.server.as_deref(),
                "disabled" => schema.answerer.read_only.as_deref(),
                "created_at" => schema.answerer.replayed.as_deref(),
                _ => None,
            };
            (value.unwrap_or("NULL").to_owned(), column.kind)
        });
        dialect.select(&mut sql, CLOCK_ROW, dialect.clock, answerer);

        if let Some(clusters) = self.readable_clusters(readable) {
            sql.push_str(" UNION ALL ");
            let places = columns.map(|column| {
                let name = match column.name {
                    "id" | "binary" | "disabled" => column.name,
                    "host" => "name",
                    _ => "",
                };
                let is_readable = readable.has(clusters.name, name);
                (dialect.column(name, is_readable), column.kind)
            });
            dialect.select(&mut sql, CLUSTER_ROW, "NULL", places);
            dialect.from(&mut sql, clusters);
        }
        Ok(sql)
    }
}

impl Dialect {
    fn quoted(&self, name: &str) -> String {
        format!("{0}{name}{0}", self.quote)
    }

    /// Returns a column, or NULL in its place.
    fn column(&self, name: &str, is_readable: bool) -> String {
        if is_readable {
            self.quoted(name)
        } else {
            "NULL".to_owned()
        }
    }

    fn select(
        &self,
        sql: &mut String,
        row: i64,
        clock: &str,
        columns: impl Iterator<Item = (String, ColumnKind)>,
    ) {
        let typed = self.typed;
        let row = typed(&row.to_string(), ColumnKind::Integer);
        let _ = write!(sql, "SELECT {row}, {}", typed(clock, ColumnKind::Time));
        for (value, kind) in columns {
            let _ = write!(sql, ", {}", typed(&value, kind));
        }
    }

    fn from(&self, sql: &mut String, table: &Table) {
        let (name, deleted) = (self.quoted(table.name), self.quoted(table.deleted));
        let _ = write!(sql, " FROM {name} WHERE {deleted} = {}", self.no);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::cinder::PROJECT;

    const PLAIN: Dialect = Dialect {
        quote: '`',
        clock: "UTC_TIMESTAMP(6)",
        no: "0",
        typed: |value, _| value.to_owned(),
    };

    /// The statement for these tables, of which all columns but `without` are readable.
    fn statement(tables: &[&Table], without: &[&str]) -> Result<String, Vec<&'static str>> {
        let pairs = tables
            .iter()
            .flat_map(|table| table.column_names().map(|column| (table.name, column)));
        let readable = pairs
            .filter(|(_, column)| !without.contains(column))
            .map(|(table, column)| (table.to_owned(), column.to_owned()));
        let schema = Schema {
            readable: readable.collect(),
            quantum: Quantum::TRUNCATED,
            account: String::new(),
            grants: String::new(),
            answerer: Answerer {
                server: Some("@@hostname".to_owned()),
                read_only: Some("@@read_only".to_owned()),
                replayed: None,
            },
        };
        PROJECT.statement(&PLAIN, &schema)
    }

    #[test]
    fn every_branch_selects_as_many_columns() {
        let clusters = PROJECT.clusters.as_ref().unwrap();
        let sql = statement(&[&PROJECT.services, clusters], &[]).unwrap();
        let branches = sql.split(" UNION ALL ");
        let counts: Vec<usize> = branches.map(|sql| sql.split(", ").count()).collect();
        assert_eq!(counts, [PROJECT.services.columns.len() + 2; 3]);
    }

    #[test]
    fn the_row_of_the_clock_tells_who_answers() {
        let sql = statement(&[&PROJECT.services], &[]).unwrap();
        let (_, clock) = sql.split_once(" UNION ALL ").unwrap();
        let expected = "SELECT 0, UTC_TIMESTAMP(6), NULL, NULL, @@hostname, NULL, NULL, NULL, @@read_only, NULL, ";
        assert!(clock.starts_with(expected), "{clock}");
        assert_eq!(sql.matches("@@").count(), 2);
    }

    #[test]
    fn a_missing_optional_column_reads_as_null() {
        let sql = statement(&[&PROJECT.services], &["frozen", "uuid"]).unwrap();
        for name in ["frozen", "uuid", "clusters"] {
            assert!(!sql.contains(name), "{sql}");
        }
        assert!(sql.contains("`disabled_reason`, NULL, `availability_zone`"));
    }

    #[test]
    fn missing_required_columns_are_named() {
        let without = ["report_count", "deleted", "topic"];
        let missing = statement(&[&PROJECT.services], &without).unwrap_err();
        assert_eq!(missing, ["report_count", "deleted"]);
    }
}
