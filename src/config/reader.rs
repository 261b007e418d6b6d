//! How merged texts become typed settings.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use config::{Config, Value, ValueKind};
use secrecy::SecretString;

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::key;
use super::layer::Item;
use super::listen_address::{Listen, ListenAddress};
use super::oslo::Place;
use super::settings::{Effective, Log, LogFormat, Settings};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::tracker::Tolerances;

/// Reads a file that holds one secret; what is wrong is a fault, and then the text is empty.
pub(super) fn read_secret(file: &Item, faults: &mut Vec<Fault>) -> Item {
    let text = match std::fs::read_to_string(&file.text) {
        Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
        Err(source) => {
            faults.push(Fault::Read {
                path: (&file.text).into(),
                origin: file.origin.clone(),
                source,
            });
            return Item {
                text: String::new(),
                origin: file.text.clone(),
            };
        }
    };
    if text.is_empty() {
        faults.push(Fault::Syntax {
            origin: file.text.clone(),
            what: "the file is empty; was the secret mounted?".to_owned(),
        });
    }
    Item {
        text,
        origin: file.text.clone(),
    }
}

/// Where a password may be that is not in the URL.
pub(super) struct Password {
    /// Counts even where the URL has one.
    pub(super) file: Option<Item>,
    /// A file as well, which counts only where there is no other password.
    pub(super) credential: Option<Item>,
}

/// Turns merged texts into values, noting every fault and every value.
pub(super) struct Reader<'a> {
    pub(super) merged: &'a Config,
    pub(super) faults: Vec<Fault>,
    pub(super) effective: Vec<Effective>,
}

impl Reader<'_> {
    /// Returns the settings; `None` only along with a fault.
    pub(super) fn settings(
        &mut self,
        url: Option<DatabaseUrl>,
        password: Password,
        has_cinder: bool,
        mut warnings: Vec<String>,
    ) -> Option<Settings> {
        let service_down_time = self.duration("cinder.service-down-time", Duration::ZERO);
        let report_interval = self.duration("cinder.report-interval", Duration::ZERO);
        let least = Duration::from_millis(100);
        let connect_timeout = self.duration("database.connect-timeout", least);
        let query_timeout = self.duration("database.query-timeout", least);
        let poll_interval = self.duration("poll.interval", least);
        let visibility_delay = self.duration("skew.visibility-delay", Duration::ZERO);
        let max_drift_ppm = self.max_drift();
        let stale_after = poll_interval.and_then(|interval| self.stale_after(interval));
        if let (Some(query_timeout), Some(stale_after)) = (query_timeout, stale_after)
            && query_timeout >= stale_after
        {
            self.faults.push(Fault::QueryTooLong {
                query_timeout,
                stale_after,
            });
        }
        let listen = self.listen();
        let telemetry_path = self.telemetry_path();
        let enable_lifecycle = self.boolean("web.enable-lifecycle");
        let web_config = self.web_config();
        let log = self.log();
        let mut url = url?;
        if let Some(password) = self.password(password, &url, &mut warnings) {
            url.password = Some(password);
        }
        warnings.extend(url.ignored.iter().map(|option| {
            format!("the option `{option}` of the database URL is not understood, and ignored")
        }));
        let intervals = Intervals {
            service_down_time: TimeDelta::from_std(service_down_time?).ok()?,
            report_interval: TimeDelta::from_std(report_interval?).ok()?,
        };
        warnings.extend(self.warn_of_intervals(&intervals, has_cinder));
        Some(Settings {
            url,
            connect_timeout: connect_timeout?,
            query_timeout: query_timeout?,
            intervals,
            tolerances: Tolerances {
                visibility_delay: TimeDelta::from_std(visibility_delay?).ok()?,
                max_drift_ppm: max_drift_ppm?,
            },
            poll_interval: poll_interval?,
            stale_after: stale_after?,
            listen: listen?,
            telemetry_path: telemetry_path?,
            enable_lifecycle: enable_lifecycle?,
            web_config,
            log: log?,
            effective: Vec::new(),
            warnings,
        })
    }

    pub(super) fn database_url(
        &mut self,
        given: Option<Item>,
        places: &[(Place, String)],
    ) -> Option<DatabaseUrl> {
        let Some(item) = given else {
            self.faults.push(match places.first() {
                // A file that could not be read has its own fault, which explains this one.
                _ if !self.faults.is_empty() => return None,
                None => Fault::NoDatabase,
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

    /// Returns the password that replaces the one of the URL, if any.
    fn password(
        &mut self,
        Password { file, credential }: Password,
        url: &DatabaseUrl,
        warnings: &mut Vec<String>,
    ) -> Option<SecretString> {
        let file = match (file, credential) {
            (None, Some(credential)) if url.password.is_none() => credential,
            (file, credential) => {
                warnings.extend(credential.map(|credential| {
                    let origin = credential.origin;
                    format!("the {origin} is not used: a password is given in a stronger place")
                }));
                file?
            }
        };
        self.note(
            "database.password-file",
            file.text.clone(),
            file.origin.clone(),
        );
        let password = read_secret(&file, &mut self.faults).text;
        (!password.is_empty()).then(|| password.into())
    }

    fn warn_of_intervals(&self, intervals: &Intervals, has_cinder: bool) -> Option<String> {
        let is_default = |name| {
            let mut values = self.effective.iter();
            values.any(|value| value.name == name && value.origin == "default")
        };
        let raised = intervals.scheduler_service_down_time();
        if raised != intervals.service_down_time {
            return Some(format!(
                "service_down_time ({} s) is not above report_interval ({} s): the scheduler raises it to {} s and the \
                 API does not, so that the API lists services as down that are used",
                intervals.service_down_time.num_seconds(),
                intervals.report_interval.num_seconds(),
                raised.num_seconds()
            ));
        }
        let assumed =
            is_default("cinder.service-down-time") || is_default("cinder.report-interval");
        (assumed && !has_cinder).then(|| {
            "without cinder.conf, Cinder's defaults are taken for service_down_time and report_interval; give \
             --cinder.config-file, or the settings cinder.service-down-time and cinder.report-interval"
                .to_owned()
        })
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

    fn max_drift(&mut self) -> Option<u32> {
        let name = "skew.max-drift";
        let item = self.one(name)?;
        // Beyond a tenth no clock deserves the name.
        self.parsed(name, &item, |text| {
            text.parse().ok().filter(|ppm| (1..=100_000).contains(ppm))
        })
    }

    pub(super) fn listen(&mut self) -> Option<Listen> {
        if self.boolean("web.systemd-socket")? {
            return Some(Listen::Systemd);
        }
        let name = "web.listen-address";
        let mut addresses = Vec::new();
        for item in self.many(name) {
            let address = self.parsed(name, &item, ListenAddress::parse);
            addresses.push(address?);
        }
        (!addresses.is_empty()).then_some(Listen::Addresses(addresses))
    }

    fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let item = self.one(name)?;
        self.parsed(name, &item, |text| text.parse().ok())
    }

    fn telemetry_path(&mut self) -> Option<String> {
        let name = "web.telemetry-path";
        let item = self.one(name)?;
        self.parsed(name, &item, |text| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
            let taken = ["/-/", "/api/", "/static/"];
            let own = text.len() > 1 && !taken.iter().any(|prefix| text.starts_with(prefix));
            (text.starts_with('/') && text.chars().all(plain) && own).then(|| text.to_owned())
        })
    }

    pub(super) fn web_config(&mut self) -> Option<PathBuf> {
        let name = "web.config.file";
        let item = self.one(name)?;
        self.note(name, item.text.clone(), item.origin);
        Some(item.text.into())
    }

    fn log(&mut self) -> Option<Log> {
        let level = self.one("log.level")?;
        let format = self.one("log.format")?;
        let level = self.parsed("log.level", &level, |text| match text {
            "debug" => Some(tracing::Level::DEBUG),
            "info" => Some(tracing::Level::INFO),
            "warn" => Some(tracing::Level::WARN),
            "error" => Some(tracing::Level::ERROR),
            _ => None,
        });
        let format = self.parsed("log.format", &format, |text| match text {
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
        self.parsed(name, &item, |text| {
            duration(text).filter(|duration| *duration >= least)
        })
    }

    fn parsed<T>(
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
                expected: key::find(name).map_or("valid", |key| key.accepts),
            });
        }
        parsed
    }

    pub(super) fn note(&mut self, name: &'static str, value: String, origin: String) {
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

/// The longest duration: a year is more than any setting needs, and keeps sums of them from overflowing.
pub(super) const MOST: Duration = Duration::from_hours(8784);

/// Parses a duration; a number without a unit is seconds, as in cinder.conf.
pub(super) fn duration(text: &str) -> Option<Duration> {
    text.parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(text))
        .ok()
        .filter(|duration| *duration <= MOST)
}
