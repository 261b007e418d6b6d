//! The structure of the crate, which the compiler does not check: rooms in order, no circles, a pure core.

#[path = "architecture/code.rs"]
mod code;
#[path = "architecture/imports.rs"]
mod imports;

use std::path::Path;

use imports::{Module, Name, circles, modules};

/// Each imports only from itself and from those before it.
const ROOMS: [&str; 11] = [
    "error",
    "project",
    "heartbeat",
    "config",
    "database",
    "source",
    "report",
    "publish",
    "web",
    "daemon",
    "cli",
];

/// The folders and files that make decisions and text, from values only.
const PURE: [&str; 9] = [
    "src/heartbeat",
    "src/project",
    "src/report",
    "src/publish/exposition",
    "src/publish/table",
    "src/web/chart",
    "src/web/query",
    "src/web/row",
    "src/web/san",
];

/// What pure code must not name, as tokens: runtime, driver, HTTP, and clocks.
const IMPURE: [&[&str]; 8] = [
    &["tokio"],
    &["sqlx"],
    &["hyper"],
    &["Instant", "::", "now"],
    &["SystemTime"],
    &["Utc", "::", "now"],
    &["Local", "::", "now"],
    &[".", "elapsed", "("],
];

/// The limit on `pub` items: the entries for tests, fuzz targets and benchmarks.
const PUBLIC_ITEMS: usize = 200;

fn rank(name: &Name) -> Option<usize> {
    let room = name.first()?;
    ROOMS.iter().position(|other| other == room)
}

#[test]
fn every_room_imports_only_rooms_above_its_own() {
    let modules = modules();
    let mut faults = Vec::new();
    for (name, module) in &modules {
        let file = module.file.display();
        if name.is_empty() || name == &["main"] {
            continue;
        }
        let Some(own) = rank(name) else {
            faults.push(format!("{file} is in no room"));
            continue;
        };
        for import in &module.imports {
            if rank(import).is_none_or(|other| other > own) {
                faults.push(format!("{file} imports crate::{}", import.join("::")));
            }
        }
    }
    assert!(modules.len() > 80, "only {} files found", modules.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_files_of_a_room_import_each_other() {
    let circles = circles(&modules());
    let lines: Vec<String> = circles
        .iter()
        .map(|circle| {
            let names: Vec<String> = circle.iter().map(|name| name.join("::")).collect();
            names.join(" -> ")
        })
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

fn is_pure(module: &Module) -> bool {
    let file = module.file.with_extension("");
    PURE.iter().any(|pure| file.starts_with(pure))
}

fn names(module: &Module, tokens: &[&str]) -> bool {
    let mut parts = module.tokens.windows(tokens.len());
    parts.any(|part| part == tokens)
}

#[test]
fn pure_code_names_no_runtime_driver_http_or_clock() {
    let modules = modules();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for pure in PURE {
        let path = root.join(pure);
        let exists = path.is_dir() || path.with_extension("rs").exists();
        assert!(exists, "{pure} does not exist");
    }
    let mut faults = Vec::new();
    for module in modules.values().filter(|module| is_pure(module)) {
        for tokens in IMPURE.iter().filter(|tokens| names(module, tokens)) {
            faults.push(format!("{}: {}", module.file.display(), tokens.concat()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn few_items_are_public() {
    const ITEMS: [&str; 10] = [
        "fn", "async", "const", "struct", "enum", "static", "trait", "type", "mod", "use",
    ];
    let public = |module: &Module| {
        let pairs = module.tokens.windows(2);
        let items = pairs.filter(|pair| pair[0] == "pub" && ITEMS.contains(&pair[1].as_str()));
        items.count()
    };
    let count: usize = modules().values().map(public).sum();
    assert!(
        count <= PUBLIC_ITEMS,
        "{count} pub items, of at most {PUBLIC_ITEMS}: use pub(crate) unless tests, fuzz targets or benchmarks need it"
    );
}
