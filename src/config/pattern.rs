//! Patterns for services that a source leaves out, and for databases that are not looked into.

/// A pattern for a binary, a host or `binary/host`. `*` stands for any text, even none; case matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// `None`: the pattern has no slash, and `host` is for the binary or the host.
    binary: Option<String>,
    host: String,
}

impl Pattern {
    /// Parses a pattern; `None` if a part of it is empty. Only the first slash is special.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (binary, host) = match text.split_once('/') {
            Some((binary, host)) => (Some(binary.to_owned()), host),
            None => (None, text),
        };
        let is_empty = host.is_empty() || binary.as_ref().is_some_and(String::is_empty);
        (!is_empty).then(|| Self {
            binary,
            host: host.to_owned(),
        })
    }

    /// Returns whether the pattern is for a service.
    pub(crate) fn includes(&self, binary: &str, host: &str) -> bool {
        match &self.binary {
            Some(pattern) => fits(pattern, binary) && fits(&self.host, host),
            None => fits(&self.host, binary) || fits(&self.host, host),
        }
    }
}

/// A pattern for a name. `*` stands for any text, even none; case matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(String);

impl Glob {
    /// Parses a pattern; `None` if it is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Returns whether the pattern is for this name.
    pub(crate) fn includes(&self, name: &str) -> bool {
        fits(&self.0, name)
    }
}

/// Returns whether a text fits a pattern.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    // The first place of each part leaves the most text for the next.
    for part in parts {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        text = after;
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, binary: &str, host: &str, expected: bool) {
        let parsed = Pattern::parse(pattern).unwrap();
        let shown = format!("{pattern} for {binary} on {host}");
        assert_eq!(parsed.includes(binary, host), expected, "{shown}");
    }

    #[test]
    fn a_pattern_is_for_the_binary_or_the_host_or_both() {
        let (binary, host) = ("cinder-volume", "block1@lvm/a");
        for (pattern, expected) in [
            ("cinder-volume", true),
            ("block1@lvm/a", false),
            ("block1*", true),
            ("*volume", true),
            ("cinder-volume/*", true),
            ("cinder-volume/block1@lvm/a", true),
            ("*/block1*", true),
            ("*/block2*", false),
            ("cinder-backup/*", false),
            ("CINDER-VOLUME", false),
            ("volume", false),
        ] {
            check(pattern, binary, host, expected);
        }
    }

    #[test]
    fn a_star_stands_for_any_text_also_none() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbxxbxc", true),
            ("a*b*c", "axxc", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
            ("*ab", "aab", true),
            ("", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_empty_part_is_refused() {
        for text in ["", "/host", "binary/", "/"] {
            assert_eq!(Pattern::parse(text), None, "{text}");
        }
    }
}
