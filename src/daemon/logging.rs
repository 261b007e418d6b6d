//! The log on standard error, as logfmt or JSON.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, reload};

use crate::config::values::{Log, LogFormat};

/// The filter of the running log.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging. A second call changes nothing.
pub(crate) fn start(log: Log) {
    let (filter, handle) = reload::Layer::new(filter(log.level));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match log.format {
        LogFormat::Logfmt => layer.event_format(Logfmt).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
    if started.is_ok() {
        let _ = FILTER.set(handle);
        log_panics();
    }
}

/// Changes the lowest severity that is logged.
pub(crate) fn set_level(level: Level) {
    if let Some(handle) = FILTER.get() {
        // It fails only if the log no longer exists.
        let _ = handle.reload(filter(level));
    }
}

/// Returns the filter for a level; other crates log at WARN or above.
///
/// At debug, the database drivers log statements, and events that the exporter logs itself.
fn filter(level: Level) -> Targets {
    let level = LevelFilter::from_level(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Logs panics in the format of the log; the default hook writes another format.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or_default();
        tracing::error!(location, message, "panicked");
    }));
}

/// The line format of Prometheus 3: `time=… level=INFO msg="…" key=value`.
///
/// The crate tracing-logfmt is not used because it escapes apostrophes. Database servers quote names with apostrophes,
/// and no reader of logfmt understands the escapes.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        line.write_str("time=")?;
        SystemTime.format_time(&mut line)?;
        write!(line, " level={}", event.metadata().level())?;
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        writeln!(line, "{}", fields.0)
    }
}

/// The fields of an event, each preceded by a space.
struct Fields(String);

impl Fields {
    fn pair(&mut self, field: &Field, value: &str) {
        let name = match field.name() {
            "message" => "msg",
            name => name,
        };
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push('=');
        push_value(&mut self.0, value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.pair(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.pair(field, &format!("{value:?}"));
    }
}

/// Appends a value, quoted where a reader would otherwise misparse it.
fn push_value(line: &mut String, value: &str) {
    let plain = |c: char| c > ' ' && c != '=' && c != '"' && c != '\\' && !c.is_control();
    if !value.is_empty() && value.chars().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for character in value.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_necessary() {
        for (value, expected) in [
            ("127.0.0.1:3306", "127.0.0.1:3306"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("user 'x'@'%'", "\"user 'x'@'%'\""),
            ("say \"hi\"\n", "\"say \\\"hi\\\"\\n\""),
            ("back\\slash", "\"back\\\\slash\""),
            ("\u{1b}[31m", "\"\\u001b[31m\""),
            ("日本", "日本"),
        ] {
            let mut line = String::new();
            push_value(&mut line, value);
            assert_eq!(line, expected);
        }
    }
}
