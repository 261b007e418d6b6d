//! Compares the readers of `cinder.conf` and database URLs with oslo.config, SQLAlchemy and the drivers.
//!
//! `tests/oslo_reference.py` prints the reference result of each case. If a reader differs on purpose, the table
//! has its result, and a comment has the reason. Such a case fails once it no longer differs.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use openstack_heartbeat_exporter::config::database_url::{DatabaseUrl, Engine};
use openstack_heartbeat_exporter::config::oslo::OsloConfig;
use openstack_heartbeat_exporter::config::place::Place;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// Returns the results of oslo.config, SQLAlchemy and the drivers.
fn reference(question: &Value) -> Value {
    let python = std::env::var_os("HEARTBEAT_TEST_PYTHON").expect(
        "HEARTBEAT_TEST_PYTHON must name the Python of a virtual environment with Cinder; start the tests by tests/run",
    );
    let mut child = Command::new(&python)
        .args(["-B", "tests/oslo_reference.py"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter of HEARTBEAT_TEST_PYTHON starts");
    let mut input = child.stdin.take().expect("it is piped");
    write!(input, "{question}").expect("the script reads its input");
    drop(input);
    let output = child.wait_with_output().expect("the script ends");
    assert!(
        output.status.success(),
        "{} failed: {}",
        python.display(),
        output.status
    );
    serde_json::from_slice(&output.stdout).expect("the script writes JSON")
}

/// The expected result of a reader: that of the reference, or another on purpose.
enum Expect {
    Same,
    Differs(Value),
}

use Expect::{Differs, Same};

/// Error classes are those of the reference.
fn refused() -> Value {
    json!("refused")
}

fn without_class(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key("refused") => refused(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), without_class(value)))
            .collect(),
        _ => value.clone(),
    }
}

#[track_caller]
fn compare(case: &str, ours: &Value, theirs: &Value, expect: &Expect) {
    let theirs = without_class(theirs);
    match expect {
        Same => assert_eq!(*ours, theirs, "ours and theirs of {case}"),
        Differs(expected) => {
            assert_eq!(ours, expected, "ours of {case}");
            assert_ne!(*ours, theirs, "{case} no longer differs");
        }
    }
}

/// The configuration arguments and the environment of a Cinder process.
struct Case<'a> {
    places: Vec<(&'a str, String)>,
    environment: &'a [(&'a str, &'a str)],
    expect: Expect,
}

fn read(case: &Case) -> Value {
    let places: Vec<Place> = case
        .places
        .iter()
        .map(|(kind, path)| match *kind {
            "dir" => Place::Dir(path.into()),
            _ => Place::File(path.into()),
        })
        .collect();
    let environment: HashMap<String, String> = case
        .environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let Ok(config) = OsloConfig::load(&places, move |name| environment.get(name).cloned()) else {
        return refused();
    };
    // An absent option has Cinder's default; an option without a value has no default.
    let interval = |option: &str, default: i64| match (
        config.get("DEFAULT", option),
        config.get_integer("DEFAULT", option),
    ) {
        (Ok(None), _) => json!(default),
        (_, Ok(number)) => json!(number.map(|(number, _)| number)),
        (_, Err(_)) => refused(),
    };
    let connection = config
        .get("database", "connection")
        .map_or(refused(), |found| json!(found.map(|(text, _)| text)));
    json!({
        "connection": connection,
        "service_down_time": interval("service_down_time", 60),
        "report_interval": interval("report_interval", 10),
    })
}

#[track_caller]
fn check_configurations(cases: &[Case]) {
    let question: Vec<Value> = cases
        .iter()
        .map(|case| {
            let environment: HashMap<_, _> = case.environment.iter().copied().collect();
            json!({ "places": case.places, "environment": environment })
        })
        .collect();
    let theirs = reference(&json!({ "configurations": question, "urls": [] }));
    for (index, case) in cases.iter().enumerate() {
        let texts = case
            .places
            .iter()
            .filter_map(|(_, path)| std::fs::read(path).ok());
        let texts: Vec<String> = texts.map(|text| text.escape_ascii().to_string()).collect();
        let name = format!("{:?} {:?} {texts:#?}", case.places, case.environment);
        compare(
            &name,
            &read(case),
            &theirs["configurations"][index],
            &case.expect,
        );
    }
}

/// Checks files with these contents, one at a time.
#[track_caller]
fn check_texts(texts: Vec<(&[u8], Expect)>) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let cases: Vec<Case> = texts
        .into_iter()
        .enumerate()
        .map(|(index, (text, expect))| {
            let path = folder.path().join(format!("{index}.conf"));
            std::fs::write(&path, text).expect("the folder takes files");
            Case {
                places: vec![("file", path.display().to_string())],
                environment: &[],
                expect,
            }
        })
        .collect();
    check_configurations(&cases);
}

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/oslo")
        .join(name)
        .display()
        .to_string()
}

fn connection_and_intervals(
    connection: &Value,
    service_down_time: &Value,
    report_interval: &Value,
) -> Value {
    json!({ "connection": connection, "service_down_time": service_down_time, "report_interval": report_interval })
}

#[test]
fn deployment_files_are_read_as_by_oslo_config() {
    check_configurations(
        &["kolla.conf", "devstack.conf", "tripleo.conf"].map(|name| Case {
            places: vec![("file", data(name))],
            environment: &[],
            expect: Same,
        }),
    );
}

#[test]
fn files_and_folders_apply_in_order_and_the_environment_overrides_them() {
    let none: &[(&str, &str)] = &[];
    let intervals = &[
        ("OS_DEFAULT__SERVICE_DOWN_TIME", "63"),
        ("OS_DEFAULT__REPORT_INTERVAL", " 12 "),
    ];
    let kolla = || ("file", data("kolla.conf"));
    let devstack = || ("file", data("devstack.conf"));
    let folder = || ("dir", data("conf.d"));
    let same = |places, environment| Case {
        places,
        environment,
        expect: Same,
    };
    check_configurations(&[
        same(vec![], none),
        same(vec![kolla(), devstack()], none),
        same(vec![devstack(), kolla()], none),
        same(vec![folder()], none),
        same(vec![kolla(), folder()], none),
        same(vec![folder(), kolla()], none),
        same(vec![kolla(), folder(), devstack()], none),
        same(vec![], intervals),
        same(vec![kolla(), folder()], intervals),
        same(
            vec![kolla()],
            &[("OS_DATABASE__CONNECTION", "sqlite:////$my_ip/$$1")],
        ),
        same(
            vec![kolla()],
            &[("OS_DATABASE__CONNECTION", "\"quoted\" # no comment")],
        ),
        same(vec![kolla()], &[("OS_DATABASE__CONNECTION", "")]),
        same(
            vec![kolla()],
            &[
                ("OS_DEFAULT__SERVICE_DOWN_TIME", ""),
                ("OS_DEFAULT__REPORT_INTERVAL", "x"),
            ],
        ),
        same(
            vec![kolla()],
            &[
                ("OS_database__connection", "x"),
                ("os_database__connection", "y"),
            ],
        ),
        same(
            vec![],
            &[
                ("OS_DATABASE__CONNECTION", "a-$my_ip"),
                ("OS_DEFAULT__MY_IP", "b"),
            ],
        ),
        same(vec![kolla(), ("file", data("missing.conf"))], none),
        same(vec![kolla(), ("dir", data("missing.d"))], none),
        same(vec![("file", data("conf.d"))], none),
        // For oslo.config, a file in place of a folder is an empty folder. For us it is a wrong argument.
        Case {
            places: vec![("dir", data("kolla.conf"))],
            environment: none,
            expect: Differs(refused()),
        },
    ]);
}

#[test]
fn comments_begin_only_at_the_start_of_a_line() {
    check_texts(vec![
        (
            b"[DEFAULT]\n# service_down_time = 1\n;report_interval = 2\n#",
            Same,
        ),
        (
            b"[DEFAULT]\nservice_down_time = 70 ; x\nreport_interval = 7 # x",
            Same,
        ),
        (b"[database]\nconnection = sqlite:///x # y ; z", Same),
        (b"[database]\nconnection = a\n  # b", Same),
        (b"[database] # x\nconnection = a", Same),
        (b"[database]  \t\nconnection = a", Same),
    ]);
}

#[test]
fn indented_lines_continue_a_value_up_to_a_blank_line() {
    check_texts(vec![
        (
            b"[database]\nconnection = a\n  b\n\tc  \n[DEFAULT]\nservice_down_time = 70",
            Same,
        ),
        (b"[database]\nconnection = a\n# x\n", Same),
        (b"[database]\nconnection = a\n\n  b", Same),
        (b"[database]\nconnection = a\n   \n  b", Same),
        (b"[database]\nconnection = a\n# x\n  b", Same),
        (b"[database]\nconnection =\n  a\n  b", Same),
        (b"[database]\nconnection = \"a\n  b\"", Same),
        (b"[database]\n  connection = a", Same),
        (b"  [database]\nconnection = a", Same),
        (b"[database]\nconnection = a\n\xc2\xa0b = c", Same),
        (b"[DEFAULT]\nservice_down_time =\n  70", Same),
    ]);
}

#[test]
fn sections_and_options_given_twice_are_merged_and_the_last_wins() {
    check_texts(vec![
        (b"[database]\nconnection = a\n[DEFAULT]\nreport_interval = 5\n[database]\nconnection = b", Same),
        (b"[database]\nconnection = a\nconnection = b\n[database]\n", Same),
        (b"[DEFAULT]\nreport_interval = 5\n[DEFAULT]\nservice_down_time = 70", Same),
        (b"[database]\nconnection = a\nconnection =", Same),
    ]);
}

#[test]
fn groups_except_default_ignore_case_and_options_do_not() {
    check_texts(vec![
        (b"[DATABASE]\nconnection = a", Same),
        (
            b"[DataBase]\nconnection = a\n[database]\nmax_retries = 1",
            Same,
        ),
        (
            b"[database]\nconnection = a\n[DATABASE]\nconnection = b",
            Same,
        ),
        (
            b"[default]\nservice_down_time = 70\n[Default]\nreport_interval = 7",
            Same,
        ),
        (b"[database]\nConnection = a", Same),
        (b"[ database ]\nconnection = a", Same),
        (b"[[database]]\nconnection = a", Same),
    ]);
}

#[test]
fn assignments_take_either_delimiter_and_lose_only_a_pair_of_quotes() {
    check_texts(vec![
        (b"[database]\nconnection:a=b", Same),
        (b"[database]\nconnection=a:b", Same),
        (b"[database]\nconnection   =   a   ", Same),
        (b"[database]\nconnection = 'a'", Same),
        (b"[database]\nconnection = \"a\"", Same),
        (b"[database]\nconnection = \" a \"", Same),
        (b"[database]\nconnection = \"\"a\"\"", Same),
        (b"[database]\nconnection = \"a", Same),
        (b"[database]\nconnection = a\"", Same),
        (b"[database]\nconnection = 'a\"", Same),
        (b"[database]\nconnection = \"", Same),
        (b"[database]\nconnection = \"\"", Same),
        (b"[database]\nconnection =", Same),
        (
            b"[DEFAULT]\nservice_down_time =\nreport_interval = '8'",
            Same,
        ),
        (
            b"[DEFAULT]\nservice_down_time = +70\nreport_interval = -1",
            Same,
        ),
        (
            b"[DEFAULT]\nservice_down_time = 70.0\nreport_interval = 0x10",
            Same,
        ),
        // Python's digit groups: no operator writes them, and no other reader of the value understands them.
        (
            b"[DEFAULT]\nservice_down_time = 1_000",
            Differs(connection_and_intervals(
                &Value::Null,
                &refused(),
                &json!(10),
            )),
        ),
    ]);
}

#[test]
fn percent_signs_and_backslashes_are_literal() {
    check_texts(vec![
        (
            b"[database]\nconnection = mysql://u:%40%%d%(x)s@h/100%",
            Same,
        ),
        (b"[database]\nconnection = a\\nb\\\\c\\", Same),
    ]);
}

#[test]
fn dollars_refer_to_options_of_the_files() {
    check_texts(vec![
        (b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = a-$my_ip-b", Same),
        (b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = a-${my_ip}b", Same),
        (b"[nova]\nregion_name = 1\n[database]\nconnection = ${nova.region_name}", Same),
        (b"[nova]\nregion_name = 1\n[database]\nconnection = $nova.region_name/x", Same),
        (b"[DEFAULT]\nmy_ip = 1\n[database]\nslave_connection = $my_ip\nconnection = $slave_connection", Same),
        (b"[DEFAULT]\nmy_ip = $host\nhost = $state_path\nstate_path = 1\n[database]\nconnection = $my_ip", Same),
        (b"[DEFAULT]\nreport_interval = 7\nservice_down_time = ${report_interval}0", Same),
        (b"[database]\nconnection = a$$b$$$$c\\$d$\\$$", Same),
        (b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = $$my_ip \\$my_ip $$$my_ip \\\\$my_ip $\\$my_ip", Same),
        (b"[DEFAULT]\nmy_ip = $$my_ip\n[database]\nconnection = $my_ip", Same),
        (b"[database]\nconnection = a$ $1 ${ ${} $- ${1} ${my_ip $", Same),
        (b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = '$my_ip'\n  $my_ip", Same),
        (b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = $my_ip\xc3\xa9", Same),
    ]);
}

#[test]
fn an_unresolved_or_circular_reference_fails_only_its_option() {
    check_texts(vec![
        (
            b"[database]\nconnection = $nothing\n[DEFAULT]\nservice_down_time = 70",
            Same,
        ),
        (b"[database]\nconnection = ${nothing.at_all}", Same),
        (b"[database]\nconnection = ${database.nothing}", Same),
        (
            b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = $MY_IP",
            Same,
        ),
        (
            b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = $my_ip.x",
            Same,
        ),
        (b"[database]\nconnection = $connection", Same),
        (b"[database]\nconnection = ${database.connection}", Same),
        (
            b"[database]\nconnection = $my_ip\n[DEFAULT]\nmy_ip = $host\nhost = $my_ip",
            Same,
        ),
    ]);
}

#[test]
fn references_that_depend_on_the_options_cinder_registers_differ() {
    let connection =
        |value: &Value| Differs(connection_and_intervals(value, &json!(60), &json!(10)));
    check_texts(vec![
        // The default of an option that is registered and absent from the file.
        (b"[database]\nconnection = $my_ip", connection(&refused())),
        // An option that is in the file and not registered.
        (
            b"[DEFAULT]\nmine = 1\n[database]\nconnection = $mine",
            connection(&json!("1")),
        ),
        (
            b"[DEFAULT]\nmy_ip = 1\n[database]\nmy_ip = 2\nconnection = $my_ip",
            connection(&json!("2")),
        ),
        // oslo.config cannot reference the group DEFAULT; the meaning is clear.
        (
            b"[DEFAULT]\nmy_ip = 1\n[database]\nconnection = ${DEFAULT.my_ip}",
            connection(&json!("1")),
        ),
        // oslo.config formats an integer again.
        (
            b"[DEFAULT]\nreport_interval = 07\n[database]\nconnection = $report_interval",
            Differs(connection_and_intervals(
                &json!("07"),
                &json!(60),
                &json!(7),
            )),
        ),
    ]);
}

#[test]
fn files_that_oslo_config_refuses_are_refused() {
    check_texts(vec![
        (b"connection = a", Same),
        (b"# x\n\nconnection = a\n[database]\n", Same),
        (b"[database]\nconnection", Same),
        (b"[database]\n= a", Same),
        (b"[database]\n : a", Same),
        (b"[]\nconnection = a", Same),
        (b"[", Same),
        (b"[database\nconnection = a", Same),
        (b"  x", Same),
    ]);
}

#[test]
fn encodings_and_line_ends_are_those_of_python() {
    check_texts(vec![
        (b"", Same),
        (
            b"[DEFAULT]\r\nservice_down_time = 70\r\n[database]\r\nconnection = a\r\n  b\r\n",
            Same,
        ),
        (
            b"[DEFAULT]\rservice_down_time = 70\r[database]\rconnection = a",
            Same,
        ),
        (b"[database]\nconnection = a\x0b\x0c\nb = c\x0bd\n", Same),
        (b"[database]\nconnection = \xc3\xa9\xe2\x82\xac", Same),
        (b"[database]\nconnection = caf\xe9", Same),
        (b"# caf\xe9\n[database]\nconnection = a", Same),
        (b"\xef\xbb\xbf[database]\nconnection = a", Same),
        (b"\xef\xbb\xbf# x\n[database]\nconnection = a", Same),
        (b"\xef\xbb\xbf\n[database]\nconnection = a", Same),
        (b"\xef\xbb\xbfx = y\n[database]\nconnection = a", Same),
    ]);
}

fn parse(url: &str) -> Value {
    let Ok(url) = DatabaseUrl::parse(url) else {
        return refused();
    };
    let is_mysql = url.engine == Engine::MySql;
    // PyMySQL fills in its defaults at once, libpq only when it connects.
    let host = url.host.or(is_mysql.then(|| "localhost".to_owned()));
    let port = url.port.or(is_mysql.then_some(3306));
    json!({
        "user": url.user,
        "password": url.password.as_ref().map(ExposeSecret::expose_secret),
        "host": host,
        "port": port,
        "socket": url.socket,
        "database": url.database,
        "tls": {
            "mode": format!("{:?}", url.tls.mode),
            "ca": url.tls.ca,
            "cert": url.tls.cert,
            "key": url.tls.key,
        },
    })
}

#[track_caller]
fn check_urls(cases: &[(&str, Expect)]) {
    let urls: Vec<&str> = cases.iter().map(|(url, _)| *url).collect();
    let theirs = reference(&json!({ "configurations": [], "urls": urls }));
    for (index, (url, expect)) in cases.iter().enumerate() {
        compare(url, &parse(url), &theirs["urls"][index], expect);
    }
}

/// The reader's result for `u:p@h/d` with these TLS settings on `port`.
fn with_tls(port: &Value, mode: &str, ca: &Value) -> Expect {
    Differs(json!({
        "user": "u", "password": "p", "host": "h", "port": port, "socket": null, "database": "d",
        "tls": { "mode": mode, "ca": ca, "cert": null, "key": null },
    }))
}

#[test]
fn addresses_split_as_in_sqlalchemy() {
    check_urls(&[
        ("mysql+pymysql://cinder:PASS@controller/cinder", Same),
        ("mysql://cinder:PASS@controller:3307/cinder", Same),
        ("mariadb+pymysql://cinder@controller/cinder", Same),
        ("mysql+mysqldb://controller:3306/cinder", Same),
        ("mysql+pymysql://u:p@[2001:db8::1]:3306/d", Same),
        ("mysql+pymysql://u:p@[::1]/d", Same),
        ("mysql+pymysql://u:p@:3307/d", Same),
        ("mysql+pymysql://u:p@h:/d", Same),
        ("mysql+pymysql://:p@h/d", Same),
        ("mysql+pymysql://u:@h/d", Same),
        ("mysql+pymysql://u@server:p@h/d", Same),
        ("mysql+pymysql://u@server@h/d", Same),
        ("mysql+pymysql://u:p@h/a%2Fb", Same),
        ("postgresql://u:p@h/d", Same),
        ("postgresql+psycopg2://u:p@[::1]:5433/d", Same),
        ("postgresql:///d", Same),
        ("mysql:/u:p@h/d", Same),
        ("u:p@h/d", Same),
        ("oracle://u:p@h/d", Same),
        ("mysql+pymysql://u:p@h:x/d", Same),
    ]);
}

#[test]
fn passwords_may_hold_nearly_any_unencoded_character() {
    check_urls(&[
        ("mysql+pymysql://u:a/b#c?d+e:f&g=h@h/d", Same),
        ("mysql+pymysql://u:a%40b%2Fc%3Ad%25@h/d", Same),
        ("mysql+pymysql://u%40x%2Fy:p@h/d", Same),
        ("mysql+pymysql://u:100%@h/d", Same),
        ("mysql+pymysql://u:%zz%4@h/d", Same),
        ("mysql+pymysql://u:%C3%A9@h/d", Same),
        ("mysql+pymysql://u:a b@h/d", Same),
        ("mysql+pymysql://u:[x]@h/d", Same),
        ("postgresql://u:a/b'c\\d e@h/d", Same),
    ]);
}

#[test]
fn urls_that_sqlalchemy_misreads_are_refused() {
    let cases = [
        // Host `w@h`, or the end of the password becomes part of the database, the port or an option.
        "mysql+pymysql://u:p@w@h/d",
        "mysql+pymysql://u:p@w/x@h/d",
        "mysql+pymysql://u/x:p@h/d",
        "mysql+pymysql://u:p@w/d?init_command=x@h",
        // Without a database a query would fail; libpq's default is the user's name, MySQL has none.
        "mysql+pymysql://u:p@h",
        "mysql+pymysql://u:p@h/",
        // Hosts `h#f`, `h1,h2` and `a b`; text behind the brackets, which SQLAlchemy drops.
        "mysql+pymysql://u:p@h#f/d",
        "mysql+pymysql://u:p@h1,h2/d",
        "mysql+pymysql://u:p@a b/d",
        "mysql+pymysql://u:p@[::1]x/d",
        // Port 0, and a comment that oslo.config reads as a continuation.
        "mysql+pymysql://u:p@h:0/d",
        "mysql+pymysql://u:p@h/d\n# x",
        // Several hosts: the driver uses one that works.
        "postgresql://u:p@/d?host=h1,h2",
        "postgresql://u:p@/d?host=h1:1&host=h2:2",
        // Another separator in front of an option: part of the database or of a value.
        "mysql+pymysql://u:p@h/d&ssl_ca=/x",
        "mysql+pymysql://u:p@h/d;ssl_ca=/x",
        "mysql+pymysql://u:p@h/d?read_default_group=a;ssl_ca=/x",
        "postgresql://u:p@h/d?application_name=a?sslmode=verify-full",
        // A database in Cinder's own memory.
        "sqlite://",
        "sqlite:///:memory:",
    ];
    check_urls(&cases.map(|url| (url, Differs(refused()))));
}

#[test]
fn options_that_the_drivers_refuse_are_refused_if_they_could_ask_for_verification() {
    let urls = [
        "mysql+pymysql://u:p@h/d?charset=utf8?ssl_ca=/x",
        "mysql+pymysql://u:p@h/d?charset=utf8;ssl_ca=/x",
        "mysql+pymysql://u:p@h/d?charset=utf8&amp;ssl_ca=/x",
        "mysql+pymysql://u:p@h/d?charset=utf8& ssl_ca=/x",
        "mysql+pymysql://u:p@h/d?ssl_cafile=/x",
        "mysql+pymysql://u:p@h/d?ssl=true",
        "postgresql://u:p@h/d?application_name=a&amp;sslmode=verify-full",
        "postgresql://u:p@h/d?sslmode=require;sslrootcert=/x",
        "postgresql://u:p@h/d?ssl_ca=/x",
    ];
    check_urls(&urls.map(|url| (url, Same)));
}

#[test]
fn mysql_tls_options_have_the_meaning_of_pymysql() {
    check_urls(&[
        ("mysql+pymysql://u:p@h/d?charset=utf8", Same),
        ("mysql+pymysql://u:p@h/d?ssl_ca=/x", Same),
        ("mysql+pymysql://u:p@h/d?charset=utf8&ssl_ca=/x%20y+z", Same),
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_cert=/y&ssl_key=/z",
            Same,
        ),
        // SQLAlchemy drops an option without a value, and with it what it was meant to ask for.
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_verify_cert",
            Differs(refused()),
        ),
        (
            "mysql+pymysql://u:p@h/d?ssl_verify_cert",
            Differs(refused()),
        ),
        ("mysql+pymysql://u:p@h/d?ssl_cert=/y&ssl_key=/z", Same),
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_check_hostname=false",
            Same,
        ),
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_check_hostname=True",
            Same,
        ),
        ("mysql+pymysql://u:p@h/d?ssl_check_hostname=0", Same),
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_check_hostname=maybe",
            Same,
        ),
        ("mysql+pymysql://u:p@h/d?ssl_capath=/x", Same),
        ("mysql+pymysql://u:p@h/d?ssl_cipher=AES", Same),
        ("mysql+pymysql://u:p@h/d?ssl_ca=", Differs(refused())),
        ("mysql+pymysql://u:p@h/d?ssl_verify_cert=true", Same),
        ("mysql+pymysql://u:p@h/d?ssl_verify_cert=false", Same),
        (
            "mysql+pymysql://u:p@h/d?ssl_disabled=true&ssl_verify_cert=true",
            Same,
        ),
        // PyMySQL ignores ssl_ca next to these. We use a file that is named.
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_verify_cert=true",
            with_tls(&json!(3306), "VerifyCa", &json!("/x")),
        ),
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_verify_cert=false",
            with_tls(&json!(3306), "Required", &json!("/x")),
        ),
        (
            "mysql+pymysql://u:p@h/d?ssl_ca=/x&ssl_verify_identity=true",
            with_tls(&json!(3306), "VerifyFull", &json!("/x")),
        ),
        // PyMySQL does not verify the host name without ssl_ca, and reads any text, even `false`, as true.
        (
            "mysql+pymysql://u:p@h/d?ssl_verify_identity=true",
            with_tls(&json!(3306), "VerifyFull", &Value::Null),
        ),
        (
            "mysql+pymysql://u:p@h/d?ssl_verify_identity=false",
            with_tls(&json!(3306), "Preferred", &Value::Null),
        ),
        (
            "mysql+pymysql://u:p@h/d?ssl_disabled=false",
            with_tls(&json!(3306), "Preferred", &Value::Null),
        ),
        // The native form, which PyMySQL refuses.
        (
            "mysql://u:p@h/d?ssl-mode=VERIFY_IDENTITY&ssl-ca=/x",
            with_tls(&json!(3306), "VerifyFull", &json!("/x")),
        ),
    ]);
}

#[test]
fn mysql_sockets_and_option_files_match_pymysql() {
    check_urls(&[
        (
            "mysql+pymysql://u:p@/d?unix_socket=/run/mysqld/mysqld.sock",
            Same,
        ),
        (
            "mysql+pymysql://u:p@localhost/d?unix_socket=/run/mysqld/mysqld.sock&charset=utf8",
            Same,
        ),
        (
            "mysql+pymysql://?read_default_file=tests/data/oslo/client.cnf",
            Same,
        ),
        (
            "mysql+pymysql://u:p@h:1/d?read_default_file=tests/data/oslo/client.cnf",
            Same,
        ),
        (
            "mysql+pymysql://u:p@h/d?read_default_file=tests/data/oslo/client.cnf&ssl_ca=/x&unix_socket=/y",
            Same,
        ),
        (
            "mysql+pymysql://u:p@h/d?read_default_file=tests/data/oslo/tripleo.cnf",
            Same,
        ),
        (
            "mysql+pymysql://u:p@h/d?read_default_file=tests/data/oslo/tripleo.cnf&read_default_group=tripleo",
            Same,
        ),
        (
            "mysql+pymysql://u:p@h/d?read_default_file=tests/data/oslo/tripleo.cnf&read_default_group=none",
            Same,
        ),
        // PyMySQL continues without the file, and so without the TLS that the file requires.
        (
            "mysql+pymysql://u:p@h/d?read_default_file=/missing.cnf",
            Differs(refused()),
        ),
    ]);
}

#[test]
fn postgresql_options_have_the_meaning_of_libpq() {
    check_urls(&[
        (
            "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/x&sslcert=/y&sslkey=/z",
            Same,
        ),
        (
            "postgresql://u:p@h/d?sslmode=verify-ca&sslrootcert=/x",
            Same,
        ),
        ("postgresql://u:p@h/d?sslmode=require", Same),
        ("postgresql://u:p@h/d?sslmode=require&sslrootcert=/x", Same),
        ("postgresql://u:p@h/d?sslmode=prefer", Same),
        ("postgresql://u:p@h/d?sslmode=allow", Same),
        ("postgresql://u:p@h/d?sslmode=disable", Same),
        ("postgresql://u:p@h/d?sslmode=REQUIRE", Same),
        (
            "postgresql+psycopg2://u:p@/d?host=/var/run/postgresql",
            Same,
        ),
        (
            "postgresql+psycopg2://u:p@h/d?host=/var/run/postgresql&port=5433",
            Same,
        ),
        (
            "postgresql+psycopg2://u:p@h/d?host=other&connect_timeout=3",
            Same,
        ),
        ("postgresql://u:p@/d?host=h:5433", Same),
        ("postgresql://u:p@h:1/d?host=h2:5433", Same),
        ("postgresql://u:p@h:1/d?host=h2:", Same),
        ("postgresql://u:p@/d?host=::1", Same),
        (
            "postgresql://u:p@h/d?options=-csearch_path=cinder&application_name=x",
            Same,
        ),
        // libpq's own URLs: another scheme, and a folder for a host. SQLAlchemy knows neither.
        (
            "postgres://u:p@h/d",
            with_tls(&Value::Null, "Preferred", &Value::Null),
        ),
        (
            "postgresql://u:p@%2Fvar%2Frun/d",
            Differs(json!({
                "user": "u", "password": "p", "host": null, "port": null, "socket": "/var/run", "database": "d",
                "tls": { "mode": "Preferred", "ca": null, "cert": null, "key": null },
            })),
        ),
        // From libpq 16 on these are the system's authorities, and the host name is verified.
        (
            "postgresql://u:p@h/d?sslrootcert=system",
            with_tls(&Value::Null, "VerifyFull", &Value::Null),
        ),
        // libpq does this when it connects.
        (
            "postgresql://u:p@h",
            Differs(json!({
                "user": "u", "password": "p", "host": "h", "port": null, "socket": null, "database": "u",
                "tls": { "mode": "Preferred", "ca": null, "cert": null, "key": null },
            })),
        ),
    ]);
}

#[test]
fn sqlite_files_are_relative_after_three_slashes_and_absolute_after_four() {
    check_urls(&[
        ("sqlite:///cinder.sqlite", Same),
        ("sqlite:///data/cinder.sqlite?timeout=5", Same),
        ("sqlite:////var/lib/cinder/cinder.sqlite", Same),
        ("sqlite+pysqlite:////a%20b", Same),
        ("sqlite://cinder.sqlite", Same),
        ("sqlite://u:p@h/cinder.sqlite", Same),
    ]);
}
