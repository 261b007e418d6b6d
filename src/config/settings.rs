//! The active settings: the layers merged, checked together, each value with its origin.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::fault::Fault;
use super::flags::{Flags, variable};
use super::key;
use super::keys::KEYS;
use super::layer::Layer;
use super::listen_address::Listen;
use super::search::{Search, Unlisted};
use super::source::{Common, Polls, SourceSettings, Variable};
use super::url_source;
use super::values::{Effective, Log, Values};
use super::{agreement, source_list, spelling};
use crate::error::chain;

/// All settings of the exporter, valid as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The databases to read; no two have the same name. There is at least one, or they are [searched](Self::search).
    pub sources: Vec<SourceSettings>,
    /// Where to look for databases, if no project is named.
    pub(crate) search: Option<Search>,
    /// Addresses or sockets to listen on.
    pub(crate) listen: Listen,
    /// Path of the metrics, starting with a slash.
    pub telemetry_path: String,
    /// Whether a request can reload the configuration.
    pub enable_lifecycle: bool,
    /// The web configuration file, relative to the working directory.
    pub web_config: Option<PathBuf>,
    /// How to log.
    pub(crate) log: Log,
    /// The values for the exporter and for all sources, with their origins, for display; secrets are hidden.
    pub(crate) effective: Vec<Effective>,
    /// Oddities that are not faults.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Loads and merges all layers, weakest first: defaults, the files of the projects, the YAML file, environment,
    /// flags.
    ///
    /// # Errors
    /// All faults.
    pub fn load(flags: Flags) -> Result<Self, Vec<Fault>> {
        Self::load_from(flags, |_| true)
    }

    /// Loads settings for the demonstration: only from flags, and from variables of the groups `web`, `log` and `poll`.
    ///
    /// # Errors
    /// All faults.
    pub(crate) fn load_apart(flags: Flags) -> Result<Self, Vec<Fault>> {
        Self::load_from(flags, |variable| {
            let groups = ["web.", "log.", "poll."].map(key::variable);
            groups.iter().any(|group| variable.starts_with(group))
        })
    }

    /// Returns the source of this name.
    pub(crate) fn source(&self, name: &str) -> Option<&SourceSettings> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// Takes over the sources that a search found for other settings, if these search too.
    pub(crate) fn keep_found(&mut self, earlier: &Self) {
        if let (Some(search), Some(before)) = (&self.search, &earlier.search)
            && search.is_same_place(before)
        {
            let found = earlier.sources.iter();
            let found = found.filter(|it| !search.excludes(&it.url.database));
            let found = found.filter_map(|it| search.source(&it.url.database, it.project));
            self.sources = found.collect();
        }
    }

    fn load_from(flags: Flags, counts: fn(&str) -> bool) -> Result<Self, Vec<Fault>> {
        let variable = move |name: &str| variable(name).filter(|_| counts(name));
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        load(flags, variable, names)
    }

    /// Reads all values but the sources; `None` only along with a fault.
    fn read(values: &mut Values) -> Option<Self> {
        // Read every value before the first `?`, so that all faults are reported together.
        // The values of polls are read again for each source, which can have its own.
        let polls = Polls::read(values, None);
        let listen = values.listen();
        let telemetry_path = values.telemetry_path();
        let enable_lifecycle = values.boolean("web.enable-lifecycle");
        let web_config = values.web_config();
        let log = values.log();
        polls?;
        Some(Self {
            sources: Vec::new(),
            search: None,
            listen: listen?,
            telemetry_path: telemetry_path?,
            enable_lifecycle: enable_lifecycle?,
            web_config,
            log: log?,
            effective: Vec::new(),
            warnings: Vec::new(),
        })
    }
}

/// Where and how a running exporter on the same machine listens; no database is needed.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The addresses or sockets.
    pub listen: Listen,
    /// Whether a web configuration file is set, which may enable TLS.
    pub has_web_config: bool,
    /// Other faults of the settings file. A running exporter has refused that file and keeps its settings.
    pub faults: Vec<Fault>,
}

impl Listening {
    /// Loads it from the layers of [`Settings::load`] except the files of the projects.
    ///
    /// # Errors
    /// The faults, if the address is unknown because of them.
    pub(crate) fn load(flags: Flags) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let file = flags.settings_file(variable, &mut faults);
        let environment = Layer::environment(variable);
        let layers = [flags.layer, environment, file.layer, Layer::defaults()];
        let mut values = Values::merge(&layers, faults)?;
        let Some(listen) = values.listen() else {
            return Err(values.faults);
        };
        Ok(Self {
            listen,
            has_web_config: values.web_config().is_some(),
            faults: values.faults,
        })
    }
}

fn load(
    flags: Flags,
    variable: impl Fn(&str) -> Option<String> + Copy + Send + Sync + 'static,
    variables: impl Iterator<Item = String>,
) -> Result<Settings, Vec<Fault>> {
    let mut faults = Vec::new();
    let file = flags.settings_file(variable, &mut faults);
    let given = [flags.layer, Layer::environment(variable)];
    let mut warnings = Vec::new();
    let listed = source_list::list(&given, file.sources, &mut faults, &mut warnings);
    let [flags, environment] = given;
    let layers = [flags, environment, file.layer];
    let url = url_source::strongest(&layers, None, &variable, &mut faults);
    let (named, is_searched) = match listed {
        Some(named) => (named, None),
        None => match Unlisted::of(url.as_ref(), &variable) {
            Unlisted::Project(project) => (vec![source_list::only(project)], None),
            Unlisted::Search { is_named } => (Vec::new(), Some(is_named)),
        },
    };
    let defaults = Layer::defaults();
    let mut values = Values::merge(layers.iter().chain([&defaults]), faults)?;
    let settings = Settings::read(&mut values);
    let exclude = values.exclude_databases();
    let is_exclude_set = !exclude.is_empty();
    let effective = values.effective(KEYS.iter());
    let mut faults = values.faults;

    let common = Common {
        layers: &layers,
        defaults: &defaults,
        effective: &effective,
        url: url.as_ref(),
        variable: &(Arc::new(variable) as Variable),
        is_only: named.len() == 1 || is_searched == Some(true),
        has_faults: !faults.is_empty(),
    };
    let mut sources = Vec::new();
    for named in &named {
        sources.extend(SourceSettings::read(
            named,
            &common,
            &mut faults,
            &mut warnings,
        ));
    }
    let search = is_searched
        .and_then(|is_named| Search::read(is_named, exclude, &common, &mut faults, &mut warnings));
    let shown = search.as_ref().map(Search::effective).unwrap_or_default();
    faults.extend(agreement::fault(&common, &sources));
    warnings.extend(agreement::unused_url(&common, &sources));
    warnings.extend(agreement::unused_exclude(is_exclude_set, &sources));
    warnings.extend(agreement::ignored_variables(&common, &named));
    let unknown = unknown_variables(variables);
    warnings.extend(unknown.iter().map(ToString::to_string));
    match settings {
        Some(settings) if faults.is_empty() => Ok(Settings {
            sources,
            search,
            effective: shown.into_iter().chain(effective).collect(),
            warnings: distinct(warnings, String::clone),
            ..settings
        }),
        _ => {
            // A misspelt variable may be the reason why the database URL is missing.
            faults.extend(unknown);
            Err(distinct(faults, |fault| chain(fault)))
        }
    }
}

/// Removes repetitions: each source meets the faults of what is for all sources.
fn distinct<T>(mut items: Vec<T>, text: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = HashSet::new();
    items.retain(|item| seen.insert(text(item)));
    items
}

/// Returns a fault for each misspelt variable: a warning, but perhaps the cause of another fault.
fn unknown_variables(variables: impl Iterator<Item = String>) -> Vec<Fault> {
    let mut names: Vec<String> = variables
        .filter(|name| spelling::is_stray_variable(name))
        .collect();
    names.sort_unstable();
    let fault = |name: String| {
        let nearest = spelling::nearest_variable(&name);
        let advice = spelling::advice(nearest.as_deref(), spelling::SEE_HELP);
        Fault::UnknownVariable { name, advice }
    };
    names.into_iter().map(fault).collect()
}

#[cfg(test)]
mod tests;
