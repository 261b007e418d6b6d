//! The narrowest grants that let the exporter read, as statements for the database administrator.

use std::fmt::Write as _;

use crate::config::database_url::Engine;
use crate::project::layout::{Layout, Table};

/// Returns the statements that let `user` read the columns of the layout and nothing else.
///
/// `user` is a quoted account: `'name'@'host'` in MySQL, a role in PostgreSQL. `None` for SQLite, which has file
/// permissions instead.
#[must_use]
pub fn statements(
    engine: Engine,
    layout: &Layout,
    database: &str,
    user: &str,
) -> Option<Vec<String>> {
    let tables = [Some(&layout.services), layout.clusters.as_ref()];
    let tables = tables.into_iter().flatten();
    match engine {
        Engine::MySql => Some(
            tables
                .map(|table| {
                    let name = format!("{}.{}", quoted(database, '`'), quoted(table.name, '`'));
                    grant(table, &name, user, '`')
                })
                .collect(),
        ),
        Engine::Postgres => {
            let access = [
                format!(
                    "GRANT CONNECT ON DATABASE {} TO {user};",
                    quoted(database, '"')
                ),
                format!("GRANT USAGE ON SCHEMA public TO {user};"),
            ];
            let tables = tables.map(|table| grant(table, &quoted(table.name, '"'), user, '"'));
            Some(access.into_iter().chain(tables).collect())
        }
        Engine::Sqlite => None,
    }
}

/// Returns a quoted MySQL account.
#[must_use]
pub fn mysql_account(user: &str, host: &str) -> String {
    format!("{}@{}", quoted(user, '\''), quoted(host, '\''))
}

/// Returns a quoted PostgreSQL role.
#[must_use]
pub fn postgres_role(user: &str) -> String {
    quoted(user, '"')
}

fn grant(table: &Table, name: &str, user: &str, quote: char) -> String {
    let mut columns = String::new();
    for column in table.column_names() {
        let separator = if columns.is_empty() { "" } else { ", " };
        let _ = write!(columns, "{separator}{}", quoted(column, quote));
    }
    format!("GRANT SELECT ({columns}) ON {name} TO {user};")
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::cinder::LAYOUT;

    #[test]
    fn names_are_quoted_by_the_rules_of_the_engine() {
        let user = mysql_account("o'brien", "%");
        let grants = statements(Engine::MySql, &LAYOUT, "cin`der", &user).unwrap();
        assert_eq!(grants.len(), 2);
        assert!(
            grants[0].starts_with("GRANT SELECT (`id`, `binary`, `host`, "),
            "{}",
            grants[0]
        );
        assert!(
            grants[0].ends_with(", `deleted`) ON `cin``der`.`services` TO 'o''brien'@'%';"),
            "{}",
            grants[0]
        );
        let grants =
            statements(Engine::Postgres, &LAYOUT, "cinder", &postgres_role("a\"b")).unwrap();
        assert!(
            grants[3].ends_with(", \"deleted\") ON \"clusters\" TO \"a\"\"b\";"),
            "{}",
            grants[3]
        );
    }

    #[test]
    fn sqlite_has_no_grants() {
        assert_eq!(
            statements(Engine::Sqlite, &LAYOUT, "/tmp/cinder.sqlite", "x"),
            None
        );
    }
}
