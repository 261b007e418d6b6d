//! The database URL among the options of oslo.config, as oslo.db finds it.
//!
//! Mirrors `options.py` of oslo.db: 18.1.1, and 14.0.0 for the old names of `connection`.

use super::oslo::{Origin, OsloConfig, OsloError};

const CONNECTION: (&str, &str) = ("database", "connection");
const PARAMETERS: (&str, &str) = ("database", "connection_parameters");

/// The old names, the first one found wins. Groups ignore case: the second is `[DATABASE] sql_connection` in old files.
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
    warnings: &mut Vec<String>,
) -> Result<Option<(String, String)>, OsloError> {
    let Some((url, origin)) = connection(config, warnings)? else {
        return Ok(None);
    };
    let parameters = config.get(PARAMETERS.0, PARAMETERS.1)?;
    let parameters = parameters.filter(|(text, _)| !text.trim().is_empty());
    Ok(Some(match parameters {
        None => (url, origin.to_string()),
        Some((parameters, place)) => {
            let preposition = match place {
                Origin::File { .. } => "at",
                Origin::Environment(_) => "from",
            };
            let origins = format!("{origin} with connection_parameters {preposition} {place}");
            (with_parameters(url.trim(), parameters.trim()), origins)
        }
    }))
}

fn connection(
    config: &OsloConfig,
    warnings: &mut Vec<String>,
) -> Result<Option<(String, Origin)>, OsloError> {
    if let Some(found) = config.get(CONNECTION.0, CONNECTION.1)? {
        return Ok(Some(found));
    }
    for (group, option) in OLD_NAMES {
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
    /// Returns the other sources; `None` if there are none.
    ///
    /// oslo.config asks them last: a value of a file or of the environment wins.
    pub(super) fn of(config: &OsloConfig) -> Option<Self> {
        let get = |group: &str, option: &str| config.get(group, option).ok().flatten();
        let (groups, origin) = get("DEFAULT", "config_source")?;
        let groups = groups.split(',').map(str::trim).filter(|it| !it.is_empty());
        let sources = groups.map(|group| match get(group, "driver") {
            Some((driver, _)) => format!("[{group}] (driver {driver})"),
            None => format!("[{group}] (no driver)"),
        });
        let sources = sources.collect::<Vec<_>>().join(", ");
        let options = [
            ("DEFAULT", "service_down_time"),
            ("DEFAULT", "report_interval"),
            CONNECTION,
            PARAMETERS,
        ];
        // An option with a fault is set.
        let unset = options.into_iter().filter(|(group, option)| {
            let found = config.get(group, option);
            matches!(found, Ok(None))
        });
        (!sources.is_empty()).then(|| Self {
            text: format!("{origin}: config_source names {sources}"),
            unset: unset.map(|(_, option)| option).collect(),
        })
    }

    /// Returns the warning about those of these options that can come from the other sources; `None` if none can.
    pub(super) fn warning(&self, options: &[&str]) -> Option<String> {
        let differ = self.unset.iter().filter(|option| options.contains(option));
        let differ: Vec<&str> = differ.copied().collect();
        (!differ.is_empty()).then(|| {
            let options: Vec<String> = differ.iter().map(|it| format!("`{it}`")).collect();
            let settings: Vec<&str> = differ.iter().map(|it| setting(it)).collect();
            format!(
                "{}, which the exporter does not read: Cinder may read {} from there: set {}",
                self.text,
                list(&options.iter().map(String::as_str).collect::<Vec<_>>()),
                list(&settings)
            )
        })
    }
}

/// Returns the exporter's setting for an option of Cinder.
fn setting(option: &str) -> &'static str {
    match option {
        "service_down_time" => "cinder.service-down-time",
        "report_interval" => "cinder.report-interval",
        _ => "database.url with these options",
    }
}

/// Joins the items of a sentence.
fn list(items: &[&str]) -> String {
    match items {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        items => items.concat(),
    }
}
