//! Steps that several commands begin with: settings, warnings, web access, the async runtime.

use std::time::Duration;

use clap::ArgMatches;
use tokio::runtime::Builder;

use super::flags;
use super::outcome::{Failure, WRONG, failure, invalid, warning, write_stderr};
use crate::config::search::Search;
use crate::config::settings::Settings;
use crate::database;
use crate::source::finding::Finding;
use crate::source::search::find;
use crate::web::access::Access;

/// Loads the settings from the flags and every other source.
pub(super) fn settings(matches: &ArgMatches, code: u8) -> Result<Settings, Failure> {
    Settings::load(flags::given(matches)).map_err(invalid(code))
}

/// Looks for the databases, if the settings do not name them. Returns those that cannot be read too.
pub(super) async fn found(
    mut settings: Settings,
    code: u8,
) -> Result<(Settings, Vec<(String, database::Error)>), Failure> {
    let Some(search) = &settings.search else {
        return Ok((settings, Vec::new()));
    };
    let found = find(search).await.map_err(failure(code))?;
    refuse_nothing(search, &found, code)?;
    settings.sources = found.sources;
    Ok((settings, found.unreadable))
}

/// Fails with the reasons if no database of a known project was found.
pub(super) fn refuse_nothing(search: &Search, found: &Finding, code: u8) -> Result<(), Failure> {
    if !(found.sources.is_empty() && found.unreadable.is_empty()) {
        return Ok(());
    }
    let shown = search.shown();
    let message = match (search.database(), found.passed_over.first()) {
        (Some(_), Some((_, reason))) => format!(
            "{shown}: {reason}; check the name of the database in the URL, or name its project with --project"
        ),
        _ => format!(
            "{shown}: no database of a known project was found; check the grants of the user, see `print grants`, and the \
             list of `check-config --connect`"
        ),
    };
    Err(Failure::of(message, code))
}

/// Prints the warnings about the settings on standard error.
pub(super) fn warn(settings: &Settings) {
    for text in &settings.warnings {
        write_stderr(&warning(text));
    }
}

/// Reads the web configuration file, if the settings name one.
pub(super) fn access(settings: &Settings) -> Result<Access, Failure> {
    Access::new(settings.web_config.clone()).map_err(invalid(WRONG))
}

/// Runs a future to completion on `threads` worker threads; on the current thread if 0.
///
/// Tasks that still run then, such as a blocked name lookup, do not delay the end.
pub(super) fn block_on<T>(
    threads: usize,
    code: u8,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut builder = Builder::new_current_thread();
    if threads > 0 {
        builder = Builder::new_multi_thread();
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().map_err(failure(code))?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}
