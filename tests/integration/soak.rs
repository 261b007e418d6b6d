//! Half an hour of ten polls a second of two thousand services: memory does not grow. Not part of `tests/run`:
//!
//! ```sh
//! tests/run --release --test integration -- --ignored --nocapture soak
//! ```
//!
//! `HEARTBEAT_TEST_SECONDS` sets another length.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use tokio::time::Instant;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, program};
use crate::support::process::{descriptors, resident};

const SERVICES: usize = 2000;
/// Nothing may grow after this time, when buffers have reached their size.
const WARM_UP: f64 = 0.2;
/// The most that may be added in an hour, which is within noise.
const MOST_GROWTH: f64 = (1 << 20) as f64;

/// One measurement of the process.
struct Sample {
    hours: f64,
    resident: f64,
    descriptors: usize,
}

/// Returns the growth of memory in an hour: the slope of the best fitting line.
fn growth(samples: &[Sample]) -> f64 {
    let mean = |value: fn(&Sample) -> f64| {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let count = samples.len() as f64;
        samples.iter().map(value).sum::<f64>() / count
    };
    let (hours, resident) = (mean(|sample| sample.hours), mean(|sample| sample.resident));
    let deviation = |sample: &Sample| (sample.hours - hours, sample.resident - resident);
    let (mut products, mut squares) = (0.0, 0.0);
    for (x, y) in samples.iter().map(deviation) {
        products += x * y;
        squares += x * x;
    }
    products / squares
}

fn soak(engine: Engine) {
    let seconds = std::env::var("HEARTBEAT_TEST_SECONDS");
    let length = seconds.map_or(1800, |seconds| seconds.parse().unwrap());
    let length = Duration::from_secs(length);
    let database = Database::new(engine);
    database.insert(&[]);
    database.multiply(SERVICES);
    let mut command = program(&["serve", "--poll.interval=100ms"]);
    let exporter = Exporter::spawn(command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url()));
    exporter.wait_for_services();
    let (started, mut samples) = (Instant::now(), Vec::new());
    for turn in 0.. {
        // A tenth of the services sends a heartbeat each second. Prometheus, a browser and a script send requests.
        let due = format!("id % 10 = {}", turn % 10);
        let now = database.now(0);
        let update = format!(
            "UPDATE services SET report_count = report_count + 1, updated_at = {now} WHERE {due}"
        );
        database.execute(&[&update]);
        let openmetrics = ("Accept", "application/openmetrics-text;version=1.0.0");
        let gzip = ("Accept-Encoding", "gzip");
        for (path, headers) in [
            ("/metrics", &[openmetrics, gzip][..]),
            ("/metrics", &[]),
            ("/", &[gzip]),
            ("/api/v1/services", &[]),
        ] {
            assert_eq!(exporter.request("GET", path, headers).status, 200, "{path}");
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred megabytes")]
        samples.push(Sample {
            hours: started.elapsed().as_secs_f64() / 3600.0,
            resident: resident(exporter.id()) as f64,
            descriptors: descriptors(exporter.id()),
        });
        if started.elapsed() >= length {
            break;
        }
        sleep_until(started + Duration::from_secs(turn + 1));
    }
    let polls = exporter
        .metrics()
        .value("openstack_heartbeat_poll_duration_seconds_count", &[]);
    let warm = length.as_secs_f64() * WARM_UP / 3600.0;
    let (before, samples): (Vec<Sample>, Vec<Sample>) =
        samples.into_iter().partition(|sample| sample.hours < warm);
    let growth = growth(&samples);
    let (first, last) = (samples.first().unwrap(), samples.last().unwrap());
    let most = |samples: &[Sample]| samples.iter().map(|sample| sample.descriptors).max();
    eprintln!(
        "{engine:?}: {:.0} polls in {:.0} s; resident {:.1} MB at first, {:.1} MB when warm, {:.1} MB at the end, \
         {:+.2} MiB an hour; descriptors {:?} at most before, {:?} since",
        polls.unwrap(),
        started.elapsed().as_secs_f64(),
        before[0].resident / 1e6,
        first.resident / 1e6,
        last.resident / 1e6,
        growth / MOST_GROWTH,
        most(&before),
        most(&samples),
    );
    assert!(growth < MOST_GROWTH, "{growth} bytes an hour");
    assert!(most(&samples) <= most(&before).map(|most| most + 1));
    assert!(exporter.terminate().success());
}

fn sleep_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

#[test]
#[ignore = "takes half an hour"]
fn soak_on_mariadb() {
    soak(Engine::MySql);
}

#[test]
#[ignore = "takes half an hour"]
fn soak_on_postgresql() {
    soak(Engine::Postgres);
}
