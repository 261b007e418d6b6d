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
    use prometheus::proto::{self, MetricFamily, MetricType};

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
        let mut families = vec![
            family(&table::PROCESS_CPU, seconds(stat.utime + stat.stime)),
            family(&table::PROCESS_OPEN_FDS, process.fd_count()? as f64),
            family(&table::PROCESS_VIRTUAL_MEMORY, stat.vsize as f64),
            family(&table::PROCESS_RESIDENT_MEMORY, resident),
            family(&table::PROCESS_THREADS, stat.num_threads as f64),
            family(&table::PROCESS_START_TIME, start_time),
        ];
        if let LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            families.push(family(&table::PROCESS_MAX_FDS, limit as f64));
        }
        Ok(families)
    }

    fn family(metric: &Metric, value: f64) -> MetricFamily {
        let mut sample = proto::Metric::default();
        let kind = if metric.kind == Kind::Counter {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
            MetricType::COUNTER
        } else {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
            MetricType::GAUGE
        };
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help.to_owned());
        family.set_field_type(kind);
        family.set_metric(vec![sample]);
        family
    }
}
