//! A YAML file as a tree of texts, each of which knows its line.
//!
//! Scalars stay the text that was written, as everywhere in the configuration; what a text means is decided by the
//! key it stands under.

use std::path::Path;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

use super::fault::Fault;

/// Levels of nesting; no file of ours needs more than four.
const MAX_DEPTH: usize = 16;

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    /// File and line, such as `/etc/web.yml:3`.
    pub(super) origin: String,
    pub(super) content: Content,
}

/// What a value is.
pub(super) enum Content {
    /// Nothing was written, or `null`, or `~`.
    Nothing,
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// Does not show a text, which may be secret.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Text(_) => "Text",
            Self::List(_) => "List",
            Self::Mapping(_) => "Mapping",
        })
    }
}

/// A key of a mapping with its value; no key is given twice.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) origin: String,
    pub(super) value: Node,
}

/// A collection whose end has not come yet.
struct Open {
    origin: String,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    /// The last is the key whose value is awaited.
    Mapping(Vec<Entry>, Option<(String, String)>),
}

/// Reads the text of a file; an empty one is [`Content::Nothing`].
///
/// # Errors
/// The first fault: what follows a syntax error means nothing.
pub(super) fn read(path: &Path, text: &str) -> Result<Node, Fault> {
    let place = |line: usize| format!("{}:{line}", path.display());
    let fault = |origin, what: &str| {
        let what = what.to_owned();
        Fault::Syntax { origin, what }
    };
    // Its events, and not its own recursion over them, so that no nesting can exhaust the stack.
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        let (event, mark) = parser
            .next_token()
            .map_err(|error| fault(place(error.marker().line()), error.info()))?;
        let origin = place(mark.line());
        let node = match event {
            Event::StreamEnd => break,
            Event::DocumentStart if root.is_some() => {
                let what = "a second document starts here; only one is read";
                return Err(fault(origin, what));
            }
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() >= MAX_DEPTH => {
                return Err(fault(origin, "this is nested too deeply"));
            }
            Event::MappingStart(..) => {
                let items = Items::Mapping(Vec::new(), None);
                open.push(Open { origin, items });
                continue;
            }
            Event::SequenceStart(..) => {
                let items = Items::List(Vec::new());
                open.push(Open { origin, items });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(closed) => closed.into_node(),
                None => continue,
            },
            Event::Scalar(text, style, ..) => {
                let plain = style == TScalarStyle::Plain;
                let content = match text.as_str() {
                    "" | "~" | "null" if plain => Content::Nothing,
                    _ => Content::Text(text),
                };
                Node { origin, content }
            }
            Event::Alias(_) => {
                let what = "an alias is not supported; write the value out";
                return Err(fault(origin, what));
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(around) => around
                .add(node)
                .map_err(|(origin, what)| Fault::Syntax { origin, what })?,
        }
    }
    Ok(root.unwrap_or_else(|| Node {
        origin: place(1),
        content: Content::Nothing,
    }))
}

impl Open {
    fn into_node(self) -> Node {
        Node {
            origin: self.origin,
            content: match self.items {
                Items::List(items) => Content::List(items),
                Items::Mapping(entries, _) => Content::Mapping(entries),
            },
        }
    }

    /// Adds what comes next: an item, a key, or a key's value.
    fn add(&mut self, node: Node) -> Result<(), (String, String)> {
        match &mut self.items {
            Items::List(items) => items.push(node),
            Items::Mapping(entries, key) => match key.take() {
                Some((key, origin)) => entries.push(Entry {
                    key,
                    origin,
                    value: node,
                }),
                None => match node.content {
                    Content::Text(text) if entries.iter().any(|entry| entry.key == text) => {
                        return Err((node.origin, "this key is given twice".to_owned()));
                    }
                    Content::Text(text) => *key = Some((text, node.origin)),
                    _ => return Err((node.origin, "a key must be a word".to_owned())),
                },
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as text: lines in parentheses.
    fn shown(node: &Node) -> String {
        let line = node.origin.rsplit(':').next().unwrap();
        match &node.content {
            Content::Nothing => format!("({line})-"),
            Content::Text(text) => format!("({line}){text}"),
            Content::List(items) => {
                let items: Vec<String> = items.iter().map(shown).collect();
                format!("[{}]", items.join(" "))
            }
            Content::Mapping(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|entry| format!("{}={}", entry.key, shown(&entry.value)))
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    #[test]
    fn a_file_is_a_tree_with_lines() {
        for (text, expected) in [
            ("", "(1)-"),
            ("# nothing\n", "(1)-"),
            ("a:\n  b: [1, 'x']\n  c:\n", "{a={b=[(2)1 (2)x] c=(4)-}}"),
            ("a: |\n  one\n  two\n", "{a=(2)one\ntwo\n}"),
            ("a: ''\nb: ~\n", "{a=(1) b=(2)-}"),
            ("a: {}\nb: []\n", "{a={} b=[]}"),
        ] {
            let node = read(Path::new("w.yml"), text).unwrap();
            assert_eq!(shown(&node), expected, "{text}");
        }
    }

    #[test]
    fn what_can_have_no_meaning_is_refused_with_its_line() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        for (text, expected) in [
            ("a: 1\na: 2\n", "w.yml:2: this key is given twice"),
            ("? [1]\n: 2\n", "w.yml:1: a key must be a word"),
            (
                "a: &x 1\nb: *x\n",
                "w.yml:2: an alias is not supported; write the value out",
            ),
            (
                "a: 1\n---\nb: 1\n",
                "w.yml:2: a second document starts here; only one is read",
            ),
            (deep.as_str(), "w.yml:1: this is nested too deeply"),
        ] {
            let fault = read(Path::new("w.yml"), text).unwrap_err();
            assert_eq!(fault.to_string(), expected);
        }
    }
}
