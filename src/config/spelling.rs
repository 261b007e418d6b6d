//! Misspelt names of settings and variables.

use super::key::{CONFIG_FILE, Key, PREFIX, variable};
use super::keys::KEYS;

/// The advice for a name that is not similar to any setting.
pub(super) const SEE_HELP: &str = "`--help` lists all settings";

/// Returns the candidate most similar to a misspelt name, if any is similar enough.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Returns the advice for an unknown name.
pub(super) fn advice(nearest: Option<&str>, otherwise: &str) -> String {
    nearest.map_or_else(
        || otherwise.to_owned(),
        |name| format!("did you mean `{name}`?"),
    )
}

/// Returns the variable most similar to a misspelt one, if any is similar enough.
pub(crate) fn nearest_variable(name: &str) -> Option<String> {
    // The common prefix would make all of them similar.
    let rest = name.strip_prefix(PREFIX)?;
    let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let rests = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
    nearest(rest, rests).map(|rest| format!("{PREFIX}{rest}"))
}

/// Returns whether a variable has the exporter's prefix but does not match any setting.
///
/// Excludes `OPENSTACK_HEARTBEAT_EXPORTER_SERVICE_HOST` and similar variables: Kubernetes sets them for a service of
/// the exporter's name.
pub(crate) fn is_stray_variable(name: &str) -> bool {
    name.starts_with(PREFIX)
        && !name.starts_with("OPENSTACK_HEARTBEAT_EXPORTER_")
        && name != variable(CONFIG_FILE)
        && !KEYS.iter().any(|key| key.variable() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn a_setting_has_a_variable() {
        let variable = keys::find("poll.stale-after").unwrap().variable();
        assert_eq!(variable, "OPENSTACK_HEARTBEAT_POLL_STALE_AFTER");
    }

    #[test]
    fn the_nearest_name_is_found_unless_none_is_similar() {
        for (name, expected) in [
            ("poll.intervall", Some("poll.interval")),
            ("web.listen_address", Some("web.listen-address")),
            ("xyzzy", None),
        ] {
            assert_eq!(nearest(name, KEYS.iter().map(|key| key.name)), expected);
        }
    }

    #[test]
    fn the_nearest_variable_is_found_without_the_common_prefix() {
        for (rest, expected) in [
            ("POL_INTERVAL", Some("POLL_INTERVAL")),
            ("DATABSE_URL", Some("DATABASE_URL")),
            ("LISTEN_ADDRESS", Some("WEB_LISTEN_ADDRESS")),
            ("XYZZY", None),
        ] {
            let expected = expected.map(|expected| format!("{PREFIX}{expected}"));
            assert_eq!(nearest_variable(&format!("{PREFIX}{rest}")), expected);
        }
    }

    #[test]
    fn variables_of_kubernetes_are_not_stray() {
        for (name, expected) in [
            ("OPENSTACK_HEARTBEAT_POLL_INTERVALL", true),
            ("OPENSTACK_HEARTBEAT_POLL_INTERVAL", false),
            ("OPENSTACK_HEARTBEAT_CONFIG_FILE", false),
            ("OPENSTACK_HEARTBEAT_EXPORTER_SERVICE_HOST", false),
            ("PATH", false),
        ] {
            assert_eq!(is_stray_variable(name), expected, "{name}");
        }
    }
}
