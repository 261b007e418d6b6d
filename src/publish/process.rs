//! The standard process metrics, read from /proc whenever own metrics are gathered.
//!
//! The process collector of the crate `prometheus` counts processor time in whole seconds, too coarse for a
//! process that uses less than one an hour. Outside Linux there are no such metrics.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

/// Collects the metrics named `process_*`.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    /// A collector may omit its descriptions; this one learns what is readable only when it collects.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Unreadable values are omitted.
        #[cfg(target_os = "linux")]
        return linux::collect().unwrap_or_default();
        #[cfg(not(target_os = "linux"))]
        Vec::new()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process};
    use procfs::{ProcResult, WithCurrentSystemInfo as _};
    use prometheus::core::Collector as _;
    use prometheus::proto::MetricFamily;
    use prometheus::{Counter, Gauge, Opts};

    use crate::publish::metric::{Kind, Metric};
    use crate::publish::table;

    #[expect(
        clippy::cast_precision_loss,
        reason = "sizes and ticks are far below 2^53, and the exposition knows no other number"
    )]
    pub(super) fn collect() -> ProcResult<Vec<MetricFamily>> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let per_second = procfs::ticks_per_second() as f64;
        let seconds = |ticks: u64| ticks as f64 / per_second;
        let start_time = procfs::boot_time_secs()? as f64 + seconds(stat.starttime);
        let resident = stat.rss_bytes().get() as f64;
        let mut values = vec![
            (&table::PROCESS_CPU, seconds(stat.utime + stat.stime)),
            (&table::PROCESS_OPEN_FDS, process.fd_count()? as f64),
            (&table::PROCESS_VIRTUAL_MEMORY, stat.vsize as f64),
            (&table::PROCESS_RESIDENT_MEMORY, resident),
            (&table::PROCESS_THREADS, stat.num_threads as f64),
            (&table::PROCESS_START_TIME, start_time),
        ];
        if let LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            values.push((&table::PROCESS_MAX_FDS, limit as f64));
        }
        let families = values
            .into_iter()
            .flat_map(|(metric, value)| family(metric, value));
        Ok(families.flatten().collect())
    }

    fn family(metric: &Metric, value: f64) -> prometheus::Result<Vec<MetricFamily>> {
        let options = Opts::new(metric.name, metric.help);
        if metric.kind == Kind::Counter {
            let counter = Counter::with_opts(options)?;
            counter.inc_by(value);
            return Ok(counter.collect());
        }
        let gauge = Gauge::with_opts(options)?;
        gauge.set(value);
        Ok(gauge.collect())
    }
}
