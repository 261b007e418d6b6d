//! The documentation is true: links work, commands run, references are what the program prints.

mod cloud;
mod command;
mod markdown;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use hyper::Uri;
use openstack_heartbeat_exporter::config::keys::KEYS;
use openstack_heartbeat_exporter::report::documentation::DOCUMENTATION;
use yaml_rust2::{Yaml, YamlLoader};

use self::cloud::{Cloud, fault};
use self::command::Line;
use self::markdown::{Block, Page, pages, root};
use crate::binary::outcome;
use crate::support::exporter::{Exporter, program};
use crate::support::folder;

#[test]
fn references_are_what_the_program_prints() {
    for (file, what) in [
        ("docs/configuration.md", "settings"),
        ("docs/metrics.md", "metrics"),
    ] {
        let path = root().join(file);
        let page = fs::read_to_string(&path).unwrap();
        let mark = format!("<!-- print {what} -->\n\n");
        let (written, reference) = page.split_once(&mark).unwrap();
        let printed = outcome(&["print", what], &[]).stdout;
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, [written, &mark, &printed].concat()).unwrap();
            continue;
        }
        assert!(
            reference == printed,
            "{file} differs from `print {what}`; set UPDATE_GOLDEN to rewrite it and look at the change"
        );
    }
}

#[test]
fn every_link_leads_somewhere_and_every_page_is_linked() {
    let pages = pages();
    let mut linked = BTreeSet::new();
    let mut faults = Vec::new();
    for page in &pages {
        for link in &page.links {
            let fault = match local(page, link) {
                Some((path, anchor)) => {
                    linked.insert(path.clone());
                    fault_within(&pages, &path, anchor)
                }
                None => fault_of_address(link),
            };
            let place = page.path.display();
            faults.extend(fault.map(|fault| format!("{place}: {link}: {fault}")));
        }
    }
    for page in &pages {
        if page.path.starts_with("docs") && !linked.contains(&page.path) {
            faults.push(format!("no page links to {}", page.path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn fault_within(pages: &[Page], path: &Path, anchor: Option<&str>) -> Option<&'static str> {
    if !root().join(path).exists() {
        return Some("no such file");
    }
    let anchor = anchor?;
    let page = pages.iter().find(|page| page.path == path);
    let exists = page.is_some_and(|page| page.anchors.contains(anchor));
    (!exists).then_some("no such heading")
}

/// Checks only the form of an address, since the tests have no network.
fn fault_of_address(link: &str) -> Option<&'static str> {
    let address: Uri = link.parse().ok()?;
    match (address.scheme_str(), address.host()) {
        (Some("https"), Some(host)) if host.contains('.') => None,
        (Some("http"), Some("localhost")) => None,
        _ => Some("not an https address of a public site"),
    }
}

/// Returns the file and the anchor that a link leads to, unless it leads to another site.
fn local<'a>(page: &Page, link: &'a str) -> Option<(PathBuf, Option<&'a str>)> {
    let (target, anchor) = match link.split_once('#') {
        Some((target, anchor)) => (target, Some(anchor)),
        None => (link, None),
    };
    let path = match target.strip_prefix(DOCUMENTATION) {
        Some(rest) => Path::new("docs").join(rest),
        None if target.contains("://") => return None,
        None if target.is_empty() => page.path.clone(),
        None => page.path.with_file_name("").join(target),
    };
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(short.pop(), "{link} leads out of the repository"),
            part => short.push(part),
        }
    }
    Some((short, anchor))
}

#[test]
fn every_command_runs() {
    let cloud = Cloud::start();
    let mut faults = Vec::new();
    for page in pages() {
        let folder = cloud.folder();
        let mut servers = Vec::new();
        for block in &page.blocks {
            if let Some(name) = block.note.strip_prefix("file ") {
                fs::write(folder.join(name), cloud.here(&folder, &block.text)).unwrap();
            }
            let mut command = match block.language.as_str() {
                "sh" => {
                    let lines = Line::all(&block.text);
                    servers.extend(serve(&cloud, &folder, &page, &lines));
                    cloud.shell(&folder, &script(&lines))
                }
                "sql" => cloud.shell(&folder, &statements(&folder, block)),
                _ => continue,
            };
            tell_url(&cloud, &page, &mut command);
            faults.extend(fault(&mut command, &block.place));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Sets the database URL, except for the quick start, which contains it.
fn tell_url(cloud: &Cloud, page: &Page, command: &mut Command) {
    if page.path != Path::new("README.md") {
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", cloud.url());
    }
}

/// Starts the exporters that the commands start.
fn serve(cloud: &Cloud, folder: &Path, page: &Page, lines: &[Line]) -> Vec<Exporter> {
    let lines = lines.iter().filter(|line| line.serves());
    let start = |line: &Line| {
        let line = cloud.here(folder, line.text.trim());
        let mut command = cloud.program("sh", folder);
        tell_url(cloud, page, &mut command);
        Exporter::spawn(command.args(["-c", &format!("exec {line} \"$@\""), "sh"]))
    };
    lines.map(start).collect()
}

/// Returns the commands that can be run and that end.
fn script(lines: &[Line]) -> String {
    let lines = lines.iter();
    let lines = lines.filter(|line| line.is_here() && !line.serves());
    lines.map(|line| line.text.as_str()).collect()
}

/// Writes statements to a file, and returns the command that runs them.
fn statements(folder: &Path, block: &Block) -> String {
    fs::write(folder.join("statements.sql"), &block.text).unwrap();
    let client = match block.note.as_str() {
        "psql" => "psql --set=ON_ERROR_STOP=1",
        _ => "mariadb",
    };
    format!("{client} cinder <statements.sql")
}

/// Returns the blocks in a language, of all pages.
fn blocks(language: &str) -> Vec<Block> {
    let blocks = pages().into_iter().flat_map(|page| page.blocks);
    blocks.filter(|block| block.language == language).collect()
}

#[test]
fn every_configuration_is_accepted_by_its_program() {
    let folder = folder("yaml");
    let file = folder.join("file.yml");
    let url = "mysql://heartbeat@controller/cinder";
    fs::write(folder.join("region1-url"), url).unwrap();
    let groups: BTreeSet<&str> = KEYS
        .iter()
        .filter_map(|key| key.name.split('.').next())
        .collect();
    let mut faults = Vec::new();
    for block in blocks("yaml") {
        let place = &block.place;
        let parsed = YamlLoader::load_from_str(&block.text);
        let parsed = parsed.unwrap_or_else(|error| panic!("{place}: {error}"));
        let is_of = |names: &BTreeSet<&str>| {
            let keys = parsed[0].as_hash().into_iter().flat_map(|hash| hash.keys());
            let mut keys = keys.filter_map(Yaml::as_str);
            keys.any(|key| names.contains(key.split('.').next().unwrap()))
        };
        let etc = "/etc/openstack-heartbeat-exporter";
        let text = block.text.replace(etc, folder.to_str().unwrap());
        fs::write(&file, text).unwrap();
        let mut check = if is_of(&BTreeSet::from(["scrape_configs", "rule_files"])) {
            let mut promtool = Command::new("promtool");
            promtool.args(["check", "config", "--syntax-only"]);
            promtool
        } else if is_of(&groups) {
            program(&["check-config", "--config.file"])
        } else {
            continue;
        };
        check.env("OPENSTACK_HEARTBEAT_DATABASE_URL", url);
        faults.extend(fault(check.arg(&file), place));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn prometheus_understands_every_query() {
    let mut rules = "groups:\n- name: documentation\n  rules:\n".to_owned();
    for (number, block) in blocks("promql").iter().enumerate() {
        let query = block.text.replace('\n', "\n      ");
        let place = &block.place;
        let _ = writeln!(
            rules,
            "  # {place}\n  - record: query{number}\n    expr: |\n      {query}"
        );
    }
    let file = folder("promql").join("rules.yml");
    fs::write(&file, &rules).unwrap();
    let mut promtool = Command::new("promtool");
    let fault = fault(promtool.args(["check", "rules"]).arg(&file), &rules);
    assert!(fault.is_none(), "{}", fault.unwrap_or_default());
}
