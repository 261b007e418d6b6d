//! `man`: the manual page, made from the commands and the settings.

mod words;

use std::io;

use clap::builder::PossibleValue;
use clap::{Arg, ArgMatches, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use self::words::{DESCRIPTION, FILES, SIGNALS, VARIABLES};
use super::entry::{Entry, NAME, program};
use super::flags;
use super::outcome::{Outcome, WRONG, write};
use crate::config::key;
use crate::config::keys::{self, KEYS};

pub(super) const ENTRY: Entry = Entry {
    examples: &[("Read the manual", "man | man -l -")],
    ..Entry::new("man", describe, run)
};

fn describe(command: Command) -> Command {
    command.about("Prints the manual page in roff format")
}

fn run(_: &ArgMatches, entries: &[Entry]) -> Outcome {
    write(page(entries), WRONG)
}

/// Returns the whole page.
fn page(entries: &[Entry]) -> String {
    let program = program(entries)
        .args(flags::all())
        .mut_args(with_choices)
        .override_usage(format!("{NAME} [OPTIONS]\n{NAME} COMMAND [OPTIONS]"))
        .long_about(DESCRIPTION);
    // The date is left empty: the version says more than a build date.
    let man = Man::new(program)
        .title(NAME.to_uppercase())
        .date("\"\"")
        .source(env!("CARGO_PKG_VERSION"))
        .manual("User Commands");
    let head = rendered(|out| {
        man.render_title(out)?;
        man.render_name_section(out)?;
        man.render_synopsis_section(out)?;
        man.render_description_section(out)
    });
    // The groups of settings are parts of this section, not sections.
    let options = rendered(|out| man.render_options_section(out))
        .replace("\n.SH ", "\n.SS ")
        .replace("\n.SS OPTIONS", "\n.SH OPTIONS");
    let mut rest = Roff::new();
    environment(&mut rest);
    section(&mut rest, "FILES");
    list(&mut rest, italic, &FILES);
    exit_status(&mut rest, entries);
    section(&mut rest, "SIGNALS");
    list(&mut rest, bold, &SIGNALS);
    examples(&mut rest, entries);
    section(&mut rest, "SEE ALSO");
    rest.text([roman("cinder-manage(1), prometheus(1), systemd.exec(5)")]);
    head + &commands(entries) + &options + &rest.render()
}

fn rendered(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut text = Vec::new();
    render(&mut text).expect("memory takes every write");
    String::from_utf8(text).expect("the commands are described in UTF-8")
}

/// Moves the choices of an argument into its help: as the list that `clap_mangen` makes, mandoc warns of them.
fn with_choices(argument: Arg) -> Arg {
    let choices = argument.get_possible_values();
    let names: Vec<&str> = choices.iter().map(PossibleValue::get_name).collect();
    match argument.get_help() {
        Some(help) if !names.is_empty() && !argument.is_hide_possible_values_set() => {
            let help = format!("{help} [possible values: {}]", names.join(", "));
            argument.help(help).hide_possible_values(true)
        }
        _ => argument,
    }
}

fn commands(entries: &[Entry]) -> String {
    let mut text = ".SH COMMANDS\n".to_owned();
    for entry in entries {
        let command = entry.command();
        text += &subsection(entry.name, &command);
        for part in command.get_subcommands() {
            text += &subsection(&format!("{} {}", entry.name, part.get_name()), part);
        }
    }
    text
}

/// Returns a command's description and the flags that it does not share with other commands.
fn subsection(name: &str, command: &Command) -> String {
    let command = command.clone().disable_help_flag(true);
    let man = Man::new(command.mut_args(|argument| {
        let name = argument.get_id().as_str();
        let is_setting = name == key::CONFIG_FILE || keys::find(name).is_some();
        with_choices(argument).hide(is_setting)
    }));
    let text = rendered(|out| {
        man.render_description_section(out)?;
        man.render_options_section(out)
    });
    text.replace(".SH DESCRIPTION", &format!(".SS \"{name}\""))
        .replace(".SH OPTIONS\n", "")
}

fn section(page: &mut Roff, name: &str) {
    page.control("SH", [name]);
}

/// Adds a term and its explanation.
fn entry(page: &mut Roff, term: Inline, text: &str) {
    page.control("TP", []).text([term]).text([roman(text)]);
}

fn list(page: &mut Roff, face: fn(&'static str) -> Inline, items: &[(&'static str, &str)]) {
    for (term, text) in items {
        entry(page, face(term), text);
    }
}

fn environment(page: &mut Roff) {
    section(page, "ENVIRONMENT");
    page.text([roman(
        "A flag overrides its variable, which overrides the file of --config.file, which overrides the projects' own files. \
         Commas separate the items of a list. An empty variable counts as not set.",
    )]);
    let file = bold(key::variable(key::CONFIG_FILE));
    entry(page, file, &format!("As --{}.", key::CONFIG_FILE));
    for key in KEYS {
        let text = if key.has_flag() {
            format!("As --{}.", key.name)
        } else {
            format!("{}.", key.help)
        };
        entry(page, bold(key.variable()), &text);
    }
    list(page, bold, &VARIABLES);
}

fn exit_status(page: &mut Roff, entries: &[Entry]) {
    section(page, "EXIT STATUS");
    page.text([roman(
        "0 on success, 1 if the command line or the configuration is invalid, with these exceptions:",
    )]);
    for command in entries {
        let codes = command.exit_codes.iter();
        let codes = codes.map(|(code, meaning)| format!("{code}: {meaning}"));
        let codes: Vec<String> = codes.collect();
        if !codes.is_empty() {
            entry(page, bold(command.name), &format!("{}.", codes.join("; ")));
        }
    }
}

fn examples(page: &mut Roff, entries: &[Entry]) {
    section(page, "EXAMPLES");
    for (purpose, arguments) in entries.iter().flat_map(|entry| entry.examples) {
        page.control("TP", [])
            .text([roman(format!("{purpose}:"))])
            .control("nf", [])
            .text([roman(format!("{NAME} {arguments}"))])
            .control("fi", []);
    }
}
