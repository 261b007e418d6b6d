//! The web configuration file, with third-party clients: curl, openssl, promtool and Prometheus.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use rcgen::SanType;

use crate::support::certificate::Authority;
use crate::support::database::Database;
use crate::support::exporter::{Exporter, run};
use crate::support::prometheus::Prometheus;
use crate::support::{folder, http, openssl, wait_for};

const EXAMPLE: &str = include_str!("../../docs/web-config.example.yml");

/// A server's certificate and nothing else.
const TLS: &str = "cert_file: tls.crt\n  key_file: tls.key\n";

/// A folder with certificates and a web configuration file, an exporter that uses them, and its database.
struct Site {
    folder: PathBuf,
    authority: Authority,
    exporter: Exporter,
    _database: Database,
}

/// curl's answer.
#[derive(Debug)]
struct Answer {
    /// 0 without an answer.
    status: u16,
    /// For example 1.1 or 2.
    version: String,
    /// The head and the body.
    text: String,
}

/// Creates a folder with an authority, and its certificates for a server and for the client `client`.
fn certificates() -> (PathBuf, Authority) {
    let folder = folder("web");
    let authority = Authority::new("the right authority");
    authority.write(&folder.join("ca.crt"));
    authority.server(&folder);
    let name = SanType::DnsName("prometheus.example.org".try_into().unwrap());
    authority.client(&folder, "client", vec![name]);
    (folder, authority)
}

impl Site {
    /// Starts an exporter with this web configuration.
    fn start(text: &str) -> Self {
        let (folder, authority) = certificates();
        let file = folder.join("web.yml");
        std::fs::write(&file, text).unwrap();
        let database = Database::new(Engine::Sqlite);
        let flag = format!("--web.config.file={}", file.display());
        let exporter = Exporter::start(&database.url(), &[&flag]);
        Self {
            folder,
            authority,
            exporter,
            _database: database,
        }
    }

    /// Starts an exporter with these lines and a server certificate in the section `tls_server_config`.
    fn secured(lines: &str) -> Self {
        Self::start(&format!("tls_server_config:\n  {TLS}{lines}"))
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.join("web.yml"), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Sends a request over TLS, with the right authority.
    fn get(&self, path: &str, arguments: &[&str]) -> Answer {
        self.get_trusting("ca.crt", path, arguments)
    }

    fn get_trusting(&self, ca: &str, path: &str, arguments: &[&str]) -> Answer {
        let ca = self.path(ca);
        let url = format!("https://{}{path}", self.exporter.address());
        curl(&[&["--cacert", &ca, &url], arguments].concat())
    }

    /// Sends a request as a client whose certificate is in the folder.
    fn get_as(&self, client: &str) -> Answer {
        let [certificate, key] =
            ["crt", "key"].map(|extension| self.path(&format!("{client}.{extension}")));
        self.get("/metrics", &["--cert", &certificate, "--key", &key])
    }

    /// Opens a TLS connection with openssl; returns its output, and whether it succeeded.
    fn openssl(&self, arguments: &[&str]) -> (String, bool) {
        let output = Command::new("openssl")
            .args(["s_client", "-verify_return_error", "-CAfile"])
            .arg(self.path("ca.crt"))
            .args(["-connect", &self.exporter.address().to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (text, output.status.success())
    }
}

fn curl(arguments: &[&str]) -> Answer {
    let output = Command::new("curl")
        .args(["-sS", "-i", "--noproxy", "*", "--max-time", "30"])
        .args(["-w", "\n%{http_code} %{http_version}"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (text, last) = text.rsplit_once('\n').unwrap();
    let (status, version) = last.split_once(' ').unwrap();
    Answer {
        status: status.parse().unwrap(),
        version: version.to_owned(),
        text: format!("{text}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Returns a line of the section `basic_auth_users`; the cost decides how long a login takes.
fn user(name: &str, password: &str, cost: u32) -> String {
    format!("  {name}: {}\n", bcrypt::hash(password, cost).unwrap())
}

#[test]
fn promtool_and_the_exporter_accept_the_example() {
    let (folder, authority) = certificates();
    authority.write(&folder.join("client-ca.crt"));
    let file = folder.join("web.yml");
    std::fs::write(&file, EXAMPLE).unwrap();
    let output = Command::new("promtool")
        .args(["check", "web-config"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let flag = format!("--web.config.file={}", file.display());
    let url = [("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://u:p@h/d")];
    let output = run(&["check-config", &flag], &url);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("web.config.file = "), "{told}");

    // Settings that promtool 2.42 does not know yet; they are in the comments of the example.
    let whole = EXAMPLE
        .replace("client-ca.crt", "ca.crt")
        .replace("  #client_allowed_sans", "  client_allowed_sans")
        .replace("  #  - prom", "    - prom")
        .replace("#rate_limit", "rate_limit")
        .replace("#  interval", "  interval")
        .replace("#  burst", "  burst");
    let site = Site::start(&whole);
    let [certificate, key] = ["client.crt", "client.key"].map(|name| site.path(name));
    let client = ["--cert", &certificate, "--key", &key, "--user"];
    let right = site.get("/metrics", &[&client[..], &["prometheus:example"]].concat());
    assert_eq!(right.status, 200, "{right:?}");
    assert!(right.text.contains("max-age=31536000"), "{right:?}");
    let wrong = site.get("/metrics", &[&client[..], &["prometheus:Example"]].concat());
    assert_eq!(wrong.status, 401, "{wrong:?}");
}

#[test]
fn a_wrong_file_exits_with_1_and_names_file_line_and_remedy() {
    let (folder, _) = certificates();
    let file = folder.join("web.yml");
    let path = file.display().to_string();
    openssl::issue(&folder, "old", "");
    for (text, expected) in [
        (
            "rate_limit:\n  intervall: 1s\n",
            "2: unknown key `intervall`; did you mean `interval`?",
        ),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: gone.key\n",
            "cannot read",
        ),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: client.key\n",
            "2: the certificate and the key can't be used",
        ),
        (
            "tls_server_config:\n  cert_file: old.pem\n  key_file: old.key\n",
            "2: the server's certificate has X.509 version 1",
        ),
        ("basic_auth_users:\n  a: c4nary\n", "2: this user's value"),
    ] {
        std::fs::write(&file, text).unwrap();
        for command in ["serve", "check-config"] {
            let output = run(
                &[command, "--web.config.file", &path],
                &[("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://u:p@h/d")],
            );
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command} {text}: {told}");
            assert!(told.contains(expected), "{command} {text}: {told}");
            assert!(told.contains("web.yml:"), "{command} {text}: {told}");
            assert!(!told.contains("c4nary"), "{told}");
        }
    }
    std::fs::remove_file(&file).unwrap();
    let output = run(
        &["serve", "--web.config.file", &path],
        &[("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://u:p@h/d")],
    );
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains(&path) && told.contains("web.config.file"),
        "{told}"
    );
}

#[test]
fn tls_versions_ciphers_and_curves_follow_the_file() {
    // openssl itself allows the old versions and ciphers only at security level 0.
    let all = "ALL:@SECLEVEL=0";
    let site = Site::secured("");
    for (arguments, expected) in [
        (["-tls1_3", "-groups", "X25519"].as_slice(), true),
        (&["-tls1_3", "-groups", "P-384"], true),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            true,
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
            false,
        ),
        (&["-tls1_3", "-groups", "P-521"], false),
        (&["-tls1_1", "-cipher", all], false),
        (&["-tls1", "-cipher", all], false),
    ] {
        let (text, success) = site.openssl(arguments);
        assert_eq!(success, expected, "{arguments:?}\n{text}");
        assert_eq!(
            text.contains("alert"),
            !expected,
            "the server says no: {text}"
        );
    }
    let site = Site::secured(
        "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n  \
         curve_preferences: [CurveP256]\n",
    );
    for (arguments, expected) in [
        (["-groups", "X25519:P-256"].as_slice(), true),
        (&["-tls1_3"], false),
        (&["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], false),
        (&["-groups", "X25519"], false),
    ] {
        let (text, success) = site.openssl(arguments);
        assert_eq!(success, expected, "{arguments:?}\n{text}");
        assert_eq!(
            text.contains("ECDHE-ECDSA-CHACHA20-POLY1305"),
            expected,
            "{text}"
        );
    }
}

#[test]
fn http2_is_offered_over_tls_unless_disabled() {
    let tls = format!("tls_server_config:\n  {TLS}");
    let both = Site::start(&tls);
    let one = Site::start(&format!("{tls}http_server_config:\n  http2: false\n"));
    for (site, argument, expected) in [
        (&both, "--http2", "2"),
        (&both, "--http1.1", "1.1"),
        (&one, "--http2", "1.1"),
    ] {
        for path in ["/metrics", "/", "/api/v1/services", "/-/healthy"] {
            let answer = site.get(path, &[argument]);
            assert_ne!(answer.status, 0, "{answer:?}");
            assert_eq!(answer.version, expected, "{argument} {path}: {answer:?}");
        }
        let head = site.get("/metrics", &[argument, "--head"]);
        assert_eq!(
            (head.status, head.version.as_str()),
            (200, expected),
            "{head:?}"
        );
    }
    let metrics = both.get("/metrics", &["--http2"]);
    assert!(
        metrics.text.contains("openstack_heartbeat_database_up"),
        "{metrics:?}"
    );
    let plain = http::request(both.exporter.address(), "GET", "/metrics", &[]);
    assert!(plain.is_err(), "without TLS there is no answer");
    let plain = Site::start("http_server_config:\n  http2: true\n");
    let url = format!("http://{}/metrics", plain.exporter.address());
    let answer = curl(&["--http2", &url]);
    assert_eq!(
        (answer.status, answer.version.as_str()),
        (200, "1.1"),
        "{answer:?}"
    );
}

#[test]
fn client_certificates_are_requested_by_the_types_of_go() {
    let other = Authority::new("another authority");
    for (policy, ca, none, right, wrong) in [
        ("NoClientCert", false, true, true, true),
        ("RequestClientCert", false, true, true, true),
        ("RequireAnyClientCert", false, false, true, true),
        ("VerifyClientCertIfGiven", true, true, true, false),
        ("RequireAndVerifyClientCert", true, false, true, false),
    ] {
        let ca = if ca { "  client_ca_file: ca.crt\n" } else { "" };
        let site = Site::secured(&format!("  client_auth_type: {policy}\n{ca}"));
        other.client(&site.folder, "stranger", Vec::new());
        for (answer, expected) in [
            (site.get("/metrics", &[]), none),
            (site.get_as("client"), right),
            (site.get_as("stranger"), wrong),
        ] {
            let expected = if expected { 200 } else { 0 };
            assert_eq!(answer.status, expected, "{policy}: {answer:?}");
            assert_eq!(
                answer.text.contains("alert"),
                expected == 0,
                "{policy}: {answer:?}"
            );
        }
        // A server certificate is not valid for a client.
        let answer = site.get_as("tls");
        let expected = if ca.is_empty() { 200 } else { 0 };
        assert_eq!(answer.status, expected, "{policy}: {answer:?}");
    }
}

#[test]
fn a_client_certificate_needs_an_allowed_name() {
    let site = Site::secured(
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans:\n  \
         - prometheus.example.org\n  - 192.0.2.1\n  - '2001:db8::1'\n  - 'spiffe://example.org/p'\n  \
         - ops@example.org\n",
    );
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let ip = |address: &str| SanType::IpAddress(address.parse().unwrap());
    let uri = |uri: &str| SanType::URI(uri.try_into().unwrap());
    let mail = |mail: &str| SanType::Rfc822Name(mail.try_into().unwrap());
    for (number, (names, expected)) in [
        (vec![dns("prometheus.example.org")], 200),
        (
            vec![dns("other.example.org"), dns("prometheus.example.org")],
            200,
        ),
        (vec![ip("192.0.2.1")], 200),
        (vec![ip("2001:db8:0::1")], 200),
        (vec![uri("spiffe://example.org/p")], 200),
        (vec![mail("ops@example.org")], 200),
        (vec![dns("*.example.org")], 0),
        (vec![dns("Prometheus.example.org")], 0),
        (vec![dns("192.0.2.1")], 200),
        (vec![ip("192.0.2.2")], 0),
        (vec![uri("spiffe://example.org/q")], 0),
        (vec![], 0),
    ]
    .into_iter()
    .enumerate()
    {
        let told = format!("{names:?}");
        let client = format!("client{number}");
        site.authority.client(&site.folder, &client, names);
        let answer = site.get_as(&client);
        assert_eq!(answer.status, expected, "{told}: {answer:?}");
    }
}

#[test]
fn every_path_except_health_requires_a_password() {
    let users = user("prometheus", "right: äöü", 5) + &user("ops", "other", 4);
    let site = Site::start(&format!("basic_auth_users:\n{users}"));
    let url = |path| format!("http://{}{path}", site.exporter.address());
    for (login, expected) in [
        ("prometheus:right: äöü", 200),
        ("ops:other", 200),
        ("prometheus:other", 401),
        ("prometheus:", 401),
        ("nobody:other", 401),
    ] {
        // The second login is answered from memory.
        for _ in 0..2 {
            let answer = curl(&["--user", login, &url("/metrics")]);
            assert_eq!(answer.status, expected, "{login}: {answer:?}");
        }
    }
    for (path, expected) in [
        ("/", 401),
        ("/metrics", 401),
        ("/static/style.css", 401),
        ("/no/such/path", 401),
        ("/-/healthy", 200),
        ("/-/healthy/", 401),
    ] {
        let answer = site.exporter.get(path);
        assert_eq!(answer.status, expected, "{path}");
        if expected == 401 {
            assert!(
                answer.headers["www-authenticate"].starts_with("Basic realm="),
                "{path}"
            );
        }
    }
    assert_ne!(site.exporter.get("/-/ready").status, 401);
    let refused = site.exporter.get("/api/v1/services");
    assert_eq!(refused.status, 401);
    let json: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    assert!(json["error"].is_string(), "{json}");
    let metrics = || curl(&["--user", "ops:other", &url("/metrics")]).text;
    let counted = "openstack_heartbeat_http_requests_total{code=\"401\",path=\"/metrics\"} 7";
    let long = Duration::from_secs(5);
    wait_for(
        "refusals are counted",
        long,
        || metrics().contains(counted),
        metrics,
    );
}

#[test]
fn known_logins_are_answered_during_a_flood_of_wrong_passwords() {
    // In a debug build, each wrong password takes some tenths of a second of processor time. The queue must be checked
    // within the time limit of a response, also on a busy machine.
    let users = user("prometheus", "right", 10);
    let site = Site::start(&format!("basic_auth_users:\n{users}"));
    let url = format!("http://{}/metrics", site.exporter.address());
    let right = || curl(&["--user", "prometheus:right", &url]).status;
    assert_eq!(right(), 200);
    let flood: Vec<_> = (0..60)
        .map(|number| {
            let login = format!("prometheus:wrong {number}");
            let url = url.clone();
            let child = Command::new("curl")
                .args([
                    "-sS",
                    "--noproxy",
                    "*",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                ])
                .args(["--user", &login, &url])
                .stdout(Stdio::piped())
                .spawn();
            child.unwrap()
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(right(), 200);
    }
    let mut statuses: Vec<String> = flood
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, ["401", "503"], "the queue has an end");
}

#[test]
fn requests_above_the_rate_limit_are_refused() {
    let site = Site::start("rate_limit:\n  interval: 1h\n  burst: 3\n");
    for _ in 0..3 {
        assert_eq!(site.exporter.get("/metrics").status, 200);
    }
    let refused = site.exporter.get("/metrics");
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((3_000..=3_600).contains(&wait), "{wait}");
    assert_eq!(site.exporter.get("/-/healthy").status, 200);
}

#[test]
fn configured_headers_are_on_every_answer() {
    let site = Site::start(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
         Content-Security-Policy: \"default-src 'self'\"\n    X-XSS-Protection: ''\n",
    );
    for path in ["/metrics", "/", "/gone", "/-/healthy"] {
        let headers = site.exporter.get(path).headers;
        assert_eq!(headers["x-frame-options"], "deny", "{path}");
        assert_eq!(
            headers["content-security-policy"], "default-src 'self'",
            "{path}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(!headers.contains_key("x-xss-protection"), "{path}");
    }
}

#[test]
fn a_rotated_certificate_is_used_and_a_broken_file_keeps_the_old_one() {
    let users = user("a", "old", 4);
    let text = format!("tls_server_config:\n  {TLS}basic_auth_users:\n{users}");
    let site = Site::start(&text);
    let status =
        |ca: &str, login: &str| site.get_trusting(ca, "/metrics", &["--user", login]).status;
    let metrics = |login: &str| {
        site.get_trusting("next.crt", "/metrics", &["--user", login])
            .text
    };
    let log = || site.exporter.log();
    let limit = Duration::from_secs(30);
    assert_eq!(status("ca.crt", "a:old"), 200);

    let next = Authority::new("the next authority");
    next.write(&site.folder.join("next.crt"));
    assert_eq!(status("next.crt", "a:old"), 0);
    next.server(&site.folder);
    wait_for(
        "the new certificate",
        limit,
        || status("next.crt", "a:old") == 200,
        log,
    );
    assert_eq!(status("ca.crt", "a:old"), 0);

    site.write(&format!("{text}rate_limits:\n"));
    let refused = "openstack_heartbeat_config_last_reload_successful 0";
    wait_for(
        "the failure is published",
        limit,
        || metrics("a:old").contains(refused),
        log,
    );
    let told = |log: &str| log.matches("did you mean `rate_limit`").count();
    assert_eq!(told(&log()), 1, "{}", log());

    site.write(&text.replace(&users, &user("a", "new", 4)));
    wait_for(
        "the new password",
        limit,
        || status("next.crt", "a:new") == 200,
        log,
    );
    assert_eq!(status("next.crt", "a:old"), 401);
    let successful = "openstack_heartbeat_config_last_reload_successful 1";
    wait_for(
        "the success is published",
        limit,
        || metrics("a:new").contains(successful),
        log,
    );
    assert_eq!(told(&log()), 1, "it was reported once: {}", log());
    for secret in ["$2b$", "PRIVATE KEY"] {
        assert!(!log().contains(secret), "{}", log());
    }
}

#[test]
fn a_silent_client_does_not_delay_shutdown() {
    let site = Site::secured("");
    let _silent = TcpStream::connect(site.exporter.address()).unwrap();
    // The connection was accepted before this one, whose answer proves it.
    assert_eq!(site.get("/-/healthy", &[]).status, 200);
    let log = site.exporter.terminate_for_log();
    assert!(!log.contains("did not read their response"), "{log}");
}

#[test]
fn a_silent_client_is_disconnected() {
    let site = Site::secured("");
    let mut stream = TcpStream::connect(site.exporter.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(site.get("/-/healthy", &[]).status, 200);
}

#[test]
fn prometheus_scrapes_over_mutual_tls_with_a_password() {
    let users = user("prometheus", "right", 4);
    let site = Site::start(&format!(
        "tls_server_config:\n  {TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
         client_allowed_sans: [prometheus.example.org]\n  min_version: TLS13\nbasic_auth_users:\n{users}"
    ));
    let [ca, certificate, key] = ["ca.crt", "client.crt", "client.key"].map(|name| site.path(name));
    let scrape = |password: &str| {
        let job = format!(
            "  scheme: https\n  basic_auth: {{username: prometheus, password: {password}}}\n  tls_config:\n    \
             ca_file: {ca}\n    cert_file: {certificate}\n    key_file: {key}\n"
        );
        Prometheus::with_job(&[site.exporter.address().to_string()], &job)
    };
    let (right, wrong) = (scrape("right"), scrape("wrong"));
    right.wait_for("scrapes succeed", |prometheus| {
        prometheus.value("openstack_heartbeat_database_up") == Some(1.0)
    });
    wrong.wait_for("scrapes are refused", |prometheus| {
        prometheus.value("up") == Some(0.0)
    });
    right.wait_for("the refusals are counted", |prometheus| {
        let refused = "openstack_heartbeat_http_requests_total{code='401'}";
        prometheus
            .value(refused)
            .is_some_and(|refused| refused > 0.0)
    });
}
