//! Compares the rendered pages with golden files. Set `UPDATE_GOLDEN` to rewrite the files.

use std::time::Duration;

use chrono::TimeDelta;

use super::*;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::failure::Class;
use crate::heartbeat::fixture;
use crate::heartbeat::server_clocks::ServerClockSpread;
use crate::heartbeat::service::{Cluster, Defect, Reading, Rejection, Service, Stamp};
use crate::heartbeat::skew::Bounds;
use crate::heartbeat::status::{Observed, Processes};
use crate::heartbeat::time::{ClockOffset, HostTime};
use crate::project::nova;
use crate::publish::telemetry::{ConfigPart, Telemetry};

/// A snapshot with a sample in every family.
fn snapshot() -> Snapshot {
    let now = fixture::now("2015-03-30 00:54:14.25");
    let stamp = |age: i64| Stamp::At(HostTime(now.0 - TimeDelta::milliseconds(age)));
    let service = |id: i64, binary: &str, host: &str, age| Service {
        id: id.into(),
        heartbeats: Some(id * 100),
        stamp: stamp(age),
        ..fixture::service(binary, host)
    };
    let services = vec![
        service(1, "cinder-backup", "controller", 42_250),
        Service {
            disabled: Some(true),
            forced_down: Some(false),
            ..service(2, "cinder-scheduler", "controller", 141_250)
        },
        fixture::with(service(3, "cinder-volume", "block1", -75_000), |facts| {
            facts.frozen = Some(true);
            facts.cluster_name = Some("c1@lvm".into());
            facts.uuid = Some("4f6e9a1e-f914-f6a3-9360-70cf8ab27b0d".into());
            let info = ["cinder-volume", "3.19", "1.39", "failed-over", "b2"];
            facts.info = info.map(|fact| Some(fact.into()));
        }),
        service(4, "cinder-volume", "block1", 500_000),
        Service {
            stamp: Stamp::Unreadable,
            ..service(5, "cinder-volume", "zero", 0)
        },
        service(6, "cinder-volume", "say \"hi\"\\\nto\0 日本", 0),
    ];
    let rejection = |defect, id: i64| Rejection {
        table: "services",
        defect,
        id: Some(id.into()),
    };
    let reading = Reading {
        now,
        rows: 7,
        clusters: vec![Cluster {
            binary: "cinder-volume".to_owned(),
            name: "c1@lvm".to_owned(),
            disabled: false,
        }],
        rejected: vec![
            rejection(Defect::UnreadableTime, 5),
            rejection(Defect::NullHost, 7),
        ],
        ..fixture::reading(services)
    };
    let mut snapshot = fixture::observed_snapshot(reading, observed());
    snapshot.services[0].processes = Some(Processes {
        all: 1,
        down: 0,
        leftovers: 0,
    });
    snapshot
}

/// A snapshot in which conductors stamp the rows of others.
fn stamped_by_others() -> Snapshot {
    let reading = fixture::reading(vec![]);
    Snapshot {
        servers: Some(ServerClockSpread {
            estimate: TimeDelta::milliseconds(3_020),
            proven: TimeDelta::milliseconds(950),
            bounds: Bounds {
                lower: TimeDelta::milliseconds(-2_400),
                upper: Some(TimeDelta::milliseconds(5_100)),
            },
            servers: 2,
        }),
        ..fixture::snapshot_of(&nova::PROJECT, reading)
    }
}

/// The observations of the rows: one complete, one with only a lower bound, and the others empty.
fn observed() -> Vec<Observed> {
    let mut observed = vec![Observed::default(); 6];
    observed[2] = Observed {
        clock_skew: Some(fixture::skew(Some(75_010), 74_500, Some(77_020))),
        clock_steps: Some(1),
        clock_conflicts: Some(0),
        report_interval: Some(TimeDelta::microseconds(9_999_871)),
        writers: Some(2),
        reason: Some(Reason::ClockSkew),
        ..Observed::default()
    };
    observed[1] = Observed {
        clock_skew: Some(fixture::skew(None, -141_250, None)),
        clock_steps: Some(0),
        reason: Some(Reason::Undetermined),
        ..Observed::default()
    };
    observed
}

/// Own metrics with a sample in every family.
fn telemetry() -> Telemetry {
    let telemetry = Telemetry::fixture();
    let clock = ClockOffset {
        offset: TimeDelta::microseconds(-174),
        error: TimeDelta::microseconds(207),
    };
    telemetry.config_loaded(ConfigPart::Settings, Duration::from_secs(1));
    telemetry.poll_succeeded("cinder", Duration::from_millis(3), &snapshot(), clock);
    telemetry.poll_failed("cinder", Duration::from_secs(5), Class::Timeout);
    telemetry.searched(Some(true));
    telemetry.answered("/metrics", 200);
    telemetry.connections_closed("crowded", 0);
    telemetry
}

fn services(snapshot: &Snapshot, format: Format) -> String {
    let names = Names::of("cinder", snapshot);
    let mut page = String::new();
    for family in Family::all() {
        let mut samples = String::new();
        family.render(snapshot, &names, &mut samples, |_| {});
        if !samples.is_empty() {
            page += &family.description(format);
            page += &samples;
        }
    }
    page
}

fn check(name: &str, page: &str) {
    let path = format!("{}/tests/data/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == golden,
        "{path} differs; set UPDATE_GOLDEN to rewrite it, and review the change:\n{page}"
    );
}

#[test]
fn services_match_the_golden_files_in_both_formats() {
    check("services.txt", &services(&snapshot(), Format::Text));
    let page = services(&snapshot(), Format::OpenMetrics);
    check("services.openmetrics", &page);
}

#[test]
fn own_metrics_match_the_golden_files_in_both_formats() {
    // Families that depend on the machine or the build have separate tests.
    let mut families = telemetry().gather();
    families.retain(|family| {
        !family.name().starts_with("process_") && !family.name().ends_with("build_info")
    });
    check("telemetry.txt", &super::telemetry(&families, Format::Text));
    let page = super::telemetry(&families, Format::OpenMetrics);
    check("telemetry.openmetrics", &page);
}

#[test]
fn every_metric_of_the_table_is_published() {
    let own = super::telemetry(&telemetry().gather(), Format::Text);
    let servers = services(&stamped_by_others(), Format::Text);
    let spread = "openstack_heartbeat_server_clock_spread_seconds{database=\"cinder\",binary=\"nova-conductor\"} 3.02";
    assert!(servers.contains(spread), "{servers}");
    let page = services(&snapshot(), Format::Text) + &servers + &own;
    for metric in table::all() {
        // This series is absent where the process has no limit on file descriptors.
        let optional = metric.name == table::PROCESS_MAX_FDS.name;
        let is_optional = optional || !cfg!(target_os = "linux");
        let described = page.contains(&format!("# TYPE {} ", metric.name));
        assert!(described || is_optional, "{}", metric.name);
    }
}

#[test]
fn numbers_are_exact() {
    for (value, expected) in [
        (Value::Integer(-3), "-3"),
        (Value::Micros(0), "0"),
        (Value::Micros(-250_000), "-0.25"),
        (Value::Micros(1_427_676_854_000_001), "1427676854.000001"),
        (Value::Micros(60_000_000), "60"),
        (Value::Micros(i64::MIN), "-9223372036854.775808"),
    ] {
        let mut page = String::new();
        number(&mut page, value);
        assert_eq!(page, expected);
    }
    for (value, expected) in [
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (0.1, "0.1"),
        (1.0, "1"),
    ] {
        assert_eq!(Float(value).to_string(), expected);
    }
}

#[test]
fn an_empty_snapshot_renders_no_lines() {
    let snapshot = fixture::snapshot(fixture::reading(vec![]));
    assert_eq!(services(&snapshot, Format::OpenMetrics), "");
    assert_eq!(super::telemetry(&[], Format::OpenMetrics), "# EOF\n");
}
