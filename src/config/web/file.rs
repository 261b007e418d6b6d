//! Typed reads of a web configuration file's values.

use std::path::{Path, PathBuf};

use crate::config::fault::Fault;
use crate::config::node::{Content, Entry, Node};
use crate::config::spelling;

/// A web configuration file, with the faults and the file names found in it so far.
pub(super) struct WebFile<'a> {
    /// The folder that paths in the file are relative to.
    pub(super) folder: &'a Path,
    pub(super) faults: Vec<Fault>,
    /// All files that the file names.
    pub(super) files: Vec<PathBuf>,
}

impl WebFile<'_> {
    /// Notes a fault.
    pub(super) fn fault(&mut self, origin: &str, what: impl Into<String>) {
        self.faults.push(Fault::syntax(origin, what));
    }

    /// Returns the known entries of a mapping; empty if the node is not a mapping.
    pub(super) fn mapping<'n>(
        &mut self,
        node: &'n Node,
        name: &str,
        known: &[&str],
    ) -> Vec<&'n Entry> {
        let mut entries = self.open_mapping(node, name);
        entries.retain(|entry| {
            let is_known = known.contains(&entry.key.as_str());
            if !is_known {
                let nearest = spelling::nearest(&entry.key, known.iter().copied());
                let otherwise = format!("valid keys are {}", known.join(", "));
                self.faults.push(Fault::Unknown {
                    origin: entry.origin.clone(),
                    kind: "key",
                    name: entry.key.clone(),
                    advice: spelling::advice(nearest, &otherwise),
                });
            }
            is_known
        });
        entries
    }

    /// Returns the entries of a mapping with arbitrary keys.
    pub(super) fn open_mapping<'n>(&mut self, node: &'n Node, name: &str) -> Vec<&'n Entry> {
        match &node.content {
            Content::Nothing => Vec::new(),
            Content::Mapping(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    if entries[..index].iter().any(|other| other.key == entry.key) {
                        self.fault(&entry.origin, "this key is given twice");
                    }
                }
                entries.iter().collect()
            }
            _ => {
                self.fault(&node.origin, format!("{name} must contain keys and values"));
                Vec::new()
            }
        }
    }

    /// Returns a text; `None` if it is empty.
    pub(super) fn text<'n>(&mut self, entry: &'n Entry) -> Option<&'n str> {
        match &entry.value.content {
            Content::Nothing => None,
            Content::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            _ => {
                self.fault(&entry.origin, format!("`{}` takes one value", entry.key));
                None
            }
        }
    }

    /// Returns the texts of a list, each with its origin.
    pub(super) fn list<'n>(&mut self, entry: &'n Entry) -> Vec<(&'n str, &'n str)> {
        let items = match &entry.value.content {
            Content::Nothing => return Vec::new(),
            Content::List(items) => items,
            _ => {
                let what = format!("`{}` takes a list, such as [one, two]", entry.key);
                self.fault(&entry.origin, what);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.content {
                Content::Text(text) => texts.push((text.as_str(), item.origin.as_str())),
                _ => self.fault(
                    &item.origin,
                    format!("`{}` must be a list of texts", entry.key),
                ),
            }
        }
        texts
    }

    /// Returns a boolean, in any form that YAML 1.1 has.
    pub(super) fn flag(&mut self, entry: &Entry) -> Option<bool> {
        let text = self.text(entry)?;
        let flag = match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" => Some(false),
            _ => None,
        };
        if flag.is_none() {
            self.value(entry, text, "true or false");
        }
        flag
    }

    /// Notes an invalid value. Never call it with a value that could be secret.
    pub(super) fn value(&mut self, entry: &Entry, text: &str, expected: &str) {
        let what = format!("`{}` is `{text}`; expected {expected}", entry.key);
        self.fault(&entry.value.origin, what);
    }
}
