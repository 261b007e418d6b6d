//! The syntax and the upper limit of a duration.

use std::time::Duration;

/// The longest duration, 366 days. The limit keeps sums of durations from overflowing.
pub(super) const MAX: Duration = Duration::from_hours(8784);

/// Parses a duration; a number without a unit means seconds, as in cinder.conf.
pub(super) fn parse(text: &str) -> Option<Duration> {
    text.parse()
        .map(Duration::from_secs)
        .or_else(|_| humantime::parse_duration(text))
        .ok()
        .filter(|duration| *duration <= MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_without_a_unit_are_seconds() {
        for (text, expected) in [
            ("60", Some(60_000)),
            ("1500ms", Some(1_500)),
            ("1m 30s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("0", Some(0)),
            ("-5", None),
            ("", None),
            ("5 parsecs", None),
            ("99999999999999999999", None),
            ("2y", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }
}
