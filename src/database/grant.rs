//! The narrowest grants that let the exporter read, as statements for the database administrator.

use crate::config::database_url::Engine;
use crate::project::layout::Layout;

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
    let (quote, schema, access) = match engine {
        Engine::MySql => ('`', quoted(database, '`') + ".", vec![]),
        Engine::Postgres => {
            let database = quoted(database, '"');
            let access = vec![
                format!("GRANT CONNECT ON DATABASE {database} TO {user};"),
                format!("GRANT USAGE ON SCHEMA public TO {user};"),
            ];
            ('"', String::new(), access)
        }
        Engine::Sqlite => return None,
    };
    let tables = [Some(&layout.services), layout.clusters.as_ref()];
    let grants = tables.into_iter().flatten().map(|table| {
        let columns = table.column_names().map(|name| quoted(name, quote));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let name = quoted(table.name, quote);
        format!("GRANT SELECT ({columns}) ON {schema}{name} TO {user};")
    });
    Some(access.into_iter().chain(grants).collect())
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

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::cinder::LAYOUT;

    #[test]
    fn grants_quote_names_by_the_rules_of_the_engine() {
        let of = |engine, database, user: &str| statements(engine, &LAYOUT, database, user);
        let grants = of(Engine::MySql, "cin`der", &mysql_account("o'brien", "%")).unwrap();
        assert_eq!(grants.len(), 2);
        assert!(grants[0].starts_with("GRANT SELECT (`id`, `binary`, `host`, "));
        assert!(grants[0].ends_with(", `deleted`) ON `cin``der`.`services` TO 'o''brien'@'%';"));
        let grants = of(Engine::Postgres, "cinder", &postgres_role("a\"b")).unwrap();
        assert!(grants[3].ends_with(", \"deleted\") ON \"clusters\" TO \"a\"\"b\";"));
        assert_eq!(of(Engine::Sqlite, "/tmp/cinder.sqlite", "x"), None);
    }
}
