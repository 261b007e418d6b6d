//! The YAML settings file as a layer.

use std::path::Path;

use super::fault::{Fault, shown};
use super::key::{Key, PROJECT, SOURCES};
use super::keys::{self, KEYS};
use super::layer::Layer;
use super::node::{self, Content, Entry, Node};
use super::spelling;

/// The values of a settings file.
#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    /// Those of the exporter and of all sources.
    pub(super) layer: Layer,
    /// The sources, in the order of their first lines.
    pub(super) sources: Vec<Written>,
}

/// A source as the file names it, with its own settings.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) name: String,
    /// File and line of its first setting.
    pub(super) origin: String,
    pub(super) layer: Layer,
}

/// Reads the text of a settings file; returns its values and all of its faults.
pub(super) fn read(path: &Path, text: &str) -> (SettingsFile, Vec<Fault>) {
    let (documents, faults) = node::read(path, text);
    let mut file = Reader {
        file: SettingsFile::default(),
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
    (file.file, file.faults)
}

/// The values and faults found so far.
struct Reader {
    file: SettingsFile,
    faults: Vec<Fault>,
    /// Names of the settings that have a value, and of the sources that have a mapping.
    seen: Vec<String>,
}

impl Reader {
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
        match source_name(name) {
            Some((source, None)) => {
                self.once(name, origin);
                // A source can do without settings of its own.
                self.source(source, origin);
            }
            _ if entries.is_empty() => self.empty(origin),
            _ => {}
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
                Content::Text(_) if find(name).is_some_and(|key| !key.list) => {
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
        if let Some(key) = find(&name) {
            let layer = match source_name(&name) {
                Some((source, _)) => self.source(source, &origin),
                None => Some(&mut self.file.layer),
            };
            if let Some(layer) = layer {
                layer.add(key, text, origin);
            }
            return;
        }
        let is_source = matches!(source_name(&name), Some((_, None)));
        if is_source || [SOURCES, PROJECT].contains(&name.as_str()) {
            let what = "write each source by its name with its settings, such as \
                        `sources: {NAME: {config-file: PATH}}`";
            return self.fault(&origin, what);
        }
        let known = KEYS.iter().map(|key| key.name).filter(|it| *it != PROJECT);
        let nearest = match source_name(&name) {
            Some((source, Some(rest))) => {
                let nearest = spelling::nearest(rest, keys::of_source().map(|key| key.name));
                nearest.map(|nearest| format!("{SOURCES}.{source}.{nearest}"))
            }
            _ => spelling::nearest(&name, known).map(str::to_owned),
        };
        self.faults.push(Fault::Unknown {
            origin,
            kind: "setting",
            advice: spelling::advice(nearest.as_deref(), spelling::SEE_HELP),
            name,
        });
    }

    /// Returns the settings of a source, which are empty at first; `None` after a fault.
    fn source(&mut self, name: &str, origin: &str) -> Option<&mut Layer> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            let what = format!(
                "the name{} of a source may contain only a-z, 0-9, `_` and `-`; rename it",
                shown(name)
            );
            self.fault(origin, what);
            return None;
        }
        let sources = &mut self.file.sources;
        let known = sources.iter().position(|source| source.name == name);
        let index = known.unwrap_or(sources.len());
        if known.is_none() {
            sources.push(Written {
                name: name.to_owned(),
                origin: origin.to_owned(),
                layer: Layer::default(),
            });
        }
        Some(&mut sources[index].layer)
    }
}

/// Splits the name of a source's setting into the source and the rest; the rest is `None` for the source itself.
fn source_name(name: &str) -> Option<(&str, Option<&str>)> {
    let name = name.strip_prefix(SOURCES)?.strip_prefix('.')?;
    Some(match name.split_once('.') {
        Some((source, rest)) => (source, Some(rest)),
        None => (name, None),
    })
}

/// Returns the setting of this full name.
fn find(name: &str) -> Option<&'static Key> {
    match source_name(name) {
        Some((_, rest)) => keys::find_of_source(rest?),
        None => keys::find(name).filter(|key| key.name != PROJECT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layer::Item;

    /// Checks the values of a text, each as `NAME = VALUE (LINE)`, and its faults, each as `LINE: FAULT`.
    #[track_caller]
    fn check(text: &str, values: &[&str], faults: &[&str]) {
        let (file, found) = read(Path::new("s.yaml"), text);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let faults = faults.iter().map(|fault| format!("s.yaml:{fault}"));
        assert_eq!(found, faults.collect::<Vec<_>>(), "faults of {text}");
        let mut got = Vec::new();
        let mut add = |layer: &Layer, key: &Key, above: &str| {
            for Item { text, origin } in layer.get(key.name) {
                got.push(format!("{above}{} = {text} ({origin})", key.name));
            }
        };
        for key in KEYS {
            add(&file.layer, key, "");
        }
        for source in &file.sources {
            for key in keys::of_source() {
                add(&source.layer, key, &format!("{}.", source.name));
            }
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

    #[test]
    fn sources_have_names_and_settings_of_their_own() {
        check(
            "sources:\n  cinder: {}\n  cell1:\n    project: nova\n    database: {url-file: /x}\n    exclude: [a, b/*]\n\
             poll.interval: 9s\nsources.cinder.poll.interval: 3s\n",
            &[
                "poll.interval = 9s (7)",
                "cinder.poll.interval = 3s (8)",
                "cell1.project = nova (4)",
                "cell1.exclude = a (6)",
                "cell1.exclude = b/* (6)",
                "cell1.database.url-file = /x (5)",
            ],
            &[],
        );
        let (file, _) = read(Path::new("s.yaml"), "sources:\n  cinder: {}\n");
        assert_eq!(file.sources.len(), 1);
    }

    #[test]
    fn faults_of_sources_are_named_with_their_lines() {
        let form = "write each source by its name with its settings, such as \
                    `sources: {NAME: {config-file: PATH}}`";
        check_faults([
            ("sources: cinder", form),
            ("sources: [cinder]", form),
            ("sources: {cinder: /etc/cinder/cinder.conf}", form),
            ("project: cinder", form),
            (
                "sources: {}",
                "this list or mapping is empty; remove its key",
            ),
            (
                "sources: {cinder: }",
                "the key `sources.cinder` has no value",
            ),
            (
                "sources: {Cinder: {}}",
                "the name `Cinder` of a source may contain only a-z, 0-9, `_` and `-`; rename it",
            ),
            (
                "sources: {cinder: {limmit: 5}}",
                "unknown setting `sources.cinder.limmit`; did you mean `sources.cinder.limit`?",
            ),
            (
                "sources: {cinder: {log.level: debug}}",
                "unknown setting `sources.cinder.log.level`; `--help` lists all settings",
            ),
            (
                "sources: {'mysql://u:secret@h/d': {}}",
                "the name of a source may contain only a-z, 0-9, `_` and `-`; rename it",
            ),
        ]);
        let twice = "2: the key `sources.a` is given twice";
        check("sources: {a: {}}\nsources.a: {}\n", &[], &[twice]);
    }
}
