//! The keys of the web configuration file, their values and their faults.

use tokio_rustls::rustls::NamedGroup;

use super::go_tls::{ClientAuth, Version};
use super::*;

const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

fn parse(text: &str) -> Result<WebConfig, Vec<String>> {
    let (result, _) = read(Path::new("/etc/web.yml"), text);
    result.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check(text: &str, faults: &[&str]) {
    match parse(text) {
        Ok(_) => assert_eq!(faults, [""; 0], "{text}"),
        Err(found) => assert_eq!(found, faults, "{text}"),
    }
}

/// Reads a section with a certificate and further keys.
fn tls(keys: &str) -> ServerTls {
    let text = format!("tls_server_config: {{cert_file: c, key_file: k, {keys}}}\n");
    parse(&text).unwrap().tls.unwrap()
}

#[track_caller]
fn check_tls(keys: &str, fault: &str) {
    let text = format!("tls_server_config: {{cert_file: c, key_file: k, {keys}}}\n");
    check(&text, &[&format!("/etc/web.yml:1: {fault}")]);
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
        assert!(
            config.headers.is_empty() && config.users.is_empty(),
            "{text}"
        );
        assert_eq!(config.rate_limit, None, "{text}");
    }
}

#[test]
fn paths_are_relative_to_the_folder_of_the_file_and_all_are_returned() {
    let text = "tls_server_config:\n  cert_file: tls/crt\n  key_file: /run/key\n  client_ca_file: ../ca\n  \
                client_auth_type: RequireAndVerifyClientCert\nrate_limitt:\n";
    let (result, files) = read(Path::new("/etc/x/web.yml"), text);
    assert!(result.is_err(), "files are returned along with faults");
    assert_eq!(
        files,
        ["/etc/x/tls/crt", "/run/key", "/etc/x/../ca"].map(PathBuf::from)
    );
    assert_eq!(
        read(Path::new("web.yml"), "tls_server_config: {cert_file: c}").1,
        [PathBuf::from("c")]
    );
}

#[test]
fn every_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    check(
        "tls_server_config:\n  cert_file: c\n  key_fil: k\nusers: {}\nxyzzy: 1\n",
        &[
            "/etc/web.yml:4: unknown key `users`; valid keys are tls_server_config, http_server_config, \
             basic_auth_users, rate_limit",
            "/etc/web.yml:5: unknown key `xyzzy`; valid keys are tls_server_config, http_server_config, \
             basic_auth_users, rate_limit",
            "/etc/web.yml:3: unknown key `key_fil`; did you mean `key_file`?",
            "/etc/web.yml:2: tls_server_config needs `key_file` or `key`",
        ],
    );
    check(
        "http_server_config:\n  headers:\n    x-frame-options: deny\n",
        &["/etc/web.yml:3: unknown key `x-frame-options`; did you mean `X-Frame-Options`?"],
    );
}

#[test]
fn values_of_the_wrong_shape_are_refused() {
    check(
        "rate_limit: {burst: 1, burst: 2}\nrate_limit:\n",
        &[
            "/etc/web.yml:2: this key is given twice",
            "/etc/web.yml:1: this key is given twice",
        ],
    );
    check(
        "[]\n",
        &["/etc/web.yml:1: the file must contain keys and values"],
    );
    check(
        "basic_auth_users: [a]\n",
        &["/etc/web.yml:1: basic_auth_users must contain keys and values"],
    );
    check(
        "http_server_config: {http2: [true]}\n",
        &["/etc/web.yml:1: `http2` takes one value"],
    );
    check_tls("min_version: {}", "`min_version` takes one value");
    check_tls(
        "curve_preferences: X25519",
        "`curve_preferences` takes a list, such as [one, two]",
    );
    check_tls(
        "client_auth_type: RequireAnyClientCert, client_allowed_sans: [[a]]",
        "`client_allowed_sans` must be a list of texts",
    );
}

#[test]
fn exactly_one_certificate_and_one_key_are_needed() {
    let file = "/etc/web.yml:1:";
    for (keys, faults) in [
        ("cert: c, key: k", vec![]),
        ("cert: c, key_file: k", vec![]),
        (
            "cert_file: c",
            vec!["tls_server_config needs `key_file` or `key`"],
        ),
        (
            "cert_file: '', key: k",
            vec!["tls_server_config needs `cert_file` or `cert`"],
        ),
        (
            "min_version: TLS13",
            vec![
                "tls_server_config needs `cert_file` or `cert`",
                "tls_server_config needs `key_file` or `key`",
            ],
        ),
        (
            "cert: c, cert_file: c, key: k",
            vec!["both `cert` and `cert_file` are set; remove one"],
        ),
    ] {
        let faults: Vec<String> = faults
            .iter()
            .map(|fault| format!("{file} {fault}"))
            .collect();
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        check(&format!("tls_server_config: {{{keys}}}\n"), &faults);
    }
}

#[test]
fn client_auth_types_have_the_meaning_of_gos_names() {
    for (name, expected, verifies, requires) in [
        ("", ClientAuth::None, false, false),
        ("NoClientCert", ClientAuth::None, false, false),
        ("RequestClientCert", ClientAuth::Request, false, false),
        ("RequireAnyClientCert", ClientAuth::RequireAny, false, true),
        ("RequireClientCert", ClientAuth::RequireAny, false, true),
        (
            "VerifyClientCertIfGiven",
            ClientAuth::VerifyIfGiven,
            true,
            false,
        ),
        (
            "RequireAndVerifyClientCert",
            ClientAuth::RequireAndVerify,
            true,
            true,
        ),
    ] {
        let ca = if verifies { "client_ca: x" } else { "" };
        let auth = tls(&format!("client_auth_type: '{name}', {ca}")).client_auth;
        assert_eq!(auth, expected, "{name}");
        assert_eq!(
            (auth.verifies(), auth.requires()),
            (verifies, requires),
            "{name}"
        );
        let needs = if verifies {
            "tls_server_config needs `client_ca_file` or `client_ca`"
        } else {
            "a client_ca needs a client_auth_type that verifies: RequireAndVerifyClientCert or \
             VerifyClientCertIfGiven"
        };
        let ca = if verifies { "" } else { "client_ca: x" };
        check_tls(&format!("client_auth_type: '{name}', {ca}"), needs);
        if !requires {
            let ca = if verifies { "client_ca: x" } else { "" };
            check_tls(
                &format!("client_auth_type: '{name}', client_allowed_sans: [a], {ca}"),
                "`client_allowed_sans` needs a client_auth_type that requires a certificate: \
                 RequireAndVerifyClientCert or RequireAnyClientCert",
            );
        }
    }
    check_tls(
        "client_auth_type: Always",
        "`client_auth_type` is `Always`; expected NoClientCert, RequestClientCert, RequireAnyClientCert, \
         VerifyClientCertIfGiven or RequireAndVerifyClientCert",
    );
    check_tls(
        "client_auth_type: RequireAnyClientCert, client_allowed_sans: []",
        "an empty `client_allowed_sans` admits no client; add a name or remove the key",
    );
    let sans = tls("client_auth_type: RequireAnyClientCert, client_allowed_sans: [a, '::1']");
    assert_eq!(sans.allowed_sans.unwrap(), ["a", "::1"]);
}

#[test]
fn unsupported_versions_are_refused() {
    let both = tls("");
    assert_eq!(
        (both.min_version, both.max_version),
        (Version::Tls12, Version::Tls13)
    );
    let one = tls("min_version: TLS13, max_version: TLS13");
    assert_eq!(
        (one.min_version, one.max_version),
        (Version::Tls13, Version::Tls13)
    );
    for version in ["TLS10", "TLS11", "tls13", "1.3"] {
        check_tls(
            &format!("min_version: {version}"),
            &format!(
                "`min_version` is `{version}`; expected TLS12 or TLS13; older versions are insecure and not supported"
            ),
        );
    }
    check_tls(
        "min_version: TLS13, max_version: TLS12",
        "`min_version` is above `max_version`",
    );
}

#[test]
fn cipher_suites_and_curves_keep_their_order_and_unsupported_ones_are_refused() {
    assert!(tls("cipher_suites: []").cipher_suites.is_none());
    let chosen = tls(
        "cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256, \
         TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], prefer_server_cipher_suites: no, curve_preferences: [CurveP384, X25519]",
    );
    let suites: Vec<String> = chosen
        .cipher_suites
        .unwrap()
        .iter()
        .map(|suite| format!("{:?}", suite.suite()))
        .collect();
    assert_eq!(
        suites,
        [
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
        ]
    );
    assert_eq!(chosen.curves, [NamedGroup::secp384r1, NamedGroup::X25519]);
    assert!(!chosen.server_order);
    for suite in [
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "nonsense",
    ] {
        check_tls(
            &format!("cipher_suites: [{suite}]"),
            &format!(
                "`cipher_suites` contains `{suite}`; expected a supported cipher suite: TLS_ECDHE_ECDSA_ or \
                 TLS_ECDHE_RSA_ followed by WITH_AES_128_GCM_SHA256, WITH_AES_256_GCM_SHA384 or \
                 WITH_CHACHA20_POLY1305_SHA256; suites with CBC or without ECDHE are weak"
            ),
        );
    }
    for curve in ["CurveP521", "X25519MLKEM768"] {
        check_tls(
            &format!("curve_preferences: [{curve}]"),
            &format!(
                "`curve_preferences` contains `{curve}`; expected a supported curve: X25519, CurveP256 or CurveP384"
            ),
        );
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
    let headers: Vec<_> = config
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [
            ("x-frame-options", "sameorigin"),
            ("strict-transport-security", "max-age=31536000")
        ]
    );
    for (header, fault) in [
        (
            "Server: x",
            "unknown key `Server`; valid keys are Content-Security-Policy, Strict-Transport-Security, \
          X-Content-Type-Options, X-Frame-Options, X-XSS-Protection",
        ),
        (
            "X-Frame-Options: DENY",
            "`X-Frame-Options` is `DENY`; expected deny or sameorigin",
        ),
        (
            "X-Content-Type-Options: sniff",
            "`X-Content-Type-Options` is `sniff`; expected nosniff",
        ),
        (
            "X-XSS-Protection: \"1\\n2\"",
            "`X-XSS-Protection` is `1\n2`; expected one line of \
          visible characters",
        ),
    ] {
        check(
            &format!("http_server_config: {{headers: {{{header}}}}}\n"),
            &[&format!("/etc/web.yml:1: {fault}")],
        );
    }
    check(
        "http_server_config: {http2: maybe}\n",
        &["/etc/web.yml:1: `http2` is `maybe`; expected true or false"],
    );
}

#[test]
fn users_have_hashes_and_possible_passwords_are_not_shown() {
    let config = parse(&format!(
        "basic_auth_users:\n  a.b: {HASH}\n  ж: '{HASH}'\n"
    ))
    .unwrap();
    assert_eq!(config.users.keys().collect::<Vec<_>>(), ["a.b", "ж"]);
    assert!(!format!("{config:?}").contains("QOauh"));
    let no_hash = "this user's value is not a bcrypt hash ($2y$10$ and 53 characters, for example); create one with \
                   `htpasswd -nBC 10 \"\"`";
    for value in ["c4nary", "''", ""] {
        check(
            &format!("basic_auth_users:\n  a: {value}\n"),
            &[&format!("/etc/web.yml:2: {no_hash}")],
        );
    }
    check(
        &format!("basic_auth_users:\n  'a:b': {HASH}\n"),
        &["/etc/web.yml:2: a user name cannot contain a colon"],
    );
}

#[test]
fn a_rate_limit_allows_some_requests() {
    for (text, interval, burst) in [
        ("interval: 1s, burst: 20", 1_000, 20),
        ("interval: 100ms, burst: 1", 100, 1),
        ("interval: 1m30s, burst: 1000000", 90_000, 1_000_000),
    ] {
        let limit = parse(&format!("rate_limit: {{{text}}}\n"))
            .unwrap()
            .rate_limit;
        let interval = Duration::from_millis(interval);
        assert_eq!(limit, Some(RateLimit { interval, burst }), "{text}");
    }
    for text in ["interval: 0", "interval: 0s, burst: 0", "burst: 7"] {
        let limit = parse(&format!("rate_limit: {{{text}}}\n"))
            .unwrap()
            .rate_limit;
        assert_eq!(limit, None, "{text}");
    }
    let burst = "rate_limit with an interval but without `burst` would refuse every request; set `burst` to the number of \
                 simultaneous requests to allow, at least 1";
    let interval = |text| {
        format!(
            "`interval` is `{text}`; expected a duration such as 100ms or 2s, or 0 for no limit"
        )
    };
    let number =
        |text| format!("`burst` is `{text}`; expected a whole number of requests, up to a million");
    for (text, faults) in [
        ("interval: 1s", vec![burst.to_owned()]),
        ("interval: 1s, burst: 0", vec![burst.to_owned()]),
        ("interval: 5, burst: 1", vec![interval("5")]),
        ("interval: 1000y, burst: 1", vec![interval("1000y")]),
        ("interval: 0, burst: many", vec![number("many")]),
        ("interval: 0, burst: 1000001", vec![number("1000001")]),
    ] {
        let faults: Vec<String> = faults
            .iter()
            .map(|f| format!("/etc/web.yml:1: {f}"))
            .collect();
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        check(&format!("rate_limit: {{{text}}}\n"), &faults);
    }
}
