//! The table of the databases that were found and passed over.

use std::fmt::Write as _;

use crate::config::source::SourceSettings;
use crate::source::search::Finding;

/// Returns a line for each database: its name, its project, and the options in use or why it is passed over.
pub(super) fn text(found: &Finding) -> String {
    let read = found.sources.iter().map(|source| {
        let note = format!("default options: {}", options(source));
        (source.name.as_str(), source.project.name, note)
    });
    let passed_over = found.passed_over.iter();
    let passed_over =
        passed_over.map(|(name, reason)| (name.as_str(), "-", format!("passed over: {reason}")));
    let mut rows = vec![("DATABASE", "PROJECT", "NOTE".to_owned())];
    rows.extend(read);
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

fn options(source: &SourceSettings) -> String {
    let options = &source.project.options;
    format!(
        "{} {} s, {} {} s",
        options.service_down_time.name,
        source.intervals.service_down_time.num_seconds(),
        options.report_interval.name,
        source.intervals.report_interval.num_seconds()
    )
}
