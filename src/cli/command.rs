//! The whole command line, made from the table of settings.

use clap::{Arg, ArgAction, Command, value_parser};

use crate::config::key::{self, KEYS};

/// Returns all commands with their flags and help.
pub(super) fn command() -> Command {
    let version = format!(
        "{} (revision {}, rustc {})",
        env!("CARGO_PKG_VERSION"),
        env!("BUILD_REVISION"),
        env!("BUILD_RUSTC")
    );
    Command::new(env!("CARGO_PKG_NAME"))
        .version(version)
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help(
            "Every flag with a dot has an environment variable: --poll.interval is \
             OPENSTACK_HEARTBEAT_POLL_INTERVAL. The same names stand in the YAML file of --config.file. Flags beat \
             the environment, which beats the file, which beats cinder.conf.",
        )
        .args_conflicts_with_subcommands(true)
        .args(settings())
        .subcommand(
            Command::new("serve")
                .about("Polls and serves; what is done without a command")
                .args(settings()),
        )
        .subcommand(services())
        .subcommand(check_config())
        .subcommand(print())
        .subcommand(
            Command::new("demo")
                .about("Serves a simulated Cinder: six services, one with its clock off, one stopped")
                .args(settings().filter(|flag| {
                    let name = flag.get_id().as_str();
                    ["web.", "log.", "poll."].iter().any(|group| name.starts_with(group))
                })),
        )
}

fn services() -> Command {
    Command::new("services")
        .about(
            "Lists the services, and why some are down; exit code 0: all enabled ones up, 1: some down, 2: can't tell",
        )
        .arg(
            option("format", "FORMAT", "table", "How to list them")
                .value_parser(["table", "json", "csv"]),
        )
        .arg(switch("down", "List only services that are down"))
        .arg(
            option("wait", "SECONDS", "25", "How long to observe, at most, until each service that is down has a reason")
                .value_parser(value_parser!(u64).range(..=3600)),
        )
        .args(settings())
}

fn check_config() -> Command {
    Command::new("check-config")
        .about("Prints every effective value with its origin; exit code 1: wrong, 2: no connection")
        .arg(switch(
            "connect",
            "Also connect, log in, and read the heartbeats once",
        ))
        .args(settings())
}

fn print() -> Command {
    let grants = Command::new("grants")
        .about("Statements that give a database user just what the exporter reads")
        .arg(
            option("engine", "ENGINE", "mysql", "Dialect of the statements")
                .value_parser(["mysql", "postgresql"]),
        )
        .arg(option("database", "NAME", "cinder", "Name of the database"))
        .arg(option("user", "NAME", "heartbeat", "Name of the user"))
        .arg(option(
            "host",
            "HOST",
            "%",
            "Where the user may come from (MySQL)",
        ));
    let rules = Command::new("rules")
        .about("Alerts and recording rules for Prometheus")
        .arg(
            option(
                "format",
                "FORMAT",
                "prometheus",
                "A file for Prometheus, or a PrometheusRule for its operator",
            )
            .value_parser(["prometheus", "kubernetes"]),
        );
    Command::new("print")
        .about("Prints what the exporter brings along")
        .subcommand_required(true)
        .subcommand(grants)
        .subcommand(rules)
        .subcommand(Command::new("dashboard").about("A dashboard for Grafana, in JSON"))
        .subcommand(Command::new("metrics").about("The reference of all metrics, in Markdown"))
}

fn option(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .default_value(default)
        .help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// Returns a flag for every setting that may have one, and `--config.file`.
fn settings() -> impl Iterator<Item = Arg> {
    let file = Arg::new(key::CONFIG_FILE)
        .long(key::CONFIG_FILE)
        .value_name("FILE")
        .value_parser(value_parser!(std::path::PathBuf))
        .help("YAML file with any of these settings");
    let flags = KEYS.iter().filter(|key| key.has_flag()).map(|key| {
        let help = match key.default {
            Some(default) => format!("{} [default: {default}]", key.help),
            None => key.help.to_owned(),
        };
        let action = if key.list {
            ArgAction::Append
        } else {
            ArgAction::Set
        };
        let flag = Arg::new(key.name)
            .long(key.name)
            .value_name(key.value_name)
            .action(action)
            .help_heading(key.group)
            .help(help);
        if key.switch {
            flag.num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
        } else {
            flag
        }
    });
    std::iter::once(file).chain(flags)
}
