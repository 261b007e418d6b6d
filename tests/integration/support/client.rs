//! The database administrator's clients: `mariadb` and `psql`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use openstack_heartbeat_exporter::config::database_url::Engine;

use super::exporter::PROGRAM;

/// Runs a script on a server as its superuser, whose URL names no database.
pub(crate) fn feed(engine: Engine, server: &str, script: &str) {
    let mut client = if engine == Engine::MySql {
        let (_, port) = server.rsplit_once(':').unwrap();
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "--skip-ssl", "--user=root"])
            .arg("--host=127.0.0.1")
            .arg(format!("--port={port}"));
        client
    } else {
        let mut client = Command::new("psql");
        client
            .args(["--no-psqlrc", "--set=ON_ERROR_STOP=1"])
            .arg(format!("{server}/postgres?sslmode=disable"));
        client
    };
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && error.is_empty(),
        "{error}\n{script}"
    );
}

/// Returns what a command line of the exporter prints, which a shell reads as an administrator's does.
pub(crate) fn printed(arguments: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", &format!("exec \"$0\" {arguments}")])
        .arg(PROGRAM)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
