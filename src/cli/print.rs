//! `print`: the embedded files, the grants and the references.

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::embedded;
use super::entry::{Entry, option};
use super::outcome::{Failure, Outcome, WRONG, write};
use crate::config::reference;
use crate::database::grant;
use crate::project;
use crate::publish::table;

pub(super) const ENTRY: Entry = Entry {
    examples: &[
        (
            "Grant a MariaDB user only what the exporter reads",
            "print grants --user heartbeat | mariadb",
        ),
        (
            "Write the alerts to a file for Prometheus",
            "print rules > heartbeat.rules.yml",
        ),
    ],
    ..Entry::new("print", describe, |matches, _| run(matches))
};

/// The parts without flags, and their help.
const PLAIN: [(&str, &str); 4] = [
    (
        "alertmanager",
        "Example Alertmanager configuration that groups related alerts",
    ),
    ("dashboard", "Grafana dashboard in JSON"),
    ("metrics", "Reference of all metrics in Markdown"),
    ("settings", "Reference of all settings in Markdown"),
];

fn describe(command: Command) -> Command {
    command
        .about("Prints grants, alerts, a dashboard or a reference")
        .subcommand_required(true)
        .subcommand(grants_command())
        .subcommand(rules_command())
        .subcommands(PLAIN.map(|(name, about)| Command::new(name).about(about)))
}

fn grants_command() -> Command {
    let names = project::ALL.iter().map(|project| project.name);
    let engine = option("engine", "ENGINE", "mysql", "SQL dialect");
    let host = "Host that the user connects from (MySQL)";
    Command::new("grants")
        .about("SQL statements that grant a user only what the exporter reads")
        .arg(engine.value_parser(["mysql", "mariadb", "postgresql"]))
        .arg(
            Arg::new("project")
                .value_name("PROJECT")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(names))
                .help("Projects whose tables are read [default: all]"),
        )
        .arg(
            Arg::new("database")
                .long("database")
                .value_name("NAME")
                .help("Database name, with one project [default: the project's name]"),
        )
        .arg(option(
            "schema",
            "NAME",
            grant::DEFAULT_SCHEMA,
            "Schema of the tables (PostgreSQL)",
        ))
        .arg(option("user", "NAME", "heartbeat", "User name"))
        .arg(option("host", "HOST", "%", host))
}

fn rules_command() -> Command {
    let help = "Rule file, or PrometheusRule for the Prometheus Operator";
    let format = option("format", "FORMAT", "prometheus", help);
    Command::new("rules")
        .about("Prometheus alerts and recording rules")
        .arg(format.value_parser(["prometheus", "kubernetes"]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let text = match matches.subcommand() {
        Some(("grants", matches)) => grants(matches)?,
        Some(("rules", matches)) => match matches.get_one::<String>("format").map(String::as_str) {
            Some("kubernetes") => embedded::prometheus_rule(),
            _ => embedded::RULES.to_owned(),
        },
        Some(("alertmanager", _)) => embedded::ALERTMANAGER.to_owned(),
        Some(("dashboard", _)) => embedded::DASHBOARD.to_owned(),
        Some(("settings", _)) => reference::markdown(),
        _ => table::reference(),
    };
    write(&text, WRONG)
}

fn grants(matches: &ArgMatches) -> Result<String, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let user = text("user");
    let is_given = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let (foreign, engine) = match text("engine") {
        "postgresql" => ("host", "mysql or mariadb"),
        _ => ("schema", "postgresql"),
    };
    if is_given(foreign) {
        let message = format!("--{foreign} needs --engine {engine}");
        return Err(Failure::of(message, WRONG));
    }
    let given = matches.get_many::<String>("project").into_iter().flatten();
    let mut projects: Vec<_> = given.filter_map(|name| project::find(name)).collect();
    let database = matches.get_one::<String>("database");
    if database.is_some() && projects.len() != 1 {
        return Err(Failure::of(
            "--database needs the name of one project",
            WRONG,
        ));
    }
    if projects.is_empty() {
        projects = project::ALL.to_vec();
    }
    let databases: Vec<_> = projects
        .into_iter()
        .map(|it| (it, database.map_or(it.name, String::as_str)))
        .collect();
    Ok(match text("engine") {
        "postgresql" => grant::postgres(&databases, text("schema"), user),
        _ => grant::mysql(&databases, user, text("host")),
    })
}
