//! The modules of the crate, and which module's file each of them imports from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use crate::code::tokens;

/// A module's or item's path within the crate, without `crate`.
pub(crate) type Name = Vec<String>;

/// One file of the crate, without its tests.
pub(crate) struct Module {
    /// Relative to the repository.
    pub(crate) file: PathBuf,
    pub(crate) tokens: Vec<String>,
    /// The paths within the crate that it names, except those that it only passes on from a module within it.
    pub(crate) imports: BTreeSet<Name>,
    /// What its `use` declarations bring in: the name here, and the path within the crate.
    aliases: BTreeMap<String, Name>,
}

/// Reads all modules that are not tests or fixtures.
pub(crate) fn modules() -> BTreeMap<Name, Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    let modules = files.iter().map(|path| {
        let text = fs::read_to_string(path).expect("sources are UTF-8");
        let file = path.strip_prefix(root).expect("it is in the repository");
        let name = name(file);
        let module = Module::new(file, &name, &text);
        (name, module)
    });
    modules.collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if stem == "tests" || stem.starts_with("fixture") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns the module that a file defines.
fn name(file: &Path) -> Name {
    let path = file.with_extension("");
    let parts = path.iter().skip(1).map(|part| part.to_string_lossy());
    let mut name: Name = parts.map(String::from).collect();
    if name
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        name.pop();
    }
    name
}

impl Module {
    fn new(file: &Path, name: &Name, text: &str) -> Self {
        let mut module = Self {
            file: file.to_owned(),
            tokens: tokens(text),
            imports: BTreeSet::new(),
            aliases: BTreeMap::new(),
        };
        let children: BTreeSet<String> = module
            .tokens
            .windows(3)
            .filter(|part| part[0] == "mod" && part[2] == ";")
            .map(|part| part[1].clone())
            .collect();
        let mut at = 0;
        while at < module.tokens.len() {
            let is_path = module.tokens.get(at + 1).is_some_and(|next| next == "::");
            if !is_path || !is_name(&module.tokens[at]) {
                at += 1;
                continue;
            }
            let before = |steps: usize| at.checked_sub(steps).map(|at| module.tokens[at].as_str());
            let declared = before(1) == Some("use");
            let public = declared && matches!(before(2), Some("pub" | ")"));
            let mut found = Vec::new();
            at = expand(&module.tokens, at, &Name::new(), &mut found);
            for (path, alias) in found {
                let Some(path) = absolute(name, &children, &path) else {
                    continue;
                };
                if !(public && path.starts_with(name)) {
                    module.imports.insert(path.clone());
                }
                if declared {
                    module.aliases.insert(alias, path);
                }
            }
        }
        module
    }
}

/// Adds the paths of the tree that starts here, each with its last name or its new name, and returns the place after it.
fn expand(
    tokens: &[String],
    mut at: usize,
    parent: &Name,
    found: &mut Vec<(Name, String)>,
) -> usize {
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut path = parent.clone();
    while is_name(token(at)) {
        path.push(token(at).to_owned());
        at += 1;
        if token(at) != "::" {
            break;
        }
        at += 1;
    }
    if token(at) == "{" && token(at - 1) == "::" {
        while !matches!(token(at), "}" | "") {
            at = expand(tokens, at + 1, &path, found);
        }
        return at + 1;
    }
    if path.len() > 1 && path.ends_with(&["self".to_owned()]) {
        path.pop();
    }
    let mut alias = path.last().cloned().unwrap_or_default();
    if token(at) == "as" {
        token(at + 1).clone_into(&mut alias);
        at += 2;
    }
    if path != *parent || token(at - 1) == "self" {
        found.push((path, alias));
    }
    at
}

fn is_name(token: &str) -> bool {
    token == "*" || token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns a path from the root of the crate, or `None` for a path of another crate or a type.
fn absolute(module: &Name, children: &BTreeSet<String>, path: &Name) -> Option<Name> {
    let mut parent = module.clone();
    let mut rest = path.as_slice();
    match rest.first()?.as_str() {
        "crate" => {
            parent.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|first| first == "super") {
                parent.pop();
                rest = &rest[1..];
            }
        }
        first if children.contains(first) => {}
        _ => return None,
    }
    parent.extend_from_slice(rest);
    Some(parent)
}

/// Returns the module whose file defines what a path names, after following `use` declarations.
fn defining(modules: &BTreeMap<Name, Module>, path: &Name, steps: usize) -> Name {
    let length = (0..=path.len())
        .rev()
        .find(|length| modules.contains_key(&path[..*length]))
        .unwrap_or_default();
    let (module, rest) = path.split_at(length);
    let alias = rest.first().and_then(|name| {
        let module = modules.get(module)?;
        module.aliases.get(name)
    });
    match alias {
        Some(target) if steps > 0 => {
            let target: Name = target.iter().chain(&rest[1..]).cloned().collect();
            defining(modules, &target, steps - 1)
        }
        _ => module.to_vec(),
    }
}

/// Returns shortest circles of imports within a room. Every module that is on a circle is in one of them.
pub(crate) fn circles(modules: &BTreeMap<Name, Module>) -> Vec<Vec<Name>> {
    let edges: BTreeMap<&Name, BTreeSet<Name>> = modules
        .iter()
        .map(|(name, module)| {
            let targets = module.imports.iter();
            let targets = targets.map(|path| defining(modules, path, 8));
            let within = targets.filter(|target| target != name && target.first() == name.first());
            (name, within.collect())
        })
        .collect();
    let mut found: Vec<Vec<Name>> = Vec::new();
    for start in edges.keys() {
        let known = |circle: &Vec<Name>| circle.contains(start);
        if !found.iter().any(known) {
            found.extend(circle(&edges, start));
        }
    }
    found
}

/// Returns a shortest path from a module back to itself.
fn circle(edges: &BTreeMap<&Name, BTreeSet<Name>>, start: &Name) -> Option<Vec<Name>> {
    let mut paths = VecDeque::from([vec![start.clone()]]);
    let mut reached = BTreeSet::new();
    while let Some(path) = paths.pop_front() {
        for next in edges.get(path.last()?).into_iter().flatten() {
            let longer = [path.as_slice(), std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if reached.insert(next.clone()) {
                paths.push_back(longer);
            }
        }
    }
    None
}
