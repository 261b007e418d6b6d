//! How the exporter logs.

/// Severity and format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Lowest severity to log.
    pub level: tracing::Level,
    /// Format of a line.
    pub format: LogFormat,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`, as Prometheus's own programs write.
    Logfmt,
    /// One JSON object per line.
    Json,
}
