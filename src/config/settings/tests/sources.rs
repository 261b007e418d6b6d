//! Several sources: their names, projects, databases and own settings.

use super::*;
use crate::config::database_url::DatabaseUrl;

/// Returns the sources, each as `NAME URL`.
fn urls(settings: &Settings) -> Vec<String> {
    let sources = settings.sources.iter();
    let url = |source: &SourceSettings| {
        let password = source.url.password.as_ref();
        let password = password.map_or("", |it| it.expose_secret());
        let url = source.url.redacted().replace("***", password);
        format!("{} {url}", source.name)
    };
    sources.map(url).collect()
}

/// Two sources of the project that there is, without settings of their own.
const TWO: &str = "sources: {cinder: {}, other: {project: cinder}}\n";

#[test]
fn a_source_has_settings_of_its_own_and_the_others_from_those_for_all() {
    let yaml = "sources:\n  cinder: {database.url: 'mysql://a/x'}\n  cell-2:\n    project: cinder\n    \
                database: {url: 'mysql://b/x'}\n    service-down-time: 90s\n    report-interval: 15s\n    poll.interval: \
                20s\n    skew.visibility-delay: 4s\n    exclude: [old-*, '*/x']\n    limit: 7\n\
                poll.interval: 3s\n";
    let settings = case(&[], &[]).yaml(yaml).settings();
    assert_eq!(
        urls(&settings),
        ["cinder mysql://a/x", "cell-2 mysql://b/x"]
    );
    let [cinder, cell] = settings.sources.as_slice() else {
        panic!("{settings:?}")
    };
    let polls = |source: &SourceSettings| {
        let polls = source.polls;
        let visible = polls.tolerances.visibility_delay.num_seconds();
        let [interval, stale] = [polls.interval, polls.stale_after].map(|it| it.as_secs());
        (interval, stale, visible)
    };
    assert_eq!((polls(cinder), polls(cell)), ((3, 30, 2), (20, 60, 4)));
    assert_eq!(cinder.intervals, intervals(60, 10));
    assert_eq!(cell.intervals, intervals(90, 15));
    assert_eq!(cell.limit, 7);
    assert_eq!(cell.exclude.len(), 2);
    check(
        &settings,
        &[
            "poll.interval = 3s (DIR/s.yaml:12)",
            "cinder.project = cinder (DIR/s.yaml:2)",
            "cell-2.project = cinder (DIR/s.yaml:4)",
            "cell-2.poll.interval = 20s (DIR/s.yaml:8)",
            "cell-2.poll.stale-after = 1m (default)",
            "cell-2.exclude = old-* (DIR/s.yaml:10)",
            "cell-2.exclude = */x (DIR/s.yaml:10)",
        ],
    );
    let repeated = cinder
        .effective
        .iter()
        .find(|it| it.name.starts_with("poll"));
    assert_eq!(repeated, None);
}

#[test]
fn a_project_on_the_command_line_replaces_the_list_of_sources() {
    let project = ("project", "cinder");
    let both = |environment: Texts, flags: Texts| case(environment, flags).yaml(TWO).settings();
    for settings in [both(&[URL], &[project]), both(&[URL, project], &[])] {
        assert_eq!(settings.sources.len(), 1);
        let warned = settings.warnings[0].contains("replaces the list `sources` at DIR/s.yaml:1");
        assert!(warned, "{:?}", settings.warnings);
    }
}

#[test]
fn the_last_file_of_a_project_wins_and_a_folder_has_files() {
    let conf = |seconds: u32| format!("[DEFAULT]\nservice_down_time = {seconds}\n");
    let settings = case(
        &[URL],
        &[("project", "cinder=DIR/a.conf"), ("project", "cinder=DIR/")],
    )
    .file("a.conf", &conf(70))
    .file("b.conf", &conf(80))
    .settings();
    assert_eq!(source(&settings).intervals, intervals(80, 10));
    check(&settings, &["cinder.config-dir = DIR/ (--project)"]);
    let variable = ("project", "cinder=DIR/a.conf, cinder=DIR/b.conf");
    let settings = case(&[URL, variable], &[])
        .file("a.conf", &conf(70))
        .file("b.conf", "")
        .settings();
    assert_eq!(source(&settings).intervals, intervals(70, 10));
}

#[test]
fn an_unknown_project_is_refused_with_the_known_ones() {
    let known = project::ALL.iter().map(|project| project.name);
    let known = known.collect::<Vec<_>>().join(", ");
    for (value, fault) in [
        (
            "nowa",
            format!("--project: unknown project `nowa`; known: {known}"),
        ),
        (
            "mysql://u:secret@h/d",
            format!("--project: unknown project; known: {known}"),
        ),
        (
            "cinder=",
            "--project: no path after `cinder=`; write one, or remove the `=`".to_owned(),
        ),
    ] {
        case(&[URL], &[("project", value)]).check_faults(&[&fault]);
    }
    let own = format!(
        "DIR/s.yaml:1: unknown project `cell1`; set `sources.cell1.project`; known: {known}"
    );
    case(&[URL], &[])
        .yaml("sources: {cell1: {}}")
        .check_faults(&[&own]);
    let given = format!("DIR/s.yaml:1: unknown project `nowa`; known: {known}");
    let yaml = "sources: {cell1: {project: nowa}}";
    case(&[URL], &[]).yaml(yaml).check_faults(&[&given]);
}

#[test]
fn a_server_for_all_sources_has_the_database_of_each_configuration_file() {
    let conf =
        "[database]\nconnection = postgresql+psycopg2://c:own@inside/volumes?sslmode=verify-full\n";
    let server = ("database.url", "postgresql://u:p@h:5433");
    let settings = case(&[server], &[]).cinder_conf(conf).settings();
    assert_eq!(urls(&settings), ["cinder postgresql://u:p@h:5433/volumes"]);
    let shown = "cinder.database.url = postgresql://u:***@h:5433/volumes (environment variable \
                 OPENSTACK_HEARTBEAT_DATABASE_URL, database name from DIR/cinder.conf:2)";
    check(&settings, &[shown]);
    let named = ("database.url", "postgresql://u:p@h:5433/other");
    let settings = case(&[named], &[]).cinder_conf(conf).settings();
    assert_eq!(urls(&settings), ["cinder postgresql://u:p@h:5433/other"]);
    let settings = case(&[server], &[("project", "cinder")]).settings();
    assert_eq!(urls(&settings), ["cinder postgresql://u:p@h:5433/cinder"]);
    let shown = "cinder.database.url = postgresql://u:***@h:5433/cinder (environment variable \
                 OPENSTACK_HEARTBEAT_DATABASE_URL, database name from the project's name)";
    check(&settings, &[shown]);
}

#[test]
fn without_a_project_the_name_of_the_database_tells_it_or_it_is_looked_for() {
    for (url, source, looked_for) in [
        ("mysql://u:p@h/manila", Some("manila"), None),
        ("sqlite:////var/lib/manila.sqlite", Some("manila"), None),
        ("mysql://u:p@h/other", None, Some("mysql://u:***@h/other")),
        (
            "sqlite:////var/lib/a.sqlite",
            None,
            Some("sqlite:////var/lib/a.sqlite"),
        ),
        ("mysql://u:p@h", None, Some("mysql://u:***@h/")),
        ("postgresql://u:p@h/", None, Some("postgresql://u:***@h/")),
    ] {
        let settings = case(&[("database.url", url)], &[]).settings();
        let names: Vec<&str> = settings.sources.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, source.into_iter().collect::<Vec<_>>(), "{url}");
        let search = settings.search.as_ref().map(Search::shown);
        assert_eq!(search.as_deref(), looked_for, "{url}");
        assert_eq!(settings.warnings.is_empty(), looked_for.is_some(), "{url}");
    }
}

#[test]
fn a_reload_keeps_what_was_found_at_the_same_place_and_is_not_left_out() {
    let settings = |url, exclude| {
        let given = [("database.url", url), ("discovery.exclude", exclude)];
        case(&given, &[]).settings()
    };
    let mut before = settings("mysql://u:p@h", "x");
    let found = ["cinder", "cinder_old"];
    let search = before.search.clone().unwrap();
    let source = |name| search.source(name, project::ALL[0]).unwrap();
    before.sources = found.map(source).into();
    for (url, exclude, expected) in [
        ("mysql://u:new@h", "x", &found[..]),
        ("mysql://u:p@h", "*_old", &["cinder"]),
        ("mysql://u:p@other", "x", &[]),
        ("mysql://u:p@h/a", "x", &[]),
        ("postgresql://u:p@h", "x", &[]),
        ("mysql://u:p@h/cinder", "x", &["cinder"]),
    ] {
        let mut new = settings(url, exclude);
        new.keep_found(&before);
        let names: Vec<&str> = new.sources.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, expected, "{url}, without {exclude}");
    }
}

#[test]
fn a_source_that_is_found_has_the_name_of_its_database_unless_the_url_has_it() {
    for (url, database, name, target) in [
        (
            "mysql://u:p@h",
            "cinder_old",
            "cinder_old",
            "mysql://u:p@h/cinder_old",
        ),
        ("mysql://u:p@h/a", "a", "cinder", "mysql://u:p@h/a"),
    ] {
        let settings = case(&[("database.url", url)], &[]).settings();
        let search = settings.search.unwrap();
        let source = search.source(database, project::ALL[0]).unwrap();
        assert_eq!(source.name, name);
        assert_eq!(source.url, DatabaseUrl::parse(target).unwrap());
    }
}

#[test]
fn a_database_for_all_sources_is_refused_and_one_for_none_is_a_warning() {
    let fault = "environment variable OPENSTACK_HEARTBEAT_DATABASE_URL: the database URL names one database, but several \
                 sources would read it: cinder, other; remove the name from the URL, so that each takes the one of \
                 `connection` in its configuration file, or give each its own `database.url-file` in `sources`";
    case(&[URL], &[]).yaml(TWO).check_faults(&[fault]);
    let one_has = "sources: {cinder: {}, other: {project: cinder, database.url: 'mysql://o/d'}}\n";
    let settings = case(&[URL], &[]).yaml(one_has).settings();
    let expected = ["cinder mysql://u:p@h/cinder", "other mysql://o/d"];
    assert_eq!(urls(&settings), expected);
    let all_have = "sources: {cinder: {database.url: 'mysql://c/d'}}\n";
    let warnings = case(&[URL], &[]).yaml(all_have).settings().warnings;
    let unused = "environment variable OPENSTACK_HEARTBEAT_DATABASE_URL: this database URL is not used: each source has its \
                  own";
    assert!(warnings.iter().any(|it| it == unused), "{warnings:?}");
}

#[test]
fn each_source_has_its_own_credentials_and_else_those_for_all() {
    let prefix = "openstack-heartbeat-exporter";
    let yaml = "sources:\n  cinder: {}\n  a: {project: cinder, database.url: 'mysql://u@a/d'}\n  b: {project: cinder, \
                database.url: 'mysql://u@b/d'}\ndatabase.password-file: DIR/all\n";
    let settings = case(&[("CREDENTIALS_DIRECTORY", "DIR/")], &[])
        .yaml(yaml)
        .file(
            &format!("{prefix}.cinder.database-url"),
            "mysql://u:p@c/d\n",
        )
        .file(&format!("{prefix}.a.database-password"), "q\n")
        .file(&format!("{prefix}.database-password"), "unused\n")
        .file("all", "unused\n")
        .settings();
    // No password goes to a server that has a URL of its own.
    let expected = [
        "cinder mysql://u:p@c/d",
        "a mysql://u:q@a/d",
        "b mysql://u@b/d",
    ];
    assert_eq!(urls(&settings), expected);
    let shown = format!(
        "cinder.database.url = mysql://u:***@c/d (systemd credential {prefix}.cinder.database-url)"
    );
    check(&settings, &[&shown]);
}

#[test]
fn variables_of_oslo_config_count_only_for_a_single_source() {
    let url = ("OS_DATABASE__CONNECTION", "mysql://os/cinder");
    let down_time = ("OS_DEFAULT__SERVICE_DOWN_TIME", "77");
    let settings = case(&[url, down_time], &[]).settings();
    assert_eq!(urls(&settings), ["cinder mysql://os/cinder"]);
    assert_eq!(source(&settings).intervals, intervals(77, 10));
    let yaml = "sources: {cinder: {database.url: 'mysql://c/d'}, b: {project: cinder, database.url: 'mysql://b/d'}}";
    let settings = case(&[url, down_time], &[]).yaml(yaml).settings();
    assert_eq!(settings.sources[0].intervals, intervals(60, 10));
    for (name, _) in [url, down_time] {
        let start = format!("the environment variable {name} is ignored: ");
        let warned = settings.warnings.iter().filter(|it| it.starts_with(&start));
        assert_eq!(warned.count(), 1, "{:?}", settings.warnings);
    }
}

#[test]
fn faults_of_all_sources_are_reported_together_and_once() {
    let yaml = "sources:\n  cinder: {limit: none, exclude: [a/]}\n  b: {project: cinder, poll.interval: 1ms}\n\
                skew.visibility-delay: never\n";
    let faults = case(&[], &[]).yaml(yaml).load().unwrap_err();
    for start in [
        "DIR/s.yaml:4: `skew.visibility-delay` is `never`;",
        "DIR/s.yaml:2: `limit` is `none`; expected a whole number",
        "DIR/s.yaml:2: `exclude` is `a/`; expected a pattern",
        "DIR/s.yaml:3: `poll.interval` is `1ms`;",
    ] {
        let found = faults.iter().filter(|fault| fault.starts_with(start));
        assert_eq!(found.count(), 1, "{start} {faults:?}");
    }
}

#[test]
fn an_option_may_have_a_fraction_and_be_behind_two_settings() {
    let settings = |interval: &str| {
        let text = format!("[heartbeat_emitter]\nheartbeat_interval = {interval}\n");
        let yaml = "sources: {designate: {config-file: DIR/designate.conf}}\n";
        case(&[URL], &[])
            .file("designate.conf", &text)
            .yaml(yaml)
            .load()
    };
    for (interval, expected) in [("10.0", [20_000, 10_000]), ("7.25", [14_500, 7_250])] {
        let settings = settings(interval).unwrap();
        let Intervals {
            service_down_time,
            report_interval,
        } = source(&settings).intervals;
        let milliseconds = [service_down_time, report_interval].map(|it| it.num_milliseconds());
        assert_eq!(milliseconds, expected, "{interval}");
    }
    for (interval, fault) in [
        ("10s", "is not a number;"),
        ("-1", "is no number of seconds;"),
        ("nan", "is no number of seconds;"),
    ] {
        let faults = settings(interval).unwrap_err();
        let expected = format!("designate.conf:2: [heartbeat_emitter] heartbeat_interval {fault}");
        assert!(faults[0].contains(&expected), "{faults:?}");
    }
}

#[test]
fn a_limit_is_refused_where_the_rows_contain_it() {
    let yaml = "sources:\n  heat:\n    config-file: DIR/heat.conf\n    service-down-time: 90s\n";
    let with = |yaml: &str| {
        case(&[], &[]).yaml(yaml).file(
            "heat.conf",
            "[DEFAULT]\nperiodic_interval = 30\n[database]\nconnection = mysql://h/heat\n",
        )
    };
    let expected = "DIR/s.yaml:4: `service-down-time` would have no effect: each row of heat contains the report interval, \
                    and the limit is 2 of them; remove the setting";
    with(yaml).check_faults(&[expected]);
    // Without it, the option of the file counts for the checks of the polls.
    let settings = with(&yaml.replace("    service-down-time: 90s\n", "")).settings();
    assert_eq!(settings.sources[0].intervals, intervals(60, 30));
    assert_eq!(settings.warnings, [""; 0]);
}
