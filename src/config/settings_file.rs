//! The YAML settings file as a layer.
//!
//! The crate `config` reads YAML too, but drops the lines and takes `0123` for a number.

use std::path::Path;

use super::fault::{Fault, shown};
use super::keys::{self, KEYS};
use super::layer::Layer;
use super::node::{self, Content, Entry, Node};
use super::spelling;

/// Reads the text of a settings file; returns its values and all of its faults.
pub(super) fn read(path: &Path, text: &str) -> (Layer, Vec<Fault>) {
    let tree = node::read(path, text);
    let mut file = SettingsFile {
        layer: Layer::default(),
        faults: tree.faults,
        seen: Vec::new(),
    };
    for document in tree.documents {
        match document.content {
            Content::Nothing | Content::Faulty => {}
            Content::Mapping(entries) => file.entries(None, entries),
            Content::Text(_) | Content::List(_) => file.fault(
                &document.origin,
                "the file must contain a mapping, such as `poll: {interval: 5s}`",
            ),
        }
    }
    (file.layer, file.faults)
}

/// The values and faults found so far.
struct SettingsFile {
    layer: Layer,
    faults: Vec<Fault>,
    /// Names of the settings that have a value.
    seen: Vec<String>,
}

impl SettingsFile {
    fn fault(&mut self, origin: &str, what: impl Into<String>) {
        self.faults.push(Fault::Syntax {
            origin: origin.to_owned(),
            what: what.into(),
        });
    }

    /// Takes the entries of a mapping below the key `above`, or of the whole file.
    fn entries(&mut self, above: Option<&str>, entries: Vec<Entry>) {
        for Entry { key, origin, value } in entries {
            let name = match above {
                None => key,
                Some(above) => format!("{above}.{key}"),
            };
            match value.content {
                Content::Faulty => {}
                Content::Mapping(entries) => self.mapping(&name, &value.origin, entries),
                Content::List(items) => {
                    self.once(&name, &value.origin);
                    self.items(&name, &value.origin, items);
                }
                // The parser reports a missing value on a later line than its key.
                Content::Nothing => {
                    self.once(&name, &origin);
                    self.no_value(&name, &origin);
                }
                Content::Text(text) => {
                    self.once(&name, &value.origin);
                    self.text(name, text, value.origin);
                }
            }
        }
    }

    fn mapping(&mut self, name: &str, origin: &str, entries: Vec<Entry>) {
        if entries.is_empty() {
            self.empty(origin);
        }
        self.entries(Some(name), entries);
    }

    fn items(&mut self, name: &str, origin: &str, items: Vec<Node>) {
        if items.is_empty() {
            self.empty(origin);
        }
        for Node { origin, content } in items {
            match content {
                Content::Faulty => {}
                Content::Mapping(entries) => {
                    self.fault(&origin, "a list cannot contain a mapping");
                    self.mapping(name, &origin, entries);
                }
                Content::List(items) => {
                    self.fault(&origin, "a list cannot contain a list");
                    self.items(name, &origin, items);
                }
                Content::Nothing => self.no_value(name, &origin),
                Content::Text(_) if keys::find(name).is_some_and(|key| !key.list) => {
                    self.fault(&origin, format!("`{name}` takes one value, not a list"));
                }
                Content::Text(text) => self.text(name.to_owned(), text, origin),
            }
        }
    }

    fn empty(&mut self, origin: &str) {
        self.fault(origin, "this list or mapping is empty; remove its key");
    }

    fn no_value(&mut self, name: &str, origin: &str) {
        self.fault(origin, format!("the key{} has no value", shown(name)));
    }

    /// Reports a second value of a setting: it is unclear which one is meant.
    fn once(&mut self, name: &str, origin: &str) {
        if self.seen.iter().any(|seen| seen == name) {
            self.fault(origin, format!("the key{} is given twice", shown(name)));
        }
        self.seen.push(name.to_owned());
    }

    fn text(&mut self, name: String, text: String, origin: String) {
        match keys::find(&name) {
            Some(key) => self.layer.add(key, text, origin),
            None => self.faults.push(Fault::UnknownKey {
                nearest: spelling::nearest(&name, KEYS.iter().map(|key| key.name)),
                origin,
                name,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, values: &[(&str, &str, &str)], faults: &[&str]) {
        let (layer, found) = read(Path::new("s.yaml"), text);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, faults, "faults of {text}");
        let mut got = Vec::new();
        for key in KEYS {
            for item in layer.get(key.name) {
                got.push((key.name, item.text.as_str(), item.origin.as_str()));
            }
        }
        assert_eq!(got, values, "values of {text}");
    }

    #[test]
    fn keys_can_be_nested_or_dotted_and_values_have_a_line() {
        check(
            "# comment\npoll:\n  interval: 5s\nlog.level: debug\nweb:\n  listen-address: [':1', \":2\"]\n",
            &[
                ("poll.interval", "5s", "s.yaml:3"),
                ("web.listen-address", ":1", "s.yaml:6"),
                ("web.listen-address", ":2", "s.yaml:6"),
                ("log.level", "debug", "s.yaml:4"),
            ],
            &[],
        );
    }

    #[test]
    fn scalars_stay_text_as_written() {
        for text in ["0123", "1e5", "true", "1_000", "0x10"] {
            check(
                &format!("database: {{url: {text}}}"),
                &[("database.url", text, "s.yaml:1")],
                &[],
            );
        }
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        check("", &[], &[]);
        check("# nothing yet\n", &[], &[]);
        check("---\n", &[], &[]);
    }

    #[test]
    fn every_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        check(
            "poll:\n  intervall: 5s\nxyzzy: 1\n",
            &[],
            &[
                "s.yaml:2: unknown setting `poll.intervall`; did you mean `poll.interval`?",
                "s.yaml:3: unknown setting `xyzzy`; `--help` lists all settings",
            ],
        );
    }

    #[test]
    fn values_without_a_meaning_are_refused() {
        check(
            "- 1\n",
            &[],
            &["s.yaml:1: the file must contain a mapping, such as `poll: {interval: 5s}`"],
        );
        check(
            "hello\n",
            &[],
            &["s.yaml:1: the file must contain a mapping, such as `poll: {interval: 5s}`"],
        );
        check(
            "poll:\n  interval:\n",
            &[],
            &["s.yaml:2: the key `poll.interval` has no value"],
        );
        check(
            "'': {poll.interval: 5s}",
            &[],
            &["s.yaml:1: unknown setting `.poll.interval`; did you mean `poll.interval`?"],
        );
        check(
            "poll: {interval: [5s]}",
            &[],
            &["s.yaml:1: `poll.interval` takes one value, not a list"],
        );
        check(
            "web: {listen-address: [[a]]}",
            &[("web.listen-address", "a", "s.yaml:1")],
            &["s.yaml:1: a list cannot contain a list"],
        );
        check(
            "web: {listen-address: [{a: b}, ~]}",
            &[],
            &[
                "s.yaml:1: a list cannot contain a mapping",
                "s.yaml:1: unknown setting `web.listen-address.a`; did you mean `web.listen-address`?",
                "s.yaml:1: the key `web.listen-address` has no value",
            ],
        );
        check(
            "poll: &a {intervall: 5s}\nweb: *a\n",
            &[],
            &[
                "s.yaml:2: aliases are not supported; write out the value",
                "s.yaml:1: unknown setting `poll.intervall`; did you mean `poll.interval`?",
            ],
        );
        check(
            "log.level: info\n---\nlog.level: info\n",
            &[("log.level", "info", "s.yaml:3")],
            &[
                "s.yaml:2: a second document starts here; keep only one",
                "s.yaml:3: the key `log.level` is given twice",
            ],
        );
    }

    #[test]
    fn empty_collections_are_refused() {
        let fault = "s.yaml:1: this list or mapping is empty; remove its key";
        for text in [
            "pol: {}",
            "web: {listen-address: []}",
            "poll: {interval: {}}",
        ] {
            check(text, &[], &[fault]);
        }
        check("{}", &[], &[]);
    }

    #[test]
    fn possible_secrets_are_not_shown() {
        check(
            "mysql://u:secret@h/d: 1",
            &[],
            &["s.yaml:1: unknown setting; `--help` lists all settings"],
        );
        check(
            "mysql://u:secret@h/d:\n",
            &[],
            &["s.yaml:1: the key has no value"],
        );
    }

    #[test]
    fn a_setting_given_twice_is_refused() {
        check(
            "log: {level: info}\nlog.level: warn\n",
            &[("log.level", "warn", "s.yaml:2")],
            &["s.yaml:2: the key `log.level` is given twice"],
        );
    }

    #[test]
    fn broken_yaml_names_the_line() {
        let (_, faults) = read(Path::new("s.yaml"), "poll:\n  interval: 5s\n bad\n");
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].to_string().starts_with("s.yaml:"),
            "{}",
            faults[0]
        );
    }
}
