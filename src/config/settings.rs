//! The settings in force: the layers merged, checked all at once, and each value with the place it came from.

use std::path::PathBuf;
use std::time::Duration;

use config::Config;

use super::fault::{Fault, hint};
use super::key::{self, KEYS, Key};
use super::layer::{Item, Layer};
use super::listen_address::ListenAddress;
use super::oslo::{OsloConfig, Place};
use super::reader::{Reader, read_secret};
use super::yaml;
use crate::database::Target;
use crate::heartbeat::liveness::Intervals;

/// Everything the exporter was told, valid as a whole.
#[derive(Debug)]
pub struct Settings {
    /// Where the heartbeats are.
    pub target: Target,
    /// The options that decide the verdicts.
    pub intervals: Intervals,
    /// Time between two polls, at least 100 ms.
    pub poll_interval: Duration,
    /// Age at which a picture is withheld, at least three polls.
    pub stale_after: Duration,
    /// Where to listen, at least one.
    pub listen: Vec<ListenAddress>,
    /// Path of the metrics, starting with a slash.
    pub telemetry_path: String,
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
#[derive(Debug, Default)]
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
        // What is not UTF-8 is passed on with replacement characters, so that it is refused and not overlooked.
        let variable =
            |name: &str| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        load(flags, variable, names)
    }
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

    let given = strongest_url(&[&flags.layer, &environment, &file], &mut faults);
    let cinder = cinder_layer(&places, variable, given.is_none(), &mut faults);
    let given = given.or_else(|| cinder.get("database.url").first().cloned());

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
    let settings = reader.settings(url, warnings(variables, &places));
    match settings {
        Some(settings) if reader.faults.is_empty() => Ok(Settings {
            effective: reader.effective,
            ..settings
        }),
        _ => Err(reader.faults),
    }
}

fn merge(layers: &[Layer]) -> Result<Config, config::ConfigError> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer.clone());
    }
    builder.build()
}

fn config_file(
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
    if places.is_empty() {
        return Layer::default();
    }
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

fn warnings(variables: impl Iterator<Item = String>, places: &[(Place, String)]) -> Vec<String> {
    let mut warnings: Vec<String> = variables
        .filter(|name| key::is_stray_variable(name))
        .map(|name| {
            let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
            let nearest = key::nearest(&name, known.iter().map(String::as_str));
            format!(
                "the environment variable {name} names no setting; {}",
                hint(nearest)
            )
        })
        .collect();
    warnings.sort_unstable();
    if places.is_empty() {
        warnings.push(
            "without cinder.conf, service_down_time and report_interval are taken from the settings or Cinder's \
             defaults; give --cinder.config-file if the cloud has others"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests;
