//! How the whole is doing, in words: the services together, and the database they are read from.

use super::words;
use crate::heartbeat::failure::Class;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::urgency::Urgency;

use crate::heartbeat::view::{Outage, View};

/// What stands on top of the page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// `up`, `down`, `unseen` or `unknown`: symbol and colour.
    pub kind: &'static str,
    /// What the title of a tab begins with.
    pub short: String,
    /// One sentence.
    pub headline: String,
}

/// How many services there are of each urgency.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    services: [usize; Urgency::ALL.len()],
    /// See [`Snapshot::hidden`].
    hidden: usize,
}

impl Counts {
    /// Counts the services of a picture.
    #[must_use]
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self {
            hidden: snapshot.hidden(),
            ..Self::default()
        };
        for status in &snapshot.services {
            counts.services[Urgency::of(status) as usize] += 1;
        }
        counts
    }

    /// Returns the number of services of this urgency.
    #[must_use]
    pub(crate) fn get(&self, urgency: Urgency) -> usize {
        self.services[urgency as usize]
    }

    /// Returns the number of services that somebody counts on: neither disabled nor abandoned.
    #[must_use]
    pub(crate) fn enabled(&self) -> usize {
        let others = self.get(Urgency::Disabled) + self.get(Urgency::Abandoned);
        self.services.iter().sum::<usize>() - others
    }
}

impl Condition {
    /// Returns the condition of what is seen; `None` for `counts` means that no picture can be shown.
    ///
    /// It is `up` only if [`verdict::all_up`](crate::heartbeat::verdict::all_up) says so of the services that are not
    /// abandoned, and the database can be read.
    #[must_use]
    pub(crate) fn of(counts: Option<&Counts>, view: &View) -> Self {
        let Some(counts) = counts else {
            let headline = match view.age {
                Some(_) => "The services’ states are not known at present",
                None => "The services’ states are not known yet",
            };
            return Self::new("unknown", "no data".to_owned(), headline.to_owned());
        };
        let (down, unseen) = (counts.get(Urgency::Down), counts.get(Urgency::Unseen));
        let untold = counts.get(Urgency::Unknown) + counts.hidden;
        let short = match (down, unseen, untold) {
            (0, 0, 0) | (1.., _, _) => format!("{down} down"),
            (0, 0, _) => format!("{untold} unknown"),
            (0, _, _) => format!("{unseen} fail unseen"),
        };
        let kind = if down > 0 {
            "down"
        } else if unseen > 0 {
            "unseen"
        } else if counts.is_all_up() && view.outage.is_none() {
            "up"
        } else {
            "unknown"
        };
        let headline = match view.outage.and(view.age) {
            Some(age) => {
                let headline = counts.headline(Tense::Past);
                format!("{headline}, {} ago", words::span(age))
            }
            None => counts.headline(Tense::Present),
        };
        Self::new(kind, short, headline)
    }

    fn new(kind: &'static str, short: String, headline: String) -> Self {
        Self {
            kind,
            short,
            headline,
        }
    }
}

impl Counts {
    /// Returns whether there are enabled services, and all of them are known and up.
    fn is_all_up(&self) -> bool {
        let well = self.get(Urgency::Up) + self.get(Urgency::Warning);
        well > 0 && well == self.enabled() && self.hidden == 0
    }

    /// Returns how the services are doing, the worst first.
    fn headline(&self, tense: Tense) -> String {
        let (down, unseen) = (self.get(Urgency::Down), self.get(Urgency::Unseen));
        let (unknown, enabled) = (self.get(Urgency::Unknown), self.enabled());
        let unseen = match (down, unseen) {
            (_, 0) => None,
            (0, 1) => Some(format!(
                "1 of {enabled} services fails, though Cinder lists it as up"
            )),
            (0, _) => Some(format!(
                "{unseen} of {enabled} services fail, though Cinder lists them as up"
            )),
            (_, 1) => Some("1 more fails, though Cinder lists it as up".to_owned()),
            (_, _) => Some(format!(
                "{unseen} more fail, though Cinder lists them as up"
            )),
        };
        let well = (down == 0 && unseen.is_none()).then(|| self.without_failures(tense));
        let is_said = well.is_some() && unknown == 0 && enabled > 0;
        let hidden =
            (self.hidden > 0 && !is_said).then(|| format!("{} can’t be read", self.rows()));
        let parts = [
            (down > 0).then(|| format!("{down} of {enabled} services {} down", tense.be(down))),
            unseen,
            well,
            (unknown > 0).then(|| format!("of {unknown} it can’t be told")),
            hidden,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join("; ")
    }

    /// Returns the number of rows that hide services, in words.
    fn rows(&self) -> String {
        match self.hidden {
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        }
    }

    /// Returns how the services are doing when none is known to fail.
    fn without_failures(&self, tense: Tense) -> String {
        let (hidden, enabled) = (self.hidden, self.enabled());
        match (self.get(Urgency::Unknown), hidden, enabled) {
            (0, _, 0) if self.get(Urgency::Abandoned) > 0 => {
                "No enabled service has reported within a week".to_owned()
            }
            (0, _, 0) => "There is no enabled service".to_owned(),
            (0, 0, 1) => format!("The one enabled service {} up", tense.be(1)),
            (0, 0, _) => format!("All {enabled} enabled services {} up", tense.be(enabled)),
            (0, _, _) => {
                let are = tense.be(2);
                format!("{} can’t be read; all others {are} up", self.rows())
            }
            _ => format!("No service {} known to be down", tense.be(1)),
        }
    }
}

/// Whether a picture is of now, or of a database that can no longer be read.
#[derive(Debug, Clone, Copy)]
enum Tense {
    Present,
    Past,
}

impl Tense {
    fn be(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Present, 1) => "is",
            (Self::Present, _) => "are",
            (Self::Past, 1) => "was",
            (Self::Past, _) => "were",
        }
    }
}

/// What is wrong with the database, or with what was read from it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What is wrong, since when, and what that means for what is shown.
    pub text: String,
    /// What to look at.
    pub remedy: &'static str,
}

/// Returns what keeps a picture from being read, if anything does.
#[must_use]
pub(crate) fn trouble(view: &View) -> Option<Trouble> {
    let (age, limit) = (view.age, view.stale_after);
    let Some(Outage { lasted, class }) = view.outage else {
        let text = match age {
            Some(age) if age < limit => return None,
            Some(age) => format!(
                "No poll has ended for {}. What was read last is withheld.",
                words::span(age)
            ),
            None => format!(
                "The exporter started {} ago; the first reading of the database is under way.",
                words::span(view.uptime)
            ),
        };
        let remedy = "A reading takes as long as the timeouts allow.";
        return Some(Trouble { text, remedy });
    };
    let (what, remedy) = explain(class);
    let text = match age {
        None => format!(
            "The database has not been read since the exporter started {} ago: {what}.",
            words::span(view.uptime)
        ),
        Some(age) if age < limit => format!(
            "The database has not been readable for {}: {what}. States are as of {} ago, and withheld when they are {} old.",
            words::span(lasted),
            words::span(age),
            words::span(limit)
        ),
        Some(age) => format!(
            "The database has not been readable for {}: {what}. What was read last is {} old and withheld: \
             the services may be up or down.",
            words::span(lasted),
            words::span(age)
        ),
    };
    Some(Trouble { text, remedy })
}

/// Returns what a class of failure means, and what to look at. No word of it comes from a server.
fn explain(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Connect => (
            "no connection",
            "Check that the database runs, and that nothing blocks the way from the exporter to it.",
        ),
        Class::Tls => (
            "TLS failed",
            "Check the certificates of both sides, and which of them the database’s URL names.",
        ),
        Class::Auth => (
            "login refused",
            "Check the user and the password in the database’s URL.",
        ),
        Class::Permission => (
            "a grant is missing",
            "Let an administrator of the database run what `print grants` prints.",
        ),
        Class::Schema => (
            "a database, table or column is missing",
            "Check that the database’s URL names the database of Cinder.",
        ),
        Class::Timeout => (
            "timeout",
            "The database is overloaded or locked, or packets to it are lost.",
        ),
        Class::Query => (
            "the server refused the statement",
            "It may be starting, stopping, or out of room.",
        ),
        Class::Decode => (
            "the answer is not the one asked for",
            "Check that the database’s URL names the right server.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::verdict;

    use crate::heartbeat::service::{Reading, Service, Stamp};
    use crate::heartbeat::time::HostTime;

    const VIEW: View = View {
        snapshot: None,
        age: Some(Duration::from_secs(3)),
        outage: None,
        stale_after: Duration::from_secs(30),
        poll_interval: Duration::from_secs(5),
        uptime: Duration::from_secs(3),
    };

    fn check(services: [usize; 7], hidden: usize, kind: &str, headline: &str) {
        let condition = Condition::of(Some(&Counts { services, hidden }), &VIEW);
        assert_eq!(
            (condition.kind, condition.headline.as_str()),
            (kind, headline)
        );
    }

    #[test]
    fn the_worst_is_said_first_and_all_of_it() {
        for (services, hidden, kind, headline) in [
            ([2, 0, 0, 1, 3, 5, 9], 0, "down", "2 of 6 services are down"),
            (
                [2, 0, 1, 1, 3, 0, 9],
                0,
                "down",
                "2 of 7 services are down; of 1 it can’t be told",
            ),
            (
                [1, 2, 3, 0, 0, 0, 0],
                1,
                "down",
                "1 of 6 services is down; 2 more fail, though Cinder lists them as up; of 3 it can’t be told; \
                 1 row can’t be read",
            ),
            (
                [0, 1, 0, 0, 1, 0, 0],
                0,
                "unseen",
                "1 of 2 services fails, though Cinder lists it as up",
            ),
            (
                [0, 2, 1, 0, 1, 0, 0],
                0,
                "unseen",
                "2 of 4 services fail, though Cinder lists them as up; of 1 it can’t be told",
            ),
            (
                [0, 0, 1, 0, 1, 0, 0],
                2,
                "unknown",
                "No service is known to be down; of 1 it can’t be told; 2 rows can’t be read",
            ),
            (
                [0, 0, 0, 0, 1, 0, 0],
                1,
                "unknown",
                "1 row can’t be read; all others are up",
            ),
            (
                [0, 0, 0, 0, 3, 0, 0],
                2,
                "unknown",
                "2 rows can’t be read; all others are up",
            ),
            (
                [0, 0, 0, 0, 0, 0, 4],
                1,
                "unknown",
                "There is no enabled service; 1 row can’t be read",
            ),
            (
                [0, 0, 0, 0, 0, 0, 4],
                0,
                "unknown",
                "There is no enabled service",
            ),
            (
                [0, 0, 0, 0, 0, 14, 4],
                0,
                "unknown",
                "No enabled service has reported within a week",
            ),
            (
                [0, 0, 0, 1, 1, 14, 4],
                0,
                "up",
                "All 2 enabled services are up",
            ),
        ] {
            check(services, hidden, kind, headline);
        }
    }

    #[test]
    fn what_was_up_before_the_database_went_away_is_not_said_to_be_up() {
        let outage = Outage {
            lasted: Duration::ZERO,
            class: Class::Connect,
        };
        let view = View {
            outage: Some(outage),
            ..VIEW
        };
        for (services, kind, headline) in [
            (
                [0, 0, 0, 0, 1, 0, 0],
                "unknown",
                "The one enabled service was up, 3 s ago",
            ),
            (
                [2, 0, 0, 0, 1, 0, 0],
                "down",
                "2 of 3 services were down, 3 s ago",
            ),
        ] {
            let counts = Counts {
                services,
                hidden: 0,
            };
            let condition = Condition::of(Some(&counts), &view);
            assert_eq!(
                (condition.kind, condition.headline.as_str()),
                (kind, headline)
            );
        }
    }

    /// A picture of services with these ages, and so many rows that can't be read.
    fn snapshot(ages: &[Option<i64>], rejected: usize) -> Snapshot {
        let now = fixture::now("2026-03-30 00:54:14");
        let services: Vec<Service> = (0..)
            .zip(ages)
            .map(|(id, age)| Service {
                id,
                updated_at: age.map_or(Stamp::Unreadable, |age| {
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
    fn the_headline_is_green_only_where_the_command_line_says_that_all_are_up() {
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
            let condition = Condition::of(Some(&Counts::of(&snapshot)), &VIEW);
            assert_eq!(condition.kind == "up", up == Some(true), "{condition:?}");
        }
    }

    #[test]
    fn without_a_snapshot_the_reason_and_its_duration_are_given() {
        let text = |view: &View| {
            trouble(view)
                .map(|trouble| trouble.text)
                .unwrap_or_default()
        };
        let starting = View {
            age: None,
            uptime: Duration::from_secs(2),
            ..VIEW
        };
        assert_eq!(
            text(&starting),
            "The exporter started 2 s ago; the first reading of the database is under way."
        );
        let failing = View {
            outage: Some(Outage {
                lasted: Duration::from_secs(130),
                class: Class::Auth,
            }),
            uptime: Duration::from_secs(132),
            ..starting
        };
        assert_eq!(
            text(&failing),
            "The database has not been read since the exporter started 2 min 12 s ago: login refused."
        );
        let condition = Condition::of(None, &failing);
        assert_eq!(condition.short, "no data");
    }
}
