//! Misspelt names of settings and variables.

use super::key::{CONFIG_FILE, Key, PREFIX, variable};
use super::keys::KEYS;

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
        assert_eq!(
            keys::find("poll.stale-after").unwrap().variable(),
            "OPENSTACK_HEARTBEAT_POLL_STALE_AFTER"
        );
    }

    #[test]
    fn the_nearest_name_is_found_unless_none_is_similar() {
        let names = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("poll.intervall", names()), Some("poll.interval"));
        assert_eq!(
            nearest("web.listen_address", names()),
            Some("web.listen-address")
        );
        assert_eq!(nearest("xyzzy", names()), None);
    }

    #[test]
    fn the_nearest_variable_is_found_without_the_common_prefix() {
        let nearest = |rest| nearest_variable(&format!("OPENSTACK_HEARTBEAT_{rest}"));
        for (rest, expected) in [
            ("POL_INTERVAL", "POLL_INTERVAL"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("LISTEN_ADDRESS", "WEB_LISTEN_ADDRESS"),
        ] {
            let expected = format!("OPENSTACK_HEARTBEAT_{expected}");
            assert_eq!(nearest(rest), Some(expected));
        }
        assert_eq!(nearest("XYZZY"), None);
    }

    #[test]
    fn variables_of_kubernetes_are_not_stray() {
        assert!(is_stray_variable("OPENSTACK_HEARTBEAT_POLL_INTERVALL"));
        assert!(!is_stray_variable("OPENSTACK_HEARTBEAT_POLL_INTERVAL"));
        assert!(!is_stray_variable("OPENSTACK_HEARTBEAT_CONFIG_FILE"));
        assert!(!is_stray_variable(
            "OPENSTACK_HEARTBEAT_EXPORTER_SERVICE_HOST"
        ));
        assert!(!is_stray_variable("PATH"));
    }
}
