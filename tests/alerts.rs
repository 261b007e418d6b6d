//! The files in `alerts/`: valid, documented, and tested, so that a change to any part of a rule fails a test.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and what it prints is shown then"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use openstack_heartbeat_exporter::cli::embedded;
use openstack_heartbeat_exporter::publish::table;
use yaml_rust2::{Yaml, YamlLoader};

const RULES: &str = "openstack-heartbeat.rules.yml";
const TESTS: &str = "openstack-heartbeat.rules.test.yml";
const ALERTMANAGER: &str = "alertmanager.example.yml";

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("alerts")
        .join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

fn yaml(text: &str) -> Yaml {
    YamlLoader::load_from_str(text).unwrap().remove(0)
}

/// The rules of all groups.
fn rules() -> Vec<Yaml> {
    let file = yaml(embedded::RULES);
    let groups = file["groups"].as_vec().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().unwrap());
    rules.cloned().collect()
}

/// The names of all alerts, once each.
fn alerts() -> BTreeSet<String> {
    let rules = rules();
    let names = rules.iter().filter_map(|rule| rule["alert"].as_str());
    names.map(str::to_owned).collect()
}

/// Returns a newer release of a checker, if `tests/run` has unpacked it.
fn newer(program: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("HEARTBEAT_TEST_MONITORING") else {
        eprintln!("NOT CHECKED: a newer {program}, since HEARTBEAT_TEST_MONITORING is not set");
        return None;
    };
    Some(Path::new(&folder).join(program).display().to_string())
}

/// Returns the checker of Debian 12, and a newer release of it if there is one.
fn releases(program: &str) -> impl Iterator<Item = String> {
    std::iter::once(program.to_owned()).chain(newer(program))
}

/// Runs a checker and returns its output; panics if the checker reports a fault.
fn check(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{program} {arguments:?}:\n{said}");
    said
}

#[test]
fn the_rules_are_valid_and_promtool_finds_no_duplicates() {
    let rules = path(RULES);
    for promtool in releases("promtool") {
        let said = check(
            &promtool,
            &["check", "rules", "--lint-fatal", rules.to_str().unwrap()],
        );
        assert!(said.contains("SUCCESS"), "{said}");
    }
}

#[test]
fn vmalert_accepts_the_rules() {
    if let Some(vmalert) = newer("vmalert") {
        let rules = format!("-rule={}", path(RULES).display());
        check(&vmalert, &["-dryRun", "-rule.validateTemplates", &rules]);
    }
}

#[test]
fn the_rules_pass_their_tests() {
    let tests = path(TESTS);
    check("promtool", &["test", "rules", tests.to_str().unwrap()]);
}

/// Returns a line of the tests as it would be with Prometheus's `type-and-unit-labels`: what it scrapes gets labels.
fn with_type_and_unit(line: &str) -> String {
    let series = line.trim_start().strip_prefix("- series: '");
    let parts = series.and_then(|series| series.split_once('{'));
    let metric = parts.and_then(|(name, _)| table::all().find(|metric| metric.name == name));
    let Some(metric) = metric else {
        return format!("{line}\n");
    };
    let unit = metric.unit().map(|unit| format!("__unit__=\"{unit}\", "));
    let kind = metric.kind.as_str();
    let added = format!("{{__type__=\"{kind}\", {}", unit.unwrap_or_default());
    line.replacen('{', &added, 1) + "\n"
}

#[test]
fn the_rules_pass_their_tests_with_type_and_unit_labels() {
    let tests: String = text(TESTS).lines().map(with_type_and_unit).collect();
    let labelled = tests.matches("__unit__=\"seconds\"").count();
    assert!(labelled > 100, "only {labelled} series with a unit");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(TESTS);
    fs::copy(path(RULES), folder.path().join(RULES)).unwrap();
    fs::write(&file, tests).unwrap();
    // One release is enough: this takes half a minute of a processor.
    let promtool = releases("promtool").last().unwrap();
    check(&promtool, &["test", "rules", file.to_str().unwrap()]);
}

#[test]
fn every_match_ignores_types_and_units() {
    let kinds = [" without (", " ignoring ("];
    for rule in rules() {
        let expression = rule["expr"].as_str().unwrap();
        let lists = kinds
            .iter()
            .flat_map(|kind| expression.split(*kind).skip(1));
        for list in lists {
            let (list, _) = list.split_once(')').unwrap();
            assert!(
                list.trim_end().ends_with("__type__, __unit__"),
                "{list}: {expression}"
            );
        }
    }
}

#[test]
fn every_alert_follows_the_conventions_of_mixins() {
    let rules = rules();
    let alerts = rules.iter().filter(|rule| !rule["alert"].is_badvalue());
    for rule in alerts {
        let name = rule["alert"].as_str().unwrap();
        assert!(name.starts_with("OpenStack"), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}"
        );
        let annotation = |annotation: &str| rule["annotations"][annotation].as_str().unwrap();
        let summary = annotation("summary");
        assert!(
            summary.ends_with('.') && !summary.contains("{{"),
            "{name}: {summary}"
        );
        assert!(
            annotation("description").ends_with(['.', '}', '\'']),
            "{name}"
        );
        let runbook = annotation("runbook_url");
        let file = format!("/docs/runbooks/{name}.md");
        assert!(runbook.ends_with(&file), "{name}: {runbook}");
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let files = fs::read_dir(&folder).unwrap();
    let mut runbooks = BTreeSet::new();
    for file in files {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "README" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {name}");
        assert_eq!(
            headings,
            [
                title.as_str(),
                "## Meaning",
                "## Confirm",
                "## Act",
                "## Silence"
            ],
            "{name}"
        );
        known_metrics(&name, &text);
        runbooks.insert(name);
    }
    assert_eq!(runbooks, alerts());
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    for name in &runbooks {
        assert!(
            list.contains(&format!("({name}.md)")),
            "{name} is not listed"
        );
    }
}

#[test]
fn every_alert_fires_in_a_test_with_its_labels_and_annotations() {
    let file = yaml(&text(TESTS));
    let mut fired = BTreeSet::new();
    for test in file["tests"].as_vec().unwrap() {
        for case in test["alert_rule_test"].as_vec().into_iter().flatten() {
            for alert in case["exp_alerts"].as_vec().into_iter().flatten() {
                let name = case["alertname"].as_str().unwrap();
                let shown = &alert["exp_annotations"];
                for annotation in ["summary", "description", "runbook_url"] {
                    assert!(shown[annotation].as_str().is_some(), "{name}");
                }
                fired.insert(name.to_owned());
            }
        }
    }
    assert_eq!(fired, alerts());
}

/// Checks that every metric of ours that a text names exists.
fn known_metrics(name: &str, text: &str) {
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|r| r["record"].as_str()).collect();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    for word in words.map(|word| word.trim_end_matches(':')) {
        let known =
            if word.starts_with("service:openstack") || word.starts_with("openstack_heartbeat:") {
                recorded.contains(word)
            } else if word.starts_with("openstack_") {
                table::all().any(|metric| {
                    let rest = word.strip_prefix(metric.name);
                    rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
                })
            } else {
                true
            };
        assert!(known, "{name}: {word} does not exist");
    }
}

#[test]
fn every_named_metric_exists() {
    known_metrics(RULES, embedded::RULES);
    known_metrics(TESTS, &text(TESTS));
}

/// Names of projects, their options and words of their commands, which only documentation may have.
const PROJECTS: &[&str] = &[
    "cinder",
    "nova",
    "neutron",
    "manila",
    "ironic",
    "designate",
    "magnum",
    "watcher",
    "zun",
    "heat",
    "manage",
    "volume",
    "service_down_time",
    "report_interval",
];

#[test]
fn the_rules_the_example_and_the_dashboard_name_no_project() {
    let metrics: BTreeSet<&str> = table::all().map(|metric| metric.name).collect();
    let records: Vec<Yaml> = rules();
    let records = records.iter().filter_map(|rule| rule["record"].as_str());
    let ours: Vec<&str> = metrics.into_iter().chain(records).collect();
    let files = [
        (RULES, embedded::RULES),
        (ALERTMANAGER, &text(ALERTMANAGER)),
        ("dashboard", embedded::DASHBOARD),
    ];
    for (file, text) in files {
        for line in text.lines() {
            let mut rest = line.to_lowercase();
            for name in &ours {
                rest = rest.replace(name, "");
            }
            let mut words = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            assert!(
                !words.any(|word| PROJECTS.contains(&word)),
                "{file}: {line}"
            );
        }
    }
}

#[test]
fn the_members_of_a_cluster_lose_every_label_of_info() {
    let rules = rules();
    let member = rules
        .iter()
        .find(|rule| rule["record"].as_str() == Some("service:openstack_service_info:cluster"));
    let expression = member.unwrap()["expr"].as_str().unwrap();
    let golden = fs::read_to_string(path("../tests/data/golden/services.txt")).unwrap();
    let mut lines = golden.lines();
    let info = lines.find_map(|line| line.strip_prefix("openstack_service_info{"));
    let labels = info.unwrap().split(',').filter_map(|it| it.split_once('='));
    for (label, _) in labels {
        let kept = ["database", "binary", "host"].contains(&label);
        assert!(kept || expression.contains(&format!("{label},")), "{label}");
    }
}

#[test]
fn the_printed_resource_of_the_operator_has_the_same_rules() {
    let resource = yaml(&embedded::prometheus_rule());
    assert_eq!(resource["kind"].as_str(), Some("PrometheusRule"));
    assert_eq!(resource["spec"], yaml(embedded::RULES));
}

#[test]
fn alertmanager_accepts_the_example_and_routes_each_severity() {
    let example = path(ALERTMANAGER);
    let example = example.to_str().unwrap();
    for amtool in releases("amtool") {
        check(&amtool, &["check-config", example]);
    }
    let rules = rules();
    for rule in rules.iter().filter(|rule| !rule["alert"].is_badvalue()) {
        let severity = rule["labels"]["severity"].as_str().unwrap();
        let receiver = match severity {
            "critical" => "page",
            "warning" => "chat",
            _ => "mail",
        };
        let name = format!("alertname={}", rule["alert"].as_str().unwrap());
        let config = format!("--config.file={example}");
        let verify = format!("--verify.receivers={receiver}");
        let severity = format!("severity={severity}");
        check(
            "amtool",
            &[
                "config", "routes", "test", &config, &verify, &name, &severity,
            ],
        );
    }
}

/// Every n-th change is tried, since all take ten minutes. `HEARTBEAT_TEST_ALL_CHANGES` makes it every one.
const SOME: usize = 5;

/// How often the rules are evaluated in tests that cover a day.
const SELDOM: &str = "evaluation_interval: 1m";

/// A rule with one change.
struct Mutant {
    what: String,
    rules: String,
}

/// Changes to expressions: thresholds, matchers, aggregations and the operators between them.
const CHANGES: &[(&str, &[&str])] = &[
    ("vector(5)", &["vector(4)", "vector(6)"]),
    ("vector(4)", &["vector(3)", "vector(5)"]),
    ("vector(0.7)", &["vector(0.6)", "vector(0.8)"]),
    ("vector(7 *", &["vector(6 *", "vector(8 *"]),
    (" > 0.5", &[" > 0.4", " > 0.6"]),
    (" >= 3", &[" >= 2", " >= 4"]),
    (" == 0", &[" == 1", " >= 0"]),
    (" == 1", &[" == 0", " >= 0"]),
    (" > ", &[" < ", " >= "]),
    (" < ", &[" > ", " <= "]),
    ("[15m]", &["[10m]", "[25m]"]),
    ("[3m]", &["[10s]"]),
    ("[5m]", &["[10s]"]),
    ("[1d]", &["[10s]"]),
    ("instance, ", &[""]),
    (", pod, node", &[""]),
    ("max without", &["min without"]),
    ("min without", &["max without"]),
    ("without (host, ", &["without ("]),
    (
        "(binary, host, ",
        &["(host, ", "(binary, ", "(database, binary, host, "],
    ),
    (
        "ignoring (host, ",
        &["ignoring (binary, host, ", "ignoring (database, host, "],
    ),
    (", cluster_name, ", &[", "]),
    ("node, reason, ", &["node, "]),
    (", version", &[""]),
    (", revision", &[""]),
    (", rustc", &[""]),
    ("{reason=\"", &["{reason!=\""]),
    ("{reason!=\"", &["{reason=\""]),
    ("{reason!~\"", &["{reason=~\""]),
    ("clock_skew|", &[""]),
    ("|undetermined", &[""]),
    ("shut_down|", &[""]),
    ("|forced_down", &[""]),
    ("{cluster_name!=\"\"}", &[""]),
    ("up == 0", &["up == 1"]),
    (" and ", &[" unless "]),
    (" unless ", &[" and "]),
    (" or ", &[" and "]),
    ("abs(", &["("]),
    ("-openstack", &["openstack"]),
    ("-service", &["service"]),
    ("-scalar", &["scalar"]),
    ("(reason, ", &["("]),
];

/// Changes to the fields beside the expression.
const CHANGES_BESIDE: &[(&str, &[&str])] = &[
    ("for: 1m", &["for: 45s", "for: 75s"]),
    ("for: 2m", &["for: 105s", "for: 135s"]),
    ("for: 5m", &["for: 285s", "for: 315s"]),
    ("for: 10m", &["for: 585s", "for: 615s"]),
    ("for: 15m", &["for: 885s", "for: 915s"]),
    ("for: 1h", &["for: 59m", "for: 61m"]),
    ("for: 24h", &["for: 1439m", "for: 1441m"]),
    ("severity: critical", &["severity: warning"]),
    ("severity: warning", &["severity: critical"]),
    ("severity: info", &["severity: warning"]),
    ("@.*", &["x"]),
];

/// Changes that no test needs to find: the rule, the change, and the reason.
const EQUIVALENT: &[(&str, &str, &str)] = &[
    (
        "service:openstack_service_down_reason:now",
        "\"max without\" for \"min without\"",
        "a reason is always 1",
    ),
    (
        "service:openstack_service_clock_skew_seconds:proven_now",
        "\" > \" for \" >= \"",
        "a bound of 0 is within every limit",
    ),
    (
        "service:openstack_service_clock_skew_seconds:proven_now",
        "\" < \" for \" <= \"",
        "a bound of 0 is within every limit",
    ),
    (
        "service:openstack_service_info:cluster",
        "\"{cluster_name!=\\\"\\\"}\"",
        "a service without a cluster matches no cluster: the matcher saves series",
    ),
];

fn mutants() -> Vec<Mutant> {
    let text = embedded::RULES;
    let mut mutants = Vec::new();
    let mut begins: Vec<usize> = text.match_indices("\n  - ").map(|(at, _)| at).collect();
    begins.push(text.len());
    for pair in begins.windows(2) {
        let rule = &text[pair[0]..pair[1]];
        // A comment before the next rule belongs to that rule.
        let rule = rule.split("\n  #").next().unwrap();
        let name = rule.split_whitespace().nth(2).unwrap();
        let expression = rule.find("expr:").unwrap();
        let beside = ["\n    for:", "\n    labels:"]
            .iter()
            .filter_map(|key| rule.find(key))
            .min()
            .unwrap_or(rule.len());
        let annotations = rule.find("\n    annotations:").unwrap_or(rule.len());
        let mut change = |range: std::ops::Range<usize>, changes: &[(&str, &[&str])]| {
            // Operators occur at the ends of lines too.
            let part = rule[range.clone()].replace('\n', " ");
            for (old, news) in changes {
                for (at, _) in part.match_indices(old) {
                    for new in *news {
                        let from = pair[0] + range.start + at;
                        let rules = [&text[..from], new, &text[from + old.len()..]].concat();
                        let line = text[..from].matches('\n').count() + 1;
                        mutants.push(Mutant {
                            what: format!("{name}, line {line}: {old:?} for {new:?}"),
                            rules,
                        });
                    }
                }
            }
        };
        change(expression..beside, CHANGES);
        change(beside..annotations, CHANGES_BESIDE);
    }
    mutants
}

/// Returns each test as a file of its own. Tests that cover a day have fewer evaluations.
fn parts() -> Vec<String> {
    let text = text(TESTS);
    let mut blocks = text.split("\n- name: ");
    let head = blocks.next().unwrap();
    let seldom = head.replace("evaluation_interval: 15s", SELDOM);
    assert_ne!(seldom, head);
    let part = |block: &str| {
        let is_slow = block.contains("\n  interval: 60s\n");
        let head = if is_slow { &seldom } else { head };
        format!("{head}\n- name: {block}\n")
    };
    blocks.map(part).collect()
}

/// Returns whether a test fails. The tests that name the rule are likely to find a change to it, and so is the one that
/// found the last change: it moves to the front. Tests that cover a day come last.
fn is_found(mutant: &Mutant, parts: &mut [String]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(RULES), &mutant.rules).unwrap();
    let file = folder.path().join(TESTS);
    let fails = |tests: &String| {
        fs::write(&file, tests).unwrap();
        let output = Command::new("promtool")
            .args(["test", "rules"])
            .arg(&file)
            .output();
        !output.unwrap().status.success()
    };
    let rule = mutant.what.split(',').next().unwrap();
    parts.sort_by_key(|test| (test.contains(SELDOM), !test.contains(rule)));
    let found = parts.iter().position(fails);
    if let Some(at) = found {
        parts[..=at].rotate_right(1);
    }
    found.is_some()
}

#[test]
fn every_change_to_a_rule_fails_a_test() {
    let mut mutants = mutants();
    for (rule, change, reason) in EQUIVALENT {
        let all = mutants.len();
        mutants.retain(|mutant| !(mutant.what.starts_with(rule) && mutant.what.contains(change)));
        assert!(mutants.len() < all, "{rule} has no {change} ({reason})");
    }
    let parts = parts();
    assert!(mutants.len() > 300, "only {} changes", mutants.len());
    let unchanged = Mutant {
        what: String::new(),
        rules: embedded::RULES.to_owned(),
    };
    assert!(
        !is_found(&unchanged, &mut parts.clone()),
        "the tests fail without a change"
    );

    let step = match std::env::var("HEARTBEAT_TEST_ALL_CHANGES") {
        Ok(_) => 1,
        Err(_) => SOME,
    };
    let mutants: Vec<Mutant> = mutants.into_iter().step_by(step).collect();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().unwrap().get();
    let work = || {
        let mut parts = parts.clone();
        let mut missed = Vec::new();
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !is_found(mutant, &mut parts) {
                missed.push(mutant.what.clone());
            }
        }
        missed
    };
    let mut missed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    missed.sort();
    assert!(
        missed.is_empty(),
        "{} of {} changes go unnoticed:\n{}",
        missed.len(),
        mutants.len(),
        missed.join("\n")
    );
}
