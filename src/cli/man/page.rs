//! The manual page in roff: a section after the other.

use clap::{Arg, Command};
use roff::{Inline, Roff, bold, italic, roman};

use super::argument::{explanation, sentence, term};
use super::words::{DESCRIPTION, FILES, SIGNALS, VARIABLES};
use crate::cli::command::{COMMANDS, NAME};
use crate::cli::flags;
use crate::config::key;
use crate::config::keys::KEYS;

/// Returns the whole page.
pub(super) fn roff() -> String {
    let mut page = Roff::new();
    let title = NAME.to_uppercase();
    // The date is left empty: one that is not that of the last change says less than the version.
    let version = env!("CARGO_PKG_VERSION");
    page.control(
        "TH",
        [title.as_str(), "1", "\"\"", version, "User Commands"],
    );
    section(&mut page, "NAME");
    page.text([roman(format!("{NAME} - {}", env!("CARGO_PKG_DESCRIPTION")))]);
    section(&mut page, "SYNOPSIS");
    page.text([bold(NAME), roman(" ["), italic("OPTIONS"), roman("]")]);
    page.control("br", []);
    page.text([
        bold(NAME),
        italic(" COMMAND "),
        roman("["),
        italic("OPTIONS"),
        roman("]"),
    ]);
    section(&mut page, "DESCRIPTION");
    paragraphs(&mut page, DESCRIPTION);
    commands(&mut page);
    options(&mut page);
    environment(&mut page);
    list(&mut page, "FILES", italic, &FILES);
    exit_status(&mut page);
    list(&mut page, "SIGNALS", bold, &SIGNALS);
    examples(&mut page);
    section(&mut page, "SEE ALSO");
    page.text([roman("cinder-manage(1), prometheus(1), systemd.exec(5)")]);
    page.render()
}

fn section(page: &mut Roff, name: &str) {
    page.control("SH", [name]);
}

fn paragraphs<'a>(page: &mut Roff, texts: impl IntoIterator<Item = &'a str>) -> &mut Roff {
    for (number, text) in texts.into_iter().enumerate() {
        if number > 0 {
            page.control("PP", []);
        }
        page.text([roman(text)]);
    }
    page
}

/// A term, and what there is to say about it.
fn entry(page: &mut Roff, term: impl Into<Vec<Inline>>, text: &str) {
    page.control("TP", []).text(term).text([roman(text)]);
}

fn list(
    page: &mut Roff,
    name: &str,
    face: fn(&'static str) -> Inline,
    items: &[(&'static str, &str)],
) {
    section(page, name);
    for (term, text) in items {
        entry(page, [face(term)], text);
    }
}

/// What a command does, and the flags that it does not share with the others.
fn commands(page: &mut Roff) {
    section(page, "COMMANDS");
    for entry in COMMANDS {
        let mut command = entry.command();
        command.build();
        of_command(page, &command, command.get_name());
        for part in command
            .get_subcommands()
            .filter(|part| part.get_name() != "help")
        {
            of_command(page, part, &format!("{} {}", entry.name, part.get_name()));
        }
    }
}

fn of_command(page: &mut Roff, command: &Command, name: &str) {
    page.control("SS", [name]);
    match command.get_long_about() {
        None => page.text([roman(sentence(command.get_about()))]),
        Some(about) => paragraphs(page, about.to_string().split("\n\n")),
    };
    for argument in command
        .get_arguments()
        .filter(|argument| !is_shared(argument))
    {
        entry(page, term(argument), &explanation(argument));
    }
}

/// Returns whether a flag is that of a setting, or one that every command has.
fn is_shared(argument: &Arg) -> bool {
    let id = argument.get_id().as_str();
    id.contains('.') || ["help", "version"].contains(&id)
}

/// The settings, in their groups.
fn options(page: &mut Roff) {
    section(page, "OPTIONS");
    page.text([roman("All commands that need them take these:")]);
    let mut group = None;
    for flag in flags::all() {
        if flag.get_help_heading() != group.as_deref() {
            group = flag.get_help_heading().map(str::to_owned);
            page.control("SS", [group.as_deref().unwrap_or_default()]);
        }
        entry(page, term(&flag), &explanation(&flag));
    }
}

fn environment(page: &mut Roff) {
    section(page, "ENVIRONMENT");
    page.text([roman(
        "A flag beats its variable, which beats the file of --config.file, which beats cinder.conf. A list is \
         separated by commas. A variable that is empty counts as not set.",
    )]);
    let file = (
        key::variable(key::CONFIG_FILE),
        format!("As --{}.", key::CONFIG_FILE),
    );
    let settings = KEYS.iter().map(|key| {
        let text = if key.has_flag() {
            format!("As --{}.", key.name)
        } else {
            format!("{}.", key.help)
        };
        (key.variable(), text)
    });
    for (name, text) in std::iter::once(file).chain(settings) {
        entry(page, [bold(name)], &text);
    }
    for (name, text) in VARIABLES {
        entry(page, [bold(name)], text);
    }
}

fn exit_status(page: &mut Roff) {
    section(page, "EXIT STATUS");
    page.text([roman(
        "0 where nothing is wrong, and 1 where the command line or the configuration is, but for these:",
    )]);
    for command in COMMANDS {
        let codes = command.exit_codes.iter();
        let codes: Vec<String> = codes
            .map(|(code, meaning)| format!("{code}: {meaning}"))
            .collect();
        if !codes.is_empty() {
            entry(
                page,
                [bold(command.name)],
                &format!("{}.", codes.join("; ")),
            );
        }
    }
}

fn examples(page: &mut Roff) {
    section(page, "EXAMPLES");
    for (purpose, arguments) in COMMANDS.iter().flat_map(|command| command.examples) {
        page.control("TP", [])
            .text([roman(format!("{purpose}:"))])
            .control("nf", [])
            .text([roman(format!("{NAME} {arguments}"))])
            .control("fi", []);
    }
}
