//! Merged texts as typed values.

use std::path::PathBuf;
use std::time::Duration;

use config::{Config, Value, ValueKind};

use super::duration;
use super::effective::Effective;
use super::fault::Fault;
use super::keys;
use super::layer::{Item, Layer};
use super::listen_address::{Listen, ListenAddress};
use super::log::{Log, LogFormat};

/// The shortest period: no poll or timeout is shorter.
const MIN_PERIOD: Duration = Duration::from_millis(100);

/// The merged layers. Each typed read notes the value, or the fault that prevents it.
pub(super) struct Values {
    merged: Config,
    pub(super) faults: Vec<Fault>,
    pub(super) effective: Vec<Effective>,
}

impl Values {
    /// Merges layers, weakest first; `faults` are those found so far.
    ///
    /// # Errors
    /// `faults`, and the reason why the layers cannot be merged.
    pub(super) fn merge(layers: &[Layer], mut faults: Vec<Fault>) -> Result<Self, Vec<Fault>> {
        let mut builder = Config::builder();
        for layer in layers {
            builder = builder.add_source(layer.clone());
        }
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

    /// Notes an active setting.
    pub(super) fn note(&mut self, name: &'static str, value: String, origin: String) {
        self.effective.push(Effective {
            name,
            value,
            origin,
        });
    }

    /// Returns whether a value already read is a default.
    pub(super) fn is_default(&self, name: &str) -> bool {
        let mut values = self.effective.iter();
        values.any(|value| value.name == name && value.origin == "default")
    }

    /// Reads a duration of at least 100 ms.
    pub(super) fn period(&mut self, name: &'static str) -> Option<Duration> {
        self.parsed(name, |text| {
            duration::parse(text).filter(|duration| *duration >= MIN_PERIOD)
        })
    }

    /// Reads a duration, which may be zero.
    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        self.parsed(name, duration::parse)
    }

    /// Reads `poll.stale-after`; its default and its minimum depend on the poll interval.
    pub(super) fn stale_after(&mut self, poll_interval: Duration) -> Option<Duration> {
        let least = poll_interval * 3;
        let name = "poll.stale-after";
        let Some(item) = self.one(name) else {
            let default = least.max(Duration::from_secs(30));
            let text = humantime::format_duration(default).to_string();
            self.note(name, text, "default".to_owned());
            return Some(default);
        };
        let stale_after = self.duration(name)?;
        if stale_after < least {
            self.faults.push(Fault::StaleTooSoon {
                origin: item.origin,
                stale_after,
                poll_interval,
            });
            return None;
        }
        Some(stale_after)
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
        for item in self.many(name) {
            addresses.push(self.parsed_item(name, &item, ListenAddress::parse)?);
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
        let level = self.parsed("log.level", |text| match text {
            "debug" => Some(tracing::Level::DEBUG),
            "info" => Some(tracing::Level::INFO),
            "warn" => Some(tracing::Level::WARN),
            "error" => Some(tracing::Level::ERROR),
            _ => None,
        });
        let format = self.parsed("log.format", |text| match text {
            "logfmt" => Some(LogFormat::Logfmt),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        Some(Log {
            level: level?,
            format: format?,
        })
    }

    fn parsed<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let item = self.one(name)?;
        self.parsed_item(name, &item, parse)
    }

    fn parsed_item<T>(
        &mut self,
        name: &'static str,
        item: &Item,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(&item.text);
        if parsed.is_some() {
            self.note(name, item.text.clone(), item.origin.clone());
        } else {
            self.faults.push(Fault::Value {
                origin: item.origin.clone(),
                name,
                text: item.text.clone(),
                expected: keys::find(name).map_or("a valid value", |key| key.accepts),
            });
        }
        parsed
    }

    fn one(&self, name: &str) -> Option<Item> {
        self.many(name).into_iter().next()
    }

    fn many(&self, name: &str) -> Vec<Item> {
        match lookup(&self.merged, name) {
            None => Vec::new(),
            Some(Value {
                kind: ValueKind::Array(values),
                ..
            }) => values.iter().map(item).collect(),
            Some(value) => vec![item(value)],
        }
    }
}

/// Finds a merged value with its origin, which the getters of the crate `config` drop.
fn lookup<'a>(merged: &'a Config, name: &str) -> Option<&'a Value> {
    name.split('.')
        .try_fold(&merged.cache, |value, part| match &value.kind {
            ValueKind::Table(table) => table.get(part),
            _ => None,
        })
}

fn item(value: &Value) -> Item {
    Item {
        text: value.kind.to_string(),
        origin: value.origin().unwrap_or_default().to_owned(),
    }
}
