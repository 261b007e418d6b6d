//! The command line as users see it: help, mistakes, completions, the manual.

use std::process::{Command, Stdio};

use openstack_heartbeat_exporter::config::keys::KEYS;

use crate::binary::outcome;
use crate::support::exporter::PROGRAM;
use crate::support::folder;
use crate::support::terminal::Terminal;

const NAME: &str = env!("CARGO_PKG_NAME");

const COMMANDS: [&str; 13] = [
    "",
    "serve",
    "services",
    "check-config",
    "healthcheck",
    "print",
    "print grants",
    "print rules",
    "print alertmanager",
    "print dashboard",
    "demo",
    "completions",
    "man",
];

/// Runs a checker on one of our texts; returns its findings, except the one that is intended.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    // The manual has a version in place of a date.
    let said: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("missing date"))
        .collect();
    said.join("\n")
}

#[test]
fn help_fits_a_terminal_and_a_summary_is_shorter() {
    for command in COMMANDS {
        let mut lengths = Vec::new();
        for flag in ["-h", "--help"] {
            let line = format!("{PROGRAM} {command} {flag}");
            let (code, help) = Terminal::run(80, &line, &[("NO_COLOR", "1")]).end();
            assert_eq!(code, 0, "{help}");
            assert!(help.contains("Usage: "), "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
            lengths.push(help.lines().count());
        }
        assert!(lengths[0] <= lengths[1], "{command}: {lengths:?}");
    }
    let summary = outcome(&["services", "-h"], &[]).stdout;
    let help = outcome(&["services", "--help"], &[]).stdout;
    for (shown, by_summary, by_help) in [
        ("--watch", true, true),
        ("Exit codes:", true, true),
        ("Examples:", false, true),
        ("--database.url-file", false, true),
        // Accepted without effect, and hidden.
        ("--web.listen-address", false, false),
    ] {
        assert_eq!(summary.contains(shown), by_summary, "{shown}\n{summary}");
        assert_eq!(help.contains(shown), by_help, "{shown}\n{help}");
    }
}

#[test]
fn a_flag_of_grants_that_fits_nothing_is_refused() {
    for (arguments, expected) in [
        ("--schema cin", "--schema needs --engine postgresql"),
        (
            "--engine postgresql --host 10.%",
            "--host needs --engine mysql or mariadb",
        ),
        (
            "--database volumes",
            "--database needs the name of one project",
        ),
        (
            "cinder manila --database volumes",
            "--database needs the name of one project",
        ),
    ] {
        let arguments: Vec<&str> = ["print", "grants"]
            .into_iter()
            .chain(arguments.split(' '))
            .collect();
        let refused = outcome(&arguments, &[]);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    let allowed = ["print", "grants", "--engine", "postgresql", "--schema", "s"];
    assert_eq!(outcome(&allowed, &[]).code, 0);
}

/// The answer to each mistake has its place and the probable intention.
#[test]
fn a_mistake_is_reported_with_its_place_and_the_nearest_word() {
    let file = folder("mistakes").join("s.yaml");
    let text = "pol: {interval: 5s}\nlog:\n  level: loud\nweb.listen-address: 10390\n";
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let fault = |line, what| format!("error: {file}:{line}: {what}");
    let known = "'OPENSTACK_HEARTBEAT_".replace('\'', "`");
    for (arguments, variable, expected) in [
        ("--poll.intervall=5s", "", vec!["'--poll.interval'".into()]),
        ("servces", "", vec!["'serve', 'services'".into()]),
        ("print ruels", "", vec!["'rules'".into()]),
        ("completions fsh", "", vec!["'fish'".into()]),
        (
            "check-config --log.level debg",
            "",
            vec!["'--log.level <LEVEL>'".into(), "'debug'".into()],
        ),
        (
            "check-config",
            "POL_INTERVAL",
            vec![
                "OPENSTACK_HEARTBEAT_POL_INTERVAL does not match any setting".into(),
                format!("did you mean {known}POLL_INTERVAL`?"),
            ],
        ),
        (
            "check-config",
            "DATABSE_URL",
            vec![
                "no database is configured".into(),
                format!("did you mean {known}DATABASE_URL`?"),
            ],
        ),
        (
            &format!("check-config --poll.interval 5x --config.file {file}"),
            "",
            vec![
                fault(
                    1,
                    "unknown setting `pol.interval`; did you mean `poll.interval`?",
                ),
                fault(
                    3,
                    "`log.level` is `loud`; expected debug, info, warn or error",
                ),
                fault(
                    4,
                    "`web.listen-address` is `10390`; expected an address such as :10390,",
                ),
                "error: --poll.interval: `poll.interval` is `5x`; expected a duration".into(),
            ],
        ),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let variable = format!("OPENSTACK_HEARTBEAT_{variable}");
        let environment = [(variable.as_str(), "x")];
        let given = usize::from(!variable.ends_with('_'));
        let wrong = outcome(&arguments, &environment[..given]);
        assert_eq!(wrong.code, 1, "{arguments:?}");
        for expected in expected {
            let said = &wrong.stderr;
            assert!(said.contains(&expected), "{expected} is not in\n{said}");
        }
    }
}

#[test]
fn shells_complete_commands_flags_and_values() {
    let folder = folder("completions");
    let file = |shell| {
        let completions = outcome(&["completions", shell], &[]);
        assert_eq!(completions.code, 0, "{}", completions.stderr);
        // zsh finds the completion by this name.
        let file = folder.join(shell).join(format!("_{NAME}"));
        std::fs::create_dir(folder.join(shell)).unwrap();
        std::fs::write(&file, completions.stdout).unwrap();
        let file = file.display().to_string();
        assert_eq!(said_by(shell, &["-n", &file]), "", "{shell}");
        file
    };
    let bash = format!("source {}\n", file("bash"));
    file("zsh");
    let zsh = format!(
        "fpath=({} $fpath); autoload -U compinit; compinit -u -D\n",
        folder.join("zsh").display()
    );
    for (shell, preparation) in [("exec bash --norc --noprofile", bash), ("exec zsh -f", zsh)] {
        let mut shell = Terminal::run(200, shell, &[]);
        shell.types(&preparation);
        for (typed, completed) in [
            ("hea", "healthcheck"),
            ("services --for", "services --format"),
            ("services --format j", "services --format json"),
            ("--log.level d", "--log.level debug"),
            ("print das", "print dashboard"),
        ] {
            shell.types(&format!("{NAME} {typed}\t"));
            shell.shows(&format!("{NAME} {completed}"));
            // Erases the line.
            shell.types("\u{15}");
        }
    }
    let fish = file("fish");
    for (typed, completed) in [
        ("serv", &["serve", "services"][..]),
        ("services --for", &["--format"]),
        ("serve --log.level d", &["debug"]),
        ("print das", &["dashboard"]),
    ] {
        let script = format!("source {fish}; complete -C '{NAME} {typed}'");
        let found = said_by("fish", &["--no-config", "-c", &script]);
        let words = found.lines().map(|line| line.split('\t').next().unwrap());
        assert_eq!(words.collect::<Vec<_>>(), completed, "{typed}");
    }
}

#[test]
fn the_manual_is_valid_and_complete() {
    let manual = outcome(&["man"], &[]);
    assert_eq!(manual.code, 0, "{}", manual.stderr);
    let file = folder("man").join("page.1");
    std::fs::write(&file, &manual.stdout).unwrap();
    let file = file.display().to_string();
    assert_eq!(
        said_by("mandoc", &["-T", "lint", "-W", "warning", &file]),
        ""
    );
    assert_eq!(said_by("groff", &["-man", "-ww", "-z", &file]), "");
    let page = said_by("mandoc", &["-T", "ascii", "-O", "width=200", &file]);
    // Bold and underlined letters are typed twice.
    let page = untyped(&page);
    for section in [
        "NAME",
        "SYNOPSIS",
        "COMMANDS",
        "OPTIONS",
        "ENVIRONMENT",
        "FILES",
        "EXIT STATUS",
        "SIGNALS",
        "EXAMPLES",
    ] {
        assert!(
            page.lines().any(|line| line == section),
            "{section}\n{page}"
        );
    }
    for command in COMMANDS {
        assert!(page.contains(&format!("\n   {command}")), "{command}");
    }
    for key in KEYS {
        assert!(page.contains(&key.variable()), "{}", key.name);
        let flag = format!("As --{}.", key.name);
        assert_eq!(page.contains(&flag), key.has_flag(), "{flag}");
    }
}

/// Removes the overstrikes that make letters bold or underlined.
fn untyped(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        if letter == '\u{8}' {
            plain.pop();
        } else {
            plain.push(letter);
        }
    }
    plain
}
