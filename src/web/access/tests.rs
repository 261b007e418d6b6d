//! Web configuration files that change under a running server.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// Checks the files until a reload; returns its result, or `None` if nothing changed.
fn settle(access: &Access) -> Option<Result<(), Vec<String>>> {
    let reloaded = (0..3).find_map(|_| access.reload_if_changed())?;
    Some(reloaded.map_err(|faults| messages(&faults)))
}

fn messages(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|fault| chain(fault)).collect()
}

/// Writes a certificate for localhost and its key.
fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
}

fn access(folder: &TempDir, text: &str) -> Result<Access, Vec<String>> {
    let file = folder.path().join("web.yml");
    fs::write(&file, text).unwrap();
    Access::new(Some(file)).map_err(|faults| messages(&faults))
}

#[test]
fn a_changed_file_is_read_once_it_is_stable_and_a_broken_one_keeps_the_old_rules() {
    let folder = TempDir::new().unwrap();
    let access = access(&folder, "rate_limit: {interval: 1s, burst: 5}\n").unwrap();
    let burst = || access.rules().rate_limit.map(|limit| limit.burst);
    assert_eq!(settle(&access), None);

    let file = folder.path().join("web.yml");
    fs::write(&file, "rate_limit: {interval: 1s, burst: 60}\n").unwrap();
    let reloaded = access.reload_if_changed();
    assert!(reloaded.is_none(), "it may still be written");
    fs::write(&file, "rate_limit: {interval: 1s, burst: 600}\n").unwrap();
    let reloaded = access.reload_if_changed();
    assert!(reloaded.is_none(), "it was written since");
    assert!(matches!(access.reload_if_changed(), Some(Ok(()))));
    assert_eq!(burst(), Some(600));

    fs::write(&file, "rate_limitt: {}\n").unwrap();
    let fault = format!(
        "{}:1: unknown key `rate_limitt`; did you mean `rate_limit`?",
        file.display()
    );
    assert_eq!(settle(&access), Some(Err(vec![fault])));
    assert_eq!(burst(), Some(600));
    assert_eq!(settle(&access), None, "it is reported once");

    fs::remove_file(&file).unwrap();
    let faults = settle(&access).unwrap().unwrap_err();
    assert!(faults[0].contains("web.yml"), "{faults:?}");
    assert_eq!(burst(), Some(600));

    fs::write(&file, "").unwrap();
    assert_eq!(settle(&access), Some(Ok(())));
    assert_eq!(burst(), None);
}

#[test]
fn a_link_with_a_new_target_is_a_change() {
    let folder = TempDir::new().unwrap();
    for version in ["1", "2"] {
        let version = folder.path().join(version);
        fs::create_dir(&version).unwrap();
        certificate(&version);
    }
    let data = folder.path().join("..data");
    symlink("1", &data).unwrap();
    let text = "tls_server_config: {cert_file: ..data/tls.crt, key_file: ..data/tls.key}\n";
    let access = access(&folder, text).unwrap();
    let before = access.rules();
    assert_eq!(settle(&access), None);
    let next = folder.path().join("..next");
    symlink("2", &next).unwrap();
    fs::rename(next, data).unwrap();
    assert_eq!(settle(&access), Some(Ok(())));
    assert!(!Arc::ptr_eq(&before, &access.rules()));
}

#[test]
fn a_certificate_is_refused_until_its_key_matches() {
    let folder = TempDir::new().unwrap();
    certificate(folder.path());
    let text = "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n";
    let access = access(&folder, text).unwrap();
    let other = TempDir::new().unwrap();
    certificate(other.path());
    fs::copy(other.path().join("tls.crt"), folder.path().join("tls.crt")).unwrap();
    let faults = settle(&access).unwrap().unwrap_err();
    assert!(
        faults[0].contains("the certificate and the key can't be used"),
        "{faults:?}"
    );
    assert_eq!(settle(&access), None);
    fs::copy(other.path().join("tls.key"), folder.path().join("tls.key")).unwrap();
    assert_eq!(settle(&access), Some(Ok(())));
}

#[test]
fn a_fault_does_not_show_the_content_of_a_file() {
    let folder = TempDir::new().unwrap();
    certificate(folder.path());
    fs::write(folder.path().join("odd"), "c4nary").unwrap();
    let no_key = "is not a private key in PEM without a passphrase";
    let no_certificate = "is not a certificate in PEM";
    let no_value = "this value is not a certificate in PEM";
    let pair = "cert_file: tls.crt, key_file: tls.key";
    let odd_ca = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: odd";
    let odd_suite = "max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]";
    for (section, expected) in [
        ("cert_file: none, key_file: tls.key", "cannot read"),
        ("cert_file: tls.crt, key_file: tls.crt", no_key),
        ("cert_file: tls.key, key_file: tls.key", no_certificate),
        ("cert_file: odd, key_file: odd", no_certificate),
        ("cert: c4nary, key: c4nary", no_value),
        (&format!("{pair}, {odd_ca}"), no_certificate),
        (&format!("{pair}, {odd_suite}"), "can't be used together"),
    ] {
        let faults = access(&folder, &format!("tls_server_config: {{{section}}}\n")).unwrap_err();
        assert!(faults[0].contains(expected), "{section}: {faults:?}");
        assert!(faults[0].contains("web.yml:1"), "{section}: {faults:?}");
        assert!(!faults.concat().contains("c4nary"), "{faults:?}");
    }
}
