//! `print`: the embedded files, the grants and the references.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::embedded;
use super::entry::{Entry, option};
use super::outcome::{Outcome, WRONG, write};
use crate::config::database_url::Engine;
use crate::config::reference;
use crate::database::grant;
use crate::project::cinder;
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

fn describe(command: Command) -> Command {
    command
        .about("Prints grants, alerts, a dashboard or a reference")
        .subcommand_required(true)
        .subcommand(grants_command())
        .subcommand(rules_command())
        .subcommand(
            Command::new("alertmanager")
                .about("Example Alertmanager configuration that groups related alerts"),
        )
        .subcommand(Command::new("dashboard").about("Grafana dashboard in JSON"))
        .subcommand(Command::new("metrics").about("Reference of all metrics in Markdown"))
        .subcommand(Command::new("settings").about("Reference of all settings in Markdown"))
}

fn grants_command() -> Command {
    Command::new("grants")
        .about("SQL statements that grant a user only what the exporter reads")
        .arg(
            option("engine", "ENGINE", "mysql", "SQL dialect")
                .value_parser(["mysql", "postgresql"]),
        )
        .arg(option("database", "NAME", "cinder", "Database name"))
        .arg(option("user", "NAME", "heartbeat", "User name"))
        .arg(option(
            "host",
            "HOST",
            "%",
            "Host that the user connects from (MySQL)",
        ))
}

fn rules_command() -> Command {
    let format = option(
        "format",
        "FORMAT",
        "prometheus",
        "Rule file, or PrometheusRule for the Prometheus Operator",
    );
    Command::new("rules")
        .about("Prometheus alerts and recording rules")
        .arg(format.value_parser(["prometheus", "kubernetes"]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let text = match matches.subcommand() {
        Some(("grants", matches)) => grants(matches),
        Some(("rules", matches)) => match matches.get_one::<String>("format").map(String::as_str) {
            Some("kubernetes") => embedded::prometheus_rule(),
            _ => embedded::RULES.to_owned(),
        },
        Some(("alertmanager", _)) => embedded::ALERTMANAGER.to_owned(),
        Some(("dashboard", _)) => embedded::DASHBOARD.to_owned(),
        Some(("settings", _)) => reference::markdown(),
        _ => table::reference(),
    };
    write(&text, WRONG)?;
    Ok(ExitCode::SUCCESS)
}

fn grants(matches: &ArgMatches) -> String {
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let (engine, account) = match text("engine") {
        "postgresql" => (Engine::Postgres, grant::postgres_role(text("user"))),
        _ => (
            Engine::MySql,
            grant::mysql_account(text("user"), text("host")),
        ),
    };
    let statements = grant::statements(engine, &cinder::LAYOUT, text("database"), &account);
    let mut lines = statements.unwrap_or_default();
    lines.push(String::new());
    lines.join("\n")
}
