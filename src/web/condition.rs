//! How the whole is doing, in words: the services together, and the database they are read from.

use super::words;
use crate::database::Class;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::urgency::Urgency;
use crate::picture::{Gallery, Outage};

/// What stands on top of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct Condition {
    /// `up`, `down`, `unseen` or `unknown`: symbol and colour.
    pub kind: &'static str,
    /// What the title of a tab begins with.
    pub short: String,
    /// One sentence.
    pub headline: String,
}

/// How many services there are of each urgency.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts([usize; Urgency::ALL.len()]);

impl Counts {
    /// Counts the services of a picture.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self::default();
        for status in &snapshot.services {
            counts.0[Urgency::of(status) as usize] += 1;
        }
        counts
    }

    /// Returns the number of services of this urgency.
    #[must_use]
    pub fn get(&self, urgency: Urgency) -> usize {
        self.0[urgency as usize]
    }

    /// Returns the number of services that no operator disabled.
    #[must_use]
    pub fn enabled(&self) -> usize {
        self.0.iter().sum::<usize>() - self.get(Urgency::Disabled)
    }
}

impl Condition {
    /// Returns the condition of what is known; `None` for `counts` means that no picture can be shown.
    #[must_use]
    pub fn of(counts: Option<&Counts>, gallery: &Gallery) -> Self {
        let Some(counts) = counts else {
            let headline = match gallery.age() {
                Some(_) => "The services’ states are not known at present",
                None => "The services’ states are not known yet",
            };
            return Self::new("unknown", "no data".to_owned(), headline.to_owned());
        };
        let (down, unseen) = (counts.get(Urgency::Down), counts.get(Urgency::Unseen));
        let (unknown, enabled) = (counts.get(Urgency::Unknown), counts.enabled());
        let also = match unseen {
            0 => String::new(),
            1 => "; 1 more fails unseen".to_owned(),
            _ => format!("; {unseen} more fail unseen"),
        };
        let short = format!("{down} down");
        if down > 0 {
            let are = if down == 1 { "is" } else { "are" };
            let headline = format!("{down} of {enabled} services {are} down{also}");
            Self::new("down", short, headline)
        } else if unseen > 0 {
            let fail = if unseen == 1 { "fails" } else { "fail" };
            let headline =
                format!("{unseen} of {enabled} services {fail}, though Cinder lists all as up");
            Self::new("unseen", format!("{unseen} fail unseen"), headline)
        } else if unknown > 0 {
            let headline = format!("No service is known to be down; of {unknown} it can’t be told");
            Self::new("unknown", short, headline)
        } else if enabled == 0 {
            let headline = "There is no enabled service".to_owned();
            Self::new("unknown", short, headline)
        } else {
            let headline = match enabled {
                1 => "The one enabled service is up".to_owned(),
                _ => format!("All {enabled} enabled services are up"),
            };
            Self::new("up", short, headline)
        }
    }

    fn new(kind: &'static str, short: String, headline: String) -> Self {
        Self {
            kind,
            short,
            headline,
        }
    }
}

/// What is wrong with the database, or with what was read from it.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong, since when, and what that means for what is shown.
    pub text: String,
    /// What to look at.
    pub remedy: &'static str,
}

/// Returns what keeps a picture from being read, if anything does.
#[must_use]
pub fn trouble(gallery: &Gallery) -> Option<Trouble> {
    let age = gallery.age();
    let limit = gallery.stale_after();
    let Some(Outage { since, class }) = gallery.outage() else {
        let text = match age {
            Some(age) if age < limit => return None,
            Some(age) => format!(
                "No poll has ended for {}. What was read last is withheld.",
                words::span(age)
            ),
            None => format!(
                "The exporter started {} ago; the first reading of the database is under way.",
                words::span(gallery.uptime())
            ),
        };
        let remedy = "A reading takes as long as the timeouts allow.";
        return Some(Trouble { text, remedy });
    };
    let (what, remedy) = explain(class);
    let text = match age {
        None => format!(
            "The database has not been read since the exporter started {} ago: {what}.",
            words::span(gallery.uptime())
        ),
        Some(age) if age < limit => format!(
            "The database has not been readable for {}: {what}. States are as of {} ago, and withheld when they are {} old.",
            words::span(since.elapsed()),
            words::span(age),
            words::span(limit)
        ),
        Some(age) => format!(
            "The database has not been readable for {}: {what}. What was read last is {} old and withheld: \
             the services may be up or down.",
            words::span(since.elapsed()),
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

    use super::*;

    fn check(counts: [usize; 6], kind: &str, headline: &str) {
        let gallery = Gallery::new(Duration::from_secs(30));
        let condition = Condition::of(Some(&Counts(counts)), &gallery);
        assert_eq!(
            (condition.kind, condition.headline.as_str()),
            (kind, headline)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_worst_is_said_first() {
        check([2, 0, 1, 1, 3, 9], "down", "2 of 7 services are down");
        check(
            [1, 2, 0, 0, 0, 0],
            "down",
            "1 of 3 services is down; 2 more fail unseen",
        );
        check(
            [0, 1, 0, 0, 1, 0],
            "unseen",
            "1 of 2 services fails, though Cinder lists all as up",
        );
        check(
            [0, 0, 1, 0, 1, 0],
            "unknown",
            "No service is known to be down; of 1 it can’t be told",
        );
        check([0, 0, 0, 0, 0, 4], "unknown", "There is no enabled service");
        check([0, 0, 0, 1, 1, 4], "up", "All 2 enabled services are up");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_picture_it_is_said_why_and_since_when() {
        let gallery = Gallery::new(Duration::from_secs(30));
        let text = || {
            trouble(&gallery)
                .map(|trouble| trouble.text)
                .unwrap_or_default()
        };
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(
            text(),
            "The exporter started 2 s ago; the first reading of the database is under way."
        );
        gallery.fail(Class::Auth);
        tokio::time::advance(Duration::from_secs(130)).await;
        assert_eq!(
            text(),
            "The database has not been read since the exporter started 2 min 12 s ago: login refused."
        );
        let condition = Condition::of(None, &gallery);
        assert_eq!(condition.short, "no data");
    }
}
