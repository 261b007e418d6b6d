//! The reference of all settings in Markdown, which `print settings` prints, made from the table of settings.

use std::fmt::Write as _;

use super::key::{Key, PROJECT, SOURCES, Scope, Uptake, credential};
use super::keys;
use crate::project::options::Seconds;
use crate::project::{self, Project};

/// Returns the reference: one heading per group and per setting, in the order of the help.
pub(crate) fn markdown() -> String {
    let mut text = String::new();
    let mut group = "";
    for key in keys::all() {
        if key.group != group {
            group = key.group;
            let _ = write!(text, "## {group}\n\n");
        }
        let _ = write!(
            text,
            "### {}\n\n{}.\n\n| | |\n| --- | --- |\n",
            key.name, key.help
        );
        for (what, value) in facts(key) {
            let _ = writeln!(text, "| {what} | {value} |");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Returns the rows of the setting's table: what, and its value.
fn facts(key: &Key) -> Vec<(&'static str, String)> {
    let (name, value) = (key.name, key.value_name);
    let [equals, end] = if key.switch { ["[=", "]"] } else { [" ", ""] };
    let flag = format!("`--{name}{equals}{value}{end}`");
    let [start, end] = if key.list { ["[", "]"] } else { [""; 2] };
    let value = format!("{start}{value}{end}");
    let yaml = format!("`{name}: {value}`");
    let is_global = key.scope != Scope::Source;
    let own = format!("`{SOURCES}: {{NAME: {{{name}: {value}}}}}`");
    let option = |format: &dyn Fn(&Seconds) -> Option<String>| {
        let option = key.option?;
        let named = |project: &&'static Project| {
            let text = format(option(&project.options))?;
            Some(format!("{}: {text}", project.name))
        };
        let named: Vec<String> = project::ALL.iter().filter_map(named).collect();
        Some(named.join("; "))
    };
    let default = key.shown_default().map(str::to_owned);
    let credential = key.credential.map(|end| {
        let [one, all] = [Some("NAME"), None].map(|source| credential(end, source));
        format!("`{all}`, of a source `{one}`")
    });
    let uptake = match key.uptake {
        Uptake::Reload => "needs a reload",
        Uptake::Restart => "needs a restart",
    };
    let facts = [
        ("value", Some(key.accepts.to_owned())),
        (
            "default",
            default.or_else(|| option(&|it| Some(format!("{}s", it.default)))),
        ),
        ("flag", (is_global && key.has_flag()).then_some(flag)),
        (
            "variable",
            is_global.then(|| format!("`{}`", key.variable())),
        ),
        ("YAML", (is_global && name != PROJECT).then_some(yaml)),
        (
            "YAML, of a source",
            (key.scope != Scope::Exporter).then_some(own),
        ),
        (
            "option",
            option(&|it| Some(format!("`{}` in `[{}]`", it.label(), it.group?))),
        ),
        ("systemd credential", credential),
        ("a change", Some(uptake.to_owned())),
    ];
    let given = facts
        .into_iter()
        .filter_map(|(what, value)| Some((what, value?)));
    given.collect()
}
