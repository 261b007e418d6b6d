//! The settings in force: the layers merged, checked all at once, and each value with the place it came from.

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use chrono::TimeDelta;
use config::{Config, Value, ValueKind};
use secrecy::SecretString;

use super::database_url::{self, DatabaseUrl};
use super::key::{self, KEYS, Key};
use super::layer::{Item, Layer};
use super::oslo::{self, OsloConfig, Place};
use super::yaml;
use crate::database::{Target, cinder};
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

/// An address to listen on; without a host all interfaces, by IPv6 and IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Name or address, IPv6 without brackets.
    pub host: Option<String>,
    /// Port; 0 takes a free one.
    pub port: u16,
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref() {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
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

/// One thing that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages document variants and fields")]
pub enum Fault {
    #[error("{origin}: unknown setting `{name}`; {}", hint(*nearest))]
    UnknownKey {
        origin: String,
        name: String,
        nearest: Option<&'static str>,
    },
    #[error("{origin}: {what}")]
    Syntax { origin: String, what: String },
    #[error("{origin}: `{name}` is `{text}`, which is not {expected}")]
    Value {
        origin: String,
        name: &'static str,
        text: String,
        expected: &'static str,
    },
    #[error("cannot read {} ({origin})", path.display())]
    Read {
        path: PathBuf,
        origin: String,
        source: io::Error,
    },
    #[error(transparent)]
    Oslo(oslo::Error),
    #[error("{origin}: {source}")]
    Url {
        origin: String,
        // Its text is in ours already.
        source: database_url::Error,
    },
    #[error("{origin}: both `database.url` and `database.url-file` are given here; leave one out")]
    TwoUrls { origin: String },
    #[error(
        "no database is named: give --cinder.config-file /etc/cinder/cinder.conf, or --database.url-file, or the \
         environment variable OPENSTACK_HEARTBEAT_DATABASE_URL"
    )]
    NoDatabase,
    #[error("{place} does not set `connection` in [database], and no other database URL is given")]
    NoConnection { place: String },
    #[error(
        "{origin}: `poll.stale-after` is {}, which is less than three times `poll.interval` ({}); raise it, or poll \
         more often",
        humantime::format_duration(*stale_after),
        humantime::format_duration(*poll_interval)
    )]
    StaleTooSoon {
        origin: String,
        stale_after: Duration,
        poll_interval: Duration,
    },
    #[error("the settings cannot be merged")]
    Merge(#[from] config::ConfigError),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "`check-config` lists those there are".to_owned(),
        |name| format!("did you mean `{name}`?"),
    )
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

/// Reads a file that holds one secret; what is wrong is a fault, and then the text is empty.
fn read_secret(file: &Item, faults: &mut Vec<Fault>) -> Item {
    let text = std::fs::read_to_string(&file.text).unwrap_or_else(|source| {
        faults.push(Fault::Read {
            path: (&file.text).into(),
            origin: file.origin.clone(),
            source,
        });
        String::new()
    });
    Item {
        text: text.trim_end_matches(['\r', '\n']).to_owned(),
        origin: file.text.clone(),
    }
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

/// Turns merged texts into values, noting every fault and every value.
struct Reader<'a> {
    merged: &'a Config,
    faults: Vec<Fault>,
    effective: Vec<Effective>,
}

impl Reader<'_> {
    /// Returns the settings; `None` only along with a fault.
    fn settings(
        &mut self,
        url: Option<DatabaseUrl>,
        mut warnings: Vec<String>,
    ) -> Option<Settings> {
        let service_down_time = self.duration("cinder.service-down-time", Duration::ZERO);
        let report_interval = self.duration("cinder.report-interval", Duration::ZERO);
        let least = Duration::from_millis(100);
        let connect_timeout = self.duration("database.connect-timeout", least);
        let query_timeout = self.duration("database.query-timeout", least);
        let poll_interval = self.duration("poll.interval", least);
        let stale_after = poll_interval.and_then(|interval| self.stale_after(interval));
        let listen = self.listen();
        let telemetry_path = self.telemetry_path();
        let log = self.log();
        let mut url = url?;
        if let Some(password) = self.password() {
            url.password = Some(password);
        }
        warnings.extend(url.ignored.iter().map(|option| {
            format!("the option `{option}` of the database URL is not understood, and ignored")
        }));
        Some(Settings {
            target: Target {
                url,
                layout: &cinder::LAYOUT,
                connect_timeout: connect_timeout?,
                query_timeout: query_timeout?,
            },
            intervals: Intervals {
                service_down_time: TimeDelta::from_std(service_down_time?).ok()?,
                report_interval: TimeDelta::from_std(report_interval?).ok()?,
            },
            poll_interval: poll_interval?,
            stale_after: stale_after?,
            listen: listen?,
            telemetry_path: telemetry_path?,
            log: log?,
            effective: Vec::new(),
            warnings,
        })
    }

    fn database_url(
        &mut self,
        given: Option<Item>,
        places: &[(Place, String)],
    ) -> Option<DatabaseUrl> {
        let Some(item) = given else {
            self.faults.push(match places.first() {
                None => Fault::NoDatabase,
                // Files that could not be read have their own faults, which explain this one.
                Some(_) if !self.faults.is_empty() => return None,
                Some((Place::File(path) | Place::Dir(path), _)) => Fault::NoConnection {
                    place: path.display().to_string(),
                },
            });
            return None;
        };
        if item.text.is_empty() && !self.faults.is_empty() {
            return None;
        }
        match DatabaseUrl::parse(&item.text) {
            Ok(url) => {
                self.note("database.url", url.redacted(), item.origin);
                Some(url)
            }
            Err(source) => {
                self.faults.push(Fault::Url {
                    origin: item.origin,
                    source,
                });
                None
            }
        }
    }

    fn password(&mut self) -> Option<SecretString> {
        let file = self.one("database.password-file")?;
        self.note(
            "database.password-file",
            file.text.clone(),
            file.origin.clone(),
        );
        Some(read_secret(&file, &mut self.faults).text.into())
    }

    fn stale_after(&mut self, poll_interval: Duration) -> Option<Duration> {
        let least = poll_interval * 3;
        let name = "poll.stale-after";
        let Some(item) = self.one(name) else {
            let default = least.max(Duration::from_secs(30));
            let text = humantime::format_duration(default).to_string();
            self.note(name, text, "default".to_owned());
            return Some(default);
        };
        let stale_after = self.duration(name, Duration::ZERO)?;
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

    fn listen(&mut self) -> Option<Vec<ListenAddress>> {
        let name = "web.listen-address";
        let mut addresses = Vec::new();
        for item in self.many(name) {
            let address = self.parsed(
                name,
                &item,
                "an address such as :10390, 127.0.0.1:10390 or [::1]:10390",
                listen_address,
            );
            addresses.push(address?);
        }
        (!addresses.is_empty()).then_some(addresses)
    }

    fn telemetry_path(&mut self) -> Option<String> {
        let name = "web.telemetry-path";
        let item = self.one(name)?;
        self.parsed(
            name,
            &item,
            "a path of its own that starts with a slash, such as /metrics",
            |text| {
                let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
                let own = text.len() > 1 && !text.starts_with("/-/") && !text.starts_with("/api/");
                (text.starts_with('/') && text.chars().all(plain) && own).then(|| text.to_owned())
            },
        )
    }

    fn log(&mut self) -> Option<Log> {
        let level = self.one("log.level")?;
        let format = self.one("log.format")?;
        let level = self.parsed(
            "log.level",
            &level,
            "debug, info, warn or error",
            |text| match text {
                "debug" => Some(tracing::Level::DEBUG),
                "info" => Some(tracing::Level::INFO),
                "warn" => Some(tracing::Level::WARN),
                "error" => Some(tracing::Level::ERROR),
                _ => None,
            },
        );
        let format = self.parsed("log.format", &format, "logfmt or json", |text| match text {
            "logfmt" => Some(LogFormat::Logfmt),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        Some(Log {
            level: level?,
            format: format?,
        })
    }

    fn duration(&mut self, name: &'static str, least: Duration) -> Option<Duration> {
        let item = self.one(name)?;
        let expected = if least.is_zero() {
            "a duration such as 60s, 90s or 5m"
        } else {
            "a duration of at least 100ms, such as 500ms, 5s or 1m"
        };
        self.parsed(name, &item, expected, |text| {
            duration(text).filter(|duration| *duration >= least)
        })
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        item: &Item,
        expected: &'static str,
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
                expected,
            });
        }
        parsed
    }

    fn note(&mut self, name: &'static str, value: String, origin: String) {
        self.effective.push(Effective {
            name,
            value,
            origin,
        });
    }

    fn one(&self, name: &str) -> Option<Item> {
        self.many(name).into_iter().next()
    }

    fn many(&self, name: &str) -> Vec<Item> {
        let Ok(value) = lookup(self.merged, name) else {
            return Vec::new();
        };
        match &value.kind {
            ValueKind::Array(values) => values.iter().map(item).collect(),
            _ => vec![item(value)],
        }
    }
}

/// Finds a merged value together with its origin, which the crate's own getters drop.
fn lookup<'a>(merged: &'a Config, name: &str) -> Result<&'a Value, ()> {
    let mut value = &merged.cache;
    for part in name.split('.') {
        let ValueKind::Table(table) = &value.kind else {
            return Err(());
        };
        value = table.get(part).ok_or(())?;
    }
    Ok(value)
}

fn item(value: &Value) -> Item {
    Item {
        text: value.kind.to_string(),
        origin: value.origin().unwrap_or_default().to_owned(),
    }
}

/// Parses a duration; a number without a unit is seconds, as in cinder.conf.
fn duration(text: &str) -> Option<Duration> {
    // A year is more than any of these needs, and keeps sums of them from overflowing.
    const MOST: Duration = Duration::from_hours(8784);
    text.parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(text))
        .ok()
        .filter(|duration| *duration <= MOST)
}

fn listen_address(text: &str) -> Option<ListenAddress> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|host| host.contains(':'))?,
        None if host.contains(':') => return None,
        None => host,
    };
    let host = Some(host.to_owned()).filter(|host| !host.is_empty());
    Some(ListenAddress { host, port })
}

#[cfg(test)]
mod tests;
