//! `healthcheck`: what Docker runs in the exporter's container, where nothing else could ask.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::entry::{Entry, switch};
use super::flags;
use super::outcome::{Failure, Outcome, WRONG, say, warning, write};
use super::probe::{self, Question, Security};
use super::startup::block_on;
use crate::config::listen_address::Listen;
use crate::config::listening::Listening;
use crate::error::chain;

pub(super) const ENTRY: Entry = Entry {
    exit_codes: &[
        (0, "the exporter is healthy, or ready with --ready"),
        (1, "it is not, or there is no answer within five seconds"),
    ],
    ..Entry::new("healthcheck", describe, |matches, _| run(matches))
};

fn describe(command: Command) -> Command {
    command
        .about("Asks the exporter on this machine whether it is healthy")
        .long_about(
            "Asks the exporter on this machine whether it is healthy, at each address that it listens on.\n\nIt needs no \
             database, and of the settings those alone that say where the exporter listens. By TLS it takes any \
             certificate. A server that asks it for a certificate of its own counts as healthy: only one that lives can \
             ask.",
        )
        .arg(switch(
            "ready",
            "Ask whether it has polled, with whatever result",
        ))
        .args(flags::of_use(&[
            "web.listen-address",
            "web.systemd-socket",
            "web.config.file",
        ]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let listening = Listening::load(flags::given(matches))
        .map_err(|faults| Failure::configuration(&faults, WRONG))?;
    for fault in &listening.faults {
        say(&warning(chain(fault)));
    }
    let Listen::Addresses(addresses) = &listening.listen else {
        let message = "web.systemd-socket is set, and only systemd knows the address; give it by \
                       --web.systemd-socket=false --web.listen-address ADDRESS";
        return Err(Failure::of(message, WRONG));
    };
    let question = if matches.get_flag("ready") {
        Question::Ready
    } else {
        Question::Healthy
    };
    let security = if listening.has_web_config {
        Security::Possible
    } else {
        Security::None
    };
    block_on(0, WRONG, async {
        for address in addresses {
            let asked = probe::ask(address, question, security).await;
            let answer = asked.map_err(|error| Failure::new(&error, WRONG))?;
            write(answer + "\n", WRONG)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
