//! The active settings: the layers merged, checked together, each value with its origin.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;

use super::database_url::DatabaseUrl;
use super::effective::Effective;
use super::fault::Fault;
use super::flags::{Flags, variable};
use super::layer::Layer;
use super::listen_address::Listen;
use super::log::Log;
use super::oslo::OsloConfig;
use super::place::Place;
use super::url_source::{self, Password};
use super::values::Values;
use super::{credential, key, spelling};
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

    /// Reads all values; `None` only along with a fault.
    fn read(
        values: &mut Values,
        url: Option<DatabaseUrl>,
        password: Password,
        places: &[(Place, String)],
        mut warnings: Vec<String>,
    ) -> Option<Self> {
        // Read every value before the first `?`, so that all faults are reported together.
        let intervals = intervals(values);
        let connect_timeout = values.period("database.connect-timeout");
        let query_timeout = values.period("database.query-timeout");
        let poll_interval = values.period("poll.interval");
        let tolerances = tolerances(values);
        let stale_after = poll_interval.and_then(|interval| values.stale_after(interval));
        if let (Some(query_timeout), Some(stale_after)) = (query_timeout, stale_after)
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
        let mut url = url?;
        if let Some(password) = password.read(values, &url, &mut warnings) {
            url.password = Some(password);
        }
        warnings.extend(url.ignored.iter().map(|option| {
            format!("the option `{option}` of the database URL is unknown and ignored")
        }));
        let intervals = intervals?;
        warnings.extend(warn_of_intervals(&intervals, values, !places.is_empty()));
        Some(Self {
            url,
            connect_timeout: connect_timeout?,
            query_timeout: query_timeout?,
            intervals,
            tolerances: tolerances?,
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

fn load(
    flags: Flags,
    variable: impl Fn(&str) -> Option<String> + Copy + Send + Sync + 'static,
    variables: impl Iterator<Item = String>,
) -> Result<Settings, Vec<Fault>> {
    let mut faults = Vec::new();
    let environment = Layer::environment(variable);
    let file = flags.settings_file(variable, &mut faults);
    let stronger = [&flags.layer, &environment, &file];

    // The strongest layer that names cinder.conf wins: the files of two layers are not mixed.
    let mut places = flags.places;
    if places.is_empty() {
        let mut named = stronger.iter().map(|layer| layer.places());
        places = named.find(|places| !places.is_empty()).unwrap_or_default();
    }
    let url = url_source::strongest(&stronger, &mut faults)
        .or_else(|| credential::read(key::URL_CREDENTIAL, variable, &mut faults));
    let cinder = cinder_layer(&places, variable, url.is_none(), &mut faults);
    let url = url.or_else(|| cinder.get("database.url").first().cloned());
    let unknown = unknown_variables(variables);
    let mut warnings = unknown.iter().map(ToString::to_string).collect();
    let password = Password::find(&stronger, variable, &mut warnings);

    let layers = [Layer::defaults(), cinder, file, environment, flags.layer];
    let mut values = Values::merge(&layers, faults)?;
    for (place, origin) in &places {
        let name = match place {
            Place::File(_) => "cinder.config-file",
            Place::Dir(_) => "cinder.config-dir",
        };
        values.note(name, place.path().display().to_string(), origin.clone());
    }
    let url = url_source::parse(&mut values, url, &places);
    match Settings::read(&mut values, url, password, &places, warnings) {
        Some(settings) if values.faults.is_empty() => Ok(settings),
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
) -> Layer {
    // Even without a file, oslo.config's environment variables apply.
    let places: Vec<Place> = places.iter().map(|(place, _)| place.clone()).collect();
    let loaded =
        OsloConfig::load(&places, variable).and_then(|config| Layer::cinder(&config, with_url));
    loaded.unwrap_or_else(|errors| {
        faults.extend(errors.into_iter().map(Fault::Oslo));
        Layer::default()
    })
}

/// Returns a fault for each misspelt variable: a warning, but perhaps the cause of another fault.
fn unknown_variables(variables: impl Iterator<Item = String>) -> Vec<Fault> {
    let mut names: Vec<String> = variables
        .filter(|name| spelling::is_stray_variable(name))
        .collect();
    names.sort_unstable();
    let fault = |name: String| Fault::UnknownVariable {
        nearest: spelling::nearest_variable(&name),
        name,
    };
    names.into_iter().map(fault).collect()
}

fn intervals(values: &mut Values) -> Option<Intervals> {
    let service_down_time = values.duration("cinder.service-down-time");
    let report_interval = values.duration("cinder.report-interval");
    Some(Intervals {
        service_down_time: TimeDelta::from_std(service_down_time?).ok()?,
        report_interval: TimeDelta::from_std(report_interval?).ok()?,
    })
}

fn tolerances(values: &mut Values) -> Option<Tolerances> {
    let visibility_delay = values.duration("skew.visibility-delay");
    let max_drift_ppm = values.max_drift();
    Some(Tolerances {
        visibility_delay: TimeDelta::from_std(visibility_delay?).ok()?,
        max_drift_ppm: max_drift_ppm?,
    })
}

fn warn_of_intervals(intervals: &Intervals, values: &Values, has_cinder: bool) -> Option<String> {
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
    let assumed = ["cinder.service-down-time", "cinder.report-interval"]
        .iter()
        .any(|name| values.is_default(name));
    (assumed && !has_cinder).then(|| {
        "without cinder.conf, Cinder's defaults apply to service_down_time and report_interval; set \
         --cinder.config-file, or cinder.service-down-time and cinder.report-interval"
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
