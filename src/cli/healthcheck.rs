//! `healthcheck`: the health check for Docker. The image has no other HTTP client.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::entry::{Entry, switch};
use super::flags;
use super::outcome::{Failure, Outcome, WRONG, failure, invalid, warning, write, write_stderr};
use super::probe::Probe;
use super::startup::block_on;
use crate::config::listen_address::Listen;
use crate::config::listening::Listening;
use crate::error::chain;

pub(super) const ENTRY: Entry = Entry {
    exit_codes: &[
        (0, "the exporter is healthy (--ready: ready)"),
        (1, "it is not, or gives no answer within five seconds"),
    ],
    ..Entry::new("healthcheck", describe, |matches, _| run(matches))
};

fn describe(command: Command) -> Command {
    let help = "Check that the first poll has ended, successful or not";
    command
        .about("Checks that the exporter on this machine is healthy")
        .long_about(
            "Checks that the exporter on this machine is healthy, at each address that it listens on.\n\nThe check needs \
             no database. It uses only the settings that give the listen addresses. Over TLS it accepts any server \
             certificate. A server that requires a client certificate counts as healthy: it must be running to ask.",
        )
        .arg(switch("ready", help))
        .args(flags::used(&[
            "web.listen-address",
            "web.systemd-socket",
            "web.config.file",
        ]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let listening = Listening::load(flags::given(matches)).map_err(invalid(WRONG))?;
    for fault in &listening.faults {
        write_stderr(&warning(chain(fault)));
    }
    let Listen::Addresses(addresses) = &listening.listen else {
        let message = "web.systemd-socket is set, so only systemd knows the address; pass \
                       --web.systemd-socket=false --web.listen-address ADDRESS";
        return Err(Failure::of(message, WRONG));
    };
    block_on(0, WRONG, async {
        for address in addresses {
            let probe = Probe {
                address,
                of_readiness: matches.get_flag("ready"),
                may_use_tls: listening.has_web_config,
            };
            let answer = probe.check().await.map_err(failure(WRONG))?;
            write(answer + "\n", WRONG)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
