//! The table of the databases that were found and passed over.

use std::fmt::Write as _;

use crate::config::source::SourceSettings;
use crate::source::finding::Finding;

/// Returns a line for each database: its name, its project, and the options in use or why it is passed over.
pub(super) fn text(found: &Finding) -> String {
    let read = found
        .sources
        .iter()
        .map(|source| (source.name.as_str(), source.project.name, options(source)));
    let unreadable = found.unreadable.iter();
    let unreadable =
        unreadable.map(|(name, _)| (name.as_str(), "?", "cannot be read, see below".to_owned()));
    let passed_over = found.passed_over.iter();
    let passed_over =
        passed_over.map(|(name, reason)| (name.as_str(), "-", format!("passed over: {reason}")));
    let mut rows = vec![("DATABASE", "PROJECT", "NOTE".to_owned())];
    rows.extend(read);
    rows.extend(unreadable);
    rows.extend(passed_over);
    let width = |cell: fn(&(&str, &str, String)) -> usize| rows.iter().map(cell).max();
    let name = width(|row| row.0.chars().count()).unwrap_or_default();
    let project = width(|row| row.1.len()).unwrap_or_default();
    let mut text = String::from("\n");
    for (database, of, note) in &rows {
        let _ = writeln!(text, "{database:name$}  {of:project$}  {note}");
    }
    text.push('\n');
    text
}

/// Returns the options in use, and whether they are the defaults of the project.
fn options(source: &SourceSettings) -> String {
    let assumed = source.assumed();
    let options = &source.project.options;
    let intervals = &source.intervals;
    let values = [
        (&options.service_down_time, intervals.service_down_time),
        (&options.report_interval, intervals.report_interval),
    ];
    let values = values.map(|(option, value)| {
        let is_assumed = assumed.iter().any(|(name, _)| *name == option.name);
        let origin = if is_assumed { " (default)" } else { "" };
        format!("{} {} s{origin}", option.label(), value.num_seconds())
    });
    values.join(", ")
}
