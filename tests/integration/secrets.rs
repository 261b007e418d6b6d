//! No output shows a password, from any of its sources.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::{folder, server, wait_for};

/// Every form of the password: raw, percent-encoded, in base64, and the pieces that a misread URL splits into.
const CANARY: &str = "c4n@ry/s3cr:t";
const ENCODED: &str = "c4n%40ry%2Fs3cr%3At";
const TRACES: [&str; 6] = ["c4n", "s3cr", "%40ry", "YzRuQHJ5L3MzY3I6dA", "ry/s", "cr:t"];

const SIGABRT: i32 = 6;

/// A source of a password: flags, variables, and files in the current folder.
struct Place {
    flags: Vec<&'static str>,
    variables: Vec<(&'static str, String)>,
    files: Vec<(&'static str, String)>,
}

const URL: &str = "OPENSTACK_HEARTBEAT_DATABASE_URL";

fn variable(url: String) -> Place {
    Place {
        flags: Vec::new(),
        variables: vec![(URL, url)],
        files: Vec::new(),
    }
}

fn file(flag: &'static str, name: &'static str, text: String) -> Place {
    Place {
        flags: vec![flag],
        variables: Vec::new(),
        files: vec![(name, text)],
    }
}

fn cinder_conf(text: String) -> Place {
    file("--project=cinder=cinder.conf", "cinder.conf", text)
}

fn yaml(text: String) -> Place {
    file("--config.file=exporter.yml", "exporter.yml", text)
}

/// Returns sources of a wrong password for a server at `address`.
fn places(scheme: &str, address: &str) -> Vec<Place> {
    let url = format!("{scheme}://hb:{ENCODED}@{address}/cinder");
    let bare = format!("{scheme}://hb@{address}/cinder");
    let mut places = vec![
        variable(url.clone()),
        variable(format!("{url}?sslcrl={ENCODED}&x={ENCODED}")),
        variable(format!("{bare}?password={ENCODED}")),
        file("--database.url-file=url", "url", format!("{url}\n")),
        cinder_conf(format!("[database]\nconnection = {url}\n")),
        cinder_conf(format!(
            "[DEFAULT]\nsecret = {ENCODED}\n[database]\nconnection = {scheme}://hb:$secret@{address}/cinder\n"
        )),
        yaml(format!("database:\n  url: \"{url}\"\n")),
        Place {
            flags: vec!["--database.password-file=password"],
            variables: vec![(URL, bare.clone())],
            files: vec![("password", CANARY.to_owned())],
        },
    ];
    if scheme == "mysql" {
        places.push(Place {
            flags: Vec::new(),
            variables: vec![(URL, format!("{bare}?read_default_file=my.cnf"))],
            files: vec![("my.cnf", format!("[client]\npassword = {CANARY}\n"))],
        });
    }
    places
}

/// Returns sources that can't be parsed.
fn faults() -> Vec<Place> {
    let mut places: Vec<Place> = [
        // Not encoded: its pieces become the host, the port and the database.
        format!("mysql://hb:{CANARY}@127.0.0.1/cinder"),
        format!("mysql://hb:{CANARY}@127.0.0.1:port/cinder"),
        format!("postgresql://hb:{CANARY}@127.0.0.1"),
        format!("hb:{CANARY}@127.0.0.1/cinder"),
        format!("mysqll://hb:{ENCODED}@127.0.0.1/cinder"),
        format!("{CANARY}://127.0.0.1/cinder"),
        format!("mysql://hb@127.0.0.1/cinder?ssl-mode={ENCODED}"),
        format!("postgresql://hb@127.0.0.1/cinder?sslmode={ENCODED}"),
        CANARY.to_owned(),
    ]
    .map(variable)
    .into();
    places.extend([
        cinder_conf(format!("[database]\nconnection = mysql://hb:{ENCODED}\n")),
        cinder_conf(format!("[database]\nconnection mysql {CANARY}\n")),
        cinder_conf(format!("[database\n{CANARY}\n")),
        cinder_conf(format!("[DEFAULT]\nservice_down_time = {CANARY}\n")),
        cinder_conf(format!(
            "[database]\nconnection = mysql://hb:${{nowhere.{CANARY}}}@h/d\n"
        )),
        yaml(format!("database:\n  url: [{CANARY}\n")),
        yaml(format!("database:\n  url: {{password: \"{CANARY}\"}}\n")),
        yaml(format!("database:\n  password: \"{CANARY}\"\n")),
        yaml(format!("database:\n  url: \"{CANARY}\"\n bad indent\n")),
        file(
            "--database.url-file=url",
            "url",
            format!("{CANARY}\nmysql://{CANARY}\n"),
        ),
    ]);
    places
}

impl Place {
    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let mut command = program(arguments);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command
            .args(&self.flags)
            .args(["--log.level=debug", "--database.connect-timeout=2s"])
            .envs(variables)
            .env("RUST_BACKTRACE", "full")
            .current_dir(folder);
        command
    }
}

#[track_caller]
fn check_silent(what: &str, text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{what} shows `{trace}`:\n{text}");
    }
}

/// Runs a command to its end, checks its output, and returns its exit code.
fn check_command(place: &Place, folder: &Path, arguments: &[&str]) -> Option<i32> {
    let output = place.command(folder, arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(!text.contains("panicked"), "{text}");
    check_silent(&format!("{arguments:?}"), &text);
    output.status.code()
}

fn has_failed(metrics: &Metrics) -> bool {
    let mut lines = metrics.0.lines();
    let name = "openstack_heartbeat_poll_failures_total{";
    lines.any(|line| line.starts_with(name) && !line.ends_with(" 0"))
}

fn check_serving(place: &Place, folder: &Path, format: &str) {
    let format = format!("--log.format={format}");
    let mut command = place.command(folder, &["serve", "--poll.interval=200ms", &format]);
    let exporter = Exporter::spawn(&mut command);
    exporter.wait_for("a failure", has_failed);
    for path in ["/", "/metrics", "/api/v1/services", "/-/ready", "/nowhere"] {
        check_silent(path, exporter.get(path).text());
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", exporter.id())).unwrap();
    check_silent("the process list", &String::from_utf8_lossy(&arguments));
    check_silent("standard output", &exporter.stdout());
    check_silent("the log", &exporter.log());
}

fn check_places(scheme: &str, address: &str) {
    for place in places(scheme, address) {
        let folder = folder("secrets");
        let code = check_command(&place, &folder, &["check-config"]);
        assert_eq!(code, Some(0), "{:?} {:?}", place.variables, place.files);
        let connecting = ["check-config", "--connect"];
        assert_eq!(check_command(&place, &folder, &connecting), Some(2));
        let listing = ["services", "--wait=0"];
        assert_eq!(check_command(&place, &folder, &listing), Some(2));
        for format in ["logfmt", "json"] {
            check_serving(&place, &folder, format);
        }
    }
}

#[test]
fn a_refused_password_is_shown_nowhere() {
    for (engine, scheme) in [(Engine::MySql, "mysql"), (Engine::Postgres, "postgresql")] {
        let url = Database::new(engine).superuser_url();
        let (_, rest) = url.split_once('@').unwrap();
        let (address, _) = rest.split_once('/').unwrap();
        check_places(scheme, address);
    }
}

#[test]
fn a_password_for_an_unreachable_server_is_shown_nowhere() {
    check_places("mysql", "127.0.0.1:1");
    check_places("postgresql", "127.0.0.1:1");
}

#[test]
fn a_password_in_unreadable_input_is_shown_nowhere() {
    for place in faults() {
        let folder = folder("secrets");
        for arguments in [&["check-config"][..], &["services", "--wait=0"]] {
            let code = check_command(&place, &folder, arguments);
            assert_ne!(code, Some(0), "{:?} {:?}", place.variables, place.files);
        }
    }
}

/// Runs the exporter as an unprivileged user.
fn as_nobody() -> Exporter {
    let program = program(&["serve"]);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program.get_program())
        .args(program.get_args())
        .env(URL, format!("mysql://hb:{ENCODED}@127.0.0.1:1/cinder"));
    Exporter::spawn(&mut command)
}

#[test]
fn the_memory_is_private_and_own_metrics_still_work() {
    // Only root can change users.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let exporter = as_nobody();
    let process = format!("/proc/{}", exporter.id());
    let owner = |name: &str| {
        std::fs::metadata(format!("{process}/{name}"))
            .unwrap()
            .uid()
    };
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    assert!(
        status.contains("Uid:\t65534\t65534\t65534\t65534"),
        "{status}"
    );
    // The kernel gives the files of a process without dumps to root: other processes of the user can't read them.
    for name in ["mem", "environ", "maps"] {
        assert_eq!(owner(name), 0, "{name}");
    }
    let metrics = exporter.metrics();
    for name in ["process_open_fds", "process_resident_memory_bytes"] {
        let value = metrics.value(name, &[]);
        assert!(value.is_some_and(|value| value > 0.0), "{name}: {value:?}");
    }
}

#[test]
fn a_crash_leaves_no_core() {
    let folder = folder("core");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\""])
        .arg(program(&[]).get_program())
        .arg("serve")
        .env(URL, format!("mysql://hb:{ENCODED}@127.0.0.1:1/cinder"))
        .current_dir(&folder);
    let exporter = Exporter::spawn(&mut shell);
    assert!(server::signal(exporter.id(), "ABRT"));
    let status = exporter.wait();
    assert_eq!(status.signal(), Some(SIGABRT));
    assert!(!status.core_dumped());
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    // A control, if the core pattern is a relative path: another process does dump core.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if !pattern.starts_with(['|', '/']) {
        let mut other = Command::new("sh")
            .args(["-c", "ulimit -c unlimited && exec sleep 60"])
            .current_dir(&folder)
            .spawn()
            .unwrap();
        let executed = || {
            let name = std::fs::read_to_string(format!("/proc/{}/comm", other.id()));
            name.is_ok_and(|name| name == "sleep\n")
        };
        wait_for("sleep runs", Duration::from_secs(10), executed, String::new);
        assert!(server::signal(other.id(), "ABRT"));
        assert!(other.wait().unwrap().core_dumped());
    }
}
