//! The condition of all services, and of the databases they are read from, in words.

use super::words::{of_source, span, span_of};
use crate::heartbeat::failure::Class;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::state::State;
use crate::heartbeat::urgency::Urgency;
use crate::report::view::{Outage, SearchState, View};

/// The condition of all services: the top of the status page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Name of an [`Urgency`]: selects symbol and colour.
    pub kind: &'static str,
    /// Beginning of the page's title.
    pub short: String,
    /// Counts of services, the worst first.
    pub headline: String,
}

/// The number of services of each urgency.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    services: [usize; Urgency::ALL.len()],
    /// Those of [`Urgency::Warning`] that somebody took down.
    taken_down: usize,
    /// Those of [`Urgency::Warning`] that are only [marked down](State::MarkedDown).
    marked_down: usize,
    /// See [`Snapshot::hidden`].
    hidden: usize,
}

impl Counts {
    /// Counts the services of snapshots.
    pub(crate) fn of<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Self {
        let mut counts = Self::default();
        for snapshot in snapshots {
            counts.hidden += snapshot.hidden();
            for status in &snapshot.services {
                let urgency = Urgency::of(status);
                counts.services[urgency as usize] += 1;
                match State::of(status) {
                    _ if urgency != Urgency::Warning => {}
                    State::MarkedDown => counts.marked_down += 1,
                    state if state.is_taken_down() => counts.taken_down += 1,
                    _ => {}
                }
            }
        }
        counts
    }

    /// Counts the services that are shown; `None` if no snapshot can be shown.
    pub(crate) fn shown(views: &[View]) -> Option<Self> {
        let mut shown = views
            .iter()
            .filter_map(|view| view.snapshot.as_deref())
            .peekable();
        shown.peek()?;
        Some(Self::of(shown))
    }

    /// Returns the number of services of this urgency.
    pub(crate) fn get(&self, urgency: Urgency) -> usize {
        self.services[urgency as usize]
    }

    /// Returns the number of services that are neither disabled nor abandoned.
    pub(crate) fn enabled(&self) -> usize {
        let others = self.get(Urgency::Disabled) + self.get(Urgency::Abandoned);
        self.services.iter().sum::<usize>() - others
    }

    /// Returns whether there are enabled services, and all of them are known and up.
    fn is_all_up(&self) -> bool {
        let down = self.taken_down + self.marked_down;
        let up = self.get(Urgency::Up) + self.get(Urgency::Warning) - down;
        up > 0 && up == self.enabled() && self.hidden == 0
    }

    /// Returns the numbers of services that are marked down and taken down, in words.
    fn down_without_failure(&self) -> Vec<String> {
        let counts = [(self.marked_down, "marked"), (self.taken_down, "taken")].into_iter();
        let counts = counts.filter(|(count, _)| *count > 0);
        counts
            .map(|(count, how)| format!("{count} {how} down"))
            .collect()
    }

    /// Returns the counts in words, the worst first.
    fn headline(&self) -> String {
        let (down, unseen) = (self.get(Urgency::Down), self.get(Urgency::ListedAsUp));
        let (unknown, enabled) = (self.get(Urgency::Unknown), self.enabled());
        let mut parts = Vec::new();
        if down > 0 {
            parts.push(format!("{down} down"));
        }
        match (down, unseen) {
            (_, 0) => {}
            (0, _) => parts.push(format!("{unseen} down but listed as up")),
            (_, _) => parts.push(format!("{unseen} listed as up")),
        }
        if unknown > 0 {
            parts.push(format!("{unknown} unknown"));
        }
        parts.extend(self.down_without_failure());
        match parts.last_mut() {
            Some(last) => *last = format!("{last} of {enabled}"),
            None => parts.push(self.without_failures()),
        }
        match self.hidden {
            0 => {}
            1 => parts.push("1 row unreadable".to_owned()),
            rows => parts.push(format!("{rows} rows unreadable")),
        }
        parts.join(" · ")
    }

    /// Returns the number of services that are up, in words: no other state is known or unknown.
    fn without_failures(&self) -> String {
        match (self.enabled(), self.get(Urgency::Abandoned)) {
            (0, 0) => "no enabled services".to_owned(),
            (0, abandoned) => format!("{abandoned} abandoned, no others enabled"),
            (up @ 2.., _) if self.hidden == 0 => format!("all {up} up"),
            (up, _) => format!("{up} up"),
        }
    }
}

impl Condition {
    /// Returns the condition of all services; without `counts`, no snapshot can be shown.
    ///
    /// It is `up` only if every database can be read, and
    /// [`verdict::all_up`](crate::heartbeat::verdict::all_up) holds for the services that are not abandoned.
    pub(crate) fn of(counts: Option<&Counts>, views: &[View]) -> Self {
        let Some(counts) = counts else {
            let headline = if views.iter().any(|view| view.age.is_some()) {
                "no current data"
            } else {
                "no data yet"
            };
            return Self::new("unknown", "no data".to_owned(), headline.to_owned());
        };
        let is_current = |view: &View| {
            let snapshot = view.snapshot.as_ref();
            view.outage.is_none() && snapshot.is_some_and(|shown| shown.standstill.is_none())
        };
        let (down, unseen) = (counts.get(Urgency::Down), counts.get(Urgency::ListedAsUp));
        let unknown = counts.get(Urgency::Unknown) + counts.hidden;
        let without_failure = counts.down_without_failure();
        let is_known = unknown == 0 && views.iter().all(is_current);
        let kind = match (down, unseen) {
            (1.., _) => Urgency::Down,
            (0, 1..) => Urgency::ListedAsUp,
            _ if is_known && !without_failure.is_empty() => Urgency::Warning,
            _ if is_known && counts.is_all_up() => Urgency::Up,
            _ => Urgency::Unknown,
        };
        let short = match (down, unseen, unknown) {
            (0, 0, 0) if !without_failure.is_empty() => without_failure.join(", "),
            (0, 0, 0) | (1.., _, _) => format!("{down} down"),
            (0, 0, _) => format!("{unknown} unknown"),
            (0, _, _) => format!("{unseen} down but listed as up"),
        };
        Self::new(kind.as_str(), short, headline(counts, views))
    }

    fn new(kind: &'static str, short: String, headline: String) -> Self {
        Self {
            kind,
            short,
            headline,
        }
    }
}

/// Returns the counts in words, after what puts them into doubt.
fn headline(counts: &Counts, views: &[View]) -> String {
    let named = |view: &View, text: &str| of_source(views.len(), &view.database, text);
    let standstills = views.iter().filter_map(|view| {
        let silence = view.snapshot.as_ref()?.standstill?;
        let text = format!("no service has sent a heartbeat for {}", span_of(silence));
        Some(named(view, &text))
    });
    let parts: Vec<String> = standstills.chain([counts.headline()]).collect();
    let mut headline = parts.join(" · ");
    for view in views {
        let separator = if views.len() == 1 { ", " } else { " · " };
        let note = match (&view.snapshot, view.outage, view.age) {
            (None, ..) => "no current data".to_owned(),
            (_, Some(_), Some(age)) => format!("as of {} ago", span(age)),
            _ => continue,
        };
        headline += separator;
        headline += &named(view, &note);
    }
    headline
}

/// A fault of the connection to a database, or of its last snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The fault, its duration, and the age of the states shown.
    pub text: String,
    /// What to check.
    pub remedy: &'static str,
}

/// Returns why sources have no current snapshot, with their names where there are several.
pub(crate) fn troubles(views: &[View]) -> Vec<Trouble> {
    let troubles = views.iter().filter_map(|view| {
        let trouble = trouble(view)?;
        Some(Trouble {
            text: of_source(views.len(), &view.database, &trouble.text),
            ..trouble
        })
    });
    troubles.collect()
}

/// Returns what is wrong with the search for databases; `None` after a look that found some, and without a search.
pub(crate) fn search_trouble(search: Option<SearchState>) -> Option<Trouble> {
    let (text, remedy) = match search? {
        SearchState::Found => return None,
        SearchState::Running => (
            "The exporter is looking for databases.".to_owned(),
            "A look can take as long as the connect and query timeouts allow.",
        ),
        SearchState::Empty => (
            "The exporter found no database of a known project.".to_owned(),
            "Check that the user has the grants of each project, or name the projects.",
        ),
        SearchState::Partial => (
            "The exporter cannot read every database that it found.".to_owned(),
            "Grant what is missing, or leave the database out with discovery.exclude.",
        ),
        SearchState::Failed(class) => {
            let (what, remedy) = explain(class);
            (
                format!("The exporter cannot look for databases: {what}."),
                remedy,
            )
        }
    };
    Some(Trouble { text, remedy })
}

/// Returns why no current snapshot of a source is available; `None` if one is.
fn trouble(view: &View) -> Option<Trouble> {
    let (age, limit, watched) = (view.age, view.stale_after, span(view.watched));
    let Some(Outage { lasted, class }) = view.outage else {
        let text = match age {
            Some(age) if age < limit => return None,
            Some(age) => {
                let age = span(age);
                format!("No poll has finished for {age}. The last snapshot is withheld.")
            }
            None => format!("Polling began {watched} ago. The first poll is running."),
        };
        let remedy = "A poll can take as long as the connect and query timeouts allow.";
        return Some(Trouble { text, remedy });
    };
    let (what, remedy) = explain(class);
    let (start, lasted) = ("The database has been unreadable", span(lasted));
    let text = match age {
        None => format!("{start} since polling began {watched} ago: {what}."),
        Some(age) if age < limit => format!(
            "{start} for {lasted}: {what}. States are {} old; they are withheld from {} on.",
            span(age),
            span(limit)
        ),
        Some(age) => format!(
            "{start} for {lasted}: {what}. The last snapshot is {} old and withheld: services may be up or down.",
            span(age)
        ),
    };
    Some(Trouble { text, remedy })
}

/// Returns what a class of failure means, and what to check. No text comes from a server.
fn explain(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Connect => (
            "no connection",
            "Check that the database is running and reachable from the exporter.",
        ),
        Class::Tls => (
            "TLS failed",
            "Check the certificates of both sides, and the certificate files that the database URL names.",
        ),
        Class::Auth => (
            "login refused",
            "Check user and password in the database URL.",
        ),
        Class::Permission => (
            "a grant is missing",
            "As the database administrator, run the output of `print grants`.",
        ),
        Class::Schema => (
            "a database, table or column is missing",
            "Check that the database URL names the database of its project.",
        ),
        Class::Timeout => (
            "timeout",
            "The database is overloaded or locked, or the network loses packets.",
        ),
        Class::Query => (
            "the server rejected the statement",
            "The server may be starting, stopping, or out of memory or disk space.",
        ),
        Class::Decode => (
            "unexpected answer",
            "Check that the database URL names the right server.",
        ),
        Class::Stale => (
            "the server that answers is not current",
            "Check the replication of that server, or its membership in the cluster. The exporter’s log names it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::cause::Reason;
    use crate::heartbeat::fixture;
    use crate::heartbeat::service::{Reading, Service, Stamp};
    use crate::heartbeat::time::HostTime;
    use crate::heartbeat::verdict;

    /// A source without services, read 3 s ago.
    fn view() -> View {
        View {
            database: "cinder".into(),
            snapshot: Some(snapshot(&[], 0).into()),
            age: Some(Duration::from_secs(3)),
            outage: None,
            stale_after: Duration::from_secs(30),
            poll_interval: Duration::from_secs(5),
            watched: Duration::from_secs(132),
        }
    }

    fn outage(seconds: u64, class: Class) -> Outage {
        Outage {
            lasted: Duration::from_secs(seconds),
            class,
        }
    }

    #[test]
    fn the_headline_counts_the_worst_first() {
        for (services, hidden, headline) in [
            ([2, 0, 0, 1, 3, 5, 9], 0, "2 down of 6"),
            ([2, 0, 1, 1, 3, 0, 9], 0, "2 down · 1 unknown of 7"),
            (
                [1, 2, 3, 0, 0, 0, 0],
                1,
                "1 down · 2 listed as up · 3 unknown of 6 · 1 row unreadable",
            ),
            ([0, 1, 0, 0, 1, 0, 0], 0, "1 down but listed as up of 2"),
            (
                [0, 2, 1, 0, 1, 0, 0],
                0,
                "2 down but listed as up · 1 unknown of 4",
            ),
            (
                [0, 0, 1, 0, 1, 0, 0],
                2,
                "1 unknown of 2 · 2 rows unreadable",
            ),
            ([0, 0, 0, 0, 3, 0, 0], 1, "3 up · 1 row unreadable"),
            (
                [0, 0, 0, 0, 0, 0, 4],
                1,
                "no enabled services · 1 row unreadable",
            ),
            ([0, 0, 0, 0, 0, 0, 4], 0, "no enabled services"),
            ([0, 0, 0, 0, 0, 14, 4], 0, "14 abandoned, no others enabled"),
            ([0, 0, 0, 0, 1, 0, 0], 0, "1 up"),
            ([0, 0, 0, 1, 1, 14, 4], 0, "all 2 up"),
        ] {
            let counts = Counts {
                services,
                hidden,
                ..Counts::default()
            };
            let condition = Condition::of(Some(&counts), &[view()]);
            assert_eq!(condition.headline, headline);
        }
    }

    #[test]
    fn kind_and_title_are_those_of_the_worst() {
        for (services, hidden, kind, short) in [
            ([2, 0, 0, 1, 3, 5, 9], 0, "down", "2 down"),
            ([2, 0, 1, 1, 3, 0, 9], 0, "down", "2 down"),
            ([1, 2, 3, 0, 0, 0, 0], 1, "down", "1 down"),
            (
                [0, 1, 0, 0, 1, 0, 0],
                0,
                "unseen",
                "1 down but listed as up",
            ),
            (
                [0, 2, 1, 0, 1, 0, 0],
                0,
                "unseen",
                "2 down but listed as up",
            ),
            ([0, 0, 1, 0, 1, 0, 0], 2, "unknown", "3 unknown"),
            ([0, 0, 0, 0, 3, 0, 0], 1, "unknown", "1 unknown"),
            ([0, 0, 0, 0, 0, 0, 4], 1, "unknown", "1 unknown"),
            ([0, 0, 0, 0, 0, 0, 4], 0, "unknown", "0 down"),
            ([0, 0, 0, 0, 0, 14, 4], 0, "unknown", "0 down"),
            ([0, 0, 0, 0, 1, 0, 0], 0, "up", "0 down"),
            ([0, 0, 0, 1, 1, 14, 4], 0, "up", "0 down"),
        ] {
            let counts = Counts {
                services,
                hidden,
                ..Counts::default()
            };
            let condition = Condition::of(Some(&counts), &[view()]);
            assert_eq!((condition.kind, &*condition.short), (kind, short));
        }
    }

    #[test]
    fn an_unreadable_database_adds_the_age_and_is_never_up() {
        let view = View {
            outage: Some(outage(0, Class::Connect)),
            ..view()
        };
        for (down, kind, short, headline) in [
            (0, "unknown", "0 down", "1 up, as of 3 s ago"),
            (2, "down", "2 down", "2 down of 3, as of 3 s ago"),
        ] {
            let expected = Condition::new(kind, short.to_owned(), headline.to_owned());
            let services = [down, 0, 0, 0, 1, 0, 0];
            let counts = Counts {
                services,
                ..Counts::default()
            };
            assert_eq!(
                Condition::of(Some(&counts), std::slice::from_ref(&view)),
                expected
            );
        }
    }

    /// A snapshot of services with these ages, `None` being unreadable, and of `rejected` more rows.
    fn snapshot(ages: &[Option<i64>], rejected: usize) -> Snapshot {
        let now = fixture::now("2026-03-30 00:54:14");
        let services: Vec<Service> = (0..)
            .zip(ages)
            .map(|(id, age)| Service {
                id: id.into(),
                stamp: age.map_or(Stamp::Unreadable, |age| {
                    Stamp::At(HostTime(now.0 - TimeDelta::seconds(age)))
                }),
                ..fixture::service("cinder-volume", &format!("block{id}"))
            })
            .collect();
        let rows = services.len() + rejected;
        fixture::snapshot(Reading {
            rows,
            ..fixture::reading(services)
        })
    }

    #[test]
    fn the_condition_is_up_only_if_the_verdict_of_the_command_line_is_up() {
        for (ages, rejected, up) in [
            (&[Some(5), Some(5)][..], 0, Some(true)),
            (&[Some(5)], 1, None),
            (&[Some(5), None], 0, None),
            (&[Some(5), Some(500)], 0, Some(false)),
            (&[Some(500)], 1, Some(false)),
            (&[], 0, None),
            (&[], 1, None),
        ] {
            let snapshot = snapshot(ages, rejected);
            assert_eq!(verdict::all_up(&snapshot), up, "{ages:?}");
            let condition = Condition::of(Some(&Counts::of([&snapshot])), &[view()]);
            assert_eq!(condition.kind == "up", up == Some(true), "{condition:?}");
        }
    }

    #[test]
    fn a_standstill_comes_before_any_service() {
        for (ages, kind, counts) in [
            (&[Some(5), Some(5)][..], "unknown", "all 2 up"),
            (&[Some(5), Some(500)], "down", "1 down of 2"),
        ] {
            let snapshot = Snapshot {
                standstill: Some(TimeDelta::milliseconds(35_200)),
                ..snapshot(ages, 0)
            };
            let all_up = verdict::all_up(&snapshot);
            assert_eq!(all_up.is_none(), kind == "unknown");
            let counted = Counts::of([&snapshot]);
            let view = View {
                snapshot: Some(snapshot.into()),
                ..view()
            };
            let condition = Condition::of(Some(&counted), &[view]);
            let expected = format!("no service has sent a heartbeat for 35 s · {counts}");
            assert_eq!((condition.kind, condition.headline), (kind, expected));
        }
    }

    #[test]
    fn trouble_names_the_fault_and_the_age() {
        let no_data = "no current data";
        for (age, outage, headline, expected) in [
            (
                None,
                None,
                "no data yet",
                "Polling began 2 min 12 s ago. The first poll is running.",
            ),
            (
                None,
                Some(outage(130, Class::Auth)),
                "no data yet",
                "The database has been unreadable since polling began 2 min 12 s ago: login refused.",
            ),
            (Some(3), None, no_data, ""),
            (
                Some(10),
                Some(outage(7, Class::Connect)),
                no_data,
                "The database has been unreadable for 7 s: no connection. States are 10 s old; they are withheld from \
                 30 s on.",
            ),
            (
                Some(30),
                Some(outage(27, Class::Connect)),
                no_data,
                "The database has been unreadable for 27 s: no connection. The last snapshot is 30 s old and withheld: \
                 services may be up or down.",
            ),
        ] {
            let view = View {
                age: age.map(Duration::from_secs),
                outage,
                ..view()
            };
            let trouble = trouble(&view).map_or(String::new(), |trouble| trouble.text);
            assert_eq!(trouble, expected);
            assert_eq!(Condition::of(None, &[view]).headline, headline);
        }
    }

    #[test]
    fn several_sources_are_counted_together_and_named() {
        let of = |database: &str, ages: &[Option<i64>], outage| View {
            database: database.into(),
            snapshot: Some(snapshot(ages, 0).into()),
            outage,
            ..view()
        };
        let check = |views: &[View], kind: &str, headline: &str| {
            let condition = Condition::of(Counts::shown(views).as_ref(), views);
            assert_eq!((condition.kind, &*condition.headline), (kind, headline));
        };
        let up = of("c1", &[Some(5)], None);
        check(
            &[up.clone(), of("c2", &[Some(5), Some(5)], None)],
            "up",
            "all 3 up",
        );
        let down = of("c2", &[Some(500)], None);
        check(&[up.clone(), down], "down", "1 down of 2");
        let failing = of("c2", &[Some(5)], Some(outage(7, Class::Connect)));
        let views = [up.clone(), failing];
        check(&views, "unknown", "all 2 up · c2: as of 3 s ago");
        let text = &troubles(&views)[0].text;
        assert!(text.starts_with("c2: The database has been"), "{text}");
        let withheld = View {
            snapshot: None,
            ..of("c2", &[], None)
        };
        check(
            &[up.clone(), withheld],
            "unknown",
            "1 up · c2: no current data",
        );
        let still = Snapshot {
            standstill: Some(TimeDelta::seconds(35)),
            ..snapshot(&[Some(5)], 0)
        };
        let still = View {
            snapshot: Some(still.into()),
            ..of("c2", &[], None)
        };
        check(
            &[up, still],
            "unknown",
            "c2: no service has sent a heartbeat for 35 s · all 2 up",
        );
    }

    #[test]
    fn services_that_are_marked_or_taken_down_are_counted_apart() {
        for (reasons, short, headline) in [
            (&[Reason::ShutDown][..], "1 taken down", "1 taken down of 2"),
            (&[Reason::MarkedDown], "1 marked down", "1 marked down of 2"),
            (
                &[Reason::ForcedDown, Reason::MarkedDown, Reason::MarkedDown],
                "2 marked down, 1 taken down",
                "2 marked down · 1 taken down of 4",
            ),
        ] {
            let ages: Vec<Option<i64>> = reasons.iter().map(|_| Some(500)).collect();
            let mut services = snapshot(&[&[Some(5)], &*ages].concat(), 0);
            for (status, reason) in services.services[1..].iter_mut().zip(reasons) {
                status.observed.reason = Some(*reason);
            }
            let counts = Counts::of([&services]);
            let condition = Condition::of(Some(&counts), &[view()]);
            let expected = Condition::new("warning", short.to_owned(), headline.to_owned());
            assert_eq!(condition, expected);
            // The API lists them as down.
            assert_eq!(verdict::all_up(&services), Some(false));
        }
    }
}
