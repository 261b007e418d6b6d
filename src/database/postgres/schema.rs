//! Why the table of services is not found: in which schema it is, if there is one at all.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, FromRow};

use super::sqlstate::translate;
use crate::database::error::Error;
use crate::database::target::Target;

/// A schema with the table, and whether it is in the search path.
type Found = (String, bool);

/// Returns the error for a table that the search path does not find.
///
/// The search path leaves out schemas without USAGE, but every user may read the names of all tables.
pub(super) async fn missing(target: &Target, connection: &mut PgConnection) -> Error {
    match find(target, connection).await {
        Err(error) => {
            let grants = target.grants(&target.account());
            translate(target, error, &grants)
        }
        Ok(None) => target.missing_table(),
        Ok(Some((schema, true))) => {
            let grants = target.grants_in(&schema, &target.account());
            Error::MissingTable(target.login(), target.project, grants)
        }
        Ok(Some((schema, false))) => match target.url.search_path.clone() {
            Some(path) => Error::SearchPath(target.project, schema, path),
            None => Error::OtherSchema(target.login(), target.project, schema, target.account()),
        },
    }
}

/// Returns the schema that has a table of services with all required columns, one of the search path first.
async fn find(
    target: &Target,
    connection: &mut PgConnection,
) -> Result<Option<Found>, sqlx::Error> {
    let table = &target.project.services;
    let names: Vec<String> = table.required().map(|name| format!("'{name}'")).collect();
    let statement = format!(
        "SELECT nspname::text, place IS NOT NULL FROM ( \
         SELECT n.nspname, array_position(string_to_array(replace(replace(replace( \
         current_setting('search_path'), '\"$user\"', current_user), '\"', ''), ' ', ''), ','), n.nspname::text) AS place \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = '{}' AND (\
         SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ({})) = {}) AS found \
         ORDER BY place NULLS LAST, nspname LIMIT 1",
        table.name,
        names.join(", "),
        names.len()
    );
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    let row = statement.fetch_optional(connection).await?;
    row.as_ref().map(Found::from_row).transpose()
}
