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

fn facts(key: &Key) -> Vec<(&'static str, String)> {
    let Key {
        name, value_name, ..
    } = key;
    let mut facts = vec![("value", key.accepts.to_owned())];
    if let Some(default) = key.shown_default() {
        facts.push(("default", default.to_owned()));
    }
    if key.has_flag() {
        let value = if key.switch {
            format!("[={value_name}]")
        } else {
            format!(" {value_name}")
        };
        facts.push(("flag", format!("`--{name}{value}`")));
    }
    facts.push(("variable", format!("`{}`", key.variable())));
    let value = if key.list {
        format!("[{value_name}]")
    } else {
        (*value_name).to_owned()
    };
    facts.push(("YAML", format!("`{name}: {value}`")));
    if let Some((group, option)) = key.option {
        facts.push(("cinder.conf", format!("`{option}` in `[{group}]`")));
    }
    if let Some(credential) = key.credential {
        facts.push(("systemd credential", format!("`{credential}`")));
    }
    let uptake = match key.uptake {
        Uptake::Reload => "needs a reload",
        Uptake::Restart => "needs a restart",
    };
    facts.push(("a change", uptake.to_owned()));
    facts
}
