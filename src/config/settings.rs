//! The active settings: the layers merged, checked together, each value with its origin.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use humantime::format_duration as span;

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::flags::{Flags, variable};
use super::layer::Layer;
use super::listen_address::Listen;
use super::oslo::OsloConfig;
use super::oslo_db::OtherSources;
use super::place::Place;
use super::values::{Effective, Log, Values};
use super::{key, spelling, url_source};
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::tracker::Tolerances;

/// All settings of the exporter, valid as a whole.
#[derive(Debug)]
pub struct Settings {
    /// The database to read.
    pub url: DatabaseUrl,
    /// Limit on connecting and logging in.
    pub connect_timeout: Duration,
    /// Limit on one statement; less than `stale_after`.
    pub query_timeout: Duration,
    /// The options that decide the verdicts.
    pub intervals: Intervals,
    /// The assumptions behind the proven bounds of clock skews.
    pub tolerances: Tolerances,
    /// Time between two polls, at least 100 ms; dithered by a sixth.
    pub poll_interval: Duration,
    /// Age at which a snapshot is withheld; at least three polls.
    pub stale_after: Duration,
    /// Addresses or sockets to listen on.
    pub listen: Listen,
    /// Path of the metrics, starting with a slash.
    pub telemetry_path: String,
    /// Whether a request can reload the configuration.
    pub enable_lifecycle: bool,
    /// The web configuration file, relative to the working directory.
    pub web_config: Option<PathBuf>,
    /// How to log.
    pub log: Log,
    /// Every value with its origin, for display; secrets are hidden.
    pub effective: Vec<Effective>,
    /// Oddities that are not faults.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Loads and merges all layers, weakest first: defaults, cinder.conf, the YAML file, environment, flags.
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

    fn load_from(flags: Flags, counts: fn(&str) -> bool) -> Result<Self, Vec<Fault>> {
        let variable = move |name: &str| variable(name).filter(|_| counts(name));
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        load(flags, variable, names)
    }

    /// Lowers a query timeout that would make each read longer than a live service may be silent. Returns a warning.
    ///
    /// Rows are as old as the read is long, so a longer one says nothing about the present.
    fn cap_query_timeout(&mut self) -> Option<String> {
        let slack = self.intervals.service_down_time - self.intervals.report_interval;
        let slack = slack.to_std().ok().filter(|slack| !slack.is_zero())?;
        let longest = slack * 9 / 10;
        if self.query_timeout <= longest {
            return None;
        }
        let configured = std::mem::replace(&mut self.query_timeout, longest);
        let mut shown = self.effective.iter_mut();
        if let Some(shown) = shown.find(|it| it.name == "database.query-timeout") {
            shown.value = span(longest).to_string();
            "limited by service_down_time - report_interval".clone_into(&mut shown.origin);
        }
        Some(format!(
            "`database.query-timeout` is {}, but service_down_time - report_interval is {}: rows from so long a read \
             are outdated, so the limit is {}",
            span(configured),
            span(slack),
            span(longest)
        ))
    }

    /// Reads all values but the URL; `None` only along with a fault.
    fn read(values: &mut Values, url: Option<DatabaseUrl>, warnings: Vec<String>) -> Option<Self> {
        // Read every value before the first `?`, so that all faults are reported together.
        let service_down_time = values.time_delta("cinder.service-down-time");
        let report_interval = values.time_delta("cinder.report-interval");
        let connect_timeout = values.period("database.connect-timeout");
        let query_timeout = values.period("database.query-timeout");
        let poll_interval = values.period("poll.interval");
        let visibility_delay = values.time_delta("skew.visibility-delay");
        let max_drift_ppm = values.max_drift();
        let stale_after = poll_interval.and_then(|interval| values.stale_after(interval));
        if let Some((query_timeout, stale_after)) = query_timeout.zip(stale_after)
            && query_timeout >= stale_after
        {
            values.faults.push(Fault::QueryTooLong {
                query_timeout,
                stale_after,
            });
        }
        let listen = values.listen();
        let telemetry_path = values.telemetry_path();
        let enable_lifecycle = values.boolean("web.enable-lifecycle");
        let web_config = values.web_config();
        let log = values.log();
        Some(Self {
            url: url?,
            connect_timeout: connect_timeout?,
            query_timeout: query_timeout?,
            intervals: Intervals {
                service_down_time: service_down_time?,
                report_interval: report_interval?,
            },
            tolerances: Tolerances {
                visibility_delay: visibility_delay?,
                max_drift_ppm: max_drift_ppm?,
                poll_interval: TimeDelta::from_std(poll_interval?).unwrap_or(TimeDelta::MAX),
            },
            poll_interval: poll_interval?,
            stale_after: stale_after?,
            listen: listen?,
            telemetry_path: telemetry_path?,
            enable_lifecycle: enable_lifecycle?,
            web_config,
            log: log?,
            effective: std::mem::take(&mut values.effective),
            warnings,
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
    /// Loads it from all sources of [`Settings::load`] except cinder.conf.
    ///
    /// # Errors
    /// The faults, if the address is unknown because of them.
    pub(crate) fn load(flags: Flags) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let file = flags.settings_file(variable, &mut faults);
        let environment = Layer::environment(variable);
        let layers = vec![flags.layer, environment, file, Layer::defaults()];
        let mut values = Values::merge(layers, faults)?;
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
    let mut layers = vec![flags.layer, Layer::environment(variable), file];

    // The strongest layer that names cinder.conf wins: the files of two layers are not mixed.
    let mut named = layers.iter().map(Layer::places);
    let places = Some(flags.places).filter(|places| !places.is_empty());
    let places = places.or_else(|| named.find(|places| !places.is_empty()));
    let places = places.unwrap_or_default();
    let url = url_source::strongest(&layers, variable, &mut faults);
    let mut warnings = Vec::new();
    let (cinder, other_sources) = {
        let (faults, warnings) = (&mut faults, &mut warnings);
        cinder_layer(&places, variable, url.is_none(), faults, warnings)
    };
    let cinder_url = cinder.get("database.url").first().cloned();
    let is_cinders = url.is_none() && cinder_url.is_some();
    let url = url.or(cinder_url.map(Into::into));
    layers.extend([cinder, Layer::defaults()]);

    let mut values = Values::merge(layers, faults)?;
    for (place, origin) in &places {
        let name = match place {
            Place::File(_) => "cinder.config-file",
            Place::Dir(_) => "cinder.config-dir",
        };
        values.note(name, place.path().display().to_string(), origin.clone());
    }
    let empty = places.iter().filter(|(place, _)| place.is_empty());
    warnings.extend(empty.map(|(place, origin)| {
        let folder = place.path().display();
        format!("{origin}: the folder {folder} contains no *.conf file")
    }));
    let unknown = unknown_variables(variables);
    warnings.extend(unknown.iter().map(ToString::to_string));
    let sources = other_sources.as_ref();
    let mut url = url_source::parse(&mut values, url, &places, sources, &variable);
    if let Some(url) = &mut url {
        let password = url_source::password(&mut values, url, variable, &mut warnings);
        url.password = password.or(url.password.take());
        let ignored = url.ignored.iter();
        warnings.extend(ignored.map(|warning| format!("database URL: {warning}")));
    }
    match Settings::read(&mut values, url, warnings) {
        Some(mut settings) if values.faults.is_empty() => {
            let found = [
                warn_of_intervals(&settings, !places.is_empty()),
                warn_of_rare_polls(&settings),
                other_sources.and_then(|it| it.warning(&assumed(&settings, is_cinders))),
                settings.cap_query_timeout(),
            ];
            settings.warnings.extend(found.into_iter().flatten());
            Ok(settings)
        }
        _ => {
            // A misspelt variable may be the reason why the database URL is missing.
            values.faults.extend(unknown);
            Err(values.faults)
        }
    }
}

fn cinder_layer(
    places: &[(Place, String)],
    variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    with_url: bool,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<String>,
) -> (Layer, Option<OtherSources>) {
    // Even without a file, oslo.config's environment variables apply.
    let places: Vec<Place> = places.iter().map(|(place, _)| place.clone()).collect();
    let loaded = OsloConfig::load(&places, variable).and_then(|config| {
        let layer = Layer::cinder(&config, with_url, warnings)?;
        Ok((layer, OtherSources::of(&config)))
    });
    loaded.unwrap_or_else(|errors| {
        faults.extend(errors.into_iter().map(Fault::Oslo));
        (Layer::default(), None)
    })
}

/// Returns the options of cinder.conf that are in use without being set: Cinder may have another value.
fn assumed(settings: &Settings, is_cinders_url: bool) -> Vec<&'static str> {
    let is_default = |name: &str| {
        let mut values = settings.effective.iter();
        values.any(|it| it.name == name && it.origin == "default")
    };
    let options = [
        (is_default("cinder.service-down-time"), "service_down_time"),
        (is_default("cinder.report-interval"), "report_interval"),
        (is_cinders_url, "connection_parameters"),
    ];
    let assumed = options.into_iter().filter(|(is_assumed, _)| *is_assumed);
    assumed.map(|(_, option)| option).collect()
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

fn warn_of_intervals(settings: &Settings, has_cinder: bool) -> Option<String> {
    let intervals = &settings.intervals;
    let raised = intervals.scheduler_service_down_time();
    if raised != intervals.service_down_time {
        return Some(format!(
            "service_down_time ({} s) is not above report_interval ({} s): the scheduler raises it to {} s, the API \
             does not; the API lists services as down that the scheduler still uses",
            intervals.service_down_time.num_seconds(),
            intervals.report_interval.num_seconds(),
            raised.num_seconds()
        ));
    }
    let names = ["cinder.service-down-time", "cinder.report-interval"];
    let mut values = settings.effective.iter();
    let assumed = values.any(|it| names.contains(&it.name) && it.origin == "default");
    (assumed && !has_cinder).then(|| {
        "without cinder.conf, Cinder's defaults apply to service_down_time and report_interval; set \
         --cinder.config-file, or cinder.service-down-time and cinder.report-interval"
            .to_owned()
    })
}

fn warn_of_rare_polls(settings: &Settings) -> Option<String> {
    let report_interval = settings.intervals.report_interval;
    let poll_interval = settings.tolerances.poll_interval;
    (poll_interval > report_interval).then(|| {
        format!(
            "`poll.interval` ({}) is above report_interval ({} s): polls miss heartbeats, which makes clock skews less exact \
             and reasons late; lower it",
            span(settings.poll_interval),
            report_interval.num_seconds()
        )
    })
}

#[cfg(test)]
mod tests;
