//! The keys of the web configuration file, their values and their faults.

use hyper::header::{STRICT_TRANSPORT_SECURITY, X_FRAME_OPTIONS};
use tokio_rustls::rustls::NamedGroup;

use super::go_tls::{ClientAuth, Version};
use super::*;

const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

fn parse(text: &str) -> Result<WebConfig, Vec<String>> {
    let (result, _) = read(Path::new("/etc/web.yml"), text);
    result.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// Checks the faults of a text, each as `LINE: FAULT`.
#[track_caller]
fn check(text: &str, faults: &[&str]) {
    let faults = faults.iter().map(|fault| format!("/etc/web.yml:{fault}"));
    let found = parse(text).err().unwrap_or_default();
    assert_eq!(found, faults.collect::<Vec<_>>(), "{text}");
}

const TLS: &str = "tls_server_config: {cert_file: c, key_file: k";

/// Reads a section with a certificate and further keys.
fn tls(keys: &str) -> ServerTls {
    parse(&format!("{TLS}, {keys}}}")).unwrap().tls.unwrap()
}

/// Checks the fault of each section with a certificate and further keys.
#[track_caller]
fn check_tls<const N: usize>(cases: [(&str, &str); N]) {
    for (keys, fault) in cases {
        check(&format!("{TLS}, {keys}}}"), &[&format!("1: {fault}")]);
    }
}

#[test]
fn an_empty_file_sets_nothing() {
    for text in [
        "",
        "# nothing\n",
        "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n",
        "tls_server_config: {}\nhttp_server_config: {headers: {}}\nbasic_auth_users: {}\nrate_limit: {interval: 0}\n",
    ] {
        let config = parse(text).unwrap();
        assert!(config.tls.is_none() && config.http2, "{text}");
        let sizes = (config.headers.len(), config.users.len());
        assert_eq!((sizes, config.rate_limit), ((0, 0), None), "{text}");
    }
}

#[test]
fn paths_are_relative_to_the_folder_of_the_file_and_all_are_returned() {
    let text = "tls_server_config:\n  cert_file: tls/crt\n  key_file: /run/key\n  client_ca_file: ../ca\n  \
                client_auth_type: RequireAndVerifyClientCert\nrate_limitt:\n";
    let (result, files) = read(Path::new("/etc/x/web.yml"), text);
    assert!(result.is_err(), "files are returned along with faults");
    let expected = ["/etc/x/tls/crt", "/run/key", "/etc/x/../ca"].map(PathBuf::from);
    assert_eq!(files, expected);
    let (_, files) = read(Path::new("web.yml"), "tls_server_config: {cert_file: c}");
    assert_eq!(files, [PathBuf::from("c")]);
}

#[test]
fn every_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let known =
        "valid keys are tls_server_config, http_server_config, basic_auth_users, rate_limit";
    check(
        "tls_server_config:\n  cert_file: c\n  key_fil: k\nusers: {}\nxyzzy: 1\n",
        &[
            &format!("4: unknown key `users`; {known}"),
            &format!("5: unknown key `xyzzy`; {known}"),
            "3: unknown key `key_fil`; did you mean `key_file`?",
            "2: tls_server_config needs `key_file` or `key`",
        ],
    );
    check(
        "http_server_config:\n  headers:\n    x-frame-options: deny\n",
        &["3: unknown key `x-frame-options`; did you mean `X-Frame-Options`?"],
    );
}

#[test]
fn values_of_the_wrong_shape_are_refused() {
    let twice = ["2", "1"].map(|line| format!("{line}: this key is given twice"));
    let text = "rate_limit: {burst: 1, burst: 2}\nrate_limit:\n";
    check(text, &twice.each_ref().map(String::as_str));
    let shape = "must contain keys and values";
    for (text, fault) in [
        ("[]", &*format!("the file {shape}")),
        (
            "basic_auth_users: [a]",
            &format!("basic_auth_users {shape}"),
        ),
        (
            "http_server_config: {http2: [a]}",
            "`http2` takes one value",
        ),
    ] {
        check(text, &[&format!("1: {fault}")]);
    }
    let sans = "client_auth_type: RequireAnyClientCert, client_allowed_sans: [[a]]";
    check_tls([
        ("min_version: {}", "`min_version` takes one value"),
        (
            "curve_preferences: X25519",
            "`curve_preferences` takes a list, such as [one, two]",
        ),
        (sans, "`client_allowed_sans` must be a list of texts"),
    ]);
}

#[test]
fn exactly_one_certificate_and_one_key_are_needed() {
    let cert = "1: tls_server_config needs `cert_file` or `cert`";
    let key = "1: tls_server_config needs `key_file` or `key`";
    let both = "1: both `cert` and `cert_file` are set; remove one";
    for (keys, faults) in [
        ("cert: c, key: k", &[][..]),
        ("cert: c, key_file: k", &[]),
        ("cert_file: c", &[key]),
        ("cert_file: '', key: k", &[cert]),
        ("min_version: TLS13", &[cert, key]),
        ("cert: c, cert_file: c, key: k", &[both]),
    ] {
        check(&format!("tls_server_config: {{{keys}}}\n"), faults);
    }
}

#[test]
fn client_auth_types_have_the_meaning_of_gos_names() {
    use ClientAuth::{None, Request, RequireAndVerify, RequireAny, VerifyIfGiven};
    let missing = "tls_server_config needs `client_ca_file` or `client_ca`";
    let useless = "a client_ca needs a client_auth_type that verifies: RequireAndVerifyClientCert or \
                   VerifyClientCertIfGiven";
    for (name, expected, verifies, requires) in [
        ("", None, false, false),
        ("NoClientCert", None, false, false),
        ("RequestClientCert", Request, false, false),
        ("RequireAnyClientCert", RequireAny, false, true),
        ("RequireClientCert", RequireAny, false, true),
        ("VerifyClientCertIfGiven", VerifyIfGiven, true, false),
        ("RequireAndVerifyClientCert", RequireAndVerify, true, true),
    ] {
        let [right, wrong, fault] = if verifies {
            ["client_ca: x", "", missing]
        } else {
            ["", "client_ca: x", useless]
        };
        let auth = tls(&format!("client_auth_type: '{name}', {right}")).client_auth;
        let found = (auth, auth.verifies(), auth.requires());
        assert_eq!(found, (expected, verifies, requires), "{name}");
        check_tls([(&format!("client_auth_type: '{name}', {wrong}"), fault)]);
        if !requires {
            let keys = format!("client_auth_type: '{name}', client_allowed_sans: [a], {right}");
            let fault = "`client_allowed_sans` needs a client_auth_type that requires a certificate: \
                         RequireAndVerifyClientCert or RequireAnyClientCert";
            check_tls([(&keys, fault)]);
        }
    }
    let fault = "`client_auth_type` is `Always`; expected NoClientCert, RequestClientCert, RequireAnyClientCert, \
                 VerifyClientCertIfGiven or RequireAndVerifyClientCert";
    check_tls([("client_auth_type: Always", fault)]);
    let sans =
        |sans| format!("client_auth_type: RequireAnyClientCert, client_allowed_sans: {sans}");
    let fault = "an empty `client_allowed_sans` admits no client; add a name or remove the key";
    check_tls([(&sans("[]"), fault)]);
    assert_eq!(tls(&sans("[a, '::1']")).allowed_sans.unwrap(), ["a", "::1"]);
}

#[test]
fn unsupported_versions_are_refused() {
    use Version::{Tls12, Tls13};
    for (keys, expected) in [
        ("", (Tls12, Tls13)),
        ("min_version: TLS13, max_version: TLS13", (Tls13, Tls13)),
    ] {
        let tls = tls(keys);
        assert_eq!((tls.min_version, tls.max_version), expected);
    }
    for version in ["TLS10", "TLS11", "tls13", "1.3"] {
        let expected = "expected TLS12 or TLS13; older versions are insecure and not supported";
        let fault = format!("`min_version` is `{version}`; {expected}");
        check_tls([(&format!("min_version: {version}"), &fault)]);
    }
    let swapped = "min_version: TLS13, max_version: TLS12";
    check_tls([(swapped, "`min_version` is above `max_version`")]);
}

#[test]
fn cipher_suites_and_curves_keep_their_order_and_unsupported_ones_are_refused() {
    let suites = |keys: &str| {
        let suites = tls(keys).cipher_suites?.into_iter();
        let names = suites.map(|suite| format!("{:?}", suite.suite()));
        Some(names.collect::<Vec<_>>())
    };
    assert_eq!(suites("cipher_suites: []"), None);
    let [first, second] = ["CHACHA20_POLY1305_SHA256", "AES_128_GCM_SHA256"]
        .map(|suite| format!("TLS_ECDHE_RSA_WITH_{suite}"));
    let keys = format!("cipher_suites: [{first}, TLS_AES_128_GCM_SHA256, {second}]");
    assert_eq!(suites(&keys), Some(vec![first, second]));
    let gcm = ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384"];
    for cipher in gcm.into_iter().chain(["CHACHA20_POLY1305_SHA256"]) {
        let all = ["ECDSA", "RSA"].map(|key| format!("TLS_ECDHE_{key}_WITH_{cipher}"));
        let keys = format!("cipher_suites: [{}]", all.join(", "));
        assert_eq!(suites(&keys), Some(all.to_vec()));
    }
    let chosen = tls("prefer_server_cipher_suites: no, curve_preferences: [CurveP384, X25519]");
    assert_eq!(chosen.curves, [NamedGroup::secp384r1, NamedGroup::X25519]);
    assert!(!chosen.server_order);
    for suite in [
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS13_AES_128_GCM_SHA256",
        "nonsense",
    ] {
        let fault = format!(
            "`cipher_suites` contains `{suite}`; expected a supported cipher suite: TLS_ECDHE_ECDSA_ or \
             TLS_ECDHE_RSA_ followed by WITH_AES_128_GCM_SHA256, WITH_AES_256_GCM_SHA384 or \
             WITH_CHACHA20_POLY1305_SHA256; suites with CBC or without ECDHE are weak"
        );
        check_tls([(&format!("cipher_suites: [{suite}]"), &fault)]);
    }
    for curve in ["CurveP521", "X25519MLKEM768"] {
        let expected = "expected a supported curve: X25519, CurveP256 or CurveP384";
        let fault = format!("`curve_preferences` contains `{curve}`; {expected}");
        check_tls([(&format!("curve_preferences: [{curve}]"), &fault)]);
    }
}

#[test]
fn only_known_headers_can_be_set_and_only_to_valid_values() {
    let config = parse(
        "http_server_config:\n  http2: off\n  headers:\n    X-Frame-Options: sameorigin\n    X-XSS-Protection: ''\n    \
         Strict-Transport-Security: max-age=31536000\n",
    )
    .unwrap();
    assert!(!config.http2);
    let age = HeaderValue::from_static("max-age=31536000");
    let origin = HeaderValue::from_static("sameorigin");
    let expected = [(X_FRAME_OPTIONS, origin), (STRICT_TRANSPORT_SECURITY, age)];
    assert_eq!(config.headers, expected);
    let known = "Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, \
                 X-XSS-Protection";
    let check = |header: &str, fault: &str| {
        let text = format!("http_server_config: {{headers: {{{header}}}}}\n");
        check(&text, &[&format!("1: {fault}")]);
    };
    check(
        "Server: x",
        &format!("unknown key `Server`; valid keys are {known}"),
    );
    for (name, value, expected) in [
        ("X-Frame-Options", "DENY", "deny or sameorigin"),
        ("X-Content-Type-Options", "sniff", "nosniff"),
        ("X-XSS-Protection", "1\n2", "one line of visible characters"),
    ] {
        let fault = format!("`{name}` is `{value}`; expected {expected}");
        check(&format!("{name}: {value:?}"), &fault);
    }
}

#[test]
fn http2_is_true_or_false() {
    let fault = "1: `http2` is `maybe`; expected true or false";
    check("http_server_config: {http2: maybe}\n", &[fault]);
}

#[test]
fn users_have_hashes_and_possible_passwords_are_not_shown() {
    let text = format!("basic_auth_users:\n  a.b: {HASH}\n  ж: '{HASH}'\n");
    let config = parse(&text).unwrap();
    assert_eq!(config.users.keys().collect::<Vec<_>>(), ["a.b", "ж"]);
    assert!(!format!("{config:?}").contains("QOauh"));
    let no_hash = "2: this user's value is not a bcrypt hash ($2y$10$ and 53 characters, for example); create one \
                   with `htpasswd -nBC 10 \"\"`";
    let colon = "2: a user name cannot contain a colon";
    let named = format!("'a:b': {HASH}");
    for (user, fault) in [
        ("a: c4nary", no_hash),
        ("a: ''", no_hash),
        ("a:", no_hash),
        (&named, colon),
    ] {
        check(&format!("basic_auth_users:\n  {user}\n"), &[fault]);
    }
}

#[test]
fn a_rate_limit_allows_some_requests() {
    for (keys, expected) in [
        ("interval: 1s, burst: 20", Some((1_000, 20))),
        ("interval: 100ms, burst: 1", Some((100, 1))),
        ("interval: 1m30s, burst: 1000000", Some((90_000, 1_000_000))),
        ("interval: 0", None),
        ("interval: 0s, burst: 0", None),
        ("burst: 7", None),
    ] {
        let config = parse(&format!("rate_limit: {{{keys}}}\n")).unwrap();
        let found = config
            .rate_limit
            .map(|limit| (limit.interval.as_millis(), limit.burst));
        assert_eq!(found, expected, "{keys}");
    }
    let burst = "rate_limit with an interval but without `burst` would refuse every request; set `burst` to the number of \
                 simultaneous requests to allow, at least 1";
    let invalid = |key, text, expected| format!("`{key}` is `{text}`; expected {expected}");
    let duration = "a duration such as 100ms or 2s, or 0 for no limit";
    let interval = |text| invalid("interval", text, duration);
    let number = |text| invalid("burst", text, "a whole number of requests, up to a million");
    for (keys, fault) in [
        ("interval: 1s", burst),
        ("interval: 1s, burst: 0", burst),
        ("interval: 5, burst: 1", &interval("5")),
        ("interval: 1000y, burst: 1", &interval("1000y")),
        ("interval: 0, burst: many", &number("many")),
        ("interval: 0, burst: 1000001", &number("1000001")),
    ] {
        let fault = format!("1: {fault}");
        check(&format!("rate_limit: {{{keys}}}\n"), &[&fault]);
    }
}
