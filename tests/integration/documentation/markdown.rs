//! The parts of a page of the documentation: its blocks of code, its links, and its anchors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The folder of the repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file in Markdown.
#[derive(Default)]
pub(super) struct Page {
    /// Relative to the root.
    pub(super) path: PathBuf,
    pub(super) blocks: Vec<Block>,
    /// As written.
    pub(super) links: Vec<String>,
    /// The names of the headings, as GitHub makes them.
    pub(super) anchors: BTreeSet<String>,
}

/// A block of code.
#[derive(Default)]
pub(super) struct Block {
    /// Path of the page, and line of the block.
    pub(super) place: String,
    pub(super) language: String,
    pub(super) text: String,
    /// The text of an HTML comment right before the block.
    pub(super) note: String,
}

/// Returns all pages that belong to the project.
pub(super) fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(root(), &mut pages);
    pages
}

fn collect(folder: &Path, pages: &mut Vec<Page>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                collect(&path, pages);
            }
        } else if path.extension().is_some_and(|end| end == "md") {
            pages.push(Page::read(path.strip_prefix(root()).unwrap()));
        }
    }
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let mut page = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let mut heading = None;
        let mut block: Option<Block> = None;
        let mut note = String::new();
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.anchor(&heading.take().unwrap());
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let line = text[..range.start].matches('\n').count() + 1;
                    block = Some(Block {
                        place: format!("{}:{line}", path.display()),
                        language: language(kind),
                        note: std::mem::take(&mut note),
                        ..Block::default()
                    });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Text(words) | Event::Code(words) => {
                    let block = block.as_mut().map(|block| &mut block.text);
                    for open in [heading.as_mut(), block].into_iter().flatten() {
                        open.push_str(&words);
                    }
                }
                Event::Html(tags) | Event::InlineHtml(tags) => {
                    page.links.extend(addresses(&tags));
                    note = comment(&tags);
                }
                Event::Start(Tag::Paragraph) => note.clear(),
                _ => {}
            }
        }
        page
    }

    fn anchor(&mut self, heading: &str) {
        let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        let name: String = heading.to_lowercase().chars().filter(kept).collect();
        let name = name.replace(' ', "-");
        let again = (1..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(again);
        let free = names.find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }
}

fn language(kind: CodeBlockKind) -> String {
    match kind {
        CodeBlockKind::Fenced(language) => language.into_string(),
        CodeBlockKind::Indented => String::new(),
    }
}

/// Returns the text of an HTML comment; empty for other tags.
fn comment(tags: &str) -> String {
    let text = tags.trim().strip_prefix("<!--");
    let text = text.and_then(|rest| rest.strip_suffix("-->"));
    text.unwrap_or_default().trim().to_owned()
}

/// Returns the addresses in HTML.
fn addresses(tags: &str) -> Vec<String> {
    let value = |attribute| tags.split(attribute).skip(1);
    let values = [" href=\"", " src=\"", " srcset=\""]
        .into_iter()
        .flat_map(value);
    values
        .filter_map(|rest| rest.split_once('"'))
        .map(|(address, _)| address.to_owned())
        .collect()
}
