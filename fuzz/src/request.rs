//! A request: its target in the first line, then Accept, Accept-Encoding and If-None-Match, a line each.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use http_body_util::BodyExt as _;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH,
};
use hyper::{Request, Uri};
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::row_id::RowId;
use openstack_heartbeat_exporter::heartbeat::service::{Facts, Reading, Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project::cinder;
use openstack_heartbeat_exporter::publish::latest::{EntrySettings, Latest};
use openstack_heartbeat_exporter::publish::telemetry::Telemetry;
use openstack_heartbeat_exporter::source::Poll;
use openstack_heartbeat_exporter::source::axis;
use openstack_heartbeat_exporter::web::access::Access;
use openstack_heartbeat_exporter::web::handshake::HandshakePool;
use openstack_heartbeat_exporter::web::route;
use openstack_heartbeat_exporter::web::site::Site;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

/// Three services: one up, one down, one with a name that tries to be markup.
fn site() -> Site {
    let intervals = Intervals {
        service_down_time: TimeDelta::seconds(60),
        report_interval: TimeDelta::seconds(10),
    };
    let now = DateTime::from_timestamp(1_774_832_000, 0)
        .expect("a time")
        .naive_utc();
    let service = |id, binary: &str, host: &str, age| Service {
        id: RowId::Number(id),
        heartbeats: Some(7),
        stamp: Stamp::At(HostTime(now - TimeDelta::seconds(age))),
        facts: Arc::new(Facts {
            binary: binary.into(),
            host: host.into(),
            ..Facts::default()
        }),
        ..Service::default()
    };
    let services = vec![
        service(1, "cinder-scheduler", "control1", 3),
        service(2, "cinder-volume", "block1@ceph", 300),
        service(3, "cinder-backup", "<script>alert('\"&')</script>", 90),
    ];
    let reading = Reading {
        now: DatabaseTime(now),
        server: None,
        read_only: false,
        replayed: None,
        quantum: Quantum::TRUNCATED,
        rows: services.len(),
        services,
        clusters: Vec::new(),
        rejected: Vec::new(),
    };
    let tolerances = Tolerances {
        visibility_delay: TimeDelta::seconds(2),
        bus_delay: TimeDelta::seconds(30),
        max_drift_ppm: 1_000,
        poll_interval: TimeDelta::seconds(5),
    };
    let at = Monotonic(TimeDelta::zero());
    let read = Read {
        sent: at,
        answered: at,
    };
    let snapshot = Tracker::new(&cinder::PROJECT, intervals, tolerances).observe(
        reading,
        read,
        ClockOffset::default(),
    );
    let poll_interval = Duration::from_secs(5);
    let day = Duration::from_secs(86_400);
    let telemetry = Telemetry::new(Duration::ZERO).expect("the metrics are registered");
    let latest = Latest::new(telemetry);
    let entry = latest.add(
        "cinder",
        EntrySettings {
            project: &cinder::PROJECT,
            engine: "sqlite",
            poll_interval,
            stale_after: 365 * day,
            longest_poll: day,
        },
    );
    entry.show(Poll {
        snapshot,
        sent: axis::now(),
        took: Duration::ZERO,
        clock: ClockOffset::default(),
    });
    Site {
        latest: Arc::new(latest),
        telemetry_path: "/metrics".to_owned(),
        reload: None,
        access: Arc::new(Access::new(None).expect("there is no file to read")),
        handshakes: HandshakePool::start(),
    }
}

static SITE: LazyLock<Site> = LazyLock::new(site);

/// Answers a request.
pub fn run(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else {
        return;
    };
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    for (name, value) in [ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH]
        .into_iter()
        .zip(lines)
    {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().insert(name, value);
        }
    }
    let response = RUNTIME.block_on(route::answer(&SITE, &request));
    let status = response.status().as_u16();
    assert!(
        [200, 304, 400, 403, 404, 405].contains(&status),
        "{status} for {request:?}"
    );
    let headers = response.headers();
    let is_page = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/html; charset=utf-8");
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    let Ok(body) = RUNTIME.block_on(response.into_body().collect());
    if is_page && is_plain {
        let page = String::from_utf8(body.to_bytes().into()).expect("the page is UTF-8");
        // The page's own script has attributes. The service's name and the request must not become a script.
        assert!(!page.contains("<script>"), "{request:?}");
        let open = page.matches("<input").count();
        assert_eq!(open, 1, "{request:?}");
    }
}
