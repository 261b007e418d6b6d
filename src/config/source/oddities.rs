//! What is odd about a source's settings without being a fault.

use humantime::format_duration as span;

use super::SourceSettings;
use crate::config::key::PROJECT;
use crate::config::layer;
use crate::config::source_list::{GivenBy, Named};
use crate::config::values::Effective;
use crate::heartbeat::liveness::Intervals;

impl SourceSettings {
    /// Returns the options that are in use without being set, with their settings: the project may have other values.
    pub(crate) fn assumed(&self) -> Vec<(&'static str, &'static str)> {
        let is_default = |name: &str| {
            let mut values = self.effective.iter();
            values.any(|it| it.name == name && it.origin == "default")
        };
        layer::options(self.project)
            .filter(|(key, option)| option.is_option() && is_default(key.name))
            .map(|(key, option)| (option.name, key.name))
            .collect()
    }

    pub(super) fn warn_of_assumed(
        &self,
        assumed: &[(&str, &str)],
        named: &Named,
    ) -> Option<String> {
        let mut options: Vec<String> = assumed.iter().map(|(it, _)| format!("`{it}`")).collect();
        // One option may be behind both settings.
        options.dedup();
        // That is usual for a database that the exporter finds, and says little where the rows contain the values.
        let is_named = named.given_by != GivenBy::Search;
        let are_in_rows = self.project.services.intervals_of_limit().is_some();
        let is_unknown = is_named && named.places.is_empty() && !options.is_empty() && !are_in_rows;
        is_unknown.then(|| {
            let (project, file) = (self.project.name, self.project.options.file);
            format!(
                "without a configuration file of {project}, its defaults apply to {}; set {}",
                options.join(" and "),
                named.remedy(&format!("--{PROJECT}={project}={file}"), &["config-file"]),
            )
        })
    }

    /// Warns of a limit within which a healthy service sends no heartbeat.
    pub(super) fn warn_of_short_limit(&self) -> Option<String> {
        let Intervals {
            service_down_time,
            report_interval,
        } = self.intervals;
        if service_down_time > report_interval {
            return None;
        }
        let options = &self.project.options;
        let limit = self.project.rules.scheduler;
        let limit = limit.map(|rule| rule.limit(&self.intervals));
        let consequence = match limit.filter(|limit| *limit != service_down_time) {
            Some(raised) => format!(
                "the scheduler raises it to {} s, the API does not; the API lists services as down that the scheduler \
                 still uses",
                raised.num_seconds()
            ),
            None => format!(
                "services are listed as down between two heartbeats; raise {}",
                options.service_down_time.label()
            ),
        };
        Some(format!(
            "{} ({} s) is not above {} ({} s): {consequence}",
            options.service_down_time.label(),
            service_down_time.num_seconds(),
            options.report_interval.label(),
            report_interval.num_seconds()
        ))
    }

    pub(super) fn warn_of_rare_polls(&self) -> Option<String> {
        let report_interval = self.intervals.report_interval;
        (self.polls.tolerances.poll_interval > report_interval).then(|| {
            format!(
                "`poll.interval` ({}) is above {} ({} s): polls miss heartbeats, which makes clock skews less exact and \
                 reasons late; lower it",
                span(self.polls.interval),
                self.project.options.report_interval.label(),
                report_interval.num_seconds()
            )
        })
    }

    /// Lowers a query timeout that would make each read longer than a live service may be silent. Returns a warning.
    ///
    /// Rows are as old as the read is long, so a longer one says nothing about the present.
    pub(super) fn cap_query_timeout(&mut self) -> Option<String> {
        let slack = self.intervals.service_down_time - self.intervals.report_interval;
        let slack = slack.to_std().ok().filter(|slack| !slack.is_zero())?;
        let longest = slack * 9 / 10;
        if self.polls.query_timeout <= longest {
            return None;
        }
        let options = &self.project.options;
        let difference = format!(
            "{} - {}",
            options.service_down_time.label(),
            options.report_interval.label()
        );
        let configured = std::mem::replace(&mut self.polls.query_timeout, longest);
        self.effective.push(Effective {
            name: "database.query-timeout",
            value: span(longest).to_string(),
            origin: format!("limited by {difference}"),
        });
        Some(format!(
            "`database.query-timeout` is {}, but {difference} is {}: rows from so long a read are outdated, so the limit is \
             {}",
            span(configured),
            span(slack),
            span(longest)
        ))
    }
}
