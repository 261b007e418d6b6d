//! The variables of a server, and those of our session on it that could make it hide rows or show old ones.

use std::collections::HashMap;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row};

/// Variables that together differ between servers. Every user may read them. Galera needs no `server_id` of its own for
/// each node, and containers may share a name.
const NAMES: [&str; 4] = ["hostname", "port", "server_id", "wsrep_node_name"];

/// Variables that are on if the server accepts no writes from users. `super_read_only` implies the first, and readers of
/// Aurora have only the second.
const READ_ONLY: [&str; 2] = ["read_only", "innodb_read_only"];

/// Variables of a session, and their right values.
const SETTINGS: [(&str, &str); 2] = [
    // A node of Galera that was cut off would answer with old rows, instead of an error.
    ("wsrep_dirty_reads", "OFF"),
    // A busy node would answer late, or with a timeout.
    ("wsrep_sync_wait", "0"),
];

/// The session's variables that we ask for and the server knows, by name.
pub(super) type Variables = HashMap<String, String>;

/// Reads the variables in one round trip. A variable that the server does not know is no error, unlike in `SELECT @@…`.
///
/// Empty if a proxy does not let us see them.
pub(super) async fn variables(connection: &mut MySqlConnection) -> Variables {
    let settings = SETTINGS.iter().map(|(name, _)| name);
    let names = NAMES.iter().chain(&READ_ONLY).chain(settings);
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let names = names.join(", ");
    let statement = format!("SHOW VARIABLES WHERE Variable_name IN ({names})");
    let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(connection);
    let rows = rows.await.unwrap_or_default();
    let pair = |row: &_| {
        let text = |column| Row::try_get_unchecked::<String, usize>(row, column);
        Some((text(0).ok()?.to_lowercase(), text(1).ok()?))
    };
    rows.iter().filter_map(pair).collect()
}

/// Lifts a limit on the number of rows, which would also hide columns and variables.
///
/// `DEFAULT` would be the server's own value, which may be the limit.
pub(super) async fn lift_limit(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let limit = sqlx::query_scalar::<_, u64>("SELECT @@sql_select_limit");
    match limit.fetch_optional(&mut *connection).await {
        // A limit of 0 hides the answer too. Without a limit, this is the largest number of 32 or of 64 bits.
        Ok(limit) if limit < Some(u32::MAX.into()) => {
            let statement = format!("SET sql_select_limit = {}", u64::MAX);
            let statement = sqlx::raw_sql(AssertSqlSafe(statement));
            statement.execute(connection).await.map(drop)
        }
        // A server without this variable has no limit.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Returns the statement that corrects the session's settings; `None` if all are right.
///
/// Usually they are. Nothing is sent then: ProxySQL ties a client to one group of servers after a `SET` that it can't
/// parse.
pub(super) fn corrections(variables: &Variables) -> Option<String> {
    let wrong = SETTINGS.iter().filter(|(name, right)| {
        let value = variables.get(*name);
        value.is_some_and(|value| value != right)
    });
    let corrections: Vec<String> = wrong
        .map(|(name, right)| format!("{name} = {right}"))
        .collect();
    (!corrections.is_empty()).then(|| format!("SET {}", corrections.join(", ")))
}

/// Returns an expression for the server that answers; `None` if the server has no name.
pub(super) fn server(variables: &Variables) -> Option<String> {
    let known = NAMES.iter().filter(|&&name| variables.contains_key(name));
    let parts: Vec<String> = known.map(|name| format!("'{name}=', @@{name}")).collect();
    (!parts.is_empty()).then(|| format!("CONCAT({})", parts.join(", ' ', ")))
}

/// Returns an expression for whether the server accepts no writes; `None` if that is unknown.
///
/// The variables are booleans, or words in newer releases of MariaDB.
pub(super) fn read_only(variables: &Variables) -> Option<String> {
    let known = READ_ONLY
        .iter()
        .filter(|&&name| variables.contains_key(name));
    let parts: Vec<String> = known
        .map(|name| format!("CONCAT(@@{name}) NOT IN ('0', 'OFF')"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Option<&str>) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let variables = variables.iter().map(owned).collect();
        assert_eq!(corrections(&variables).as_deref(), expected);
    }

    #[test]
    fn only_wrong_settings_that_the_server_knows_are_corrected() {
        check(&[], None);
        let right = [("wsrep_dirty_reads", "OFF"), ("wsrep_sync_wait", "0")];
        check(&right, None);
        let wrong = [("wsrep_dirty_reads", "ON"), ("wsrep_sync_wait", "7")];
        let expected = "SET wsrep_dirty_reads = OFF, wsrep_sync_wait = 0";
        check(&wrong, Some(expected));
    }
}
