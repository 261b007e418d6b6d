//! The database URL among the options of oslo.config, as oslo.db finds it.
//!
//! Mirrors `options.py` of oslo.db: 18.1.1, and 14.0.0 for the old names of `connection`.

use super::layer::{self, Item};
use super::oslo::{Origin, OsloConfig, OsloError};
use crate::project::Project;

const CONNECTION: &str = "connection";
const PARAMETERS: &str = "connection_parameters";

/// The group of oslo.db. A project may have another one.
const GROUP: &str = "database";

/// The old names in place of that group's, the first one found wins. Groups ignore case: the second is
/// `[DATABASE] sql_connection` in old files.
const OLD_NAMES: [(&str, &str); 3] = [
    ("DEFAULT", "sql_connection"),
    ("database", "sql_connection"),
    ("sql", "connection"),
];

/// Returns the URL with `connection_parameters`, and the origins of both; `None` if it is not set.
///
/// An old name counts only where `connection` is not set, and adds a warning.
///
/// # Errors
/// Those of [`OsloConfig::get`].
pub(super) fn url(
    config: &OsloConfig,
    group: &str,
    warnings: &mut Vec<String>,
) -> Result<Option<Item>, OsloError> {
    let Some((url, origin)) = connection(config, group, warnings)? else {
        return Ok(None);
    };
    let parameters = config.get(group, PARAMETERS)?;
    let parameters = parameters.filter(|(text, _)| !text.trim().is_empty());
    let (text, origin) = match parameters {
        None => (url, origin.to_string()),
        Some((parameters, place)) => {
            let preposition = match place {
                Origin::File { .. } => "at",
                Origin::Environment(_) => "from",
            };
            let origins = format!("{origin} with connection_parameters {preposition} {place}");
            (with_parameters(url.trim(), parameters.trim()), origins)
        }
    };
    Ok(Some(Item { text, origin }))
}

fn connection(
    config: &OsloConfig,
    group: &str,
    warnings: &mut Vec<String>,
) -> Result<Option<(String, Origin)>, OsloError> {
    if let Some(found) = config.get(group, CONNECTION)? {
        return Ok(Some(found));
    }
    let old_names = OLD_NAMES.iter().filter(|_| group == GROUP);
    for &(group, option) in old_names {
        if let Some((url, origin)) = config.get(group, option)? {
            warnings.push(format!(
                "{origin}: `{option}` in [{group}] is an old name, which oslo.db no longer reads since 15.0; rename it to \
                 `connection` in [database]"
            ));
            return Ok(Some((url, origin)));
        }
    }
    Ok(None)
}

/// Appends options to a URL. A `?` in its password does not begin the options, and an `@` in them is an error anyway.
fn with_parameters(url: &str, parameters: &str) -> String {
    let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameters}")
}

/// Other sources of options, which the exporter can't read: `config_source` names their groups.
#[derive(Debug)]
pub(super) struct OtherSources {
    /// `FILE:LINE: config_source` with the groups and their drivers.
    pub text: String,
    /// The options that the files and the environment do not set, and whose values can come from these sources.
    unset: Vec<&'static str>,
}

impl OtherSources {
    /// Returns the other sources of a project's options; `None` if there are none.
    ///
    /// oslo.config asks them last: a value of a file or of the environment wins.
    pub(super) fn of(config: &OsloConfig, project: &'static Project) -> Option<Self> {
        let get = |group: &str, option: &str| config.get(group, option).ok().flatten();
        let (groups, origin) = get("DEFAULT", "config_source")?;
        let groups = groups.split(',').map(str::trim).filter(|it| !it.is_empty());
        let sources = groups.map(|group| match get(group, "driver") {
            Some((driver, _)) => format!("[{group}] (driver {driver})"),
            None => format!("[{group}] (no driver)"),
        });
        let sources = sources.collect::<Vec<_>>().join(", ");
        // An option with a fault is set.
        let unset = read(project).filter(|(group, option)| {
            let found = config.get(group, option);
            matches!(found, Ok(None))
        });
        (!sources.is_empty()).then(|| Self {
            text: format!("{origin}: config_source names {sources}"),
            unset: unset.map(|(_, option)| option).collect(),
        })
    }

    /// Returns the warning about those of these options that can come from the other sources; `None` if none can.
    ///
    /// `assumed` are the options in use without being set, each with the exporter's setting for it.
    pub(super) fn warning(&self, assumed: &[(&str, &str)]) -> Option<String> {
        let differ = assumed.iter().filter(|(it, _)| self.unset.contains(it));
        let options: Vec<String> = differ.clone().map(|(it, _)| format!("`{it}`")).collect();
        let settings: Vec<&str> = differ.map(|(_, setting)| *setting).collect();
        (!options.is_empty()).then(|| {
            format!(
                "{}, which the exporter does not read: the project may read {} from there: set {}",
                self.text,
                list(&options.iter().map(String::as_str).collect::<Vec<_>>()),
                list(&settings)
            )
        })
    }
}

/// Returns the group and the name of each option that is read for a project.
pub(super) fn read(
    project: &'static Project,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let options =
        layer::options(project).filter_map(|(_, option)| Some((option.group?, option.name)));
    let database = project.options.database;
    options.chain([(database, CONNECTION), (database, PARAMETERS)])
}

/// The options that belong to a URL in the settings, as [`OtherSources::warning`] takes them.
pub(super) const WITH_URL: (&str, &str) = (PARAMETERS, "database.url with these options");

/// Joins the items of a sentence.
fn list(items: &[&str]) -> String {
    match items {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        items => items.concat(),
    }
}
