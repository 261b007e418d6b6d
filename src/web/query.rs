//! What of the services a page shows, from the query string.
//!
//! No value is an error: one that is not understood is left out and said on the page.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::heartbeat::status::ServiceStatus;
use crate::heartbeat::urgency::Urgency;

/// What a value in a query string, or one part of a path, must not show as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@');

/// Characters of a filter that are looked at; no host or binary is longer.
const LONGEST: usize = 255;

/// The filters, and which page of what they leave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query {
    /// `state`: only this urgency.
    pub state: Option<Urgency>,
    /// `binary`: exactly this one.
    pub binary: Option<String>,
    /// `q`: a part of the binary, host, zone or cluster, in any case.
    pub text: Option<String>,
    /// The same in lower case.
    needle: Option<String>,
    /// `page`, the first being 1; it may lie beyond the last.
    pub page: usize,
    /// What was not understood, as sentences.
    pub complaints: Vec<String>,
}

impl Query {
    /// Returns what a query string asks for; of a name that comes twice, the last counts.
    #[must_use]
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let mut parsed = Self {
            page: 1,
            ..Self::default()
        };
        let (mut state, mut page) = (None, None);
        for (name, value) in pairs(query.unwrap_or_default()) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            let value = Some(value.chars().take(LONGEST).collect());
            match name.as_ref() {
                "state" => state = value,
                "binary" => parsed.binary = value,
                "q" => parsed.text = value,
                "page" => page = value,
                _ => {}
            }
        }
        parsed.needle = parsed.text.as_ref().map(|text| text.to_lowercase());
        if let Some(state) = state {
            parsed.set_state(&state);
        }
        if let Some(page) = page {
            parsed.set_page(&page);
        }
        parsed
    }

    fn set_page(&mut self, value: &str) {
        match value.parse() {
            Ok(page) if page > 0 => self.page = page,
            _ => self
                .complaints
                .push(format!("There is no page “{value}”; this is the first.")),
        }
    }

    fn set_state(&mut self, value: &str) {
        self.state = Urgency::ALL
            .into_iter()
            .find(|urgency| urgency.as_str() == value);
        if self.state.is_none() {
            self.complaints.push(format!(
                "There is no state “{value}”; services in all states are shown."
            ));
        }
    }

    /// Returns whether every service is shown, page by page.
    #[must_use]
    pub(crate) fn is_everything(&self) -> bool {
        self.state.is_none() && self.binary.is_none() && self.text.is_none()
    }

    /// Returns whether the filters leave this service.
    #[must_use]
    pub(crate) fn shows(&self, status: &ServiceStatus) -> bool {
        let facts = &status.service.facts;
        self.state.is_none_or(|state| Urgency::of(status) == state)
            && self
                .binary
                .as_ref()
                .is_none_or(|binary| **binary == *facts.binary)
            && self.needle.as_ref().is_none_or(|needle| {
                [
                    Some(&facts.host),
                    Some(&facts.binary),
                    facts.availability_zone.as_ref(),
                    facts.cluster_name.as_ref(),
                ]
                .into_iter()
                .flatten()
                .any(|field| field.to_lowercase().contains(needle))
            })
    }

    /// Returns the query string of another page of the same, or of the same filters with another state.
    #[must_use]
    pub(crate) fn link(&self, state: Option<Urgency>, page: usize) -> String {
        let page = (page > 1).then(|| page.to_string());
        let parts = [
            ("state", state.map(Urgency::as_str)),
            ("binary", self.binary.as_deref()),
            ("q", self.text.as_deref()),
            ("page", page.as_deref()),
        ];
        let set: Vec<String> = parts
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))))
            .collect();
        format!("?{}", set.join("&"))
    }
}

/// Returns the names and values of a query string, as a form sends them; what is no UTF-8 is replaced.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, String)> {
    query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
        (percent_decode_str(name).decode_utf8_lossy(), value)
    })
}

/// Returns a text as one part of a path, or as a value in a query string.
#[must_use]
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::fixture;

    #[test]
    fn filters_are_read_and_written_back() {
        let query = Query::parse(Some("state=down&binary=cinder-volume&q=a%26b+c%23&page=3"));
        assert_eq!(query.state, Some(Urgency::Down));
        assert_eq!(query.text.as_deref(), Some("a&b c#"));
        assert_eq!((query.page, query.complaints.len()), (3, 0));
        assert_eq!(Query::parse(query.link(query.state, 3).get(1..)), query);
        assert_eq!(Query::default().link(None, 1), "?");
        assert_eq!(query.link(None, 1), "?binary=cinder-volume&q=a%26b%20c%23");
    }

    #[test]
    fn what_is_not_understood_is_left_out_and_said() {
        for (query, complaints) in [
            ("", 0),
            ("state=&binary=&q=+&page=", 0),
            ("&&=&unknown=1&down", 0),
            ("state=sideways", 1),
            ("page=0", 1),
            ("page=-1", 1),
            ("page=99999999999999999999999", 1),
            ("state=%ff%00&page=one", 2),
        ] {
            let parsed = Query::parse(Some(query));
            assert_eq!(parsed.complaints.len(), complaints, "{query}");
            assert!(parsed.is_everything(), "{query}");
            assert_eq!(parsed.page, 1, "{query}");
        }
        assert_eq!(Query::parse(None), Query::parse(Some("")));
        for (query, page, complaints) in [("page=3&page=x", 1, 1), ("page=x&page=3", 3, 0)] {
            let parsed = Query::parse(Some(query));
            assert_eq!((parsed.page, parsed.complaints.len()), (page, complaints));
        }
        let long = format!("q={}", "a".repeat(70_000));
        let text = Query::parse(Some(&long)).text.unwrap_or_default();
        assert_eq!(text.len(), LONGEST);
    }

    #[test]
    fn a_text_is_found_in_any_case_and_in_every_name() {
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
