//! `healthcheck` against the exporter, with every kind of address.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::binary::{Outcome, listing, outcome};
use crate::support::certificate::Authority;
use crate::support::exporter::{Exporter, program};
use crate::support::{folder, free_port};

/// Runs the health check against an address, with more arguments.
fn ask(address: &str, arguments: &[&str]) -> Outcome {
    let address = format!("--web.listen-address={address}");
    outcome(&[&["healthcheck", &address], arguments].concat(), &[])
}

/// Writes a web configuration file next to a server certificate.
fn web_config(text: &str) -> PathBuf {
    let folder = folder("health");
    Authority::new("health").server(&folder);
    let file = folder.join("web.yml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn the_listen_address_is_asked_and_no_database_is_needed() {
    let database = listing(&[]);
    let port = free_port();
    let everywhere = format!("--web.listen-address=:{port}");
    let exporter = Exporter::start(&database.url(), &[&everywhere]);
    exporter.wait_for("a poll", |metrics| metrics.database_up() == Some(1.0));
    for address in [
        exporter.address().to_string(),
        format!(":{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost:{port}"),
    ] {
        let healthy = ask(&address, &[]);
        assert_eq!(healthy.code, 0, "{address}: {}", healthy.stderr);
        let port = address.rsplit(':').next().unwrap();
        let end = format!(":{port}/-/healthy answers: healthy\n");
        assert!(healthy.stdout.ends_with(&end), "{}", healthy.stdout);
        let ready = ask(&address, &["--ready"]);
        assert_eq!((ready.code, ready.stderr.as_str()), (0, ""));
    }
    // As in a container, where the exporter's variables are set, and its flags are missing.
    let file = folder("health").join("s.yaml");
    std::fs::write(&file, format!("web.listen-address: ':{port}'\npol: 1\n")).unwrap();
    let variable = ("OPENSTACK_HEARTBEAT_CONFIG_FILE", file.to_str().unwrap());
    let healthy = outcome(&["healthcheck"], &[variable]);
    assert_eq!(healthy.code, 0, "{}", healthy.stderr);
    // The running exporter has refused the file too, and continues.
    let warning = "s.yaml:2: unknown setting `pol`";
    assert!(healthy.stderr.contains(warning), "{}", healthy.stderr);
}

#[test]
fn a_missing_answer_names_the_address_and_the_reason() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let begun = Instant::now();
    let unanswered = ask(&silent, &[]);
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(unanswered.code, 1);
    let expected = format!("error: {silent} does not answer within 5 s\n");
    assert_eq!(unanswered.stderr, expected);

    let closed = format!("127.0.0.1:{}", free_port());
    let refused = ask(&closed, &[]);
    assert_eq!(refused.code, 1);
    let expected = format!("error: cannot connect to {closed}; start the exporter, ");
    assert!(refused.stderr.starts_with(&expected), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("Connection refused"),
        "{}",
        refused.stderr
    );

    for (arguments, expected) in [
        (["--web.listen-address=:0"], "port 0"),
        (["--web.listen-address=x"], "--web.listen-address: "),
        (["--web.systemd-socket"], "web.systemd-socket is set"),
    ] {
        let refused = outcome(&[&["healthcheck"], &arguments[..]].concat(), &[]);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}

#[test]
fn an_exporter_before_its_first_poll_is_healthy_and_not_ready() {
    // A database that never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("mysql://u@{}/cinder", silent.local_addr().unwrap());
    let mut command = program(&["serve", "--database.connect-timeout=1m"]);
    let command = command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", url);
    let exporter = Exporter::spawn(command);
    let address = exporter.address().to_string();
    assert_eq!(ask(&address, &[]).code, 0);
    let unready = ask(&address, &["--ready"]);
    assert_eq!(unready.code, 1);
    let expected = format!(
        "error: http://{address}/-/ready answers 503 Service Unavailable: the first poll of a database has not ended yet\n"
    );
    assert_eq!(unready.stderr, expected);
}

#[test]
fn tls_is_used_if_the_server_uses_it() {
    let tls = "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n";
    let required = "  client_auth_type: RequireAnyClientCert\n";
    let answers = |scheme: &str| (0, format!("{scheme}://"), "answers: healthy");
    let refuses = (
        0,
        String::new(),
        "is running: it requires a client certificate",
    );
    for (text, expected) in [
        (tls.to_owned(), answers("https")),
        (format!("{tls}  max_version: TLS12\n"), answers("https")),
        (format!("{tls}{required}"), refuses.clone()),
        (format!("{tls}{required}  max_version: TLS12\n"), refuses),
        // Without a section for TLS, and with a rate limit that does not apply to health checks.
        (
            "rate_limit: {interval: 1h, burst: 1}\n".to_owned(),
            answers("http"),
        ),
    ] {
        let file = web_config(&text);
        let flag = format!("--web.config.file={}", file.display());
        let exporter = Exporter::start(&listing(&[]).url(), &[&flag]);
        let address = exporter.address().to_string();
        // A file that was broken after the start is not active, so the server is asked as it was configured.
        std::fs::write(&file, "tls_server_config: [").unwrap();
        for _ in 0..2 {
            let asked = ask(&address, &[&flag]);
            let (code, start, end) = &expected;
            assert_eq!(asked.code, *code, "{text}{}", asked.stderr);
            assert!(
                asked.stdout.starts_with(start.as_str()),
                "{text}{}",
                asked.stdout
            );
            assert!(
                asked.stdout.trim_end().ends_with(end),
                "{text}{}",
                asked.stdout
            );
        }
        if text.contains(required) {
            let unknown = ask(&address, &[&flag, "--ready"]);
            assert_eq!(unknown.code, 1);
            let expected = "requires a client certificate";
            assert!(unknown.stderr.contains(expected), "{}", unknown.stderr);
        } else if text.contains("tls") {
            let plain = ask(&address, &[]);
            assert_eq!(plain.code, 1);
            let expected = "set web.config.file";
            assert!(plain.stderr.contains(expected), "{}", plain.stderr);
        }
    }
}
