//! The settings in force: the layers merged, checked all at once, and each value with the place it came from.

use std::path::PathBuf;
use std::time::Duration;

use config::Config;

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::layer::{Item, Layer};
use super::listen_address::Listen;
use super::oslo::{OsloConfig, Place};
use super::reader::{Password, Reader, read_secret};
use super::{credential, key, yaml};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::tracker::Tolerances;

/// Everything the exporter was told, valid as a whole.
#[derive(Debug)]
pub struct Settings {
    /// Where the heartbeats are.
    pub url: DatabaseUrl,
    /// Limit on connecting and logging in.
    pub connect_timeout: Duration,
    /// Limit on one statement; less than `stale_after`.
    pub query_timeout: Duration,
    /// The options that decide the verdicts.
    pub intervals: Intervals,
    /// What the proven bounds of clock skews rest on.
    pub tolerances: Tolerances,
    /// Time between two polls, at least 100 ms; dithered by a sixth.
    pub poll_interval: Duration,
    /// Age at which a picture is withheld, at least three polls.
    pub stale_after: Duration,
    /// What to listen on.
    pub listen: Listen,
    /// Path of the metrics, starting with a slash.
    pub telemetry_path: String,
    /// Whether a request can reload the configuration.
    pub enable_lifecycle: bool,
    /// The web configuration file, relative to the working directory.
    pub web_config: Option<PathBuf>,
    /// How to log.
    pub log: Log,
    /// Every value with its origin, for people: secrets hidden.
    pub effective: Vec<Effective>,
    /// What is odd without being wrong.
    pub warnings: Vec<String>,
}

/// What and how to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Least severity.
    pub level: tracing::Level,
    /// Format of a line.
    pub format: LogFormat,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`, as Prometheus's own programs write.
    Logfmt,
    /// A JSON object a line.
    Json,
}

/// A setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Name of the setting.
    pub name: &'static str,
    /// Its value, `***` where it is secret.
    pub value: String,
    /// Where it was given.
    pub origin: String,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The values of flags.
    pub layer: Layer,
    /// `--config.file`.
    pub config_file: Option<PathBuf>,
    /// `--cinder.config-file` and `--cinder.config-dir` in the order they were given, each with its flag.
    pub places: Vec<(Place, String)>,
}

impl Settings {
    /// Loads and merges all layers, weakest first: defaults, cinder.conf, the YAML file, environment, flags.
    ///
    /// # Errors
    /// Every fault there is.
    pub fn load(flags: Flags) -> Result<Self, Vec<Fault>> {
        Self::load_from(flags, |_| true)
    }

    /// Loads settings that nothing on this machine changes but flags and the environment of the groups `web`,
    /// `log` and `poll`: for the demonstration.
    ///
    /// # Errors
    /// Every fault there is.
    pub(crate) fn load_apart(flags: Flags) -> Result<Self, Vec<Fault>> {
        Self::load_from(flags, |variable| {
            let groups = ["web.", "log.", "poll."].map(key::variable);
            groups.iter().any(|group| variable.starts_with(group))
        })
    }

    fn load_from(flags: Flags, counts: fn(&str) -> bool) -> Result<Self, Vec<Fault>> {
        let variable = move |name: &str| variable(name).filter(|_| counts(name));
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        load(flags, variable, names)
    }
}

/// Reads a variable of the process. What is not UTF-8 is passed on with replacement characters, so that it is refused
/// and not overlooked.
pub(super) fn variable(name: &str) -> Option<String> {
    let text = std::env::var_os(name)?;
    Some(text.to_string_lossy().into_owned())
}

fn load(
    flags: Flags,
    variable: impl Fn(&str) -> Option<String> + Copy + Send + Sync + 'static,
    variables: impl Iterator<Item = String>,
) -> Result<Settings, Vec<Fault>> {
    let mut faults = Vec::new();
    let environment = Layer::environment(variable);
    let file = config_file(&flags, variable, &mut faults);

    // The strongest layer that names cinder.conf names all of it: files of two layers are not mixed.
    let places = [&flags.layer, &environment, &file]
        .into_iter()
        .map(super::layer::Layer::places)
        .find(|places| !places.is_empty())
        .unwrap_or_default();
    let places = if flags.places.is_empty() {
        places
    } else {
        flags.places
    };

    let stronger = [&flags.layer, &environment, &file];
    let given = strongest_url(&stronger, &mut faults)
        .or_else(|| credential::read(credential::URL, variable, &mut faults));
    let cinder = cinder_layer(&places, variable, given.is_none(), &mut faults);
    let given = given.or_else(|| cinder.get("database.url").first().cloned());
    let unknown = unknown_variables(variables);
    let mut warnings = unknown.iter().map(ToString::to_string).collect();
    let password = Password {
        file: password_file(&stronger, &mut warnings),
        credential: credential::find(credential::PASSWORD, variable),
    };

    let layers = [Layer::defaults(), cinder, file, environment, flags.layer];
    let merged = match merge(&layers) {
        Ok(merged) => merged,
        Err(error) => {
            faults.push(error.into());
            return Err(faults);
        }
    };
    let mut reader = Reader {
        merged: &merged,
        faults,
        effective: Vec::new(),
    };
    for (place, origin) in &places {
        let (name, path) = match place {
            Place::File(path) => ("cinder.config-file", path),
            Place::Dir(path) => ("cinder.config-dir", path),
        };
        reader.note(name, path.display().to_string(), origin.clone());
    }
    let url = reader.database_url(given, &places);
    let settings = reader.settings(url, password, !places.is_empty(), warnings);
    match settings {
        Some(settings) if reader.faults.is_empty() => Ok(Settings {
            effective: reader.effective,
            ..settings
        }),
        _ => {
            // The database URL may be missing because its variable is misspelt.
            reader.faults.extend(unknown);
            Err(reader.faults)
        }
    }
}

pub(super) fn merge(layers: &[Layer]) -> Result<Config, config::ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer.clone());
    }
    builder.build()
}

pub(super) fn config_file(
    flags: &Flags,
    variable: impl Fn(&str) -> Option<String>,
    faults: &mut Vec<Fault>,
) -> Layer {
    let name = key::variable(key::CONFIG_FILE);
    let (path, origin) = match (&flags.config_file, variable(&name)) {
        (Some(path), _) => (path.clone(), format!("--{}", key::CONFIG_FILE)),
        (None, Some(path)) if !path.is_empty() => {
            (path.into(), format!("environment variable {name}"))
        }
        _ => return Layer::default(),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let (layer, found) = yaml::read(&path, &text);
            faults.extend(found);
            layer
        }
        Err(source) => {
            faults.push(Fault::Read {
                path,
                origin,
                source,
            });
            Layer::default()
        }
    }
}

fn cinder_layer(
    places: &[(Place, String)],
    variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    with_url: bool,
    faults: &mut Vec<Fault>,
) -> Layer {
    // Without a file the environment of oslo.config counts all the same.
    let places: Vec<Place> = places.iter().map(|(place, _)| place.clone()).collect();
    let loaded =
        OsloConfig::load(&places, variable).and_then(|config| Layer::cinder(&config, with_url));
    loaded.unwrap_or_else(|errors| {
        faults.extend(errors.into_iter().map(Fault::Oslo));
        Layer::default()
    })
}

/// Returns the URL, or the file that holds it, of the strongest layer that has either.
fn strongest_url(layers: &[&Layer], faults: &mut Vec<Fault>) -> Option<Item> {
    for layer in layers {
        match (layer.get("database.url"), layer.get("database.url-file")) {
            ([], []) => {}
            ([url, ..], []) => return Some(url.clone()),
            ([], [file, ..]) => return Some(read_secret(file, faults)),
            ([url, ..], [..]) => {
                faults.push(Fault::TwoUrls {
                    origin: url.origin.clone(),
                });
                return Some(url.clone());
            }
        }
    }
    None
}

/// Returns the file that holds the password, unless a stronger layer has a URL, whose password then counts.
fn password_file(layers: &[&Layer], warnings: &mut Vec<String>) -> Option<Item> {
    let has_url = |layer: &Layer| {
        ["database.url", "database.url-file"]
            .map(|name| !layer.get(name).is_empty())
            .contains(&true)
    };
    for (strength, layer) in layers.iter().enumerate() {
        if let Some(file) = layer.get("database.password-file").first() {
            if layers[..strength].iter().any(|layer| has_url(layer)) {
                warnings.push(format!(
                    "`database.password-file` of {} is not used: the database URL is given in a stronger place",
                    file.origin
                ));
                return None;
            }
            return Some(file.clone());
        }
    }
    None
}

/// Returns what is wrong with the names of variables: nothing that hinders, and what may explain another fault.
fn unknown_variables(variables: impl Iterator<Item = String>) -> Vec<Fault> {
    let mut names: Vec<String> = variables
        .filter(|name| key::is_stray_variable(name))
        .collect();
    names.sort_unstable();
    let fault = |name: String| Fault::UnknownVariable {
        nearest: key::nearest_variable(&name),
        name,
    };
    names.into_iter().map(fault).collect()
}

#[cfg(test)]
mod tests;
