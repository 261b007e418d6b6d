//! Addresses of the documentation and the runbooks.

use chrono::TimeDelta;

use crate::heartbeat::budget::Budget;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::state::State;
use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::{Doubt, Urgency};

/// The folder of the documentation, ending in a slash; defined only here.
pub const DOCUMENTATION: &str =
    "https://github.com/openstack-heartbeat-exporter/openstack-heartbeat-exporter/blob/main/docs/";

/// The runbook for a clock skew shared by most hosts.
pub(crate) const SUSPECT: &str = "OpenStackHeartbeatReferenceClockSuspect";

/// The runbook for a table that stands still.
pub(crate) const STANDSTILL: &str = "OpenStackHeartbeatStandstill";

/// Returns the name of the runbook for a service, equal to the name of the alert; `None` if it needs no action.
pub(crate) fn runbook(status: &ServiceStatus, budget: Budget) -> Option<&'static str> {
    match Urgency::of(status) {
        Urgency::Down | Urgency::ListedAsUp
            if status.observed.reason == Some(Reason::ClockSkew) =>
        {
            Some("OpenStackServiceClockSkewed")
        }
        Urgency::Down if status.observed.reason == Some(Reason::ServerClock) => {
            Some("OpenStackHeartbeatServerClockSkewed")
        }
        Urgency::Down => Some("OpenStackServiceDown"),
        Urgency::ListedAsUp => Some("OpenStackServiceStoppedUnseen"),
        Urgency::Warning if status.observed.reason == Some(Reason::MarkedDown) => {
            Some("OpenStackServiceMarkedDown")
        }
        Urgency::Warning if State::of(status).is_taken_down() => Some("OpenStackServiceTakenDown"),
        Urgency::Warning => match Doubt::of(status)? {
            Doubt::SharedRow => Some("OpenStackServiceSharedRow"),
            Doubt::Clock if is_beyond(status, budget) => Some("OpenStackServiceClockSkewed"),
            Doubt::Clock => Some("OpenStackServiceClockSkewHigh"),
            Doubt::Processes => Some("OpenStackServiceProcessesDown"),
            Doubt::Duplicates => None,
        },
        Urgency::Abandoned => Some("OpenStackServiceAbandoned"),
        Urgency::Unknown | Urgency::Up | Urgency::Disabled => None,
    }
}

/// Returns whether the clock skew is proven to exceed what the API tolerates.
fn is_beyond(status: &ServiceStatus, budget: Budget) -> bool {
    status.observed.clock_skew.is_some_and(|skew| {
        // Like the alert rules, ignore a budget of zero: no clock could keep it.
        let behind = |upper| budget.behind > TimeDelta::zero() && upper < -budget.behind;
        let ahead = |ahead| skew.bounds.lower > ahead;
        budget.ahead.is_some_and(ahead) || skew.bounds.upper.is_some_and(behind)
    })
}

/// Returns the address of a runbook.
pub(crate) fn address(runbook: &str) -> String {
    format!("{DOCUMENTATION}runbooks/{runbook}.md")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Reason::{
        ClockSkew, ForcedDown, MarkedDown, NeverReported, ShutDown, SlowReports, Stopped,
        Undetermined,
    };
    use super::*;
    use crate::cli::embedded::RULES;
    use crate::heartbeat::fixture::{self, INTERVALS};

    use crate::heartbeat::status::{Observed, Processes};
    use crate::project::definition::Words;
    use crate::project::{self, Project};

    fn check(up: Option<bool>, age: i64, observed: Observed, expected: Option<&str>) {
        let status = ServiceStatus {
            heartbeat_age: Some(TimeDelta::seconds(age)),
            observed,
            ..fixture::status(fixture::service("cinder-volume", "block1"), up)
        };
        let runbook = runbook(&status, Budget::of(fixture::RULES, &INTERVALS));
        assert_eq!(runbook, expected, "{status:?}");
        runbook.into_iter().for_each(check_exists);
    }

    /// Returns the words that only a project's own commands have: those of the client, and the names of programs.
    fn commands(words: &Words) -> impl Iterator<Item = &'static str> {
        let client = words.list.strip_prefix("openstack ");
        let client = client.and_then(|list| list.strip_suffix(" list"));
        let programs = [Some(words.sync), words.remove].into_iter().flatten();
        let programs = programs.filter_map(|command| command.split(' ').next());
        client
            .into_iter()
            .chain(programs.filter(|it| *it != "openstack"))
    }

    #[test]
    fn a_runbook_names_a_command_only_where_it_names_the_project() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
        let mut faults = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let page = std::fs::read_to_string(&file).unwrap();
            let mut paragraph = "";
            for block in page.split("\n\n") {
                let continues = ["```", "- ", "|"].iter().any(|it| block.starts_with(it));
                if !continues {
                    paragraph = block;
                }
                for Project { words, .. } in project::ALL {
                    let title = words.title;
                    let is_its_own = paragraph.starts_with("**")
                        && paragraph.contains(&format!("**{title}"))
                        || page.contains(&format!("Only **{title}** has"));
                    let named = commands(words).filter(|it| block.contains(it));
                    let named = named.filter(|_| !is_its_own);
                    faults.extend(named.map(|it| format!("{}: {title}: {it}", file.display())));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn the_commands_of_all_projects_are_documented() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/projects.md");
        let page = std::fs::read_to_string(page).unwrap();
        for Project {
            words, services, ..
        } in project::ALL
        {
            let (title, list) = (words.title, words.list);
            let removal = match words
                .remove
                .map(|it| it.split_once(',').unwrap_or((it, "")))
            {
                Some((command, "")) => format!("`{command}`"),
                Some((command, rest)) => format!("`{command}`,{rest}"),
                None => format!("none; delete the row from the table `{}`", services.name),
            };
            let look_at = words.stopped.trim_start_matches("and ");
            let row = format!("\n| {title} | `{list}` | {removal} | {look_at} |\n");
            assert!(page.contains(&row), "{row}");
        }
    }

    fn check_exists(name: &str) {
        assert!(RULES.contains(&format!("- alert: {name}\n")), "{name}");
        let file = format!("docs/runbooks/{name}.md");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert!(file.is_file(), "{}", file.display());
    }

    #[test]
    fn a_service_that_needs_action_has_the_runbook_of_its_alert() {
        let week = 7 * 24 * 3_600;
        for (up, age, reason, expected) in [
            (false, 500, ClockSkew, "OpenStackServiceClockSkewed"),
            (false, 500, Stopped, "OpenStackServiceDown"),
            (false, 500, SlowReports, "OpenStackServiceDown"),
            (false, 500, NeverReported, "OpenStackServiceDown"),
            (false, 500, Undetermined, "OpenStackServiceDown"),
            (false, week + 1, Stopped, "OpenStackServiceAbandoned"),
            (true, 500, Stopped, "OpenStackServiceStoppedUnseen"),
            (true, 500, ClockSkew, "OpenStackServiceClockSkewed"),
            (false, 500, ShutDown, "OpenStackServiceTakenDown"),
            (false, 500, ForcedDown, "OpenStackServiceTakenDown"),
            (false, 500, MarkedDown, "OpenStackServiceMarkedDown"),
        ] {
            let observed = Observed {
                reason: Some(reason),
                ..Observed::default()
            };
            check(Some(up), age, observed, Some(expected));
        }
        check(None, 500, Observed::default(), None);
        check(Some(true), 500, Observed::default(), None);
        let shared = Observed {
            writers: Some(2),
            ..Observed::default()
        };
        check(Some(true), 500, shared, Some("OpenStackServiceSharedRow"));
        let processes = ServiceStatus {
            processes: Some(Processes {
                all: 4,
                down: 1,
                leftovers: 0,
            }),
            ..fixture::status(fixture::service("heat-engine", "control1"), Some(true))
        };
        let budget = Budget::of(fixture::RULES, &INTERVALS);
        assert_eq!(
            runbook(&processes, budget),
            Some("OpenStackServiceProcessesDown")
        );
        check_exists("OpenStackServiceProcessesDown");
        check_exists(SUSPECT);
        check_exists(STANDSTILL);
    }

    #[test]
    fn a_high_skew_differs_from_one_beyond_cinders_budget() {
        for (lower, upper, expected) in [
            (6_000, 8_000, "OpenStackServiceClockSkewHigh"),
            (60_000, 62_000, "OpenStackServiceClockSkewHigh"),
            (61_000, 62_000, "OpenStackServiceClockSkewed"),
            (-52_000, -50_000, "OpenStackServiceClockSkewHigh"),
            (-53_000, -51_000, "OpenStackServiceClockSkewed"),
        ] {
            let observed = Observed {
                clock_skew: Some(fixture::skew(None, lower, Some(upper))),
                ..Observed::default()
            };
            check(Some(true), 500, observed, Some(expected));
        }
    }
}
