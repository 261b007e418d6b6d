//! Certificates that rcgen can't make, by openssl.

use std::path::Path;
use std::process::Command;

use super::env;

/// Runs openssl, which must succeed.
pub(crate) fn openssl(arguments: &[&str]) {
    succeed(Command::new("openssl").args(arguments));
}

/// Runs a command, which must succeed.
pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

/// Arguments of `openssl req` for a new key without a passphrase.
pub(crate) const NEW_KEY: [&str; 5] = ["-config", "/dev/null", "-newkey", "rsa:2048", "-nodes"];

/// Creates `name.pem` and `name.key` in a folder, signed by the tests' authority. Without extensions, the certificate
/// is of version 1.
pub(crate) fn issue(folder: &Path, name: &str, extensions: &str) -> (String, String) {
    let authority = format!("{}/tls/ca", env("HEARTBEAT_TEST_DIR"));
    let path = |end: &str| folder.join(format!("{name}.{end}")).display().to_string();
    let (certificate, key, request, file) = (path("pem"), path("key"), path("csr"), path("ext"));
    let subject = format!("/CN={name}");
    let files = ["-subj", &subject, "-keyout", &key, "-out", &request];
    openssl(&[&["req"], &NEW_KEY[..], &files].concat());
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let mut sign = vec![
        "x509",
        "-req",
        "-in",
        &request,
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-set_serial",
        "1",
        "-days",
        "2",
        "-out",
        &certificate,
    ];
    std::fs::write(&file, extensions).unwrap();
    if !extensions.is_empty() {
        sign.extend(["-extfile", &file]);
    }
    openssl(&sign);
    (certificate, key)
}
