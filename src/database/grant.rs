//! The narrowest grants that let the exporter read, as statements for the database administrator, and the command that
//! prints them.

use std::fmt::Write as _;

use crate::config::database_url::Engine;
use crate::project::{self, Project};

/// PostgreSQL's schema of tables that are created without naming one.
pub(crate) const DEFAULT_SCHEMA: &str = "public";

/// Returns the statements that let `user` read the columns of the project and nothing else.
///
/// A release may lack the columns of the last statements, which then fail. Nothing else is lost: a client that stops at
/// the first failure has executed what the release knows, because older columns come first.
///
/// `user` is a quoted account: `'name'@'host'` in MySQL, a role in PostgreSQL. `schema` contains the tables in PostgreSQL;
/// the other engines have none. `None` for SQLite, which has file permissions instead.
#[must_use]
pub fn statements(
    engine: Engine,
    project: &Project,
    database: &str,
    schema: &str,
    user: &str,
) -> Option<Vec<String>> {
    let (quote, space, access) = match engine {
        Engine::MySql => ('`', quoted(database, '`'), vec![]),
        Engine::Postgres => {
            let (database, schema) = (quoted(database, '"'), quoted(schema, '"'));
            let access = vec![
                format!("GRANT CONNECT ON DATABASE {database} TO {user};"),
                format!("GRANT USAGE ON SCHEMA {schema} TO {user};"),
            ];
            ('"', schema, access)
        }
        Engine::Sqlite => return None,
    };
    let grants = project.grants().into_iter().map(|(table, columns)| {
        let columns = columns.into_iter().map(|name| quoted(name, quote));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let name = quoted(table, quote);
        format!("GRANT SELECT ({columns}) ON {space}.{name} TO {user};")
    });
    Some(access.into_iter().chain(grants).collect())
}

/// Returns the command line that prints the [`statements`] for a quoted account; empty for SQLite.
///
/// A message names it instead of the statements, which are long.
pub(super) fn command(
    project: &Project,
    engine: Engine,
    database: &str,
    schema: &str,
    user: &str,
) -> String {
    let (engine, names) = match engine {
        Engine::MySql => ("mysql", unquoted(user, '\'')),
        Engine::Postgres => ("postgresql", unquoted(user, '"')),
        Engine::Sqlite => return String::new(),
    };
    let mut names = names.into_iter();
    let program = env!("CARGO_PKG_NAME");
    let mut command = format!("{program} print grants");
    if project != project::ALL[0] {
        let _ = write!(command, " {}", project.name);
    }
    // In the order of the help, without what is the default. The user is never left out: an empty name is not the default.
    for (flag, value, default) in [
        ("engine", Some(engine.to_owned()), Some("mysql")),
        ("database", Some(database.to_owned()), Some(project.name)),
        ("schema", Some(schema.to_owned()), Some(DEFAULT_SCHEMA)),
        ("user", names.next(), None),
        ("host", names.next(), Some("%")),
    ] {
        if let Some(value) = value.filter(|value| Some(value.as_str()) != default) {
            let _ = write!(command, " --{flag} {}", shell_word(&value));
        }
    }
    command
}

/// Returns the quoted names in a text: user and host of a MySQL account, or a role.
fn unquoted(text: &str, quote: char) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text.chars().peekable();
    while rest.any(|c| c == quote) {
        let mut name = String::new();
        while let Some(c) = rest.next() {
            // A doubled quote stands for one.
            if c == quote && rest.next_if_eq(&quote).is_none() {
                break;
            }
            name.push(c);
        }
        names.push(name);
    }
    names
}

/// Returns a text as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._%-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
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

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::cinder::PROJECT;

    #[test]
    fn grants_quote_names_by_the_rules_of_the_engine() {
        let of = |engine, database, schema, user: &str| {
            statements(engine, &PROJECT, database, schema, user)
        };
        let account = mysql_account("o'brien", "%");
        let grants = of(Engine::MySql, "cin`der", "", &account).unwrap();
        assert!(grants[0].starts_with("GRANT SELECT (`id`, `binary`, `host`, "));
        assert!(grants[0].ends_with(", `deleted`) ON `cin``der`.`services` TO 'o''brien'@'%';"));
        assert!(grants[1].contains(" ON `cin``der`.`clusters` TO "));
        let newest = "GRANT SELECT (`uuid`) ON `cin``der`.`services` TO 'o''brien'@'%';";
        assert_eq!(grants.last().unwrap(), newest);
        let grants = of(Engine::Postgres, "cinder", "a\"s", &postgres_role("a\"b")).unwrap();
        assert_eq!(grants[1], r#"GRANT USAGE ON SCHEMA "a""s" TO "a""b";"#);
        assert!(grants[3].ends_with(r#", "deleted") ON "a""s"."clusters" TO "a""b";"#));
        assert_eq!(of(Engine::Sqlite, "/tmp/cinder.sqlite", "", "x"), None);
    }

    #[test]
    fn the_command_names_what_differs_from_its_defaults() {
        let role = postgres_role;
        for (engine, database, schema, account, options) in [
            (
                Engine::MySql,
                "cinder",
                "public",
                mysql_account("hb", "%"),
                "--user hb",
            ),
            (
                Engine::MySql,
                "my db",
                "public",
                mysql_account("o'b", "10.%"),
                r"--database 'my db' --user 'o'\''b' --host 10.%",
            ),
            (
                Engine::MySql,
                "cinder",
                "public",
                mysql_account("", "h"),
                "--user '' --host h",
            ),
            (
                Engine::Postgres,
                "cinder",
                "s",
                role("a\"b"),
                r#"--engine postgresql --schema s --user 'a"b'"#,
            ),
        ] {
            let expected = format!("openstack-heartbeat-exporter print grants {options}");
            assert_eq!(
                command(&PROJECT, engine, database, schema, &account),
                expected
            );
        }
        assert_eq!(command(&PROJECT, Engine::Sqlite, "/x", "", ""), "");
    }
}
