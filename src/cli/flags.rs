//! The settings as flags, made from the table of settings.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, ValueHint, value_parser};

use crate::config::flags::Flags;
use crate::config::key::{self, Key};
use crate::config::keys::KEYS;

/// Returns `--config.file` and a flag for every setting that is not secret.
pub(super) fn all() -> impl Iterator<Item = Arg> {
    let file = Arg::new(key::CONFIG_FILE)
        .long(key::CONFIG_FILE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help("YAML file with settings");
    let flags = KEYS.iter().filter(|key| key.has_flag()).map(flag);
    std::iter::once(file).chain(flags)
}

/// Returns all flags for a command that uses only those with one of these prefixes.
///
/// The command accepts and hides the others, so that it can be run with the exporter's own flags. `-h` hides all of them.
pub(super) fn used(prefixes: &'static [&'static str]) -> impl Iterator<Item = Arg> {
    all().map(move |flag| {
        let name = flag.get_id().as_str();
        let is_used = name == key::CONFIG_FILE || has_prefix(name, prefixes);
        flag.hide(!is_used).hide_short_help(true)
    })
}

/// Returns only the flags with one of these prefixes.
pub(super) fn only(prefixes: &'static [&'static str]) -> impl Iterator<Item = Arg> {
    all()
        .filter(move |flag| has_prefix(flag.get_id().as_str(), prefixes))
        .map(|flag| flag.hide_short_help(true))
}

fn has_prefix(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn flag(key: &Key) -> Arg {
    let help = match key.shown_default() {
        Some(default) => format!("{} [default: {default}]", key.help),
        None => key.help.to_owned(),
    };
    let hint = match key.value_name {
        "FILE" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        _ => ValueHint::Other,
    };
    let mut flag = Arg::new(key.name)
        .long(key.name)
        .value_name(key.value_name)
        .value_hint(hint)
        .help_heading(key.group)
        .help(help);
    if key.list {
        flag = flag.action(ArgAction::Append);
    }
    if !key.choices.is_empty() {
        flag = flag.value_parser(PossibleValuesParser::new(key.choices));
    }
    if key.switch {
        let flag = flag.num_args(0..=1).require_equals(true);
        return flag
            .default_missing_value("true")
            .hide_possible_values(true);
    }
    flag
}

/// Returns the given flags.
pub(super) fn given(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::default();
    for key in KEYS.iter().filter(|key| key.has_flag()) {
        // `demo` has only some of the flags.
        let Ok(Some(values)) = matches.try_get_many::<String>(key.name) else {
            continue;
        };
        let origin = format!("--{}", key.name);
        for value in values {
            flags.layer.add(key, value, &origin);
        }
    }
    let file = matches.try_get_one::<PathBuf>(key::CONFIG_FILE);
    flags.config_file = file.ok().flatten().cloned();
    flags
}
