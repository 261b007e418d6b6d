//! Certificates and names of database servers that the TLS of the exporter can't take, and logins that need TLS.

use std::path::{Path, PathBuf};
use std::process::Command;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::check_config::{connect, connects, refuses};
use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, run};
use crate::support::openssl::{NEW_KEY, issue, openssl, succeed};
use crate::support::server::Server;
use crate::support::{env, folder};

const VERSION_1: &str = "has X.509 version 1";

/// Issues a server's certificate, with a key for the user that it runs as.
fn issue_to_server(folder: &Path, extensions: &str) -> (String, String) {
    let files = issue(folder, "server", extensions);
    give(&files.1);
    files
}

fn give(key: &str) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(env("HEARTBEAT_TEST_POSTGRES_DATA")).unwrap();
    std::os::unix::fs::chown(key, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// A database on its own server with a certificate of its own.
struct Certified {
    database: Database,
    /// Holds `server.pem` and `server.key`.
    folder: PathBuf,
    _server: Server,
}

impl Certified {
    fn start(product: Product, extensions: &str) -> Self {
        let folder = folder("tls");
        let (certificate, key) = issue_to_server(&folder, extensions);
        let (certificate, key) = match product.engine() {
            Engine::MySql => (
                format!("--ssl-cert={certificate}"),
                format!("--ssl-key={key}"),
            ),
            _ => (
                format!("--ssl-cert-file={certificate}"),
                format!("--ssl-key-file={key}"),
            ),
        };
        let server = Server::start_with(product, &[&certificate, &key]);
        let database = Database::on(product.engine(), &server.url());
        database.insert(&[]);
        Self {
            database,
            folder,
            _server: server,
        }
    }

    /// Replaces MariaDB's certificate while it runs.
    fn replace(&self, extensions: &str) {
        issue_to_server(&self.folder, extensions);
        self.reload();
    }

    fn reload(&self) {
        self.database.execute(&["FLUSH SSL"]);
    }
}

fn authority() -> String {
    format!("{}/tls/ca.pem", env("HEARTBEAT_TEST_DIR"))
}

#[test]
fn a_server_certificate_of_version_1_is_named_and_only_preferred_tls_goes_without() {
    let ca = authority();
    for (product, required, verified) in [
        (
            Product::MariaDb,
            "ssl-mode=REQUIRED",
            format!("ssl-mode=VERIFY_CA&ssl_ca={ca}"),
        ),
        (
            Product::Postgres,
            "sslmode=require",
            format!("sslmode=verify-ca&sslrootcert={ca}"),
        ),
    ] {
        eprintln!("on {product:?}");
        let certified = Certified::start(product, "");
        let url = certified.database.url();
        let exporter = Exporter::start(&url, &[]);
        let metrics = exporter.wait_for_services();
        assert_eq!(metrics.database_up(), Some(1.0));
        let log = exporter.wait_for_log("not encrypted");
        let warnings = log.lines().filter(|line| line.contains("level=WARN"));
        let warnings: Vec<&str> = warnings
            .filter(|line| line.contains("not encrypted"))
            .collect();
        assert_eq!(warnings.len(), 1, "{log}");
        assert!(warnings[0].contains(VERSION_1), "{log}");
        let (code, message) = connect(&url);
        assert_eq!(code, 0, "{message}");
        assert!(message.contains("not encrypted"), "{message}");
        assert!(message.contains(VERSION_1), "{message}");

        for options in [required, &verified] {
            let url = format!("{url}?{options}");
            let exporter = Exporter::start(&url, &[]);
            exporter.wait_for_failure("tls");
            let server = format!("the server's certificate {VERSION_1}");
            refuses(&url, &[&server, "version 3", "-extfile"]);
        }
        // Without TLS the login fails too: both reasons are named.
        let wrong = url.replacen("heart-beat", "wrong-word", 1);
        let (_, message) = connect(&wrong);
        assert!(!message.contains("wrong-word"), "{message}");
        refuses(&wrong, &[VERSION_1, "and without TLS", "refuses user"]);
        if product == Product::MariaDb {
            certified.replace("subjectAltName=IP:127.0.0.1");
            connects(&format!("{url}?ssl_ca={ca}"));
        }
    }
    if Product::servers().contains(&Product::MySql) {
        // A login of MySQL needs TLS.
        let certified = Certified::start(Product::MySql, "");
        let url = certified.database.url();
        let remedies = [VERSION_1, "and without TLS", "caching_sha2_password"];
        refuses(&url, &remedies);
        Exporter::start(&url, &[]).wait_for_failure("tls");
    }
}

#[test]
fn each_fault_of_a_server_certificate_has_its_remedy() {
    let certified = Certified::start(Product::MariaDb, "basicConstraints=CA:FALSE");
    let url = certified.database.url();
    let ca = authority();
    // It names no host, as those that MySQL makes for itself.
    let names_none = [
        "does not contain the name 127.0.0.1",
        "ssl-mode=VERIFY_CA",
        "ssl_check_hostname=false",
    ];
    refuses(&format!("{url}?ssl_ca={ca}"), &names_none);
    connects(&format!("{url}?ssl_ca={ca}&ssl-mode=VERIFY_CA"));
    connects(&format!("{url}?ssl_ca={ca}&ssl_check_hostname=false"));

    certified.replace("subjectAltName=DNS:other.example.org");
    refuses(
        &format!("{url}?ssl_ca={ca}"),
        &[
            "does not contain the name 127.0.0.1 but",
            "other.example.org",
        ],
    );
    refuses(
        &format!("{url}?ssl-mode=VERIFY_CA"),
        &["an unknown authority", "ssl_ca"],
    );

    let path = |name: &str| certified.folder.join(name).display().to_string();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let self_signed = [
        "-subj",
        "/CN=x",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    let self_signed = [&["req", "-x509"], &NEW_KEY[..], &self_signed].concat();
    openssl(
        &[
            &self_signed[..],
            &["-addext", "basicConstraints=critical,CA:TRUE"],
        ]
        .concat(),
    );
    give(&key);
    certified.reload();
    refuses(
        &format!("{url}?ssl_ca={certificate}"),
        &["is a CA certificate", "CA:FALSE"],
    );
    // Made three days ago, for one.
    let mut before = Command::new("faketime");
    before.args(["-f", "-3d", "openssl"]).args(&self_signed);
    succeed(before.args(["-addext", "basicConstraints=CA:FALSE", "-days", "1"]));
    give(&key);
    certified.reload();
    refuses(&format!("{url}?ssl_ca={certificate}"), &["has expired"]);
}

#[test]
fn a_file_of_the_client_that_is_no_use_is_named() {
    let folder = folder("client");
    let (old, old_key) = issue(&folder, "old", "");
    let (new, _) = issue(&folder, "new", "extendedKeyUsage=clientAuth");
    let ca = authority();
    let empty = folder.join("empty.pem").display().to_string();
    std::fs::write(&empty, "").unwrap();
    for (engine, names) in [
        (
            Engine::MySql,
            [
                "ssl-mode=REQUIRED",
                "ssl_cert",
                "ssl_key",
                "ssl_ca",
                "ssl-mode=VERIFY_CA",
            ],
        ),
        (
            Engine::Postgres,
            [
                "sslmode=require",
                "sslcert",
                "sslkey",
                "sslrootcert",
                "sslmode=verify-ca",
            ],
        ),
    ] {
        let [required, cert, key, authorities, verified] = names;
        let database = Database::new(engine);
        let url = format!("{}?{required}", database.url());
        let pair = |certificate: &str, private: &str| {
            format!("{url}&{cert}={certificate}&{key}={private}")
        };
        refuses(
            &pair(&old, &old_key),
            &[&format!("{cert} {old} {VERSION_1}"), "-extfile"],
        );
        refuses(
            &pair(&empty, &old_key),
            &[&format!("{cert} {empty} holds no certificate")],
        );
        refuses(
            &pair(&new, &ca),
            &[&format!("{key} {ca} holds no private key")],
        );
        refuses(
            &pair(&new, &old_key),
            &[&format!("{cert} and {key} do not belong together")],
        );
        let url = format!("{}?{verified}&{authorities}", database.url());
        let (_, message) = connect(&format!("{url}={old_key}"));
        assert!(!message.contains("PRIVATE"), "{message}");
        refuses(
            &format!("{url}={old_key}"),
            &[&format!("{authorities} {old_key} holds no certificate")],
        );
    }
}

#[test]
fn a_postgresql_that_refuses_encrypted_logins_is_read_without_tls() {
    let rules = folder("rules").join("pg_hba.conf");
    let lines = "local all all trust\n\
                 host all postgres 127.0.0.1/32 trust\n\
                 hostnossl all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(&rules, lines).unwrap();
    let rules = format!("--hba-file={}", rules.display());
    let server = Server::start_with(Product::Postgres, &[&rules]);
    let database = Database::on(Engine::Postgres, &server.url());
    database.insert(&[]);
    let url = database.url();
    let (code, message) = connect(&url);
    assert_eq!(code, 0, "{message}");
    assert!(message.contains("not encrypted"), "{message}");
    assert!(message.contains("no pg_hba.conf entry"), "{message}");
    connects(&format!("{url}?sslmode=disable"));
    refuses(
        &format!("{url}?sslmode=require"),
        &["refuses user", "no pg_hba.conf entry"],
    );
    // The reason is the password, with TLS and without.
    refuses(
        &url.replacen("heart-beat", "wrong-word", 1),
        &["refuses user"],
    );
}

#[test]
fn a_certificate_without_its_key_in_the_environment_is_named() {
    let (certificate, _) = issue(&folder("client"), "new", "extendedKeyUsage=clientAuth");
    let url = format!("{}?sslmode=require", Database::new(Engine::Postgres).url());
    let environment = [
        ("OPENSTACK_HEARTBEAT_DATABASE_URL", url.as_str()),
        ("PGSSLCERT", &certificate),
    ];
    let output = run(&["check-config", "--connect"], &environment);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("must be given together"), "{message}");
    assert!(message.contains("PGSSLKEY"), "{message}");
}

#[test]
fn authorities_of_the_environment_verify_a_server_of_postgresql() {
    let (other, _) = issue(&folder("other"), "other", "basicConstraints=CA:TRUE");
    let url = Database::new(Engine::Postgres).url();
    for (options, file, expected) in [
        ("sslmode=require", other.as_str(), "unknown authority"),
        (
            "sslmode=require",
            "/missing",
            "cannot read PGSSLROOTCERT /missing: make the file readable by the exporter's user, or correct the variable",
        ),
        (
            "sslmode=verify-full",
            "/missing",
            "cannot read PGSSLROOTCERT /missing",
        ),
    ] {
        let url = format!("{url}?{options}");
        let environment = [
            ("OPENSTACK_HEARTBEAT_DATABASE_URL", url.as_str()),
            ("PGSSLROOTCERT", file),
        ];
        let output = run(&["check-config", "--connect"], &environment);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options} {file}: {message}");
        assert!(message.contains(expected), "{options} {file}: {message}");
    }
}

#[test]
fn a_name_that_no_certificate_can_contain_is_resolved_unless_it_is_verified() {
    let ca = authority();
    for (engine, modes, full, zone) in [
        (
            Engine::MySql,
            [
                "ssl-mode=REQUIRED".to_owned(),
                format!("ssl-mode=VERIFY_CA&ssl_ca={ca}"),
            ],
            format!("ssl_ca={ca}"),
            "ssl-mode=DISABLED",
        ),
        (
            Engine::Postgres,
            [
                "sslmode=require".to_owned(),
                format!("sslmode=verify-ca&sslrootcert={ca}"),
            ],
            format!("sslmode=verify-full&sslrootcert={ca}"),
            "sslmode=disable",
        ),
    ] {
        let database = Database::new(engine);
        let url = database.url().replacen("127.0.0.1", "127.1", 1);
        connects(&url);
        for mode in &modes {
            connects(&format!("{url}?{mode}"));
        }
        refuses(
            &format!("{url}?{full}"),
            &["no certificate can contain the name `127.1`"],
        );
        let scoped = url.replacen("127.1", "[fe80::1%lo]", 1);
        for mode in &modes {
            refuses(&format!("{scoped}?{mode}"), &["zone (%lo)", zone]);
        }
    }
}
