//! `demo`: polls and serves a simulated cloud that has lived for an hour.

mod cinder;
mod cloud;
mod hour;
mod manila;
mod service;
mod story;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use tokio::net::TcpListener;

use self::cloud::Cloud;
use super::entry::Entry;
use super::flags;
use super::outcome::{Failure, Outcome, WRONG, failure, invalid, write};
use super::startup::{access, block_on};
use crate::config::settings::Settings;
use crate::daemon::configuration::Load;
use crate::daemon::past::Pasts;
use crate::daemon::{logging, serve, systemd};

pub(super) const ENTRY: Entry = Entry::new("demo", describe, |matches, _| run(matches));

fn describe(command: Command) -> Command {
    command
        .about("Serves a simulated cloud of Cinder and Manila that has been watched for an hour")
        .args(flags::only(&["web.", "log.", "poll."]))
}

fn run(matches: &ArgMatches) -> Outcome {
    let passed = systemd::socket::passed();
    block_on(2, WRONG, async {
        let cloud = Cloud::new().await.map_err(failure(WRONG))?;
        let load = load(matches, &cloud)?;
        let settings = load().map_err(invalid(WRONG))?;
        let access = access(&settings)?;
        logging::start(settings.log);
        let bound = serve::bind(&settings.listen, passed).await;
        let listeners = bound.map_err(failure(WRONG))?;
        let pasts = pasts(&cloud, &settings).await?;
        write(welcome(&listeners, &settings), WRONG)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let services = tokio::spawn(cloud.run(async {
            let _ = stopped.await;
        }));
        let served = serve::run(settings, listeners, load, access, pasts).await;
        drop(stop);
        let _ = services.await;
        served.map_err(failure(WRONG))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns a loader of settings whose sources are the databases of the cloud.
fn load(matches: &ArgMatches, cloud: &Cloud) -> Result<Load, Failure> {
    let mut text = String::from("sources:\n");
    for (story, file) in cloud.sources() {
        let url = format!("sqlite:///{}", file.display());
        let _ = writeln!(text, "  {}: {{database: {{url: {url:?}}}}}", story.project);
    }
    let file = cloud.path("settings.yaml");
    std::fs::write(&file, text).map_err(failure(WRONG))?;
    let mut flags = flags::given(matches);
    flags.config_file = Some(file);
    Ok(Arc::new(move || {
        let mut settings = Settings::load_apart(flags.clone())?;
        // The warnings are about the configuration of a real cloud.
        settings.warnings.clear();
        Ok(settings)
    }))
}

/// Returns what the exporter would know if it had polled for an hour.
async fn pasts(cloud: &Cloud, settings: &Settings) -> Result<Pasts, Failure> {
    let mut pasts = Pasts::new();
    for (story, _) in cloud.sources() {
        let Some(source) = settings.source(story.project) else {
            continue;
        };
        let past = hour::past(story, cloud.start, source).await;
        pasts.insert(source.name.clone(), past.map_err(failure(WRONG))?);
    }
    Ok(pasts)
}

/// Returns a description of the demo, and the addresses to open.
fn welcome(listeners: &[TcpListener], settings: &Settings) -> String {
    let mut text = String::from(
        "A simulated cloud that has been watched for an hour. Cinder: the clock of block1 is 75 s behind, the scheduler on \
         controller has stopped, and the clock of network is 3 s ahead and drifts. Manila: one manila-share was shut down; \
         another was killed, and Manila still lists it as up.\n",
    );
    for address in listeners.iter().flat_map(TcpListener::local_addr) {
        let host = if address.ip().is_unspecified() {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        };
        let path = &settings.telemetry_path;
        let _ = writeln!(
            text,
            "Open http://{host}/ or http://{host}{path}. Press Ctrl-C to stop."
        );
    }
    text
}
