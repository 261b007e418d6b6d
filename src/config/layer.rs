//! One layer of configuration: the values from one place, each with its origin.
//!
//! The crate `config` merges the layers. Values stay text as written: `0123` and `true` are valid passwords. An origin
//! names file and line, variable, or flag.

use std::collections::BTreeMap;
use std::time::Duration;

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::key::{Key, Scope};
use super::keys::{self, KEYS};
use super::oslo::{OsloConfig, OsloError, ValueFault};
use crate::project::Project;
use crate::project::options::{Refused, Seconds};

/// The values of one layer, by setting name.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    values: BTreeMap<&'static str, Vec<Item>>,
}

/// A text and its origin.
#[derive(Clone)]
pub(crate) struct Item {
    /// As written.
    pub text: String,
    /// Such as `/etc/exporter.yaml:3`, `environment variable X` or `--poll.interval`.
    pub origin: String,
}

/// Does not show the text, which may be secret.
impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Layer {
    /// Adds a value. A setting that is not a list keeps only the last value.
    pub(crate) fn add(
        &mut self,
        key: &'static Key,
        text: impl Into<String>,
        origin: impl Into<String>,
    ) {
        let items = self.values.entry(key.name).or_default();
        if !key.list {
            items.clear();
        }
        items.push(Item {
            text: text.into(),
            origin: origin.into(),
        });
    }

    /// Returns the values of a setting; empty if this layer does not set it.
    pub(crate) fn get(&self, name: &str) -> &[Item] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the defaults that do not depend on other settings.
    pub(crate) fn defaults() -> Self {
        let mut layer = Self::default();
        for key in KEYS {
            if let Some(text) = key.default {
                layer.add(key, text, "default");
            }
        }
        layer
    }

    /// Reads the environment. Commas separate the items of a list; an empty variable counts as unset.
    pub(crate) fn environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut layer = Self::default();
        for key in KEYS {
            let name = key.variable();
            let Some(text) = variable(&name).filter(|text| !text.is_empty()) else {
                continue;
            };
            let origin = format!("environment variable {name}");
            if key.list {
                for item in text.split(',') {
                    layer.add(key, item.trim(), &origin);
                }
            } else {
                layer.add(key, text, origin);
            }
        }
        layer
    }

    /// Takes a source's settings from its project's configuration files.
    ///
    /// # Errors
    /// The faults of the values taken.
    pub(super) fn options(
        config: &OsloConfig,
        project: &'static Project,
    ) -> Result<Self, Vec<OsloError>> {
        let mut layer = Self::default();
        let mut errors = Vec::new();
        for (key, option) in options(project) {
            match seconds(config, option) {
                Ok(Some((text, origin))) => layer.add(key, text, origin),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        if let Some(refused) = &project.options.refused {
            errors.extend(refusal(config, refused).unwrap_or_else(Some));
        }
        let is_valid = errors.is_empty();
        is_valid.then_some(layer).ok_or(errors)
    }

    /// Returns the defaults of a source's own settings.
    pub(super) fn source_defaults(project: &'static Project) -> Self {
        let mut layer = Self::default();
        for key in keys::of_source().filter(|key| key.scope == Scope::Source) {
            if let Some(text) = key.default {
                layer.add(key, text, "default");
            }
        }
        for (key, option) in options(project) {
            layer.add(key, format!("{}s", option.default), "default");
        }
        layer
    }
}

/// Returns the settings that are options of a project.
pub(super) fn options(
    project: &'static Project,
) -> impl Iterator<Item = (&'static Key, &'static Seconds)> {
    let options = &project.options;
    keys::of_source().filter_map(|key| Some((key, key.option?(options))))
}

/// Returns a fault if an option has a value that the exporter cannot work with.
fn refusal(config: &OsloConfig, refused: &Refused) -> Result<Option<OsloError>, OsloError> {
    let Refused { name, value, why } = *refused;
    let found = config.get("DEFAULT", name)?;
    let found = found.filter(|(text, _)| text.trim() == value);
    Ok(found.map(|(_, origin)| {
        let name = ("DEFAULT".to_owned(), name.to_owned());
        OsloError::value(origin, name, ValueFault::Refused { value, why })
    }))
}

/// Returns the value of an option, with its unit. A constant has none.
fn seconds(config: &OsloConfig, option: &Seconds) -> Result<Option<(String, String)>, OsloError> {
    let Some(group) = option.group else {
        return Ok(None);
    };
    let whole = |(seconds, origin)| (u64::try_from(seconds).ok().map(Duration::from_secs), origin);
    let float = |(seconds, origin)| (Duration::try_from_secs_f64(seconds).ok(), origin);
    let found = if option.is_float {
        config.get_float(group, option.name)?.map(float)
    } else {
        config.get_integer(group, option.name)?.map(whole)
    };
    let Some((seconds, origin)) = found else {
        return Ok(None);
    };
    let Some(seconds) = seconds else {
        let name = (group.to_owned(), option.name.to_owned());
        return Err(OsloError::value(origin, name, ValueFault::Negative));
    };
    let seconds = seconds.saturating_mul(option.factor);
    let text = match seconds.subsec_millis() {
        0 => format!("{}s", seconds.as_secs()),
        _ => format!("{}ms", seconds.as_millis()),
    };
    Ok(Some((text, origin.to_string())))
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |item: &Item| Value::new(Some(&item.origin), item.text.as_str());
        let values = self.values.iter().map(|(name, items)| {
            let kind = ValueKind::Array(items.iter().map(value).collect());
            ((*name).to_owned(), Value::new(None, kind))
        });
        Ok(values.collect())
    }
}
