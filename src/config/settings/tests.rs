//! Precedence, faults and origins, with temporary files and an invented environment.

mod sources;

use std::fs;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;

use super::*;
use crate::config::keys;
use crate::config::listen_address::ListenAddress;
use crate::heartbeat::liveness::Intervals;
use crate::project;

/// Texts by the name of a setting, or of a variable of another program.
type Texts<'a> = &'a [(&'a str, &'a str)];

const URL: (&str, &str) = ("database.url", "mysql://u:p@h/cinder");

/// Files, an environment and flags. `DIR/` in a text is the folder of the files.
struct Case {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    flags: Flags,
}

fn case(environment: Texts, flags: Texts) -> Case {
    let mut case = Case {
        folder: tempfile::tempdir().unwrap(),
        environment: Vec::new(),
        flags: Flags::default(),
    };
    for (name, text) in environment {
        let name = if name.contains('.') || *name == "project" {
            key::variable(name)
        } else {
            (*name).to_owned()
        };
        let text = text.replace("DIR/", &case.path(""));
        case.environment.push((name, text));
    }
    for (name, text) in flags {
        let text = text.replace("DIR/", &case.path(""));
        let key = keys::find(name).unwrap();
        case.flags.layer.add(key, text, format!("--{name}"));
    }
    case
}

impl Case {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn file(self, name: &str, text: &str) -> Self {
        let text = text.replace("DIR/", &self.path(""));
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn yaml(mut self, text: &str) -> Self {
        self.flags.config_file = Some(self.path("s.yaml").into());
        self.file("s.yaml", text)
    }

    fn cinder_conf(mut self, text: &str) -> Self {
        let value = format!("cinder={}", self.path("cinder.conf"));
        let key = keys::find("project").unwrap();
        self.flags.layer.add(key, value, "--project");
        self.file("cinder.conf", text)
    }

    fn load(self) -> Result<Settings, Vec<String>> {
        let folder = self.path("");
        let shown = |text: String| text.replace(&folder, "DIR/");
        // The layers outlive this function.
        let environment: &'static [(String, String)] = self.environment.leak();
        let names = environment.iter().map(|(name, _)| name.clone());
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, text)| text.clone())
        };
        match load(self.flags, variable, names) {
            Ok(mut settings) => {
                let sources = settings.sources.iter_mut().map(|it| &mut it.effective);
                for value in sources.chain([&mut settings.effective]).flatten() {
                    value.origin = shown(value.origin.clone());
                    value.value = shown(value.value.clone());
                }
                for warning in &mut settings.warnings {
                    *warning = shown(warning.clone());
                }
                Ok(settings)
            }
            Err(faults) => Err(faults.iter().map(|fault| shown(chain(fault))).collect()),
        }
    }

    #[track_caller]
    fn settings(self) -> Settings {
        self.load().unwrap()
    }

    #[track_caller]
    fn check_faults(self, faults: &[&str]) {
        assert_eq!(self.load().unwrap_err(), faults);
    }
}

/// Checks active settings, each as `NAME = VALUE (ORIGIN)`.
#[track_caller]
fn check(settings: &Settings, expected: &[&str]) {
    let common = settings.effective.iter().map(|it| (String::new(), it));
    let of_source = |source: &SourceSettings| {
        let above = format!("{}.", source.name);
        let values = source.effective.clone().into_iter();
        values
            .map(move |it| (above.clone(), it))
            .collect::<Vec<_>>()
    };
    let own: Vec<_> = settings.sources.iter().flat_map(of_source).collect();
    let own = own.iter().map(|(above, it)| (above.clone(), it));
    let values = common.chain(own);
    let values =
        values.map(|(above, it)| format!("{above}{} = {} ({})", it.name, it.value, it.origin));
    let values: Vec<String> = values.collect();
    for expected in expected {
        let is_found = values.iter().any(|value| value == expected);
        assert!(is_found, "{expected}: {values:?}");
    }
}

fn intervals(service_down_time: i64, report_interval: i64) -> Intervals {
    Intervals {
        service_down_time: TimeDelta::seconds(service_down_time),
        report_interval: TimeDelta::seconds(report_interval),
    }
}

/// Returns the only source.
#[track_caller]
fn source(settings: &Settings) -> &SourceSettings {
    let [source] = settings.sources.as_slice() else {
        panic!("{settings:?}")
    };
    source
}

fn password(settings: &Settings) -> &str {
    let url = &source(settings).url;
    url.password.as_ref().unwrap().expose_secret()
}

#[test]
fn defaults_apply_without_other_settings() {
    let settings = case(&[URL], &[]).settings();
    let only = source(&settings);
    assert_eq!(
        (only.name.as_str(), only.project.name),
        ("cinder", "cinder")
    );
    let polls = [only.polls.interval, only.polls.stale_after];
    assert_eq!(polls, [5, 30].map(Duration::from_secs));
    let timeouts = [only.polls.connect_timeout, only.polls.query_timeout];
    assert_eq!(timeouts, [3, 5].map(Duration::from_secs));
    assert_eq!(only.intervals, intervals(60, 10));
    assert_eq!(only.limit, 100_000);
    assert_eq!(settings.telemetry_path, "/metrics");
    let everywhere = ListenAddress {
        host: None,
        port: 10390,
    };
    assert_eq!(settings.listen, Listen::Addresses(vec![everywhere]));
    assert!(!settings.enable_lifecycle);
    check(&settings, &["poll.interval = 5s (default)"]);
}

#[test]
fn each_layer_overrides_the_weaker_ones() {
    let yaml = "poll: {interval: 3s}\nlog.level: warn\nweb.telemetry-path: /yaml\n";
    let environment = [URL, ("poll.interval", "4s"), ("log.level", "error")];
    let settings = case(&environment, &[("log.level", "debug")])
        .yaml(yaml)
        .cinder_conf("[DEFAULT]\nservice_down_time = 90\nreport_interval = 20\n")
        .settings();
    assert_eq!(settings.log.level, tracing::Level::DEBUG);
    assert_eq!(source(&settings).polls.interval, Duration::from_secs(4));
    assert_eq!(settings.telemetry_path, "/yaml");
    assert_eq!(source(&settings).intervals, intervals(90, 20));
    check(
        &settings,
        &[
            "log.level = debug (--log.level)",
            "poll.interval = 4s (environment variable OPENSTACK_HEARTBEAT_POLL_INTERVAL)",
            "web.telemetry-path = /yaml (DIR/s.yaml:3)",
            "cinder.project = cinder (--project)",
            "cinder.config-file = DIR/cinder.conf (--project)",
            "cinder.service-down-time = 90s (DIR/cinder.conf:2)",
        ],
    );
}

#[test]
fn a_list_of_a_stronger_layer_replaces_a_weaker_list() {
    let list = ("web.listen-address", "127.0.0.1:1, [::1]:2");
    let settings = case(&[URL, list], &[])
        .yaml("web: {listen-address: [':7', ':8', ':9']}\n")
        .settings();
    let expected = ["127.0.0.1:1", "[::1]:2"].map(|text| ListenAddress::parse(text).unwrap());
    assert_eq!(settings.listen, Listen::Addresses(expected.to_vec()));
}

#[test]
fn the_url_comes_from_the_strongest_layer_with_a_url() {
    let conf = "[database]\nconnection = mysql+pymysql://c:p@conf/cinder\n";
    let yaml = "database.url: postgresql://y:p@yaml/cinder\n";
    let settings = case(&[], &[]).cinder_conf(conf).settings();
    let url = "cinder.database.url = mysql://c:***@conf/cinder (DIR/cinder.conf:2)";
    check(&settings, &[url]);
    let from_yaml = case(&[], &[]).yaml(yaml).cinder_conf(conf).settings();
    let from_variable = case(&[URL], &[]).yaml(yaml).cinder_conf(conf).settings();
    let hosts = [settings, from_yaml, from_variable]
        .map(|settings| source(&settings).url.host.clone().unwrap());
    assert_eq!(hosts, ["conf", "yaml", "h"]);
}

#[test]
fn secrets_in_files_lose_their_last_line_break() {
    let settings = case(&[], &[])
        .file("url", "mysql://u:old@file/cinder\n")
        .file("password", "p@ss #1\n")
        .yaml("database: {url-file: DIR/url, password-file: DIR/password}\n")
        .settings();
    assert_eq!(source(&settings).url.host.as_deref(), Some("file"));
    assert_eq!(password(&settings), "p@ss #1");
    let shown = source(&settings).effective.iter();
    let mut shown = shown.filter(|it| it.name == "database.url-file");
    let shown = shown
        .next()
        .map(|it| (it.value.ends_with("/url"), &*it.origin));
    assert_eq!(shown, Some((true, "DIR/s.yaml:1")));
    let shown = format!("{settings:?}");
    assert!(!shown.contains("p@ss") && !shown.contains("old"), "{shown}");
}

#[test]
fn a_snapshot_stays_valid_for_at_least_three_polls() {
    let interval = ("poll.interval", "20s");
    let settings = case(&[URL], &[interval]).settings();
    assert_eq!(source(&settings).polls.stale_after, Duration::from_mins(1));
    case(&[URL], &[interval, ("poll.stale-after", "30s")]).check_faults(&[
        "--poll.stale-after: `poll.stale-after` is 30s, which is less than three times `poll.interval` (20s); raise it \
         or poll more often",
    ]);
    let own = "sources:\n  cinder: {}\n  c2: {project: cinder, database.url: 'mysql://h/d', poll.interval: 20s}\n";
    case(&[URL], &[("poll.stale-after", "30s")])
        .yaml(own)
        .check_faults(&[
            "--poll.stale-after: source c2: `poll.stale-after` is 30s, which is less than three times `poll.interval` \
             (20s); raise it or poll more often",
        ]);
    let own = "sources:\n  cinder: {}\n  c2: {project: cinder, database.url: 'mysql://h/d', poll.interval: 5s}\n";
    case(&[URL], &[interval, ("database.query-timeout", "40s")])
        .yaml(own)
        .check_faults(&[
            "source c2: `database.query-timeout` (40s) must be less than `poll.stale-after` (30s); otherwise a slow answer \
             is stale when it arrives",
        ]);
}

#[test]
fn all_faults_are_reported_together_with_their_origins() {
    case(&[("poll.interval", "soon")], &[("log.level", "loud"), ("web.listen-address", "10390")])
        .yaml("poll:\n  intervall: 5s\nlog: {format: xml}\nweb.telemetry-path: metrics\n")
        .cinder_conf("[DEFAULT]\nservice_down_time = 60 ; x\n")
        .check_faults(&[
            "DIR/s.yaml:2: unknown setting `poll.intervall`; did you mean `poll.interval`?",
            "environment variable OPENSTACK_HEARTBEAT_POLL_INTERVAL: `poll.interval` is `soon`; expected a duration \
             from 100ms to 366 days, such as 500ms, 5s or 1m",
            "--web.listen-address: `web.listen-address` is `10390`; expected an address such as :10390, \
             127.0.0.1:10390 or [::1]:10390",
            "DIR/s.yaml:4: `web.telemetry-path` is `metrics`; expected an unused path that starts with a slash, \
             such as /metrics",
            "--log.level: `log.level` is `loud`; expected debug, info, warn or error",
            "DIR/s.yaml:3: `log.format` is `xml`; expected logfmt or json",
            "DIR/cinder.conf:2: [DEFAULT] service_down_time is not an integer; write only a whole number, and comments on separate lines",
        ]);
}

#[test]
fn a_missing_database_is_reported_with_the_ways_to_set_it() {
    let faults = case(&[], &[]).load().unwrap_err();
    assert_eq!(faults.len(), 1);
    let remedy = "--project cinder=/etc/cinder/cinder.conf";
    assert!(faults[0].contains(remedy), "{faults:?}");
    let fault = "DIR/cinder.conf does not set `connection` in [database], and no other database URL is set; set it there, or \
         set --database.url-file";
    case(&[], &[])
        .cinder_conf("[DEFAULT]\n")
        .check_faults(&[fault]);
    // A source of the command line would replace those of the file.
    let fault = "source c2: no database is configured; set `sources.c2.config-file` or \
                 `sources.c2.database.url-file`";
    let yaml = "sources: {c2: {project: cinder}}\n";
    case(&[], &[]).yaml(yaml).check_faults(&[fault]);
    let warnings = case(&[URL], &[]).yaml(yaml).settings().warnings;
    let remedy = "set `sources.c2.config-file`";
    assert!(warnings[0].ends_with(remedy), "{warnings:?}");
}

#[test]
fn two_urls_in_one_layer_are_refused() {
    let fault =
        "DIR/s.yaml:1: both `database.url` and `database.url-file` are set here; remove one";
    let yaml = "database: {url: 'mysql://h/d', url-file: /nowhere}\n";
    case(&[], &[]).yaml(yaml).check_faults(&[fault]);
}

#[test]
fn an_unusable_url_is_reported_by_its_origin_only() {
    let url = ("database.url", "mysql://u:s3cret@h:x/d");
    let faults = case(&[url], &[]).load().unwrap_err();
    assert_eq!(faults.len(), 1);
    let start = "environment variable OPENSTACK_HEARTBEAT_DATABASE_URL: database URL: the port";
    assert!(faults[0].starts_with(start), "{faults:?}");
    assert!(!faults[0].contains("s3cret"), "{faults:?}");
}

#[test]
fn a_query_timeout_is_capped_below_the_time_that_a_live_service_may_be_silent() {
    for (service_down_time, query_timeout, used, warned) in [
        ("60s", "25s", 25_000, false),
        ("25s", "14s", 13_500, true),
        ("25s", "13500ms", 13_500, false),
        // The intervals are misconfigured, which the services show.
        ("10s", "25s", 25_000, false),
    ] {
        let yaml = format!(
            "sources: {{cinder: {{service-down-time: {service_down_time}, report-interval: 10s}}}}"
        );
        let settings = case(&[URL, ("database.query-timeout", query_timeout)], &[])
            .yaml(&yaml)
            .settings();
        let timeout = source(&settings).polls.query_timeout;
        assert_eq!(timeout, Duration::from_millis(used));
        let mut warnings = settings.warnings.iter();
        let is_warned = warnings.any(|text| text.contains("so the limit is 13s 500ms"));
        assert_eq!(is_warned, warned, "{service_down_time}, {query_timeout}");
        let variable = "environment variable OPENSTACK_HEARTBEAT_DATABASE_QUERY_TIMEOUT";
        check(
            &settings,
            &[&format!(
                "database.query-timeout = {query_timeout} ({variable})"
            )],
        );
        if warned {
            let origin = "limited by service_down_time - report_interval";
            check(
                &settings,
                &[&format!(
                    "cinder.database.query-timeout = 13s 500ms ({origin})"
                )],
            );
        }
    }
}

#[test]
fn oddities_are_warned_about_by_name() {
    let url = ("database.url", "mysql://u:p@h/cinder?ssl_cipher=secret");
    let settings = case(&[url, ("poll.intervall", "1s")], &[]).settings();
    let warnings = settings.warnings.join("\n");
    for part in [
        "OPENSTACK_HEARTBEAT_POLL_INTERVALL does not match any setting",
        "did you mean `OPENSTACK_HEARTBEAT_POLL_INTERVAL`?",
        "database URL: option `ssl_cipher` is not supported",
    ] {
        assert!(warnings.contains(part), "{warnings}");
    }
    assert!(!warnings.contains("secret"), "{warnings}");
}

#[test]
fn listen_addresses_are_a_host_and_a_port() {
    for text in [":10390", "127.0.0.1:0", "[::1]:9100", "localhost:9100"] {
        assert_eq!(ListenAddress::parse(text).unwrap().to_string(), text);
    }
    for text in ["::1:9100", "[localhost]:9100", "9100", ":99999", ""] {
        assert_eq!(ListenAddress::parse(text), None, "{text}");
    }
}

#[test]
fn the_password_credential_is_used_without_another_password() {
    let name = "openstack-heartbeat-exporter.database-password";
    let file = ("database.password-file", "DIR/other");
    for (url, flags, expected, is_used) in [
        ("mysql://u@h/cinder", &[][..], "c", true),
        ("mysql://u:p@h/cinder", &[], "p", false),
        ("mysql://u@h/cinder", &[file], "f", false),
    ] {
        let environment = [("database.url", url), ("CREDENTIALS_DIRECTORY", "DIR/")];
        let case = case(&environment, flags)
            .file(name, "c\n")
            .file("other", "f\n");
        let settings = case.settings();
        assert_eq!(password(&settings), expected);
        let mut warnings = settings.warnings.iter();
        let warned = warnings.any(|warning| warning.contains(name));
        assert_eq!(warned, !is_used, "{:?}", settings.warnings);
    }
}

#[test]
fn a_switch_is_true_or_false() {
    let yaml = |text| case(&[URL], &[]).yaml(text);
    let settings = yaml("web: {enable-lifecycle: true, systemd-socket: true}\n").settings();
    assert!(settings.enable_lifecycle);
    assert_eq!(settings.listen, Listen::Systemd);
    let fault = "DIR/s.yaml:1: `web.enable-lifecycle` is `yes`; expected true or false";
    yaml("web.enable-lifecycle: yes\n").check_faults(&[fault]);
}

#[test]
fn a_url_in_the_place_of_its_file_is_not_repeated() {
    let fault =
        "DIR/s.yaml:1: expected the path of a file, which contains the URL; found the URL itself";
    let yaml = "database: {url-file: 'mysql://u:secret@h/d'}\n";
    case(&[], &[]).yaml(yaml).check_faults(&[fault]);
    let fault =
        "expected the path of a configuration file; found a URL: set it in `database.url-file`";
    let project = ("project", "cinder=mysql://u:secret@h/d");
    case(&[], &[project]).check_faults(&[&format!("--project: {fault}")]);
    for name in ["config-file", "config-dir"] {
        let yaml = format!("sources: {{cinder: {{{name}: 'mysql://u:secret@h/d'}}}}\n");
        let fault = format!("DIR/s.yaml:1: {fault}");
        case(&[], &[]).yaml(&yaml).check_faults(&[&fault]);
    }
}

#[test]
fn the_url_of_cinder_conf_has_its_connection_parameters() {
    for (url, parameters, expected) in [
        ("mysql://u:p@h/d", "ssl_ca=/x", Some("/x")),
        ("mysql://u:p?q@h/d", "ssl_ca=/x", Some("/x")),
        ("mysql://u:p@h/d?charset=utf8", "ssl_ca=/x", Some("/x")),
        ("mysql://u:p@h/d", "", None),
    ] {
        let text = format!("[database]\nconnection = {url}\nconnection_parameters = {parameters}");
        let settings = case(&[], &[]).cinder_conf(&text).settings();
        let ca = &source(&settings).url.tls.ca;
        let ca = ca.as_ref().map(|path| path.display().to_string());
        assert_eq!(ca.as_deref(), expected, "{text}");
    }
    let text =
        "[database]\nconnection = mysql://u:p@h/d\nconnection_parameters = charset=utf8;ssl_ca=/x";
    let faults = case(&[], &[]).cinder_conf(text).load().unwrap_err();
    assert!(
        faults[0].starts_with(
            "DIR/cinder.conf:2 with connection_parameters at DIR/cinder.conf:3: database URL: "
        ),
        "{faults:?}"
    );
    let text = "[database]\nconnection = mysql://u:p@h/d";
    let variable = "OS_DATABASE__CONNECTION_PARAMETERS";
    let case = case(&[(variable, "ssl-mode=x")], &[]).cinder_conf(text);
    let faults = case.load().unwrap_err();
    let expected = format!(
        "DIR/cinder.conf:2 with connection_parameters from environment variable {variable}: database URL: "
    );
    assert!(faults[0].starts_with(&expected), "{faults:?}");
}

#[test]
fn a_folder_without_files_is_named() {
    let folder = ("project", "cinder=DIR/");
    let warnings = case(&[URL], &[folder]).settings().warnings;
    assert!(
        warnings[0].contains("contains no *.conf file"),
        "{warnings:?}"
    );
    let fault = "--project: the folder DIR/ contains no *.conf file, and no other database URL is set; correct \
                 the path, or set --database.url-file";
    case(&[], &[folder]).check_faults(&[fault]);
}

#[test]
fn old_names_of_the_connection_are_read_with_a_warning() {
    let sections = [
        "[DEFAULT]\nsql_connection",
        "[DATABASE]\nsql_connection",
        "[sql]\nconnection",
    ];
    for section in sections {
        let text = format!("{section} = mysql://old:p@h/d\n");
        let settings = case(&[], &[]).cinder_conf(&text).settings();
        assert_eq!(
            source(&settings).url.user.as_deref(),
            Some("old"),
            "{section}"
        );
        let is_named = |warning: &String| {
            warning.contains("cinder.conf:2: `") && warning.contains("is an old name")
        };
        assert!(
            settings.warnings.iter().any(is_named),
            "{:?}",
            settings.warnings
        );

        let text = format!("{text}[database]\nconnection = mysql://new:p@h/d\n");
        let settings = case(&[], &[]).cinder_conf(&text).settings();
        assert_eq!(
            source(&settings).url.user.as_deref(),
            Some("new"),
            "{section}"
        );
        assert_eq!(settings.warnings, [""; 0], "{section}");
        let settings = case(&[URL], &[]).cinder_conf(&text).settings();
        assert_eq!(settings.warnings, [""; 0], "{section}");
    }
}

#[test]
fn sources_that_cannot_be_read_are_named_with_the_values_that_may_differ() {
    let sources = "[DEFAULT]\nconfig_source = remote, secrets\n[remote]\ndriver = remote_file\nuri = http://x/\n";
    let named = "DIR/cinder.conf:2: config_source names [remote] (driver remote_file), [secrets] (no driver), which the \
                 exporter does not read";
    let differ = |options: &str, settings: &str| {
        vec![format!(
            "source cinder: {named}: the project may read {options} from there: set {settings}"
        )]
    };
    let url = "[database]\nconnection = mysql://u:p@h/d\n";
    let intervals = "[DEFAULT]\nservice_down_time = 60\nreport_interval = 10\n";
    let yaml = |own: &str| format!("sources: {{cinder: {{config-file: DIR/cinder.conf{own}}}}}");
    for (text, own, expected) in [
        (
            url.to_owned(),
            "",
            differ(
                "`service_down_time`, `report_interval` and `connection_parameters`",
                "service-down-time, report-interval and database.url with these options",
            ),
        ),
        (
            url.to_owned(),
            ", service-down-time: 60s",
            differ(
                "`report_interval` and `connection_parameters`",
                "report-interval and database.url with these options",
            ),
        ),
        (
            format!("{url}connection_parameters =\n{intervals}"),
            "",
            vec![],
        ),
        (
            format!("{url}connection_parameters =\n"),
            ", service-down-time: 60s, report-interval: 10s",
            vec![],
        ),
    ] {
        let case = case(&[], &[]).file("cinder.conf", &format!("{sources}{text}"));
        let warnings = case.yaml(&yaml(own)).settings().warnings;
        assert_eq!(warnings, expected, "{text}");
    }
    let fault = format!(
        "DIR/cinder.conf does not set `connection` in [database], and no other database URL is set; set it there, or set \
         --database.url-file; {named}"
    );
    case(&[], &[]).cinder_conf(sources).check_faults(&[&fault]);
}

#[test]
fn polls_that_are_rarer_than_reports_are_warned_about() {
    let warnings = |poll: &str, report: &str| {
        let yaml =
            format!("sources: {{cinder: {{service-down-time: 60s, report-interval: {report}}}}}");
        let case = case(&[URL], &[("poll.interval", poll)]);
        case.yaml(&yaml).settings().warnings
    };
    assert_eq!(warnings("10s", "10s"), [""; 0]);
    let expected = "source cinder: `poll.interval` (10s 100ms) is above report_interval (10 s): polls miss heartbeats, which makes clock \
                    skews less exact and reasons late; lower it";
    assert_eq!(warnings("10100ms", "10s"), [expected]);
}
