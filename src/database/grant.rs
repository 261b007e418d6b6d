//! The narrowest grants that let the exporter read, as a script for the database administrator's client, and the command
//! that prints it.
//!
//! The server makes each statement of the columns that exist, since a release may lack columns, tables or the whole
//! database. So no statement fails, and the script can be run again after an upgrade.

use std::fmt::Write as _;

use crate::config::database_url::Engine;
use crate::project::Project;

/// PostgreSQL's schema of tables that are created without naming one.
pub(crate) const DEFAULT_SCHEMA: &str = "public";

/// Returns the script for the client of MariaDB and MySQL. Each project has the name of its database.
///
/// The SQL modes of the session stay: one of them lets a GRANT fail that would create the user. A doubled quote stands for
/// one in every mode, but a backslash is literal only in the added one.
pub(crate) fn mysql(databases: &[(&Project, &str)], user: &str, host: &str) -> String {
    let account = mysql_account(user, host);
    let mut script = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'), \
                      group_concat_max_len = 65536;\n"
        .to_owned();
    for (project, database) in databases {
        for (table, columns) in project.tables() {
            let place = format!("{}.{}", quoted(database, '`'), quoted(table, '`'));
            let rest = quoted(&format!(") ON {place} TO {account}"), '\'');
            let existing = existing(database, table, &columns);
            let _ = writeln!(
                script,
                "SET @grant = (SELECT IF(COUNT(*) = 0, 'DO 0', CONCAT('GRANT SELECT (', \
                 GROUP_CONCAT('`', column_name, '`'), {rest})) {existing});\n\
                 PREPARE heartbeat FROM @grant;\n\
                 EXECUTE heartbeat;\n\
                 DEALLOCATE PREPARE heartbeat;"
            );
        }
    }
    script
}

/// Returns the script for psql. Each project has the name of its database; `schema` contains the tables.
///
/// A failed `\connect` ends the script, so it first asks whether the database exists. `\gexec` ignores NULL.
pub(crate) fn postgres(databases: &[(&Project, &str)], schema: &str, user: &str) -> String {
    let (role, space) = (postgres_role(user), quoted(schema, '"'));
    let mut script = "\\set ON_ERROR_STOP on\n".to_owned();
    for (project, database) in databases {
        let name = quoted(database, '"');
        let usage = format!("GRANT USAGE ON SCHEMA {space} TO {role}");
        // In a connection string, a backslash escapes. psql undoes the quotation marks around it.
        let value = database.replace('\\', r"\\").replace('\'', r"\'");
        let _ = writeln!(
            script,
            "SELECT count(*) > 0 AS found FROM pg_database WHERE datallowconn AND datname = {} \\gset\n\
             \\if :found\n\
             \\connect -reuse-previous=on {}\n\
             GRANT CONNECT ON DATABASE {name} TO {role};\n\
             SELECT {} FROM pg_namespace WHERE nspname = {} \\gexec",
            quoted(database, '\''),
            quoted(&format!("dbname='{value}'"), '"'),
            quoted(&usage, '\''),
            quoted(schema, '\''),
        );
        for (table, columns) in project.tables() {
            let place = format!("{space}.{}", quoted(table, '"'));
            let rest = quoted(&format!(") ON {place} TO {role}"), '\'');
            let existing = existing(schema, table, &columns);
            let _ = writeln!(
                script,
                "SELECT 'GRANT SELECT (' || string_agg(quote_ident(column_name), ', ') || {rest} {existing} \\gexec"
            );
        }
        script.push_str("\\endif\n");
    }
    script
}

/// Returns the end of the statement that selects those columns of a table that exist.
fn existing(schema: &str, table: &str, columns: &[&str]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| quoted(name, '\'')).collect();
    format!(
        "FROM information_schema.columns WHERE table_schema = {} AND table_name = {} AND column_name IN ({})",
        quoted(schema, '\''),
        quoted(table, '\''),
        columns.join(", ")
    )
}

/// Returns the command line that prints the script for a quoted account; empty for SQLite.
///
/// A message names it instead of the script, which is long.
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
    let mut command = format!("{program} print grants {}", project.name);
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
pub(super) fn mysql_account(user: &str, host: &str) -> String {
    format!("{}@{}", quoted(user, '\''), quoted(host, '\''))
}

/// Returns a quoted PostgreSQL role.
pub(super) fn postgres_role(user: &str) -> String {
    quoted(user, '"')
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{self, cinder::PROJECT};

    #[test]
    fn names_are_quoted_by_the_rules_of_the_engine_also_within_text() {
        let script = mysql(&[(&PROJECT, "cin`der")], "o'brien", "%");
        for part in [
            ") ON `cin``der`.`clusters` TO ''o''''brien''@''%''')) FROM information_schema.columns ",
            " WHERE table_schema = 'cin`der' AND table_name = 'clusters' AND column_name IN ('id', 'binary', ",
        ] {
            assert!(script.contains(part), "{part}\n{script}");
        }
        let script = postgres(&[(&PROJECT, "cin\"d'er")], "a\"s", "a\"b");
        for part in [
            r#" AND datname = 'cin"d''er' \gset"#,
            r#"\connect -reuse-previous=on "dbname='cin""d\'er'""#,
            r#"GRANT CONNECT ON DATABASE "cin""d'er" TO "a""b";"#,
            r#"SELECT 'GRANT USAGE ON SCHEMA "a""s" TO "a""b"' FROM pg_namespace WHERE nspname = 'a"s' \gexec"#,
            r#" || ') ON "a""s"."clusters" TO "a""b"' FROM information_schema.columns "#,
        ] {
            assert!(script.contains(part), "{part}\n{script}");
        }
    }

    #[test]
    fn all_projects_are_granted_in_one_script() {
        let databases: Vec<_> = project::ALL.iter().map(|&it| (it, it.name)).collect();
        let (mysql, postgres) = (mysql(&databases, "u", "%"), postgres(&databases, "s", "u"));
        for (project, name) in databases {
            let connect = format!("\"dbname='{name}'\"");
            assert!(postgres.contains(&connect), "{postgres}");
            for (table, columns) in project.tables() {
                assert!(mysql.contains(&format!("`{name}`.`{table}`")), "{mysql}");
                for column in columns {
                    let column = format!("'{column}'");
                    assert!(
                        mysql.contains(&column) && postgres.contains(&column),
                        "{column}"
                    );
                }
            }
        }
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
            let expected = format!("openstack-heartbeat-exporter print grants cinder {options}");
            assert_eq!(
                command(&PROJECT, engine, database, schema, &account),
                expected
            );
        }
        assert_eq!(command(&PROJECT, Engine::Sqlite, "/x", "", ""), "");
    }
}
