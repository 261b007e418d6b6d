//! The YAML settings file as a layer.

use std::path::Path;

use super::fault::{Fault, shown};
use super::keys::{self, KEYS};
use super::layer::Layer;
use super::node::{self, Content, Entry, Node};
use super::spelling;

/// Reads the text of a settings file; returns its values and all of its faults.
pub(super) fn read(path: &Path, text: &str) -> (Layer, Vec<Fault>) {
    let (documents, faults) = node::read(path, text);
    let mut file = SettingsFile {
        layer: Layer::default(),
        faults,
        seen: Vec::new(),
    };
    for document in documents {
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
        self.faults.push(Fault::syntax(origin, what));
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
        if let Some(key) = keys::find(&name) {
            return self.layer.add(key, text, origin);
        }
        let nearest = spelling::nearest(&name, KEYS.iter().map(|key| key.name));
        self.faults.push(Fault::Unknown {
            origin,
            kind: "setting",
            advice: spelling::advice(nearest, spelling::SEE_HELP),
            name,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the values of a text, each as `NAME = VALUE (LINE)`, and its faults, each as `LINE: FAULT`.
    #[track_caller]
    fn check(text: &str, values: &[&str], faults: &[&str]) {
        let (layer, found) = read(Path::new("s.yaml"), text);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let faults = faults.iter().map(|fault| format!("s.yaml:{fault}"));
        assert_eq!(found, faults.collect::<Vec<_>>(), "faults of {text}");
        let mut got = Vec::new();
        for key in KEYS {
            let items = layer.get(key.name).iter();
            got.extend(items.map(|it| format!("{} = {} ({})", key.name, it.text, it.origin)));
        }
        let values = values.iter().map(|value| value.replace(" (", " (s.yaml:"));
        assert_eq!(got, values.collect::<Vec<_>>(), "values of {text}");
    }

    /// Checks faults of texts of one line without values.
    #[track_caller]
    fn check_faults<const N: usize>(cases: [(&str, &str); N]) {
        for (text, fault) in cases {
            check(text, &[], &[&format!("1: {fault}")]);
        }
    }

    #[test]
    fn keys_can_be_nested_or_dotted_and_values_have_a_line() {
        check(
            "# comment\npoll:\n  interval: 5s\nlog.level: debug\nweb:\n  listen-address: [':1', \":2\"]\n",
            &[
                "poll.interval = 5s (3)",
                "web.listen-address = :1 (6)",
                "web.listen-address = :2 (6)",
                "log.level = debug (4)",
            ],
            &[],
        );
    }

    #[test]
    fn scalars_stay_text_as_written() {
        for text in ["0123", "1e5", "true", "1_000", "0x10"] {
            let value = format!("database.url = {text} (1)");
            check(&format!("database: {{url: {text}}}"), &[&value], &[]);
        }
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        for text in ["", "# nothing yet\n", "---\n", "{}"] {
            check(text, &[], &[]);
        }
    }

    #[test]
    fn every_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        check(
            "poll:\n  intervall: 5s\nxyzzy: 1\n",
            &[],
            &[
                "2: unknown setting `poll.intervall`; did you mean `poll.interval`?",
                "3: unknown setting `xyzzy`; `--help` lists all settings",
            ],
        );
    }

    #[test]
    fn values_without_a_meaning_are_refused() {
        let no_mapping = "the file must contain a mapping, such as `poll: {interval: 5s}`";
        let list = "`poll.interval` takes one value, not a list";
        let unknown = "unknown setting `.poll.interval`; did you mean `poll.interval`?";
        check_faults([
            ("- 1\n", no_mapping),
            ("hello\n", no_mapping),
            ("'': {poll.interval: 5s}", unknown),
            ("poll: {interval: [5s]}", list),
        ]);
        let no_value = "2: the key `poll.interval` has no value";
        check("poll:\n  interval:\n", &[], &[no_value]);
        check(
            "web: {listen-address: [[a]]}",
            &["web.listen-address = a (1)"],
            &["1: a list cannot contain a list"],
        );
        check(
            "web: {listen-address: [{a: b}, ~]}",
            &[],
            &[
                "1: a list cannot contain a mapping",
                "1: unknown setting `web.listen-address.a`; did you mean `web.listen-address`?",
                "1: the key `web.listen-address` has no value",
            ],
        );
        check(
            "poll: &a {intervall: 5s}\nweb: *a\n",
            &[],
            &[
                "2: aliases are not supported; write out the value",
                "1: unknown setting `poll.intervall`; did you mean `poll.interval`?",
            ],
        );
        check(
            "log.level: info\n---\nlog.level: info\n",
            &["log.level = info (3)"],
            &[
                "2: a second document starts here; keep only one",
                "3: the key `log.level` is given twice",
            ],
        );
    }

    #[test]
    fn empty_collections_are_refused() {
        let fault = "this list or mapping is empty; remove its key";
        check_faults([
            ("pol: {}", fault),
            ("web: {listen-address: []}", fault),
            ("poll: {interval: {}}", fault),
        ]);
    }

    #[test]
    fn possible_secrets_are_not_shown() {
        let unknown = "unknown setting; `--help` lists all settings";
        check_faults([
            ("mysql://u:secret@h/d: 1", unknown),
            ("mysql://u:secret@h/d:\n", "the key has no value"),
        ]);
    }

    #[test]
    fn a_setting_given_twice_is_refused() {
        let text = "log: {level: info}\nlog.level: warn\n";
        let fault = "2: the key `log.level` is given twice";
        check(text, &["log.level = warn (2)"], &[fault]);
    }

    #[test]
    fn broken_yaml_names_the_line() {
        let (_, faults) = read(Path::new("s.yaml"), "poll:\n  interval: 5s\n bad\n");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].to_string().starts_with("s.yaml:"), "{faults:?}");
    }
}
