//! Names in the documentation and in the comments of the alerts: settings, flags, variables, metrics and paths exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use openstack_heartbeat_exporter::config::keys::KEYS;
use openstack_heartbeat_exporter::publish::metric::Kind;
use openstack_heartbeat_exporter::publish::table;

const PROGRAM: &str = "openstack-heartbeat-exporter";

/// Folders of this repository that prose names.
const FOLDERS: [&str; 8] = [
    "alerts/",
    "benches/",
    "dashboards/",
    "docs/",
    "fuzz/",
    "packaging/",
    "src/",
    "tests/",
];

/// Ends of file names that start like a setting, for example `cinder.conf`.
const FILE_ENDS: [&str; 6] = [".conf", ".json", ".py", ".rs", ".sqlite", ".yml"];

/// Words that look like metrics: containers and other exporters.
const OTHER: [&str; 3] = [
    "openstack_database_exporter",
    "openstack_heartbeat",
    "openstack_heartbeat_exporter",
];

/// Metrics of openstack-exporter.
const OTHER_METRICS: &str = "openstack_cinder_";

/// Programs that take the name of the service, not its flags.
const MANAGERS: [&str; 3] = ["journalctl", "kubectl", "systemctl"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every name that exists.
struct Known {
    groups: BTreeSet<String>,
    settings: BTreeSet<String>,
    variables: BTreeSet<String>,
    metrics: BTreeSet<String>,
    /// The flags of each command; those of the program without a command have an empty name.
    flags: BTreeMap<String, BTreeSet<String>>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    // The one setting that no file can hold has no key.
    let names = KEYS.iter().map(|key| key.name).chain(["config.file"]);
    let settings: BTreeSet<String> = names.map(str::to_owned).collect();
    let group = |name: &String| name.split('.').next().map(str::to_owned);
    let variable = |name: &String| {
        let name = name.to_uppercase().replace(['.', '-'], "_");
        format!("OPENSTACK_HEARTBEAT_{name}")
    };
    let mut flags = BTreeMap::new();
    for command in std::iter::once("").chain(commands(&help(&[])).iter().map(String::as_str)) {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let page = help(&arguments);
        let pages = commands(&page)
            .into_iter()
            .filter(|_| !command.is_empty())
            .map(|part| help(&[command, &part]));
        let text: String = std::iter::once(page.clone()).chain(pages).collect();
        let known = words(&text).filter(|word| word.starts_with("--"));
        flags.insert(command.to_owned(), known.map(str::to_owned).collect());
    }
    Known {
        groups: settings.iter().filter_map(group).collect(),
        variables: settings.iter().map(variable).collect(),
        metrics: metrics(),
        settings,
        flags,
    }
});

fn metrics() -> BTreeSet<String> {
    let rules = root().join("alerts/openstack-heartbeat.rules.yml");
    let rules = fs::read_to_string(rules).expect("the rules can be read");
    let recorded = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "));
    let mut names: BTreeSet<String> = recorded.map(str::to_owned).collect();
    for metric in table::all() {
        names.insert(metric.name.to_owned());
        if metric.kind == Kind::Histogram {
            names.extend(["bucket", "count", "sum"].map(|part| format!("{}_{part}", metric.name)));
        }
    }
    names
}

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_openstack-heartbeat-exporter"))
        .args(command)
        .arg("--help")
        .output()
        .expect("the program starts");
    String::from_utf8(output.stdout).expect("the help is UTF-8")
}

/// Returns the commands that a help page lists.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Returns the words that can be names, without the punctuation after them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./:".contains(c)));
    words.map(|word| word.trim_end_matches(['.', ':', '-']))
}

/// Returns the names in a text that do not exist; settings and flags are only looked for in code.
fn unknown(text: &str, is_code: bool) -> Vec<String> {
    let mut faults: Vec<String> = words(text)
        .filter(|word| !exists(word) || is_code && !is_setting(word))
        .map(str::to_owned)
        .collect();
    if is_code {
        for line in text.replace("\\\n", " ").lines() {
            faults.extend(unknown_flags(line));
        }
    }
    faults
}

/// Returns whether a word that looks like a metric, a variable or a path is one; true for every other word.
fn exists(word: &str) -> bool {
    let among = |names: &BTreeSet<String>| {
        let is_start = word.ends_with('_') && names.iter().any(|name| name.starts_with(word));
        is_start || names.contains(word)
    };
    if word.starts_with("OPENSTACK_HEARTBEAT_") {
        return among(&KNOWN.variables);
    }
    if word.starts_with("openstack_") {
        let is_other = OTHER.contains(&word) || word.starts_with(OTHER_METRICS);
        return is_other || among(&KNOWN.metrics);
    }
    if FOLDERS.iter().any(|folder| word.starts_with(folder)) {
        let path = word.split(':').next().unwrap_or_default();
        return path.contains("NAME") || root().join(path).exists();
    }
    true
}

/// Returns whether a word that looks like a setting or its flag is one; true for every other word.
fn is_setting(word: &str) -> bool {
    let name = word.trim_start_matches("--");
    let Some((group, rest)) = name.split_once('.') else {
        return true;
    };
    let is_other = rest.is_empty()
        || name.contains('/')
        || FILE_ENDS.iter().any(|end| name.ends_with(end))
        || !KNOWN.groups.contains(group);
    is_other || KNOWN.settings.contains(name)
}

/// Returns the flags in a line that the command there, if it is one of the program, does not have.
fn unknown_flags(line: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for part in line.split(['|', ';', '&']) {
        let words: Vec<&str> = words(part).filter(|word| !word.is_empty()).collect();
        let is_managed = words.iter().any(|word| MANAGERS.contains(word));
        let program = words.iter().rposition(|word| word.ends_with(PROGRAM));
        let arguments = match program {
            Some(place) if !is_managed => &words[place + 1..],
            None if words
                .first()
                .is_some_and(|word| KNOWN.flags.contains_key(*word)) =>
            {
                &words
            }
            _ => continue,
        };
        let first = arguments.first().copied().unwrap_or_default();
        let (command, known) = match KNOWN.flags.get(first) {
            Some(known) => (first, known),
            None => ("", &KNOWN.flags[""]),
        };
        let flags = arguments.iter().filter(|word| word.starts_with("--"));
        let unknown = flags.filter(|flag| !known.contains(**flag));
        faults.extend(unknown.map(|flag| format!("{command} {flag}").trim().to_owned()));
    }
    faults
}

/// Returns the parts of a page in turn as prose and code, each with its line.
fn parts(page: &str) -> Vec<(usize, bool, &str)> {
    let mut parts = Vec::new();
    let mut line = 1;
    for (number, block) in page.split("```").enumerate() {
        let is_block = number % 2 == 1;
        let inner: Vec<&str> = if is_block {
            vec![block]
        } else {
            block.split('`').collect()
        };
        for (number, text) in inner.into_iter().enumerate() {
            parts.push((line, is_block || number % 2 == 1, text));
            line += text.matches('\n').count();
        }
    }
    parts
}

fn place(file: &Path, line: usize) -> String {
    let file = file.strip_prefix(root()).unwrap_or(file);
    format!("{}:{line}", file.display())
}

fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.extension().is_some_and(|extension| extension == end) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_name_in_the_documentation_exists() {
    let mut pages = files(&root().join("docs"), "md");
    pages.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut faults = Vec::new();
    for path in pages {
        let page = fs::read_to_string(&path).expect("pages are UTF-8");
        for (line, is_code, text) in parts(&page) {
            for fault in unknown(text, is_code) {
                faults.push(format!("{}: {fault}", place(&path, line)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_name_in_a_comment_of_the_alerts_exists() {
    let mut faults = Vec::new();
    for path in files(&root().join("alerts"), "yml") {
        let text = fs::read_to_string(&path).expect("alerts are UTF-8");
        for (number, line) in text.lines().enumerate() {
            let comment = line.split_once('#').map_or("", |(_, comment)| comment);
            for fault in unknown(comment, true) {
                faults.push(format!("{}: {fault}", place(&path, number + 1)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn wrong_names_are_found() {
    for (text, fault) in [
        ("poll.stale_after", "poll.stale_after"),
        ("{web.port: 80}", "web.port"),
        ("--skew.drift=5", "--skew.drift"),
        ("OPENSTACK_HEARTBEAT_POLL", "OPENSTACK_HEARTBEAT_POLL"),
        ("sum(openstack_service_gone)", "openstack_service_gone"),
        ("openstack_gone_*", "openstack_gone_"),
        ("openstack_heartbeat:gone", "openstack_heartbeat:gone"),
        ("see src/gone.rs:12", "src/gone.rs:12"),
        ("services --connect", "services --connect"),
        ("sudo openstack-heartbeat-exporter \\\n  --down", "--down"),
    ] {
        assert_eq!(unknown(text, true), [fault], "{text}");
    }
    for text in [
        "poll.stale-after",
        "cinder.conf",
        "OPENSTACK_HEARTBEAT_POLL_INTERVAL=5s",
        "openstack_service_*",
        "openstack_heartbeat_poll_duration_seconds_bucket",
        "src/main.rs",
        "openstack-heartbeat-exporter services --down --wait 75",
        "openstack-heartbeat-exporter print grants --user heartbeat | mariadb --quick",
        "kubectl logs deployment/openstack-heartbeat-exporter --previous",
    ] {
        assert_eq!(unknown(text, true), [""; 0], "{text}");
    }
}
