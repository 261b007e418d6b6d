//! A flag or an argument, as the manual explains it.

use std::fmt::Write as _;

use clap::Arg;
use clap::builder::{PossibleValue, StyledStr};
use roff::{Inline, bold, italic, roman};

use crate::config::keys;

/// Returns how a flag is given, or what stands for an argument.
pub(super) fn term(argument: &Arg) -> Vec<Inline> {
    let value = argument
        .get_value_names()
        .map(|names| italic(names.join(" ")));
    let value = value.filter(|_| argument.get_action().takes_values());
    match (argument.get_long(), value) {
        (Some(name), Some(value)) if argument.is_require_equals_set() => {
            vec![bold(format!("--{name}")), roman("[="), value, roman("]")]
        }
        (Some(name), Some(value)) => vec![bold(format!("--{name}")), roman(" "), value],
        (Some(name), None) => vec![bold(format!("--{name}"))],
        (None, value) => value.into_iter().collect(),
    }
}

/// Returns what the help says, as sentences.
pub(super) fn explanation(argument: &Arg) -> String {
    let setting = keys::find(argument.get_id().as_str());
    let mut text = match setting {
        Some(setting) => format!("{}.", setting.help),
        None => sentence(argument.get_help()),
    };
    if !argument.get_action().takes_values() {
        return text;
    }
    let choices = argument.get_possible_values();
    let names: Vec<&str> = choices.iter().map(PossibleValue::get_name).collect();
    if !names.is_empty() {
        let _ = write!(text, " One of {}.", names.join(", "));
    }
    let default = match setting {
        Some(setting) => setting.shown_default(),
        None => argument
            .get_default_values()
            .first()
            .and_then(|value| value.to_str()),
    };
    if let Some(default) = default {
        let _ = write!(text, " Default: {default}.");
    }
    text
}

pub(super) fn sentence(text: Option<&StyledStr>) -> String {
    text.map(|text| format!("{text}.")).unwrap_or_default()
}
