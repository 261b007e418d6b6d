//! The YAML settings file as a layer that remembers the line of every value.
//!
//! The crate `config` reads YAML too, but forgets the lines, and takes `0123` for a number.

use std::path::Path;

use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser};
use yaml_rust2::scanner::Marker;

use super::fault::Fault;
use super::keys::{self, KEYS};
use super::layer::Layer;
use super::spelling;

/// Reads the text of a settings file: what it says, and all that is wrong with it.
pub(super) fn read(path: &Path, text: &str) -> (Layer, Vec<Fault>) {
    let mut reader = Reader {
        path,
        layer: Layer::default(),
        faults: Vec::new(),
        open: Vec::new(),
        seen: Vec::new(),
        documents: 0,
        opened: false,
    };
    if let Err(error) = Parser::new_from_str(text).load(&mut reader, true) {
        let line = error.marker().line();
        reader.faults.push(Fault::Syntax {
            origin: format!("{}:{line}", path.display()),
            what: error.info().to_owned(),
        });
    }
    (reader.layer, reader.faults)
}

/// A collection that is not closed yet.
enum Open {
    /// Between the entries of a mapping.
    Mapping,
    /// After a key, before its value, with the key's origin.
    Key(String, String),
    /// In a list.
    Sequence,
}

struct Reader<'a> {
    path: &'a Path,
    layer: Layer,
    faults: Vec<Fault>,
    open: Vec<Open>,
    /// Names that were given a value.
    seen: Vec<String>,
    documents: usize,
    /// Whether the last event opened a collection.
    opened: bool,
}

impl MarkedEventReceiver for Reader<'_> {
    fn on_event(&mut self, event: Event, mark: Marker) {
        let origin = format!("{}:{}", self.path.display(), mark.line());
        let empty = std::mem::replace(
            &mut self.opened,
            matches!(event, Event::MappingStart(..) | Event::SequenceStart(..)),
        );
        match event {
            Event::DocumentStart => {
                self.documents += 1;
                if self.documents > 1 {
                    self.fault(origin, "a second document starts here; only one is read");
                }
            }
            Event::MappingStart(..) => {
                if matches!(self.open.last(), Some(Open::Sequence | Open::Mapping)) {
                    self.fault(origin, "a mapping can't stand in a list or be a key");
                }
                self.open.push(Open::Mapping);
            }
            Event::SequenceStart(..) => {
                if self.open.is_empty() {
                    self.fault(
                        origin,
                        "the file must hold a mapping, such as `poll: {interval: 5s}`",
                    );
                } else if self.in_sequence() {
                    self.fault(origin, "a list can't stand in a list");
                } else {
                    self.name_once(&origin);
                }
                self.open.push(Open::Sequence);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                if empty && !self.open.is_empty() {
                    self.fault(
                        origin,
                        "an empty list or mapping says nothing; leave its key out",
                    );
                }
                self.value_ended();
            }
            Event::Scalar(text, style, ..) => self.scalar(text, style, origin),
            Event::Alias(_) => {
                self.fault(origin, "an alias is not supported; write the value out");
                self.value_ended();
            }
            _ => {}
        }
    }
}

impl Reader<'_> {
    fn fault(&mut self, origin: String, what: &str) {
        self.faults.push(Fault::Syntax {
            origin,
            what: what.to_owned(),
        });
    }

    fn in_sequence(&self) -> bool {
        matches!(self.open.last(), Some(Open::Sequence))
    }

    /// A value ends the entry of the mapping around it.
    fn value_ended(&mut self) {
        if let Some(last @ Open::Key(..)) = self.open.last_mut() {
            *last = Open::Mapping;
        }
    }

    /// The setting that the open keys spell.
    fn name(&self) -> String {
        let keys = self.open.iter().filter_map(|open| match open {
            Open::Key(key, _) => Some(key.as_str()),
            Open::Mapping | Open::Sequence => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }

    /// Reports a setting that has a value already: which one was meant is anybody's guess.
    fn name_once(&mut self, origin: &str) {
        let name = self.name();
        if self.seen.contains(&name) {
            self.fault(origin.to_owned(), &format!("`{name}` is given twice"));
        }
        self.seen.push(name);
    }

    fn scalar(&mut self, text: String, style: yaml_rust2::scanner::TScalarStyle, origin: String) {
        if let Some(last @ Open::Mapping) = self.open.last_mut() {
            *last = Open::Key(text, origin);
            return;
        }
        let plain = style == yaml_rust2::scanner::TScalarStyle::Plain;
        let null = plain && matches!(text.as_str(), "" | "~" | "null");
        if self.open.is_empty() {
            if !null {
                self.fault(
                    origin,
                    "the file must hold a mapping, such as `poll: {interval: 5s}`",
                );
            }
            return;
        }
        // A value that is missing is noticed on a later line than the key that misses it.
        let origin = match self.open.last() {
            Some(Open::Key(_, key)) if null => key.clone(),
            _ => origin,
        };
        let name = self.name();
        if name.is_empty() {
            // A list where the mapping should be, which is a fault already.
            return;
        }
        if !self.in_sequence() {
            self.name_once(&origin);
        }
        match keys::find(&name) {
            _ if null => self.fault(origin, &format!("`{name}` has no value")),
            None => {
                let nearest = spelling::nearest(&name, KEYS.iter().map(|key| key.name));
                self.faults.push(Fault::UnknownKey {
                    origin,
                    name,
                    nearest,
                });
            }
            Some(key) if self.in_sequence() && !key.list => {
                self.fault(origin, &format!("`{name}` takes one value, not a list"));
            }
            Some(key) => self.layer.add(key, text, origin),
        }
        if !self.in_sequence() {
            self.value_ended();
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
    fn keys_may_be_nested_or_dotted_and_values_know_their_line() {
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
    fn scalars_stay_the_text_that_was_written() {
        for text in ["0123", "1e5", "true", "1_000", "0x10"] {
            check(
                &format!("database: {{url: {text}}}"),
                &[("database.url", text, "s.yaml:1")],
                &[],
            );
        }
    }

    #[test]
    fn an_empty_file_says_nothing() {
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
    fn what_can_have_no_meaning_is_refused() {
        check(
            "- 1\n",
            &[],
            &["s.yaml:1: the file must hold a mapping, such as `poll: {interval: 5s}`"],
        );
        check(
            "hello\n",
            &[],
            &["s.yaml:1: the file must hold a mapping, such as `poll: {interval: 5s}`"],
        );
        check(
            "poll:\n  interval:\n",
            &[],
            &["s.yaml:2: `poll.interval` has no value"],
        );
        check(
            "poll: {interval: [5s]}",
            &[],
            &["s.yaml:1: `poll.interval` takes one value, not a list"],
        );
        check(
            "web: {listen-address: [[a]]}",
            &[("web.listen-address", "a", "s.yaml:1")],
            &["s.yaml:1: a list can't stand in a list"],
        );
        check(
            "log.level: info\n---\nlog.level: info\n",
            &[("log.level", "info", "s.yaml:3")],
            &[
                "s.yaml:2: a second document starts here; only one is read",
                "s.yaml:3: `log.level` is given twice",
            ],
        );
    }

    #[test]
    fn empty_collections_are_refused() {
        let fault = "s.yaml:1: an empty list or mapping says nothing; leave its key out";
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
    fn what_could_be_a_secret_is_not_repeated() {
        check(
            "mysql://u:secret@h/d: 1",
            &[],
            &["s.yaml:1: unknown setting; `--help` lists all settings"],
        );
    }

    #[test]
    fn a_setting_given_twice_is_refused() {
        check(
            "log: {level: info}\nlog.level: warn\n",
            &[("log.level", "warn", "s.yaml:2")],
            &["s.yaml:2: `log.level` is given twice"],
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
