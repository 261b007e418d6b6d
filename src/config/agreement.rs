//! Whether several sources agree with the settings that are for all of them.

use super::database_url::{DatabaseUrl, Unnamed};
use super::fault::Fault;
use super::source::{Common, SourceSettings};
use super::source_list::Named;
use super::{oslo, oslo_db};

/// Returns the fault of a URL that names one database, where several sources would read it.
pub(super) fn fault(common: &Common<'_>, sources: &[SourceSettings]) -> Option<Fault> {
    let url = &common.url?.url;
    let variable = &|name: &str| (common.variable)(name);
    let names_database = DatabaseUrl::parse_in(&url.text, Unnamed::Refused, variable).is_ok();
    let readers = sources.iter().filter(|source| source.has_common_url);
    let readers: Vec<&str> = readers.map(|source| source.name.as_str()).collect();
    (names_database && readers.len() > 1).then(|| {
        let what = format!(
            "the database URL names one database, but several sources would read it: {}; remove the name from the URL, so that \
             each takes the one of `connection` in its configuration file, or give each its own `database.url-file` in \
             `sources`",
            readers.join(", ")
        );
        Fault::syntax(&url.origin, what)
    })
}

/// Returns a warning about a URL for all sources that none of them uses.
pub(super) fn unused_url(common: &Common<'_>, sources: &[SourceSettings]) -> Option<String> {
    let origin = &common.url?.url.origin;
    let is_used = sources.iter().any(|source| source.has_common_url);
    (!is_used && !sources.is_empty())
        .then(|| format!("{origin}: this database URL is not used: each source has its own"))
}

/// Returns a warning about databases to leave out where none are looked for.
pub(super) fn unused_exclude(is_set: bool, sources: &[SourceSettings]) -> Option<String> {
    let warning = "`discovery.exclude` is not used: the settings name what to read";
    (is_set && !sources.is_empty()).then(|| warning.to_owned())
}

/// Returns warnings about variables of oslo.config. They count only for a single source, since they name no project.
pub(super) fn ignored_variables(common: &Common<'_>, sources: &[Named]) -> Vec<String> {
    let read = sources.iter().flat_map(|it| oslo_db::read(it.project));
    let names = read.map(|(group, option)| oslo::variable(group, option));
    let set = names.filter(|name| !common.is_only && (common.variable)(name).is_some());
    let warning = |name: String| {
        format!(
            "the environment variable {name} is ignored: it does not say for which of several sources it is; use `sources` of \
             the settings file"
        )
    };
    set.map(warning).collect()
}
