//! The reference of all settings in Markdown, which `print settings` prints, made from the table of settings.

use std::fmt::Write as _;

use super::key::{Key, Uptake};
use super::keys::KEYS;

/// Returns the reference: one heading per group and per setting, in the order of the help.
pub(crate) fn markdown() -> String {
    let mut text = String::new();
    let mut group = "";
    for key in KEYS {
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
    let yaml = format!("`{name}: {start}{value}{end}`");
    let option = key
        .option
        .map(|(group, option)| format!("`{option}` in `[{group}]`"));
    let uptake = match key.uptake {
        Uptake::Reload => "needs a reload",
        Uptake::Restart => "needs a restart",
    };
    let facts = [
        ("value", Some(key.accepts.to_owned())),
        ("default", key.shown_default().map(str::to_owned)),
        ("flag", key.has_flag().then_some(flag)),
        ("variable", Some(format!("`{}`", key.variable()))),
        ("YAML", Some(yaml)),
        ("cinder.conf", option),
        (
            "systemd credential",
            key.credential.map(|name| format!("`{name}`")),
        ),
        ("a change", Some(uptake.to_owned())),
    ];
    let given = facts
        .into_iter()
        .filter_map(|(what, value)| Some((what, value?)));
    given.collect()
}
