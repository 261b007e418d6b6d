//! Precedence, faults and origins, with temporary files and an invented environment.

use std::collections::HashMap;
use std::path::Path;

use super::*;
use crate::config::keys;
use crate::config::listen_address::ListenAddress;

/// Files, an environment and flags.
struct Case {
    folder: tempfile::TempDir,
    environment: &'static [(&'static str, &'static str)],
    flags: Flags,
}

impl Case {
    fn new(environment: &'static [(&'static str, &'static str)], flags: &[(&str, &str)]) -> Self {
        let mut case = Self {
            folder: tempfile::tempdir().unwrap(),
            environment,
            flags: Flags::default(),
        };
        for (name, text) in flags {
            let key = keys::find(name).unwrap();
            case.flags.layer.add(key, *text, format!("--{name}"));
        }
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn yaml(mut self, text: &str) -> Self {
        std::fs::write(self.path("s.yaml"), text).unwrap();
        self.flags.config_file = Some(self.path("s.yaml"));
        self
    }

    fn cinder_conf(mut self, text: &str) -> Self {
        let path = self.path("cinder.conf");
        std::fs::write(&path, text).unwrap();
        let origin = "--cinder.config-file".to_owned();
        self.flags.places.push((Place::File(path), origin));
        self
    }

    fn load(self) -> Result<Settings, Vec<String>> {
        let environment: HashMap<&str, &str> = self.environment.iter().copied().collect();
        let names: Vec<String> = environment.keys().map(|&name| name.to_owned()).collect();
        let folder = shown(self.folder.path());
        let variable = move |name: &str| {
            let found = self.environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        };
        load(self.flags, variable, names.into_iter()).map_err(|faults| {
            faults
                .iter()
                .map(|fault| crate::error::chain(fault).replace(&folder, "DIR"))
                .collect()
        })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

const URL: (&str, &str) = ("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://u:p@h/cinder");

fn value(settings: &Settings, name: &str) -> (String, String) {
    let effective = settings
        .effective
        .iter()
        .find(|value| value.name == name)
        .unwrap();
    (effective.value.clone(), effective.origin.clone())
}

#[test]
fn defaults_apply_without_other_settings() {
    let settings = Case::new(&[URL], &[]).load().unwrap();
    assert_eq!(settings.poll_interval, Duration::from_secs(5));
    assert_eq!(settings.stale_after, Duration::from_secs(30));
    assert_eq!(settings.intervals.service_down_time, TimeDelta::seconds(60));
    assert_eq!(settings.intervals.report_interval, TimeDelta::seconds(10));
    assert_eq!(settings.connect_timeout, Duration::from_secs(3));
    assert_eq!(settings.query_timeout, Duration::from_secs(5));
    assert_eq!(settings.telemetry_path, "/metrics");
    let everywhere = ListenAddress {
        host: None,
        port: 10390,
    };
    assert_eq!(settings.listen, Listen::Addresses(vec![everywhere]));
    assert!(!settings.enable_lifecycle);
    assert_eq!(
        value(&settings, "poll.interval"),
        ("5s".to_owned(), "default".to_owned())
    );
}

#[test]
fn each_layer_overrides_the_weaker_ones() {
    let yaml = "cinder: {report-interval: 3s}\npoll: {interval: 3s}\nlog.level: warn\nweb.telemetry-path: /yaml\n";
    let case = Case::new(
        &[
            URL,
            ("OPENSTACK_HEARTBEAT_POLL_INTERVAL", "4s"),
            ("OPENSTACK_HEARTBEAT_LOG_LEVEL", "error"),
        ],
        &[("log.level", "debug")],
    );
    let settings = case
        .yaml(yaml)
        .cinder_conf("[DEFAULT]\nservice_down_time = 90\nreport_interval = 20\n")
        .load()
        .unwrap();
    assert_eq!(settings.log.level, tracing::Level::DEBUG);
    assert_eq!(value(&settings, "log.level").1, "--log.level");
    assert_eq!(settings.poll_interval, Duration::from_secs(4));
    assert_eq!(
        value(&settings, "poll.interval").1,
        "environment variable OPENSTACK_HEARTBEAT_POLL_INTERVAL"
    );
    assert_eq!(settings.telemetry_path, "/yaml");
    assert!(
        value(&settings, "web.telemetry-path")
            .1
            .ends_with("s.yaml:4")
    );
    assert_eq!(settings.intervals.report_interval, TimeDelta::seconds(3));
    assert_eq!(settings.intervals.service_down_time, TimeDelta::seconds(90));
    assert!(
        value(&settings, "cinder.service-down-time")
            .1
            .ends_with("cinder.conf:2")
    );
}

#[test]
fn a_list_of_a_stronger_layer_replaces_a_weaker_list() {
    let settings = Case::new(
        &[
            URL,
            (
                "OPENSTACK_HEARTBEAT_WEB_LISTEN_ADDRESS",
                "127.0.0.1:1, [::1]:2",
            ),
        ],
        &[],
    )
    .yaml("web: {listen-address: [':7', ':8', ':9']}\n")
    .load()
    .unwrap();
    let Listen::Addresses(addresses) = settings.listen else {
        panic!("{:?}", settings.listen);
    };
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["127.0.0.1:1", "[::1]:2"]);
}

#[test]
fn the_url_comes_from_the_strongest_layer_with_a_url() {
    let conf = "[database]\nconnection = mysql+pymysql://c:p@conf/cinder\n";
    let settings = Case::new(&[], &[]).cinder_conf(conf).load().unwrap();
    assert_eq!(settings.url.host.as_deref(), Some("conf"));
    let (shown, origin) = value(&settings, "database.url");
    assert_eq!(shown, "mysql://c:***@conf/cinder");
    assert!(origin.ends_with("cinder.conf:2"), "{origin}");

    let settings = Case::new(&[], &[])
        .yaml("database.url: postgresql://y:p@yaml/cinder\n")
        .cinder_conf(conf)
        .load()
        .unwrap();
    assert_eq!(settings.url.host.as_deref(), Some("yaml"));

    let settings = Case::new(&[URL], &[])
        .yaml("database.url: postgresql://y:p@yaml/cinder\n")
        .cinder_conf(conf)
        .load()
        .unwrap();
    assert_eq!(settings.url.host.as_deref(), Some("h"));
}

#[test]
fn secrets_in_files_lose_their_last_line_break() {
    let case = Case::new(&[], &[]);
    std::fs::write(case.path("url"), "mysql://u:old@file/cinder\n").unwrap();
    std::fs::write(case.path("password"), "p@ss #1\n").unwrap();
    let yaml = format!(
        "database: {{url-file: {}, password-file: {}}}\n",
        shown(&case.path("url")),
        shown(&case.path("password"))
    );
    let settings = case.yaml(&yaml).load().unwrap();
    let url = &settings.url;
    assert_eq!(url.host.as_deref(), Some("file"));
    let password = url.password.as_ref().unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(password), "p@ss #1");
    let shown = format!("{settings:?}");
    assert!(!shown.contains("p@ss") && !shown.contains("old"), "{shown}");
}

#[test]
fn a_snapshot_stays_valid_for_at_least_three_polls() {
    let settings = Case::new(&[URL], &[("poll.interval", "20s")])
        .load()
        .unwrap();
    assert_eq!(settings.stale_after, Duration::from_mins(1));
    let faults = Case::new(
        &[URL],
        &[("poll.interval", "20s"), ("poll.stale-after", "30s")],
    )
    .load()
    .unwrap_err();
    assert_eq!(
        faults,
        [
            "--poll.stale-after: `poll.stale-after` is 30s, which is less than three times `poll.interval` (20s); \
          raise it or poll more often"
        ]
    );
}

#[test]
fn all_faults_are_reported_together_with_their_origins() {
    let faults = Case::new(
        &[("OPENSTACK_HEARTBEAT_POLL_INTERVAL", "soon")],
        &[("log.level", "loud"), ("web.listen-address", "10390")],
    )
    .yaml("poll:\n  intervall: 5s\nlog: {format: xml}\nweb.telemetry-path: metrics\n")
    .cinder_conf("[DEFAULT]\nservice_down_time = 60 ; x\n")
    .load()
    .unwrap_err();
    assert_eq!(
        faults,
        [
            "DIR/s.yaml:2: unknown setting `poll.intervall`; did you mean `poll.interval`?",
            "DIR/cinder.conf:2: [DEFAULT] service_down_time is not an integer; write only a whole number, and comments on separate lines",
            "environment variable OPENSTACK_HEARTBEAT_POLL_INTERVAL: `poll.interval` is `soon`; expected a duration \
             from 100ms to 366 days, such as 500ms, 5s or 1m",
            "--web.listen-address: `web.listen-address` is `10390`; expected an address such as :10390, \
             127.0.0.1:10390 or [::1]:10390",
            "DIR/s.yaml:4: `web.telemetry-path` is `metrics`; expected an unused path that starts with a slash, \
             such as /metrics",
            "--log.level: `log.level` is `loud`; expected debug, info, warn or error",
            "DIR/s.yaml:3: `log.format` is `xml`; expected logfmt or json",
        ]
    );
}

#[test]
fn a_missing_database_is_reported_with_the_ways_to_set_it() {
    let faults = Case::new(&[], &[]).load().unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("--cinder.config-file"), "{}", faults[0]);
    let faults = Case::new(&[], &[])
        .cinder_conf("[DEFAULT]\n")
        .load()
        .unwrap_err();
    assert_eq!(
        faults,
        [
            "DIR/cinder.conf does not set `connection` in [database], and no other database URL is set"
        ]
    );
}

#[test]
fn two_urls_in_one_layer_are_refused() {
    let faults = Case::new(&[], &[])
        .yaml("database: {url: 'mysql://h/d', url-file: /nowhere}\n")
        .load()
        .unwrap_err();
    assert_eq!(
        faults,
        ["DIR/s.yaml:1: both `database.url` and `database.url-file` are set here; remove one"]
    );
}

#[test]
fn an_unusable_url_is_reported_by_its_origin_only() {
    let faults = Case::new(
        &[("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://u:s3cret@h:x/d")],
        &[],
    )
    .load()
    .unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].starts_with(
            "environment variable OPENSTACK_HEARTBEAT_DATABASE_URL: database URL: the port"
        ),
        "{}",
        faults[0]
    );
    assert!(!faults[0].contains("s3cret"), "{}", faults[0]);
}

#[test]
fn oddities_are_warned_about_by_name() {
    let settings = Case::new(
        &[
            (
                "OPENSTACK_HEARTBEAT_DATABASE_URL",
                "mysql://u:p@h/cinder?ssl_cipher=secret",
            ),
            ("OPENSTACK_HEARTBEAT_POLL_INTERVALL", "1s"),
        ],
        &[],
    )
    .load()
    .unwrap();
    let warnings = settings.warnings.join("\n");
    assert!(
        warnings.contains("OPENSTACK_HEARTBEAT_POLL_INTERVALL does not match any setting"),
        "{warnings}"
    );
    assert!(
        warnings.contains("did you mean `OPENSTACK_HEARTBEAT_POLL_INTERVAL`?"),
        "{warnings}"
    );
    assert!(
        warnings.contains("`ssl_cipher` of the database URL"),
        "{warnings}"
    );
    assert!(!warnings.contains("secret"), "{warnings}");
}

#[test]
fn listen_addresses_are_a_host_and_a_port() {
    for (text, expected) in [
        (":10390", Some(":10390")),
        ("127.0.0.1:0", Some("127.0.0.1:0")),
        ("[::1]:9100", Some("[::1]:9100")),
        ("localhost:9100", Some("localhost:9100")),
        ("::1:9100", None),
        ("[localhost]:9100", None),
        ("9100", None),
        (":99999", None),
        ("", None),
    ] {
        let shown = ListenAddress::parse(text).map(|address| address.to_string());
        assert_eq!(shown.as_deref(), expected, "{text}");
    }
}

#[test]
fn the_password_credential_is_used_without_another_password() {
    use secrecy::ExposeSecret as _;
    let folder = tempfile::tempdir().unwrap();
    let name = "openstack-heartbeat-exporter.database-password";
    std::fs::write(folder.path().join(name), "c\n").unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, "f\n").unwrap();
    let directory = shown(folder.path());
    for (url, file, password, used) in [
        ("mysql://u@h/cinder", "", "c", true),
        ("mysql://u:p@h/cinder", "", "p", false),
        ("mysql://u@h/cinder", "f", "f", false),
    ] {
        let variables = [
            ("OPENSTACK_HEARTBEAT_DATABASE_URL", url.to_owned()),
            ("CREDENTIALS_DIRECTORY", directory.clone()),
        ];
        let mut flags = Flags::default();
        if !file.is_empty() {
            let key = keys::find("database.password-file").unwrap();
            flags.layer.add(key, shown(&other), "a test");
        }
        // The layers outlive the variables of this loop.
        let variables: &'static _ = Box::leak(Box::new(variables));
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| text.clone())
        };
        let settings = load(flags, variable, std::iter::empty()).unwrap();
        let found = settings.url.password.unwrap();
        assert_eq!(found.expose_secret(), password);
        let warned = settings
            .warnings
            .iter()
            .any(|warning| warning.contains(name));
        assert_eq!(warned, !used, "{:?}", settings.warnings);
    }
}

#[test]
fn a_switch_is_true_or_false() {
    let yaml = |text| Case::new(&[URL], &[]).yaml(text).load();
    let settings = yaml("web: {enable-lifecycle: true, systemd-socket: true}\n").unwrap();
    assert!(settings.enable_lifecycle);
    assert_eq!(settings.listen, Listen::Systemd);
    assert_eq!(
        yaml("web.enable-lifecycle: yes\n").unwrap_err(),
        ["DIR/s.yaml:1: `web.enable-lifecycle` is `yes`; expected true or false"]
    );
}
