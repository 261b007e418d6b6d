//! The parameters in the API's query strings.
//!
//! A script does not notice an ignored parameter, so the API refuses what it does not know. The status page ignores it.

use super::query;
use crate::publish::rendered::Selection;

/// Maximum number of characters of a name or value in a message.
const MAX_SHOWN: usize = 60;

/// Returns which services `/api/v1/services` lists: `down`, or `down=true`, selects those that are down; `down=false`,
/// or no parameter, all.
///
/// # Errors
/// A message with the parameter, its place and what is accepted: another parameter or value, or `down` twice.
pub(super) fn selection(query: Option<&str>) -> Result<Selection, String> {
    const PLACE: &str = "in the query of /api/v1/services";
    let mut selection = None;
    for (name, value) in query::pairs(query) {
        if name != "down" {
            let name = shown(&name);
            return Err(format!(
                "unknown parameter `{name}` {PLACE}: it accepts `down`, `down=true` and `down=false`"
            ));
        }
        let selected = match value.as_ref() {
            "" | "true" => Selection::Down,
            "false" => Selection::All,
            other => {
                let value = shown(other);
                return Err(format!(
                    "parameter `down` {PLACE} has the value `{value}`: it accepts `true`, `false`, and no value, which is `true`"
                ));
            }
        };
        if selection.replace(selected).is_some() {
            return Err(format!(
                "parameter `down` occurs more than once {PLACE}: give it once, as `down`, `down=true` or `down=false`"
            ));
        }
    }
    Ok(selection.unwrap_or(Selection::All))
}

/// Checks that the query of the URL of one service is empty.
///
/// # Errors
/// A message with the first parameter and its place.
pub(super) fn none(query: Option<&str>) -> Result<(), String> {
    query::pairs(query).next().map_or(Ok(()), |(name, _)| {
        let name = shown(&name);
        Err(format!(
            "unknown parameter `{name}` in the query of /api/v1/services/{{database}}/{{binary}}/{{host}}: it accepts none"
        ))
    })
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_is_what_it_says() {
        for (query, expected) in [
            (None, Selection::All),
            (Some(""), Selection::All),
            (Some("&"), Selection::All),
            (Some("down"), Selection::Down),
            (Some("down="), Selection::Down),
            (Some("down=true"), Selection::Down),
            (Some("d%6fwn=tru%65"), Selection::Down),
            (Some("down=false"), Selection::All),
        ] {
            assert_eq!(selection(query), Ok(expected), "{query:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_place_and_what_is_accepted() {
        for (query, named) in [
            ("up", "unknown parameter `up`"),
            ("Down", "unknown parameter `Down`"),
            ("down&page=2", "unknown parameter `page`"),
            ("=1", "unknown parameter ``"),
            ("down=0", "has the value `0`"),
            ("down=False", "has the value `False`"),
            ("down=%20", "has the value ` `"),
            ("down=%ff", "has the value `\u{fffd}`"),
            ("down&down=false", "`down` occurs more than once"),
            ("down&down", "`down` occurs more than once"),
        ] {
            let message = selection(Some(query)).unwrap_err();
            assert!(message.contains(named), "{query}: {message}");
            assert!(message.contains("/api/v1/services"), "{query}: {message}");
            assert!(message.contains("`down=false`") || message.contains("`false`"));
        }
        let long = "a".repeat(70_000);
        assert!(selection(Some(&long)).unwrap_err().len() < 300);
        assert_eq!(none(Some("")), Ok(()));
        assert!(none(Some("down")).unwrap_err().contains("`down`"));
    }
}
