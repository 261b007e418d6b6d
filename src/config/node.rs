//! A YAML file as a tree of texts, each with its line.
//!
//! Scalars stay text as written; the key above a text decides its meaning. Texts may be secret, so no type has `Debug`.

use std::path::Path;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

use super::fault::Fault;

/// Maximum levels of nesting; the exporter's files need at most four.
const MAX_DEPTH: usize = 16;

/// A value.
pub(super) struct Node {
    /// File and line, such as `/etc/web.yml:3`.
    pub(super) origin: String,
    pub(super) content: Content,
}

/// The content of a value.
pub(super) enum Content {
    /// An empty value, `null` or `~`.
    Nothing,
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
    /// A value with a fault of its own, already reported.
    Faulty,
}

/// A key of a mapping with its value. A mapping may contain a key twice.
pub(super) struct Entry {
    pub(super) key: String,
    /// File and line of the key.
    pub(super) origin: String,
    pub(super) value: Node,
}

/// A list or mapping without its end; a mapping's nodes alternate between keys and values.
struct Open {
    origin: String,
    is_mapping: bool,
    nodes: Vec<Node>,
}

/// Reads the documents of a file, up to its first syntax error, and the faults of its YAML.
///
/// There is normally one document, and none in an empty file. Each further document is a fault.
pub(super) fn read(path: &Path, text: &str) -> (Vec<Node>, Vec<Fault>) {
    let mut reader = TreeReader {
        path,
        open: Vec::new(),
        documents: Vec::new(),
        faults: Vec::new(),
    };
    // Pull events rather than use the crate's recursion, which deep nesting could make overflow the stack.
    let mut parser = Parser::new_from_str(text);
    loop {
        let (event, line) = match parser.next_token() {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, mark)) => (event, mark.line()),
            Err(error) => {
                reader.fault(error.marker().line(), error.info());
                break;
            }
        };
        let opens = matches!(event, Event::MappingStart(..) | Event::SequenceStart(..));
        if opens && reader.open.len() >= MAX_DEPTH {
            reader.fault(line, "this is nested too deeply; remove levels");
            break;
        }
        reader.event(event, line);
    }
    reader.close_all();
    (reader.documents, reader.faults)
}

/// Builds a tree from events.
struct TreeReader<'a> {
    path: &'a Path,
    open: Vec<Open>,
    documents: Vec<Node>,
    faults: Vec<Fault>,
}

impl TreeReader<'_> {
    fn origin(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    fn fault(&mut self, line: usize, what: &str) {
        let origin = self.origin(line);
        self.faults.push(Fault::syntax(origin, what));
    }

    fn event(&mut self, event: Event, line: usize) {
        match event {
            Event::DocumentStart if !self.documents.is_empty() => {
                self.fault(line, "a second document starts here; keep only one");
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => self.open.push(Open {
                origin: self.origin(line),
                is_mapping: matches!(event, Event::MappingStart(..)),
                nodes: Vec::new(),
            }),
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            Event::Scalar(text, style, ..) => {
                let plain = style == TScalarStyle::Plain;
                let content = match text.as_str() {
                    "" | "~" | "null" if plain => Content::Nothing,
                    _ => Content::Text(text),
                };
                self.add(line, content);
            }
            Event::Alias(_) => {
                self.fault(line, "aliases are not supported; write out the value");
                self.add(line, Content::Faulty);
            }
            _ => {}
        }
    }

    fn add(&mut self, line: usize, content: Content) {
        let origin = self.origin(line);
        self.add_node(Node { origin, content });
    }

    fn add_node(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(around) => around.nodes.push(node),
        }
    }

    /// Ends the innermost list or mapping.
    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            let node = self.node(open);
            self.add_node(node);
        }
    }

    /// Keeps the values before a syntax error, which may have faults, too.
    fn close_all(&mut self) {
        while let Some(open) = self.open.pop() {
            let node = self.node(open);
            let is_empty = match &node.content {
                Content::List(items) => items.is_empty(),
                Content::Mapping(entries) => entries.is_empty(),
                _ => false,
            };
            if !is_empty {
                self.add_node(node);
            }
        }
    }

    fn node(&mut self, open: Open) -> Node {
        let origin = open.origin;
        let content = if open.is_mapping {
            Content::Mapping(self.entries(open.nodes))
        } else {
            Content::List(open.nodes)
        };
        Node { origin, content }
    }

    fn entries(&mut self, nodes: Vec<Node>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut nodes = nodes.into_iter();
        while let (Some(Node { origin, content }), Some(value)) = (nodes.next(), nodes.next()) {
            match content {
                Content::Text(key) => entries.push(Entry { key, origin, value }),
                Content::Faulty => {}
                _ => self
                    .faults
                    .push(Fault::syntax(origin, "a key must be a word")),
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a tree as text, with lines in parentheses.
    fn shown(node: &Node) -> String {
        let line = node.origin.rsplit(':').next().unwrap();
        match &node.content {
            Content::Nothing => format!("({line})-"),
            Content::Faulty => format!("({line})!"),
            Content::Text(text) => format!("({line}){text}"),
            Content::List(items) => {
                let items: Vec<String> = items.iter().map(shown).collect();
                format!("[{}]", items.join(" "))
            }
            Content::Mapping(entries) => {
                let shown = |it: &Entry| format!("{}={}", it.key, shown(&it.value));
                let entries: Vec<String> = entries.iter().map(shown).collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    /// Checks the documents and the faults of a text, each as `LINE: FAULT`.
    #[track_caller]
    fn check(text: &str, documents: &[&str], faults: &[&str]) {
        let (trees, found) = read(Path::new("w.yml"), text);
        let shown: Vec<String> = trees.iter().map(shown).collect();
        assert_eq!(shown, documents, "{text}");
        let faults = faults.iter().map(|fault| format!("w.yml:{fault}"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, faults.collect::<Vec<_>>(), "{text}");
    }

    #[test]
    fn a_file_is_a_tree_with_lines() {
        check("", &[], &[]);
        check("# nothing\n", &[], &[]);
        check("---\n", &["(2)-"], &[]);
        let tree = "{a={b=[(2)1 (2)x] c=(4)-}}";
        check("a:\n  b: [1, 'x']\n  c:\n", &[tree], &[]);
        check("a: |\n  one\n  two\n", &["{a=(2)one\ntwo\n}"], &[]);
        check("a: ''\nb: ~\n", &["{a=(1) b=(2)-}"], &[]);
        check("a: {}\nb: []\n", &["{a={} b=[]}"], &[]);
        check("a: 1\na: 2\n", &["{a=(1)1 a=(2)2}"], &[]);
    }

    #[test]
    fn yaml_without_a_meaning_is_refused_with_its_line_and_read_further() {
        let words = ["1: a key must be a word", "4: a key must be a word"];
        check("? [1]\n: 2\nb: 3\n~: 4\n", &["{b=(3)3}"], &words);
        let aliases = [
            "2: aliases are not supported; write out the value",
            "3: aliases are not supported; write out the value",
        ];
        let tree = "{a=(1)1 b=(2)! c=[(3)! (3)2]}";
        check("a: &x 1\nb: *x\nc: [*x, 2]\n", &[tree], &aliases);
        let second = "2: a second document starts here; keep only one";
        check("a: 1\n---\nb: 1\n", &["{a=(1)1}", "{b=(3)1}"], &[second]);
        let deep = "1: this is nested too deeply; remove levels";
        check(&"[".repeat(MAX_DEPTH + 1), &[], &[deep]);
    }

    #[test]
    fn values_before_a_syntax_error_are_kept() {
        let (documents, faults) = read(Path::new("w.yml"), "a: 1\nb:\n  c: 2\n bad\n");
        assert_eq!(faults.len(), 1);
        assert_eq!(shown(&documents[0]), "{a=(1)1 b={c=(3)2}}");
    }
}
