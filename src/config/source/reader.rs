//! Reads the settings of one source from all layers.

use super::{Common, Polls, SourceSettings};
use crate::config::database_url::DatabaseUrl;
use crate::config::fault::Fault;
use crate::config::key::PROJECT;
use crate::config::keys;
use crate::config::layer::{Item, Layer};
use crate::config::oslo::{OsloConfig, OsloError};
use crate::config::oslo_db::{self, OtherSources};
use crate::config::place::Place;
use crate::config::source_list::{GivenBy, Named};
use crate::config::url_source;
use crate::config::values::Values;
use crate::heartbeat::liveness::Intervals;

/// A source that is being read.
struct Reader<'a> {
    named: &'a Named,
    common: &'a Common<'a>,
    values: Values,
    warnings: Vec<String>,
}

/// Where a source's URL is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UrlPlace {
    /// In the source's own settings, or in its credential.
    Own,
    /// In the settings for all sources.
    Common,
    /// In the options of the project.
    Options,
}

impl SourceSettings {
    /// Reads a source's settings; `None` only along with a fault.
    pub(in crate::config) fn read(
        named: &Named,
        common: &Common<'_>,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<String>,
    ) -> Option<Self> {
        let (config, options) = options(named, common, faults)?;
        let defaults = Layer::source_defaults(named.project);
        let layers = common.layers.iter();
        let layers = [&named.own].into_iter().chain(layers);
        let layers = layers.chain([&options, &defaults, common.defaults]);
        let values = match Values::merge(layers.collect::<Vec<_>>(), Vec::new()) {
            Ok(values) => values,
            Err(found) => {
                faults.extend(found);
                return None;
            }
        };
        let mut reader = Reader {
            named,
            common,
            values,
            warnings: Vec::new(),
        };
        let read = reader.read(&config);
        let name = |warning: String| match named.given_by {
            // All of them have the same warning, and none is known yet.
            GivenBy::Search => warning,
            GivenBy::Flags | GivenBy::File => format!("source {}: {warning}", named.name),
        };
        warnings.extend(reader.warnings.into_iter().map(name));
        faults.append(&mut reader.values.faults);
        read
    }
}

/// Reads the project's own options; `None` only along with a fault.
fn options(
    named: &Named,
    common: &Common<'_>,
    faults: &mut Vec<Fault>,
) -> Option<(OsloConfig, Layer)> {
    let places: Vec<Place> = named
        .places
        .iter()
        .map(|(place, _)| place.clone())
        .collect();
    let (variable, is_only) = (common.variable.clone(), common.is_only);
    // Even without a file, oslo.config's environment variables apply.
    let environment = move |name: &str| variable(name).filter(|_| is_only);
    let loaded = OsloConfig::load(&places, environment).and_then(|config| {
        let layer = Layer::options(&config, named.project)?;
        Ok((config, layer))
    });
    let loaded = loaded.map_err(|errors| faults.extend(errors.into_iter().map(Fault::Oslo)));
    loaded.ok()
}

impl Reader<'_> {
    /// Reads all values; `None` only along with a fault.
    fn read(&mut self, config: &OsloConfig) -> Option<SourceSettings> {
        // Read every value before the first `?`, so that all faults are reported together.
        self.note_places();
        self.refuse_limit();
        let service_down_time = self.values.time_delta("service-down-time");
        let report_interval = self.values.time_delta("report-interval");
        // Without an interval of its own, a source repeats the fault for all sources, word for word.
        let has_interval = !self.named.own.get("poll.interval").is_empty();
        let name = has_interval.then_some(&*self.named.name);
        let polls = Polls::read(&mut self.values, name);
        let exclude = self.values.exclude();
        let limit = self.values.limit();
        let remote = OtherSources::of(config, self.named.project);
        let found = self.url(config, remote.as_ref());
        let (url, place) = found?;
        let (name, project) = (self.named.name.clone(), self.named.project);
        let mut source = SourceSettings {
            name,
            project,
            url,
            polls: polls?,
            intervals: Intervals {
                service_down_time: service_down_time?,
                report_interval: report_interval?,
            },
            exclude,
            limit: limit?,
            has_common_url: place == UrlPlace::Common,
            effective: self.values.effective(keys::of_source()),
        };
        source
            .effective
            .retain(|value| !self.common.effective.contains(value));
        let assumed = source.assumed();
        let mut assumed_with_url = assumed.clone();
        assumed_with_url.extend((place == UrlPlace::Options).then_some(oslo_db::WITH_URL));
        let warnings = [
            source.warn_of_short_limit(),
            source.warn_of_assumed(&assumed, self.named),
            source.warn_of_rare_polls(),
            remote.and_then(|remote| remote.warning(&assumed_with_url)),
            source.cap_query_timeout(),
        ];
        self.warnings.extend(warnings.into_iter().flatten());
        Some(source)
    }

    /// Refuses a limit for services whose rows contain it.
    fn refuse_limit(&mut self) {
        let Named { project, own, .. } = self.named;
        let Some(times) = project.services.intervals_of_limit() else {
            return;
        };
        let set = own.get("service-down-time").iter();
        self.values.faults.extend(set.map(|item| {
            let what = format!(
                "`service-down-time` would have no effect: each row of {} contains the report interval, and the limit is \
                 {times} of them; remove the setting",
                project.name
            );
            Fault::syntax(&item.origin, what)
        }));
    }

    fn note_places(&mut self) {
        let Named {
            project,
            own,
            places,
            origin,
            ..
        } = self.named;
        let origin = own
            .get("project")
            .first()
            .map_or(origin, |item| &item.origin);
        self.values
            .note("project", project.name.to_owned(), origin.clone());
        for (place, origin) in places {
            let name = match place {
                Place::File(_) => "config-file",
                Place::Dir(_) => "config-dir",
            };
            let path = place.path().display().to_string();
            self.values.note(name, path, origin.clone());
            if place.is_empty() {
                let folder = place.path().display();
                self.warnings.push(format!(
                    "{origin}: the folder {folder} contains no *.conf file"
                ));
            }
        }
    }

    /// Returns the URL with its password, and its place.
    fn url(
        &mut self,
        config: &OsloConfig,
        remote: Option<&OtherSources>,
    ) -> Option<(DatabaseUrl, UrlPlace)> {
        let Named { name, own, .. } = self.named;
        let variable = &|name: &str| (self.common.variable)(name);
        let faults = &mut self.values.faults;
        // What is for one source is not for databases that are found.
        let source = Some(name.as_str()).filter(|_| self.named.given_by != GivenBy::Search);
        let chosen = source.and_then(|source| {
            url_source::strongest(std::slice::from_ref(own), Some(source), variable, faults)
        });
        let place = match (&chosen, self.common.url) {
            (Some(_), _) => UrlPlace::Own,
            (None, Some(_)) => UrlPlace::Common,
            (None, None) => UrlPlace::Options,
        };
        let group = self.named.project.options.database;
        let mut old_names = Vec::new();
        let connection = oslo_db::url(config, group, &mut old_names);
        let mut url = if let Some(chosen) = chosen.or(self.common.url.cloned()) {
            // An earlier fault may be the reason why the text is empty.
            if chosen.url.text.is_empty() && self.common.has_faults {
                return None;
            }
            let project = self.named.project;
            url_source::parse(&mut self.values, chosen, connection, project, variable)?
        } else {
            self.warnings.extend(old_names);
            let connection = self.connection(connection, remote)?;
            let url = url_source::own_url(&mut self.values, &connection, variable)?;
            self.values
                .note("database.url", url.redacted(), connection.origin);
            url
        };
        let all = match place {
            UrlPlace::Own => &[],
            UrlPlace::Common | UrlPlace::Options => self.common.layers,
        };
        let (values, warnings) = (&mut self.values, &mut self.warnings);
        let password = url_source::password(values, &url, (source, own), all, variable, warnings);
        url.password = password.or(url.password.take());
        let ignored = url.ignored.iter();
        warnings.extend(ignored.map(|warning| format!("database URL: {warning}")));
        Some((url, place))
    }

    /// Returns the URL in the project's own options; `None` only along with a fault.
    fn connection(
        &mut self,
        connection: Result<Option<Item>, OsloError>,
        remote: Option<&OtherSources>,
    ) -> Option<Item> {
        let Named {
            name,
            project,
            places,
            ..
        } = self.named;
        let fault = match connection {
            Ok(Some(url)) => return Some(url),
            Err(error) => Fault::Oslo(error),
            // Earlier faults, such as an unreadable file, may be the reason why there is no URL.
            Ok(None) if self.common.has_faults || !self.values.faults.is_empty() => return None,
            Ok(None) => match places.as_slice() {
                [] => {
                    let (project, file) = (project.name, project.options.file);
                    let elsewhere = format!(
                        "--{PROJECT} {project}={file}, --database.url-file, `database.url` in the settings file, or the \
                         environment variable OPENSTACK_HEARTBEAT_DATABASE_URL"
                    );
                    let own = ["config-file", "database.url-file"];
                    Fault::NoDatabase {
                        source_name: name.clone(),
                        remedy: self.named.remedy(&elsewhere, &own),
                    }
                }
                [(place, origin)] if place.is_empty() => {
                    let folder = place.path().display();
                    let what = format!(
                        "the folder {folder} contains no *.conf file, and no other database URL is set; correct the path, \
                         or set {}",
                        self.named
                            .remedy("--database.url-file", &["database.url-file"])
                    );
                    Fault::syntax(origin, what)
                }
                [(place, _), ..] => Fault::NoConnection {
                    place: place.path().display().to_string(),
                    group: project.options.database,
                    remedy: self
                        .named
                        .remedy("--database.url-file", &["database.url-file"]),
                    other_sources: remote.map_or(String::new(), |it| {
                        format!("; {}, which the exporter does not read", it.text)
                    }),
                },
            },
        };
        self.values.faults.push(fault);
        None
    }
}
