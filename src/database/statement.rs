//! The statement that reads a project's tables, in each dialect of SQL.
//!
//! One statement reads three kinds of rows at one moment: services, the database's clock, and clusters. Each row
//! names its kind, because a `UNION ALL` has no defined order. The clock has its own row: it is sent once, and an
//! empty table still has a time.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::product::Product;
use crate::heartbeat::skew::Quantum;
use crate::project::Project;
use crate::project::table::{Column, ColumnKind, Live, Role, Table};

/// What a new connection found.
#[derive(Debug)]
pub(super) struct Schema {
    pub product: Product,
    pub readable: Readable,
    /// The quantum of the stamps.
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
/// A service of the table of servers, see [`CLOCK_ROW`].
pub(crate) const SERVER_ROW: i64 = 3;

/// The parts of the statement that differ between engines.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Quotes identifiers: `binary` is a reserved word.
    pub quote: char,
    /// The server's clock at the start of the statement, in UTC without a zone, in microseconds where supported.
    pub clock: &'static str,
    /// The constant false.
    pub no: &'static str,
    /// Joins two texts.
    pub joined: fn(&str, &str) -> String,
    /// Casts a selected value to its kind.
    pub typed: fn(&str, ColumnKind) -> String,
}

/// The roles of the statement's columns, in their order, after the kind of the row and the clock. Those of
/// [`Role::Info`] follow. The data of a role has no meaning here.
pub(super) const ROLES: [Role; 16] = [
    Role::Id,
    Role::Binary,
    Role::Host,
    Role::Count,
    Role::Stamp,
    Role::Created,
    Role::Disabled,
    Role::DisabledReason,
    Role::Frozen(""),
    Role::Zone,
    Role::Cluster,
    Role::Uuid,
    Role::Shown,
    Role::Forced,
    Role::Online,
    Role::Interval(0),
];

impl Table {
    /// Returns the required columns that are not readable.
    fn missing(&self, readable: &Readable) -> Vec<&'static str> {
        self.required()
            .filter(|name| !readable.has(self.name, name))
            .collect()
    }
}

impl Project {
    /// Returns the clusters' table if its required columns and the services' column that refers to it are readable.
    /// Without either, clusters would lack members.
    fn readable_clusters(&self, readable: &Readable) -> Option<&Table> {
        let table = self.clusters.as_ref()?;
        let join = self.services.column(Role::Cluster)?;
        let is_joined = readable.has(self.services.name, join.name);
        (is_joined && table.missing(readable).is_empty()).then_some(table)
    }

    /// Returns the servers' table if its required columns are readable.
    fn readable_servers(&self, readable: &Readable) -> Option<&Table> {
        let table = self.servers.as_ref()?;
        table.missing(readable).is_empty().then_some(table)
    }

    /// Returns the columns and the further tables that are not read: missing or not granted.
    pub(crate) fn left_out(&self, readable: &Readable) -> Vec<&'static str> {
        let services = &self.services;
        let columns = services.columns.iter();
        let columns = columns.filter(|column| !column.is_readable(services, readable));
        let clusters = self.clusters.as_ref().map(|table| table.name);
        let servers = self.servers.as_ref().map(|table| table.name);
        columns
            .map(|column| column.name)
            .chain(clusters.filter(|_| self.readable_clusters(readable).is_none()))
            .chain(servers.filter(|_| self.readable_servers(readable).is_none()))
            .collect()
    }

    /// Returns the one statement of a poll.
    ///
    /// Columns of the result: the kind of the row, the clock, then a column for each of [`ROLES`] and of the facts of
    /// [`Role::Info`], which is NULL where the table has none. The row of the clock has the [`Answerer`] in the columns
    /// of the host, of disabled and of the creation: columns of its own would be sent with each service. Unreadable
    /// columns are [left out](Self::left_out).
    ///
    /// # Errors
    /// The required columns of the table of services that are missing or not granted.
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
        let facts = self.info_labels().map(Role::Info);
        let roles: Vec<Role> = ROLES.into_iter().chain(facts).collect();
        let mut sql = String::new();
        // Services come first: engines derive the types of a UNION from its first branches.
        let value = |role| dialect.value(&self.services, role, readable);
        dialect.select(&mut sql, SERVICE_ROW, "NULL", &roles, value);
        dialect.from(&mut sql, &self.services);

        sql.push_str(" UNION ALL ");
        let Answerer {
            server,
            read_only,
            replayed,
        } = &schema.answerer;
        let value = |role| match role {
            Role::Host => server.clone(),
            Role::Disabled => read_only.clone(),
            Role::Created => replayed.clone(),
            _ => None,
        };
        dialect.select(&mut sql, CLOCK_ROW, dialect.clock, &roles, value);

        let clusters = self.readable_clusters(readable).map(|it| (CLUSTER_ROW, it));
        let servers = self.readable_servers(readable).map(|it| (SERVER_ROW, it));
        for (kind, table) in clusters.into_iter().chain(servers) {
            sql.push_str(" UNION ALL ");
            let value = |role| dialect.value(table, role, readable);
            dialect.select(&mut sql, kind, "NULL", &roles, value);
            dialect.from(&mut sql, table);
        }
        Ok(sql)
    }
}

impl Column {
    /// Returns whether the column is readable, and its value where that is in another table.
    fn is_readable(&self, table: &Table, readable: &Readable) -> bool {
        readable.has(table.name, self.name)
            && self.lookup.is_none_or(|lookup| {
                let columns = [lookup.key, lookup.value];
                columns
                    .iter()
                    .all(|column| readable.has(lookup.table, column))
            })
    }
}

impl Dialect {
    fn quoted(&self, name: &str) -> String {
        format!("{0}{name}{0}", self.quote)
    }

    /// Returns the value of a table for a role; `None` if the table has none that is readable.
    fn value(&self, table: &Table, role: Role, readable: &Readable) -> Option<String> {
        if let (Role::Binary, Some(program)) = (role, table.program) {
            return Some(format!("'{program}'"));
        }
        let column = table.column(role)?;
        if !column.is_readable(table, readable) {
            return None;
        }
        let own = self.quoted(column.name);
        let own = match column.prefix {
            Some(prefix) => (self.joined)(&format!("'{prefix}'"), &own),
            None if column.is_negated => format!("(NOT {own})"),
            None => own,
        };
        Some(match column.lookup {
            None => own,
            Some(lookup) => {
                let [from, key, value] =
                    [lookup.table, lookup.key, lookup.value].map(|name| self.quoted(name));
                let table = self.quoted(table.name);
                // Tables may have different collations.
                let [key, own] = [format!("{from}.{key}"), format!("{table}.{own}")]
                    .map(|text| (self.typed)(&text, ColumnKind::Text));
                format!("(SELECT {from}.{value} FROM {from} WHERE {key} = {own})")
            }
        })
    }

    fn select(
        &self,
        sql: &mut String,
        row: i64,
        clock: &str,
        roles: &[Role],
        value: impl Fn(Role) -> Option<String>,
    ) {
        let typed = self.typed;
        let row = typed(&row.to_string(), ColumnKind::Integer);
        let _ = write!(sql, "SELECT {row}, {}", typed(clock, ColumnKind::Time));
        for &role in roles {
            let value = value(role);
            let value = value.as_deref().unwrap_or("NULL");
            let _ = write!(sql, ", {}", typed(value, role.kind()));
        }
    }

    fn from(&self, sql: &mut String, table: &Table) {
        let _ = write!(sql, " FROM {}", self.quoted(table.name));
        let live = match table.live {
            Live::False(mark) => Some(format!("{} = {}", self.quoted(mark), self.no)),
            Live::Zero(mark) => Some(format!("{} = 0", self.quoted(mark))),
            Live::Null(mark) => Some(format!("{} IS NULL", self.quoted(mark))),
            Live::All => None,
        };
        // A row whose program is NULL is shown as a defect.
        let shown = table.column(Role::Binary).map(|binary| {
            let binary = self.quoted(binary.name);
            let hidden = table.hidden.iter();
            hidden.map(move |program| format!("({binary} <> '{program}' OR {binary} IS NULL)"))
        });
        let conditions: Vec<String> = live
            .into_iter()
            .chain(shown.into_iter().flatten())
            .collect();
        if !conditions.is_empty() {
            let _ = write!(sql, " WHERE {}", conditions.join(" AND "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{self, cinder, designate, ironic, manila, neutron, nova};

    const PLAIN: Dialect = Dialect {
        quote: '`',
        clock: "UTC_TIMESTAMP(6)",
        no: "0",
        joined: |first, second| format!("{first} || {second}"),
        typed: |value, _| value.to_owned(),
    };

    /// The statement for a project of whose columns all but `without` are readable. A table without columns is missing.
    fn statement(project: &Project, without: &[&str]) -> Result<String, Vec<&'static str>> {
        let tables = project.tables().into_iter();
        let pairs = tables.flat_map(|(table, columns)| {
            let columns = columns.into_iter();
            columns.map(move |column| (table, column))
        });
        let readable = pairs
            .filter(|(table, column)| !without.contains(table) && !without.contains(column))
            .map(|(table, column)| (table.to_owned(), column.to_owned()));
        let schema = Schema {
            product: Product::of_mysql(""),
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
        project.statement(&PLAIN, &schema)
    }

    #[test]
    fn every_branch_selects_as_many_columns() {
        for project in project::ALL {
            let sql = statement(project, &[]).unwrap();
            let branches = sql.split(" UNION ALL ");
            let columns = ROLES.len() + project.info_labels().count() + 2;
            for branch in branches {
                assert_eq!(branch.split(", ").count(), columns, "{branch}");
            }
        }
    }

    #[test]
    fn the_row_of_the_clock_tells_who_answers() {
        let sql = statement(&cinder::PROJECT, &["clusters"]).unwrap();
        let (_, clock) = sql.split_once(" UNION ALL ").unwrap();
        let expected = "SELECT 0, UTC_TIMESTAMP(6), NULL, NULL, @@hostname, NULL, NULL, NULL, @@read_only, NULL, ";
        assert!(clock.starts_with(expected), "{clock}");
        assert_eq!(sql.matches("@@").count(), 2);
    }

    #[test]
    fn a_missing_optional_column_reads_as_null() {
        let sql = statement(&cinder::PROJECT, &["frozen", "uuid", "clusters"]).unwrap();
        for name in ["frozen", "uuid", "clusters"] {
            assert!(!sql.contains(name), "{sql}");
        }
        assert!(sql.contains("`disabled_reason`, NULL, `availability_zone`"));
    }

    #[test]
    fn missing_required_columns_are_named() {
        let without = ["report_count", "deleted", "topic"];
        let missing = statement(&cinder::PROJECT, &without).unwrap_err();
        assert_eq!(missing, ["report_count", "deleted"]);
    }

    #[test]
    fn a_table_of_one_program_without_deleted_rows_is_read_whole() {
        let sql = statement(&ironic::PROJECT, &[]).unwrap();
        assert!(sql.contains("`id`, 'ironic-conductor', `hostname`, NULL, "));
        assert!(sql.contains(" FROM `conductors` UNION ALL "), "{sql}");
    }

    #[test]
    fn programs_without_heartbeats_are_left_out() {
        let sql = statement(&nova::PROJECT, &[]).unwrap();
        let hidden = " WHERE `deleted` = 0 AND (`binary` <> 'nova-osapi_compute' OR `binary` IS NULL) \
                      AND (`binary` <> 'nova-metadata' OR `binary` IS NULL) UNION ALL ";
        assert!(sql.contains(hidden), "{sql}");
    }

    #[test]
    fn servers_with_a_table_of_their_own_are_read_if_it_is_readable() {
        let sql = statement(&neutron::PROJECT, &[]).unwrap();
        assert!(sql.contains(", (NOT `admin_state_up`), "), "{sql}");
        let servers = " UNION ALL SELECT 3, NULL, `node_uuid`, 'neutron-server', `hostname`, ";
        assert!(sql.contains(servers), "{sql}");
        let sql = statement(&neutron::PROJECT, &["updated_at"]).unwrap();
        assert!(!sql.contains("ovn_hash_ring"), "{sql}");
    }

    #[test]
    fn a_program_may_be_a_prefix_and_a_column() {
        let sql = statement(&designate::PROJECT, &[]).unwrap();
        assert!(
            sql.contains("`id`, 'designate-' || `service_name`, `hostname`, "),
            "{sql}"
        );
    }

    #[test]
    fn a_value_of_another_table_is_looked_up_if_it_is_readable() {
        let zone = "(SELECT `availability_zones`.`name` FROM `availability_zones` \
                    WHERE `availability_zones`.`id` = `services`.`availability_zone_id`)";
        let sql = statement(&manila::PROJECT, &[]).unwrap();
        assert!(sql.contains(zone), "{sql}");
        assert!(sql.contains(" FROM `services` WHERE `deleted` = 0 "));
        for without in ["availability_zones", "availability_zone_id", "name"] {
            let sql = statement(&manila::PROJECT, &[without]).unwrap();
            assert!(!sql.contains("zone"), "{sql}");
        }
    }
}
