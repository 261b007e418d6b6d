//! Merged texts as typed values.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use config::{Config, Value, ValueKind};

use super::fault::{self, Fault};
use super::key::Key;
use super::keys;
use super::layer::{Item, Layer};
use super::listen_address::{Listen, ListenAddress};
use super::pattern::{Glob, Pattern};

/// The shortest period: no poll or timeout is shorter.
const MIN_PERIOD: Duration = Duration::from_millis(100);

/// The longest duration, 366 days. The limit keeps sums of durations from overflowing.
pub(super) const MAX_DURATION: Duration = Duration::from_hours(8784);

/// An active setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    /// Name of the setting, without `sources.NAME.` for one of a source.
    pub name: &'static str,
    /// Its value, with `***` for a secret.
    pub value: String,
    /// Where it was given.
    pub origin: String,
}

/// Severity and format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    /// Lowest severity to log.
    pub level: tracing::Level,
    /// Format of a line.
    pub format: LogFormat,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// `key=value`, as Prometheus's own programs write.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// The merged layers. Each typed read notes the value, or the fault that prevents it.
pub(super) struct Values {
    merged: Config,
    pub(super) faults: Vec<Fault>,
    effective: Vec<Effective>,
}

impl Values {
    /// Merges layers, strongest first; `faults` are those found so far.
    ///
    /// # Errors
    /// `faults`, and the reason why the layers cannot be merged.
    pub(super) fn merge<'a>(
        layers: impl IntoIterator<Item = &'a Layer, IntoIter: DoubleEndedIterator>,
        mut faults: Vec<Fault>,
    ) -> Result<Self, Vec<Fault>> {
        let weakest_first = layers.into_iter().rev();
        let builder = weakest_first.fold(Config::builder(), |builder, layer| {
            builder.add_source(layer.clone())
        });
        match builder.build() {
            Ok(merged) => Ok(Self {
                merged,
                faults,
                effective: Vec::new(),
            }),
            Err(error) => {
                faults.push(error.into());
                Err(faults)
            }
        }
    }

    /// Returns the active settings in the order of these keys.
    pub(super) fn effective(&mut self, keys: impl Iterator<Item = &'static Key>) -> Vec<Effective> {
        let order: Vec<&str> = keys.map(|key| key.name).collect();
        let mut effective = std::mem::take(&mut self.effective);
        effective.sort_by_key(|value| {
            let position = order.iter().position(|name| *name == value.name);
            position.unwrap_or(order.len())
        });
        effective
    }

    /// Notes an active setting.
    pub(super) fn note(&mut self, name: &'static str, value: String, origin: String) {
        self.effective.push(Effective {
            name,
            value,
            origin,
        });
    }

    /// Reads a duration of at least 100 ms.
    pub(super) fn period(&mut self, name: &'static str) -> Option<Duration> {
        self.parsed(name, |text| duration(text).filter(|it| *it >= MIN_PERIOD))
    }

    /// Reads a duration, which may be zero.
    pub(super) fn time_delta(&mut self, name: &'static str) -> Option<TimeDelta> {
        self.parsed(name, |text| TimeDelta::from_std(duration(text)?).ok())
    }

    /// Reads `poll.stale-after` of a source, or for all; its default and its minimum depend on the poll interval.
    pub(super) fn stale_after(
        &mut self,
        poll_interval: Duration,
        source: Option<&str>,
    ) -> Option<Duration> {
        let shown = humantime::format_duration;
        let least = poll_interval * 3;
        let name = "poll.stale-after";
        let Some(item) = self.items(name).into_iter().next() else {
            let default = least.max(Duration::from_secs(30));
            self.note(name, shown(default).to_string(), "default".to_owned());
            return Some(default);
        };
        let stale_after = self.parsed(name, duration)?;
        if stale_after < least {
            self.faults.push(Fault::StaleTooSoon {
                of: fault::of_source(source),
                origin: item.origin,
                stale_after,
                poll_interval,
            });
            return None;
        }
        Some(stale_after)
    }

    /// Reads `exclude`.
    pub(super) fn exclude(&mut self) -> Vec<Pattern> {
        let items = self.items("exclude").into_iter();
        items
            .filter_map(|item| self.parsed_item("exclude", item, Pattern::parse))
            .collect()
    }

    /// Reads `discovery.exclude`.
    pub(super) fn exclude_databases(&mut self) -> Vec<Glob> {
        let name = "discovery.exclude";
        let items = self.items(name).into_iter();
        items
            .filter_map(|item| self.parsed_item(name, item, Glob::parse))
            .collect()
    }

    /// Reads `limit`.
    pub(super) fn limit(&mut self) -> Option<usize> {
        self.parsed("limit", |text| {
            text.parse().ok().filter(|it| (1..=10_000_000).contains(it))
        })
    }

    /// Reads `skew.max-drift` in parts per million.
    pub(super) fn max_drift(&mut self) -> Option<u32> {
        // A clock that drifts by more than a tenth is useless.
        self.parsed("skew.max-drift", |text| {
            text.parse().ok().filter(|ppm| (1..=100_000).contains(ppm))
        })
    }

    /// Reads `web.systemd-socket` and `web.listen-address`.
    pub(super) fn listen(&mut self) -> Option<Listen> {
        if self.boolean("web.systemd-socket")? {
            return Some(Listen::Systemd);
        }
        let name = "web.listen-address";
        let mut addresses = Vec::new();
        for item in self.items(name) {
            addresses.push(self.parsed_item(name, item, ListenAddress::parse)?);
        }
        (!addresses.is_empty()).then_some(Listen::Addresses(addresses))
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.parsed(name, |text| text.parse().ok())
    }

    /// Reads `web.telemetry-path`, which must not hide the other pages.
    pub(super) fn telemetry_path(&mut self) -> Option<String> {
        self.parsed("web.telemetry-path", |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
            let taken = ["/-/", "/api/", "/static/"];
            let free = text.len() > 1 && !taken.iter().any(|prefix| text.starts_with(prefix));
            (text.starts_with('/') && text.chars().all(plain) && free).then(|| text.to_owned())
        })
    }

    /// Reads `web.config.file`; `None` if it is not set.
    pub(super) fn web_config(&mut self) -> Option<PathBuf> {
        self.parsed("web.config.file", |text| Some(text.into()))
    }

    /// Reads `log.level` and `log.format`.
    pub(super) fn log(&mut self) -> Option<Log> {
        let level = self.parsed("log.level", |text| text.parse().ok());
        let format = self.parsed("log.format", |text| match text {
            "json" => Some(LogFormat::Json),
            _ => Some(LogFormat::Logfmt),
        });
        let (level, format) = level.zip(format)?;
        Some(Log { level, format })
    }

    fn parsed<T>(&mut self, name: &'static str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let item = self.items(name).into_iter().next()?;
        self.parsed_item(name, item, parse)
    }

    fn parsed_item<T>(
        &mut self,
        name: &'static str,
        item: Item,
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let key = keys::find(name).or_else(|| keys::find_of_source(name))?;
        let Item { text, origin } = item;
        let is_choice = key.choices.is_empty() || key.choices.contains(&text.as_str());
        let parsed = parse(&text).filter(|_| is_choice);
        if parsed.is_some() {
            self.note(name, text, origin);
        } else {
            self.faults.push(Fault::Value {
                origin,
                name,
                text,
                expected: key.accepts,
            });
        }
        parsed
    }

    /// Returns a setting's merged values with their origins, which the crate's own getters drop.
    fn items(&self, name: &str) -> Vec<Item> {
        let mut parts = name.split('.');
        let value = parts.try_fold(&self.merged.cache, |value, part| match &value.kind {
            ValueKind::Table(table) => table.get(part),
            _ => None,
        });
        let item = |value: &Value| Item {
            text: value.kind.to_string(),
            origin: value.origin().unwrap_or_default().to_owned(),
        };
        match value.map(|value| &value.kind) {
            Some(ValueKind::Array(values)) => values.iter().map(item).collect(),
            _ => Vec::new(),
        }
    }
}

/// Parses a duration; a number without a unit means seconds, as in oslo.config.
fn duration(text: &str) -> Option<Duration> {
    let seconds = text.parse().map(Duration::from_secs);
    let parsed = seconds.or_else(|_| humantime::parse_duration(text)).ok();
    parsed.filter(|duration| *duration <= MAX_DURATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_without_a_unit_are_seconds() {
        for (text, expected) in [
            ("60", Some(60_000)),
            ("1500ms", Some(1_500)),
            ("1m 30s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("0", Some(0)),
            ("-5", None),
            ("", None),
            ("5 parsecs", None),
            ("99999999999999999999", None),
            ("2y", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
