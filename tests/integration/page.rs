//! The status page and the JSON API as an HTTP client sees them. tests/node/page.test.mjs tests the page in a browser.

use std::io::Read as _;

use openstack_heartbeat_exporter::config::database_url::Engine;
use serde_json::Value;

use super::support::database::Database;
use super::support::exporter::{Exporter, Metrics};
use super::support::http::Response;

/// A database with these services: host, age of the last heartbeat in seconds.
fn database(services: &[(&str, i64)]) -> Database {
    let database = Database::new(Engine::Sqlite);
    for (host, age) in services {
        let host = format!("'{}'", host.replace('\'', "''"));
        database.insert(&[("host", &host), ("updated_at", &database.now(-age))]);
    }
    database
}

fn exporter(services: &[(&str, i64)]) -> Exporter {
    let exporter = Exporter::start(&database(services).url(), &[]);
    exporter.wait_for_services();
    exporter
}

fn json(response: &Response) -> Value {
    assert_eq!(response.headers["content-type"], "application/json");
    serde_json::from_slice(&response.body).unwrap()
}

/// Returns the hosts of the table, in its order.
fn hosts(page: &str) -> Vec<&str> {
    page.split("<bdi class=\"host\">")
        .skip(1)
        .map(|rest| rest.split_once("</bdi>").unwrap().0)
        .collect()
}

#[test]
fn every_response_has_a_strict_content_security_policy() {
    let exporter = exporter(&[("block1", 5)]);
    for path in [
        "/",
        "/static/style.css",
        "/api/v1/services",
        "/metrics",
        "/nowhere",
    ] {
        let headers = exporter.get(path).headers;
        let policy = &headers["content-security-policy"];
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
    }
    let page = exporter.get("/");
    assert_eq!(page.headers["cache-control"], "no-store");
    // The policy would block these.
    for inline in ["<style", "style=", "<script>", "onload=", "javascript:"] {
        assert!(!page.text().contains(inline), "{inline}");
    }
}

#[test]
fn methods_and_paths_are_routed_and_counted_under_bounded_names() {
    let exporter = exporter(&[("block1", 5)]);
    exporter.answers(&[
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("POST", "/", 405),
        ("GET", "/static/refresh.js", 200),
        ("HEAD", "/static/up.svg", 200),
        ("DELETE", "/static/up.svg", 405),
        ("GET", "/static/", 404),
        ("GET", "/static/../Cargo.toml", 404),
        ("GET", "/static/%2e%2e/Cargo.toml", 404),
        ("GET", "/api/v1/services/cinder/cinder-volume/block1", 200),
        ("HEAD", "/api/v1/services/cinder/cinder-volume/block1", 200),
        ("PUT", "/api/v1/services/cinder/cinder-volume/block1", 405),
        ("GET", "/api/v1/services/cinder/cinder-volume/nobody", 404),
        ("GET", "/api/v1/services/cinder/cinder-volume/", 404),
        ("GET", "/api/v1/services/cinder/cinder-volume", 404),
        ("GET", "/api/v1/services/manila/cinder-volume/block1", 404),
        ("GET", "/api/v1/services/", 404),
        ("GET", "/api/v1/services/cinder/cinder-volume/%ff%fe", 404),
        ("GET", "/api/v1/servicesx", 404),
    ]);
    let counts = [
        ("/static", "200", 2.0),
        ("/api/v1/services/{database}/{binary}/{host}", "404", 3.0),
        ("other", "404", 7.0),
    ];
    exporter.wait_for("requests are counted", |metrics| {
        counts.iter().all(|&(path, code, count)| {
            let name = "openstack_heartbeat_http_requests_total";
            metrics.value(name, &[("path", path), ("code", code)]) == Some(count)
        })
    });
}

#[test]
fn browsers_cache_files_until_they_change() {
    let exporter = exporter(&[("block1", 5)]);
    let page = exporter.get("/");
    for name in ["style.css", "refresh.js", "up.svg"] {
        let (_, rest) = page
            .text()
            .split_once(&format!("\"static/{name}?v="))
            .unwrap();
        let version = rest.split('"').next().unwrap();
        let named = exporter.get(&format!("/static/{name}?v={version}"));
        assert!(named.headers["cache-control"].contains("immutable"));
        let other = exporter.get(&format!("/static/{name}?v=0"));
        assert_eq!(other.headers["cache-control"], "no-cache");
        assert_eq!(other.body, named.body);
        let path = format!("/static/{name}");
        let known = [("If-None-Match", other.headers["etag"].as_str())];
        let again = exporter.request("GET", &path, &known);
        assert_eq!((again.status, again.body.len()), (304, 0));
        let changed = exporter.request("GET", &path, &[("If-None-Match", "\"00000000\"")]);
        assert_eq!(changed.status, 200);
        let gzip = exporter.request("GET", &path, &[("Accept-Encoding", "gzip")]);
        assert_eq!(unpacked(&gzip), named.body);
        // A strong tag identifies bytes, which differ by encoding.
        assert_ne!(gzip.headers["etag"], other.headers["etag"]);
        for (tag, status) in [(&gzip, 304), (&other, 200)] {
            let headers = [
                ("Accept-Encoding", "gzip"),
                ("If-None-Match", tag.headers["etag"].as_str()),
            ];
            assert_eq!(exporter.request("GET", &path, &headers).status, status);
        }
    }
}

fn unpacked(response: &Response) -> Vec<u8> {
    assert_eq!(response.headers["content-encoding"], "gzip");
    assert!(response.headers["vary"].contains("Accept-Encoding"));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(response.body.as_slice())
        .read_to_end(&mut text)
        .unwrap();
    text
}

#[test]
fn the_page_and_the_json_are_compressed_on_request() {
    let exporter = exporter(&[("block1", 5)]);
    let accept = [("Accept-Encoding", "gzip, br")];
    let page = String::from_utf8(unpacked(&exporter.request("GET", "/", &accept))).unwrap();
    assert!(page.ends_with("</html>") || page.ends_with("</html>\n"));
    let services = exporter.request("GET", "/api/v1/services", &accept);
    let services: Value = serde_json::from_slice(&unpacked(&services)).unwrap();
    assert_eq!(services["services"][0]["host"], "block1");
    let down = exporter.request("GET", "/api/v1/services?down", &accept);
    let down: Value = serde_json::from_slice(&unpacked(&down)).unwrap();
    assert_eq!(down["services"], Value::Array(vec![]));
    let path = "/api/v1/services/cinder/cinder-volume/block1";
    let service = unpacked(&exporter.request("GET", path, &accept));
    let service: Value = serde_json::from_slice(&service).unwrap();
    assert_eq!(service["service"]["host"], "block1");
}

#[test]
fn errors_below_api_are_json() {
    let exporter = exporter(&[("block1", 5)]);
    for (method, path, status) in [
        ("GET", "/api/v1/services/cinder/cinder-volume/nobody", 404),
        ("GET", "/api/v1/services/cinder/cinder-volume/%ff%fe", 404),
        ("GET", "/api/v1/services/cinder/cinder-volume", 404),
        ("GET", "/api/v2/services", 404),
        ("POST", "/api/v1/services", 405),
        ("GET", "/api/v1/services?dwn", 400),
        ("GET", "/api/v1/services?down&down", 400),
        ("GET", "/api/v1/services?down=no", 400),
        ("GET", "/api/v1/services?%22%5C%00%3Cb%3E=%22", 400),
        (
            "GET",
            "/api/v1/services/cinder/cinder-volume/block1?down",
            400,
        ),
        (
            "GET",
            "/api/v1/services/cinder/cinder-volume/nobody?x=y",
            400,
        ),
    ] {
        let answer = exporter.request(method, path, &[]);
        assert_eq!(answer.status, status, "{path}");
        assert!(json(&answer)["error"].is_string(), "{path}");
    }
    let answer = json(&exporter.get("/api/v1/services?%22%5C%00%3Cb%3E=%22"));
    let message = answer["error"].as_str().unwrap();
    assert!(message.contains(
        "unknown parameter `\"\\\0<b>` in the query of /api/v1/services: it accepts `down`"
    ));
    let elsewhere = exporter.get("/nowhere").headers;
    assert!(elsewhere["content-type"].starts_with("text/plain"));
}

#[test]
fn the_page_is_green_only_if_the_command_line_reports_all_up() {
    let database = database(&[("block1", 5)]);
    database.insert(&[("host", "NULL"), ("updated_at", &database.now(-5))]);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    let page = exporter.get("/");
    for text in [
        "<p class=\"headline unknown\">",
        "1 up · 1 row unreadable",
        "unknown.svg",
    ] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
}

#[test]
fn abandoned_rows_do_not_hide_an_outage() {
    let day = 24 * 3_600;
    let abandoned: Vec<String> = (0..14).map(|i| format!("gone{i:02}")).collect();
    let mut services: Vec<(&str, i64)> = abandoned
        .iter()
        .map(|host| (host.as_str(), 400 * day))
        .collect();
    services.extend([("up", 5), ("zdown", 500)]);
    let exporter = exporter(&services);
    let page = exporter.get("/");
    assert!(page.text().contains("1 down of 2<"));
    assert_eq!(page.text().matches("<li class=\"card ").count(), 1);
    let hosts = hosts(page.text());
    assert_eq!(hosts[..3], ["zdown", "up", "gone00"]);
    let abandoned = exporter.get("/?state=abandoned");
    assert_eq!(self::hosts(abandoned.text()).len(), 14);
    assert!(
        abandoned
            .text()
            .contains("runbooks/OpenStackServiceAbandoned.md")
    );
    // Cinder's verdict does not change.
    for (query, count) in [
        ("?down", 15),
        ("?down=true", 15),
        ("?down=false", 16),
        ("", 16),
    ] {
        let listed = json(&exporter.get(&format!("/api/v1/services{query}")));
        assert_eq!(
            listed["services"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
}

#[test]
fn urgent_services_without_a_card_are_linked_by_state() {
    let hosts: Vec<String> = (0..14).map(|i| format!("block{i:02}")).collect();
    let services: Vec<(&str, i64)> = hosts.iter().map(|host| (host.as_str(), 500)).collect();
    let exporter = exporter(&services);
    let page = exporter.get("/");
    assert!(page.text().contains("<a href=\"?state=down\">2 more "));
}

#[test]
fn several_rows_of_one_name_are_a_warning() {
    let exporter = exporter(&[("block1", 5), ("block1", 900)]);
    let page = exporter.get("/?state=warning");
    for text in ["several rows with this name", "2 rows have this name"] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
}

#[test]
fn filters_select_services_and_report_invalid_values() {
    let database = database(&[("block1", 5), ("block2", 500), ("block3@ceph", 5)]);
    database.insert(&[
        ("host", "'controller'"),
        ("binary", "'cinder-backup'"),
        ("disabled", database.boolean(true)),
        ("availability_zone", "'az1'"),
    ]);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    for (query, expected) in [
        ("", &["block2", "block1", "block3@ceph", "controller"][..]),
        ("?state=down", &["block2"]),
        ("?state=up", &["block1", "block3@ceph"]),
        ("?state=disabled", &["controller"]),
        ("?state=unseen", &[]),
        ("?binary=cinder-backup", &["controller"]),
        ("?q=BLOCK3%40", &["block3@ceph"]),
        ("?q=az1", &["controller"]),
        (
            "?q=block&state=up&binary=cinder-volume",
            &["block1", "block3@ceph"],
        ),
        (
            "?page=2",
            &["block2", "block1", "block3@ceph", "controller"],
        ),
    ] {
        let page = exporter.get(&format!("/{query}"));
        assert_eq!(page.status, 200, "{query}");
        assert_eq!(hosts(page.text()), expected, "{query}");
    }
    for (query, complaint) in [
        ("?state=sideways", "There is no state “sideways”"),
        ("?page=-1", "There is no page “-1”"),
        ("?state=%3Cb%3E", "There is no state “&#60;b&#62;”"),
    ] {
        let page = exporter.get(&format!("/{query}"));
        assert!(page.text().contains(complaint), "{query}: {}", page.text());
        assert_eq!(hosts(page.text()).len(), 4, "{query}");
    }
}

#[test]
fn ten_thousand_services_are_paged() {
    let database = Database::new(Engine::Sqlite);
    database.execute(&[&format!(
        "INSERT INTO services (\"binary\", host, topic, report_count, created_at, updated_at, disabled, deleted) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
         SELECT 'cinder-volume', printf('host%05d', i), 'cinder-volume', 7, {now}, \
         CASE WHEN i = 7777 THEN {old} ELSE {now} END, 0, 0 FROM n",
        now = database.now(0),
        old = database.now(-500)
    )]);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    let first = exporter.get("/");
    let rows = hosts(first.text());
    assert_eq!(
        (rows.len(), rows[0], rows[1]),
        (100, "host07777", "host00000")
    );
    assert!(first.text().contains("Page 1 of 100"));
    assert!(first.text().contains("href=\"?page=2\""));
    assert!(first.body.len() < 200_000, "{} bytes", first.body.len());
    let second = exporter.get("/?page=2");
    assert_eq!(hosts(second.text())[0], "host00099");
    let last = exporter.get("/?page=4711");
    assert!(last.text().contains("Page 100 of 100"));
    assert_eq!(hosts(last.text()).last(), Some(&"host09999"));
    let found = exporter.get("/?q=host01&page=2");
    assert_eq!(hosts(found.text())[0], "host01100");
    assert!(found.text().contains("q=host01&#38;page=3"));
}

#[test]
fn hostile_names_are_escaped_in_the_page_and_the_json() {
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</td></table><h1>",
        "{{ 7 * 7 }}",
        "a/b@c#d?e&f=g%41+ ж",
        "\u{202e}evil",
    ];
    let services: Vec<(&str, i64)> = hostile.iter().map(|host| (*host, 500)).collect();
    let exporter = exporter(&services);
    let page = exporter.get("/");
    for raw in ["<script>alert", "<img", "' onmouseover", "</table><h1>"] {
        assert!(!page.text().contains(raw), "{raw}");
    }
    assert!(page.text().contains("{{ 7 * 7 }}"));
    let all = json(&exporter.get("/api/v1/services"));
    for host in hostile {
        let found = all["services"].as_array().unwrap();
        assert!(
            found.iter().any(|service| service["host"] == host),
            "{host}"
        );
        // The page links to each, and percent-encoding every byte leads there too.
        let encoded = host
            .bytes()
            .fold(String::new(), |path, byte| path + &format!("%{byte:02X}"));
        let path = format!("/api/v1/services/cinder/cinder-volume/{encoded}");
        assert_eq!(json(&exporter.get(&path))["service"]["host"], host);
    }
    let links: Vec<&str> = page
        .text()
        .split("href=\"api/v1/services/")
        .skip(1)
        .collect();
    assert_eq!(links.len(), hostile.len());
    for link in links {
        let path = link.split('"').next().unwrap();
        assert_eq!(
            exporter.get(&format!("/api/v1/services/{path}")).status,
            200,
            "{path}"
        );
    }
    let slash =
        exporter.get("/api/v1/services/cinder/cinder-volume/a/b@c%23d%3Fe&f=g%2541+%20%D0%B6");
    assert_eq!(json(&slash)["service"]["host"], hostile[5]);
}

/// Returns the metrics and the JSON of one poll.
fn of_one_poll(exporter: &Exporter, path: &str) -> (Metrics, Value) {
    let polled =
        |metrics: &Metrics| metrics.value("openstack_heartbeat_last_poll_timestamp_seconds", &[]);
    loop {
        let before = exporter.metrics();
        let value = json(&exporter.get(path));
        if polled(&before) == polled(&exporter.metrics()) {
            return (before, value);
        }
    }
}

#[test]
fn the_json_has_the_values_of_the_metrics() {
    let database = database(&[("ahead", -75), ("up", 5), ("stopped", 500)]);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    // A heartbeat bounds the skew.
    let now = database.now(-75);
    database.execute(&[&format!(
        "UPDATE services SET report_count = report_count + 1, updated_at = {now} WHERE host = 'up'"
    )]);
    exporter.wait_for("bounds", |metrics| {
        metrics.count("openstack_service_clock_skew_seconds") == 1
    });
    let (metrics, page) = of_one_poll(&exporter, "/api/v1/services");
    for service in page["services"].as_array().unwrap() {
        let host = service["host"].as_str().unwrap();
        let metric = |name: &str| {
            metrics.service(&format!("openstack_service_{name}"), "cinder-volume", host)
        };
        for (field, name) in [
            ("heartbeat_age_seconds", "heartbeat_age_seconds"),
            ("clock_skew_seconds", "clock_skew_seconds"),
            (
                "clock_skew_lower_bound_seconds",
                "clock_skew_lower_bound_seconds",
            ),
            (
                "clock_skew_upper_bound_seconds",
                "clock_skew_upper_bound_seconds",
            ),
            ("report_interval_seconds", "report_interval_seconds"),
            ("clock_steps", "clock_steps_total"),
            ("heartbeats", "heartbeats_total"),
        ] {
            assert_eq!(service[field].as_f64(), metric(name), "{host}: {field}");
        }
        for (field, yes, name) in [
            ("up", Value::from(true), "up"),
            ("up_for_scheduler", Value::from(true), "up_for_scheduler"),
            ("status", Value::from("enabled"), "enabled"),
        ] {
            let value = &service[field];
            let value = (!value.is_null()).then(|| f64::from(u8::from(*value == yes)));
            assert_eq!(value, metric(name), "{host}: {field}");
        }
        if let Some(reason) = service["reason"].as_str() {
            let labels = [
                ("binary", "cinder-volume"),
                ("host", host),
                ("reason", reason),
            ];
            let value = metrics.value("openstack_service_down_reason", &labels);
            assert_eq!(value, Some(1.0), "{host}");
        }
    }
    let (_, down) = of_one_poll(&exporter, "/api/v1/services?down");
    let down: Vec<&str> = down["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["host"].as_str().unwrap())
        .collect();
    assert_eq!(down, ["ahead", "stopped", "up"]);
}

#[test]
fn one_service_comes_with_its_bounds_and_its_hour() {
    let database = database(&[("block1", 5)]);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    let path = "/api/v1/services/cinder/cinder-volume/block1";
    let detail = json(&exporter.get(path));
    let states = detail["history"]["states"].as_array().unwrap();
    assert_eq!(detail["history"]["slot_seconds"], 60);
    assert_eq!((states.len(), &states[59]), (60, &Value::from("up")));
    assert_eq!(states[0], Value::Null);
    assert_eq!(detail["since_is_exact"], false);
    let all = json(&exporter.get("/api/v1/services"));
    let fields = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(fields(&detail["service"]), fields(&all["services"][0]));
    // A state that begins between two polls.
    let old = database.now(-500);
    database.execute(&[&format!("UPDATE services SET updated_at = {old}")]);
    exporter.wait_for("the service is down", |metrics| {
        metrics.service("openstack_service_up", "cinder-volume", "block1") == Some(0.0)
    });
    let detail = json(&exporter.get(path));
    assert_eq!(detail["since_is_exact"], true);
    let since = detail["since"].as_str().unwrap();
    assert!(
        since <= detail["databases"][0]["now"].as_str().unwrap(),
        "{detail}"
    );
    let last = detail["history"]["states"][59].as_str();
    assert_eq!(last, Some("down"));
    let reason = detail["history"]["reasons"][59].as_str();
    assert_eq!(reason, Some("undetermined"));
    assert!(exporter.get("/").text().contains("down since"));
}

#[test]
fn without_a_database_the_page_shows_the_failure_and_no_states() {
    let exporter = Exporter::start("mysql://user:secret-word@127.0.0.1:1/cinder", &[]);
    exporter.wait_for_failure("connect");
    let page = exporter.get("/");
    assert_eq!(page.status, 200);
    for text in [
        "(no data) OpenStack heartbeats",
        "The database has been unreadable since polling began",
        "no connection",
        "check-config --connect",
    ] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    for hidden in ["secret-word", "user", "127.0.0.1:1/"] {
        assert!(!page.text().contains(hidden), "{hidden}");
    }
    for path in [
        "/api/v1/services",
        "/api/v1/services/cinder/cinder-volume/block1",
    ] {
        let answer = exporter.get(path);
        assert_eq!(answer.status, 503);
        assert!(json(&answer)["error"].is_string());
    }
}
