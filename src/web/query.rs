//! The filters and the page number in the status page's query string.
//!
//! No value is an error: the page ignores an invalid one and says so.

use form_urlencoded::{Parse, Serializer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::Urgency;

/// Characters to encode in one segment of a path.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@');

/// Maximum number of characters in a filter; no host or binary is longer.
const MAX_LENGTH: usize = 255;

/// Filters and page number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query {
    /// `database`: shows only this source, matched exactly.
    pub database: Option<String>,
    /// `state`: shows only this urgency.
    pub state: Option<Urgency>,
    /// `binary`: shows only this binary, matched exactly.
    pub binary: Option<String>,
    /// `q`: part of the binary, host, zone or cluster, case-insensitive.
    pub text: Option<String>,
    /// `text` in lower case.
    needle: Option<String>,
    /// `page`, from 1; may exceed the number of pages.
    pub page: usize,
    /// A sentence for each invalid value.
    pub complaints: Vec<String>,
}

impl Query {
    /// Parses a query string; the last value of a repeated name counts.
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let mut parsed = Self {
            page: 1,
            ..Self::default()
        };
        let (mut state, mut page) = (None, None);
        for (name, value) in pairs(query) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            let value: Option<String> = Some(value.chars().take(MAX_LENGTH).collect());
            match name.as_ref() {
                "database" => parsed.database = value,
                "state" => state = value,
                "binary" => parsed.binary = value,
                "q" => parsed.text = value,
                "page" => page = value,
                _ => {}
            }
        }
        parsed.needle = parsed.text.as_ref().map(|text| text.to_lowercase());
        let complaints = &mut parsed.complaints;
        if let Some(value) = state {
            let mut states = Urgency::ALL.into_iter();
            parsed.state = states.find(|state| state.as_str() == value);
            if parsed.state.is_none() {
                complaints.push(format!(
                    "There is no state “{value}”; all states are shown."
                ));
            }
        }
        if let Some(value) = page {
            match value.parse() {
                Ok(page) if page > 0 => parsed.page = page,
                _ => complaints.push(format!("There is no page “{value}”; this is page 1.")),
            }
        }
        parsed
    }

    /// Returns whether no filter is set.
    pub(crate) fn is_unfiltered(&self) -> bool {
        let names = [&self.database, &self.binary, &self.text];
        self.state.is_none() && names.iter().all(|name| name.is_none())
    }

    /// Returns whether the services of a source pass the filter by source.
    pub(crate) fn shows_source(&self, database: &str) -> bool {
        let chosen = self.database.as_deref();
        chosen.is_none_or(|chosen| chosen == database)
    }

    /// Returns whether a service passes all other filters.
    pub(crate) fn shows(&self, status: &ServiceStatus) -> bool {
        let facts = &status.service.facts;
        let (state, binary) = (self.state, self.binary.as_ref());
        let contains = |needle| {
            let (zone, cluster) = (&facts.availability_zone, &facts.cluster_name);
            let names = [&facts.host, &facts.binary].into_iter();
            let mut names = names.chain(zone).chain(cluster);
            names.any(|name| name.to_lowercase().contains(needle))
        };
        state.is_none_or(|state| Urgency::of(status) == state)
            && binary.is_none_or(|binary| **binary == *facts.binary)
            && self.needle.as_deref().is_none_or(contains)
    }

    /// Returns the query string for another state or page, with the other filters unchanged.
    pub(crate) fn link(&self, state: Option<Urgency>, page: usize) -> String {
        let page = (page > 1).then(|| page.to_string());
        let parts = [
            ("database", self.database.as_deref()),
            ("state", state.map(Urgency::as_str)),
            ("binary", self.binary.as_deref()),
            ("q", self.text.as_deref()),
            ("page", page.as_deref()),
        ];
        let mut query = Serializer::for_suffix("?".to_owned(), 1);
        for (name, value) in parts {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        query.finish()
    }
}

/// Returns the decoded names and values of a query string; invalid UTF-8 is replaced.
pub(crate) fn pairs(query: Option<&str>) -> Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

/// Percent-encodes a text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;

    #[test]
    fn filters_survive_a_round_trip() {
        let query = Query::parse(Some(
            "state=down&database=c1&binary=cinder-volume&q=a%26b+c%23&page=3",
        ));
        assert_eq!(query.state, Some(Urgency::Down));
        assert!(query.shows_source("c1") && !query.shows_source("c2"));
        assert_eq!(query.text.as_deref(), Some("a&b c#"));
        assert_eq!((query.page, query.complaints.len()), (3, 0));
        assert_eq!(Query::parse(query.link(query.state, 3).get(1..)), query);
        assert_eq!(Query::default().link(None, 1), "?");
        assert_eq!(
            query.link(None, 1),
            "?database=c1&binary=cinder-volume&q=a%26b+c%23"
        );
    }

    #[test]
    fn an_invalid_value_is_ignored_with_a_complaint() {
        for (query, complaints) in [
            ("", 0),
            ("database=&state=&binary=&q=+&page=", 0),
            ("&&=&unknown=1&down", 0),
            ("state=sideways", 1),
            ("page=0", 1),
            ("page=-1", 1),
            ("page=99999999999999999999999", 1),
            ("state=%ff%00&page=one", 2),
        ] {
            let parsed = Query::parse(Some(query));
            assert_eq!(parsed.complaints.len(), complaints, "{query}");
            assert!(parsed.is_unfiltered(), "{query}");
            assert_eq!(parsed.page, 1, "{query}");
        }
        assert_eq!(Query::parse(None), Query::parse(Some("")));
        for (query, page, complaints) in [("page=3&page=x", 1, 1), ("page=x&page=3", 3, 0)] {
            let parsed = Query::parse(Some(query));
            assert_eq!((parsed.page, parsed.complaints.len()), (page, complaints));
        }
        let long = format!("q={}", "a".repeat(70_000));
        let text = Query::parse(Some(&long)).text.unwrap_or_default();
        assert_eq!(text.len(), MAX_LENGTH);
    }

    #[test]
    fn a_text_matches_every_name_case_insensitively() {
        let service = fixture::service("cinder-volume", "Block1@Łódź");
        let status = fixture::status(service, Some(true));
        for (query, shown) in [
            ("q=block1", true),
            ("q=%C5%82%C3%B3D", true),
            ("q=VOLUME", true),
            ("q=nova", true),
            ("q=block2", false),
            ("binary=cinder-volume", true),
            ("binary=cinder", false),
            ("state=up&q=block1", true),
            ("state=down&q=block1", false),
        ] {
            assert_eq!(Query::parse(Some(query)).shows(&status), shown, "{query}");
        }
    }
}
