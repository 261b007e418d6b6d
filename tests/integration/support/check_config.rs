//! `check-config --connect`, which logs in and reads the database once.

use super::exporter::run;

/// Returns exit code and standard error of `check-config --connect` for a database of Cinder.
pub(crate) fn connect(url: &str) -> (i32, String) {
    let environment = [
        ("OPENSTACK_HEARTBEAT_DATABASE_URL", url),
        ("OPENSTACK_HEARTBEAT_PROJECT", "cinder"),
    ];
    let output = run(&["check-config", "--connect"], &environment);
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), error)
}

/// Asserts that the command reads the database without a warning that TLS failed.
pub(crate) fn connects(url: &str) {
    let (code, message) = connect(url);
    assert_eq!(code, 0, "{url}: {message}");
    assert!(!message.contains("not encrypted"), "{url}: {message}");
}

/// Asserts that the command can't read the database, and that its message contains each part.
pub(crate) fn refuses(url: &str, parts: &[&str]) {
    let (code, message) = connect(url);
    assert_eq!(code, 2, "{url}: {message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}
