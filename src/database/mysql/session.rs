//! The variables of a server and of our session on it.

use std::collections::HashMap;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row};

/// Variables that together differ between servers. Every user may read them. Galera needs no `server_id` of its own for
/// each node, and containers may share a name.
const NAMES: [&str; 4] = ["hostname", "port", "server_id", "wsrep_node_name"];

/// The session's variables that we ask for and the server knows, by name.
pub(super) type Variables = HashMap<String, String>;

/// Reads the variables in one round trip. A variable that the server does not know is no error, unlike in `SELECT @@…`.
///
/// Empty if a proxy does not let us see them.
pub(super) async fn variables(connection: &mut MySqlConnection) -> Variables {
    let names = NAMES.map(|name| format!("'{name}'")).join(", ");
    let statement = format!("SHOW VARIABLES WHERE Variable_name IN ({names})");
    let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(connection);
    let rows = rows.await.unwrap_or_default();
    let pair = |row: &_| {
        let text = |column| Row::try_get_unchecked::<String, usize>(row, column);
        Some((text(0).ok()?.to_lowercase(), text(1).ok()?))
    };
    rows.iter().filter_map(pair).collect()
}

/// Returns an expression for the server that answers; `None` if the server has no name.
pub(super) fn server(variables: &Variables) -> Option<String> {
    let known = NAMES.iter().filter(|&&name| variables.contains_key(name));
    let parts: Vec<String> = known.map(|name| format!("'{name}=', @@{name}")).collect();
    (!parts.is_empty()).then(|| format!("CONCAT({})", parts.join(", ' ', ")))
}
