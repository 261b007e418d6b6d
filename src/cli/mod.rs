//! Commands, flags and exit codes; no decisions.

mod command;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::bundle;
use crate::config::database_url::Engine;
use crate::config::fault::Fault;
use crate::config::key::{self, KEYS};
use crate::config::oslo::Place;
use crate::config::settings::{Flags, Settings};
use crate::database::{Connection, Target, chain, cinder, grant};
use crate::demo::Demo;
use crate::heartbeat::service::Reading;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};
use crate::heartbeat::tracker::Tracker;
use crate::lifecycle::Load;
use crate::metrics::table;
use crate::poller::{self, Reader};
use crate::web::access::Access;
use crate::{listing, logging, serve, systemd};

/// The configuration is wrong, or what was asked for is not there.
const WRONG: u8 = 1;
/// `services`: it can't be told; `check-config --connect`: the database can't be read.
const NO_ANSWER: u8 = 2;

/// A failure on its way to standard error and an exit code.
struct Failure {
    messages: Vec<String>,
    code: u8,
}

impl Failure {
    fn new(error: &(dyn std::error::Error + 'static), code: u8) -> Self {
        Self {
            messages: vec![chain(error)],
            code,
        }
    }

    fn configuration(faults: &[Fault], code: u8) -> Self {
        Self {
            messages: faults.iter().map(|fault| chain(fault)).collect(),
            code,
        }
    }
}

type Outcome = Result<ExitCode, Failure>;

/// Runs the program with the process's own arguments.
#[must_use]
pub fn main() -> ExitCode {
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().collect();
    // A monitoring script must not take a misspelt flag of `services` for services that are down.
    let wrong = if arguments
        .get(1)
        .is_some_and(|command| command == "services")
    {
        NO_ANSWER
    } else {
        WRONG
    };
    let matches = match command::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(wrong)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    run(&matches).unwrap_or_else(|failure| {
        for message in &failure.messages {
            let _ = writeln!(io::stderr(), "error: {message}");
        }
        ExitCode::from(failure.code)
    })
}

/// Forbids core dumps, and other programs of the same user to read the memory: it holds the password.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Where a sandbox forbids that, the password is as safe as it was.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("services", matches)) => services(matches),
        Some(("check-config", matches)) => check_config(matches),
        Some(("print", matches)) => print(matches),
        Some(("demo", matches)) => demo(matches),
        Some((_, matches)) => serve(matches),
        None => serve(matches),
    }
}

/// Returns what the flags say, the places of cinder.conf in the order they were given.
fn flags(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::default();
    let mut places: Vec<(usize, Place, String)> = Vec::new();
    for key in KEYS.iter().filter(|key| key.has_flag()) {
        // `demo` lacks most of them.
        let Ok(Some(values)) = matches.try_get_many::<String>(key.name) else {
            continue;
        };
        let origin = format!("--{}", key.name);
        let indices = matches.indices_of(key.name).into_iter().flatten();
        for (value, index) in values.zip(indices) {
            flags.layer.add(key, value, &origin);
            match key.name {
                "cinder.config-file" => {
                    places.push((index, Place::File(value.into()), origin.clone()));
                }
                "cinder.config-dir" => {
                    places.push((index, Place::Dir(value.into()), origin.clone()));
                }
                _ => {}
            }
        }
    }
    places.sort_by_key(|(index, ..)| *index);
    flags.places = places
        .into_iter()
        .map(|(_, place, origin)| (place, origin))
        .collect();
    flags.config_file = matches
        .try_get_one::<std::path::PathBuf>(key::CONFIG_FILE)
        .ok()
        .flatten()
        .cloned();
    flags
}

fn settings(matches: &ArgMatches, code: u8) -> Result<Settings, Failure> {
    Settings::load(flags(matches)).map_err(|faults| Failure::configuration(&faults, code))
}

/// Runs a future to its end; without threads all of it on this one.
///
/// What is left behind, such as a name server that does not answer, is not waited for.
fn block_on<T>(
    threads: usize,
    code: u8,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut builder = match threads {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 0 {
        builder.worker_threads(threads);
    }
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(&error, code))?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

/// Reads the web configuration file, if the settings name one.
fn access(settings: &Settings) -> Result<Access, Failure> {
    Access::new(settings.web_config.clone())
        .map_err(|faults| Failure::configuration(&faults, WRONG))
}

fn serve(matches: &ArgMatches) -> Outcome {
    let flags = flags(matches);
    let load: Load = Arc::new(move || Settings::load(flags.clone()));
    let settings = load().map_err(|faults| Failure::configuration(&faults, WRONG))?;
    let access = access(&settings)?;
    logging::start(settings.log);
    let passed = systemd::socket::passed();
    // One thread renders and polls while the other answers.
    block_on(2, WRONG, async {
        let listeners = serve::bind(&settings.listen, passed)
            .await
            .map_err(|error| Failure::new(&error, WRONG))?;
        serve::run(settings, listeners, load, access)
            .await
            .map_err(|error| Failure::new(&error, WRONG))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn services(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches, NO_ANSWER)?;
    logging::start(settings.log);
    warn(&settings);
    let wait = matches.get_one::<u64>("wait").copied().unwrap_or_default();
    let mut tracker = Tracker::new(settings.intervals, settings.tolerances);
    let mut reader = Reader::new(Target::of(&settings));
    let snapshot = block_on(0, NO_ANSWER, async {
        let snapshot = observe(&mut reader, &mut tracker, Duration::from_secs(wait)).await;
        reader.close().await;
        snapshot.map_err(|error| Failure::new(&error, NO_ANSWER))
    })?;
    let only_down = matches.get_flag("down");
    let shown = |status: &ServiceStatus| !only_down || listing::is_down(status);
    let text = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => listing::json(&snapshot, shown),
        Some("csv") => listing::csv(&snapshot, shown),
        _ => listing::table(&snapshot, shown),
    };
    write(&text, NO_ANSWER)?;
    for row in &snapshot.rejected {
        let id = row
            .id
            .map_or_else(|| "unknown".to_owned(), |id| id.to_string());
        let reason = row.defect.as_str();
        let table = row.table;
        let _ = writeln!(
            io::stderr(),
            "warning: the row of {table} with id {id} can't be read in full: {reason}"
        );
    }
    if snapshot.services.is_empty() {
        let _ = writeln!(
            io::stderr(),
            "warning: the table has no services; is it the right database?"
        );
    }
    Ok(match listing::all_up(&snapshot) {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::from(1),
        None => ExitCode::from(NO_ANSWER),
    })
}

/// Says on standard error what is odd about the settings.
fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
}

/// Polls about once a second until every service that is down has a reason, or the time is over.
async fn observe(
    reader: &mut Reader,
    tracker: &mut Tracker,
    wait: Duration,
) -> Result<Snapshot, crate::database::Error> {
    let deadline = Instant::now() + wait;
    let mut last = None;
    loop {
        // What is known already is worth more than the failure of a later poll.
        match reader.read().await {
            Ok(polled) => last = Some(tracker.observe(polled.reading, polled.read)),
            Err(error) if last.is_none() => return Err(error),
            Err(_) => {}
        }
        let is_enough =
            |snapshot: &mut Snapshot| listing::is_explained(snapshot) || Instant::now() >= deadline;
        if let Some(snapshot) = last.take_if(is_enough) {
            return Ok(snapshot);
        }
        tokio::time::sleep(poller::dithered(Duration::from_secs(1))).await;
    }
}

/// Reads once, and says on standard error what can't be read.
async fn connect(target: &Target) -> Result<Reading, Failure> {
    let failure = |error| Failure::new(&error, NO_ANSWER);
    let mut connection = Connection::open(target).await.map_err(failure)?;
    if let Some((names, grant)) = connection.left_out(target) {
        let _ = writeln!(
            io::stderr(),
            "warning: not everything can be read ({names}); an old release lacks some of it, or a grant is missing: \
             {grant}"
        );
    }
    let reading = connection.read(target).await.map_err(failure)?;
    connection.close().await;
    Ok(reading)
}

fn check_config(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches, WRONG)?;
    let mut text = String::new();
    for key in KEYS {
        for value in settings
            .effective
            .iter()
            .filter(|value| value.name == key.name)
        {
            let _ = writeln!(text, "{} = {}  ({})", value.name, value.value, value.origin);
        }
    }
    write(&text, WRONG)?;
    warn(&settings);
    access(&settings)?;
    if matches.get_flag("connect") {
        logging::start(settings.log);
        let target = Target::of(&settings);
        let reading = block_on(0, NO_ANSWER, connect(&target))?;
        let text = format!(
            "connected to {}: {} services, {} clusters, {} rows that can't be read in full\n",
            target.address(),
            reading.services.len(),
            reading.clusters.len(),
            reading.rejected.len()
        );
        write(&text, NO_ANSWER)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(matches: &ArgMatches) -> Outcome {
    let text = match matches.subcommand() {
        Some(("grants", matches)) => grants(matches),
        Some(("rules", matches)) => match matches.get_one::<String>("format").map(String::as_str) {
            Some("kubernetes") => bundle::prometheus_rule(),
            _ => bundle::RULES.to_owned(),
        },
        Some(("dashboard", _)) => bundle::DASHBOARD.to_owned(),
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

fn demo(matches: &ArgMatches) -> Outcome {
    let passed = systemd::socket::passed();
    block_on(2, WRONG, async {
        let demo = Demo::new()
            .await
            .map_err(|error| Failure::new(&error, WRONG))?;
        let mut flags = flags(matches);
        if let Some(url) = key::find("database.url") {
            let file = demo.database();
            flags.layer.add(
                url,
                format!("sqlite:///{}", file.display()),
                "the demonstration",
            );
        }
        let load: Load = Arc::new(move || {
            let mut settings = Settings::load_apart(flags.clone())?;
            // They are about a real cloud's configuration.
            settings.warnings.clear();
            Ok(settings)
        });
        let settings = load().map_err(|faults| Failure::configuration(&faults, WRONG))?;
        let access = access(&settings)?;
        logging::start(settings.log);
        let listeners = serve::bind(&settings.listen, passed)
            .await
            .map_err(|error| Failure::new(&error, WRONG))?;
        let mut text = String::from(
            "A simulated Cinder with six services: the clock of block1 is 75 s behind, the scheduler on controller \
             stopped, and the clock of network is 3 s ahead and drifts. What is proven of them takes up to a minute.\n",
        );
        for listener in &listeners {
            if let Ok(address) = listener.local_addr() {
                let host = if address.ip().is_unspecified() {
                    format!("localhost:{}", address.port())
                } else {
                    address.to_string()
                };
                let path = &settings.telemetry_path;
                let _ = writeln!(
                    text,
                    "Open http://{host}/ or http://{host}{path}; Ctrl-C ends it."
                );
            }
        }
        write(&text, WRONG)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let services = tokio::spawn(demo.run(async {
            let _ = stopped.await;
        }));
        let served = serve::run(settings, listeners, load, access).await;
        drop(stop);
        let _ = services.await;
        served.map_err(|error| Failure::new(&error, WRONG))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
fn write(text: &str, code: u8) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(&error, code)),
        _ => Ok(()),
    }
}
