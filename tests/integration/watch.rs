//! `services` on a terminal and at each poll.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::binary::{listing, outcome};
use crate::support::database::Database;
use crate::support::exporter::{PROGRAM, program};
use crate::support::terminal::Terminal;
use crate::support::{folder, server, wait_for};

const DATABASE_URL: &str = "OPENSTACK_HEARTBEAT_DATABASE_URL";
const RED: &str = "\u{1b}[38;5;1m";
const YELLOW: &str = "\u{1b}[38;5;3m";
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";
const ERASE: &str = "\r\u{1b}[2K";
const WAITING: &str = "waiting for heartbeats of 1 service, ";

/// A service whose down reason takes more reads, one with its clock ahead, and one that is up.
fn database() -> Database {
    listing(&[
        ("block1", 500, true),
        ("ahead", -600, true),
        ("fine", 3, true),
    ])
}

/// Runs `services` on a terminal.
fn on_terminal(columns: u16, arguments: &str, url: &str, more: &[(&str, &str)]) -> Terminal {
    let line = format!("{PROGRAM} services {arguments}");
    let environment = [&[(DATABASE_URL, url)], more].concat();
    Terminal::run(columns, &line, &environment)
}

#[test]
fn colours_are_used_only_on_terminals_that_allow_them() {
    let database = database();
    let url = database.url();
    let coloured = |more: &[(&str, &str)]| {
        let (code, screen) = on_terminal(200, "--wait=0", &url, more).end();
        assert_eq!(code, 1, "{screen}");
        screen.contains(&format!("{RED} down")) && screen.contains(&format!("{YELLOW} clock skew"))
    };
    assert!(coloured(&[]));
    assert!(!coloured(&[("NO_COLOR", "1")]));
    assert!(!coloured(&[("TERM", "dumb")]));
    let piped = outcome(&["services", "--wait=0"], &[(DATABASE_URL, &url)]);
    assert!(!piped.stdout.contains('\u{1b}') && !piped.stderr.contains('\u{1b}'));
}

#[test]
fn a_narrow_terminal_shows_fewer_columns() {
    let url = database().url();
    for (columns, has_zone, has_time) in [(200, true, true), (100, true, false), (80, false, false)]
    {
        let (_, screen) = on_terminal(columns, "--wait=0", &url, &[]).end();
        assert_eq!(screen.contains("| Zone |"), has_zone, "{screen}");
        assert_eq!(screen.contains("| Updated At "), has_time, "{screen}");
        assert!(screen.contains("| Reason "), "{screen}");
    }
}

#[test]
fn progress_is_shown_and_then_erased() {
    let database = listing(&[("block1", 500, true), ("fine", 3, true)]);
    let url = database.url();
    let (_, screen) = on_terminal(80, "--wait=2", &url, &[]).end();
    for shown in [format!("{ERASE}{WAITING}"), format!(" s left{ERASE}")] {
        assert!(screen.contains(&shown), "{screen}");
    }
    let (_, listed) = screen.rsplit_once(ERASE).unwrap();
    assert!(listed.starts_with("+--"), "{screen}");
    assert!(!listed.contains("waiting"), "{screen}");
    let (_, screen) = on_terminal(80, "--wait=2", &url, &[("TERM", "dumb")]).end();
    assert!(!screen.contains("waiting"), "{screen}");
    let piped = outcome(&["services", "--wait=2"], &[(DATABASE_URL, &url)]);
    assert!(!piped.stderr.contains("waiting"), "{}", piped.stderr);
}

#[test]
fn a_terminal_shows_the_latest_report_until_ctrl_c() {
    let database = database();
    let arguments = "--watch --poll.interval=300ms";
    let mut terminal = on_terminal(120, arguments, &database.url(), &[]);
    let screen = |terminal: &Terminal| {
        let all = terminal.screen();
        all.rsplit(CLEAR).next().unwrap().to_owned()
    };
    terminal.shows("(database clock); read every 300ms until Ctrl-C");
    terminal.shows("cinder-volume on ahead: Its last stamp is ");
    // The tracker remembers earlier polls.
    let beat = || {
        let now = database.now(600);
        database.execute(&[&format!(
            "UPDATE services SET report_count = report_count + 1, updated_at = {now} WHERE host = 'ahead'"
        )]);
    };
    let limit = Duration::from_secs(20);
    let learnt = || {
        beat();
        screen(&terminal).contains(" s ± ")
    };
    wait_for("a proven skew", limit, learnt, || terminal.screen());

    database.execute(&["ALTER TABLE services RENAME TO elsewhere"]);
    let failure = "the database can't be read; the list is outdated: ";
    terminal.shows(failure);
    assert!(
        screen(&terminal).contains("| fine "),
        "{}",
        screen(&terminal)
    );
    database.execute(&["ALTER TABLE elsewhere RENAME TO services"]);
    let is_back = || {
        let screen = screen(&terminal);
        screen.contains("| fine ") && screen.contains("warning:") && !screen.contains(failure)
    };
    wait_for("the listing", limit, is_back, || terminal.screen());

    terminal.types("\u{3}");
    let (code, all) = terminal.end();
    assert_eq!(code, 1, "{all}");
}

/// `services --watch`, whose output goes to files.
struct Watch {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Watch {
    fn start(database: &Database, arguments: &[&str]) -> Self {
        let folder = folder("watch");
        let [out, err] = ["out", "err"].map(|name| folder.join(name));
        let child = program(&["services", "--watch", "--poll.interval=300ms"])
            .args(arguments)
            .env(DATABASE_URL, database.url())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, err }
    }

    fn out(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    fn err(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    fn wait_for(&self, what: &str, condition: impl Fn() -> bool) {
        let describe = || format!("{}{}", self.out(), self.err());
        wait_for(what, Duration::from_secs(20), condition, describe);
    }

    /// Ends it by a signal; returns the exit code.
    fn end(&mut self, signal: &str) -> Option<i32> {
        server::signal(self.child.id(), signal);
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_file_gets_each_report_and_a_failure_only_once() {
    let database = listing(&[("fine", 0, true)]);
    let mut watch = Watch::start(&database, &[]);
    let heading = " UTC (database clock)\n+--";
    let listings = || watch.out().matches(heading).count();
    watch.wait_for("two listings", || listings() >= 2);
    database.execute(&["ALTER TABLE services RENAME TO elsewhere"]);
    let failure = "error: the database can't be read: ";
    watch.wait_for("a failure", || watch.err().contains(failure));
    let before = listings();
    database.execute(&["ALTER TABLE elsewhere RENAME TO services"]);
    watch.wait_for("another", || listings() > before);
    assert_eq!(watch.err().matches(failure).count(), 1, "{}", watch.err());
    assert!(!watch.out().contains('\u{1b}'), "{}", watch.out());
    assert_eq!(watch.end("INT"), Some(0), "{}", watch.err());
}

#[test]
fn json_is_one_line_a_poll_and_the_last_poll_sets_the_exit_code() {
    let database = listing(&[("fine", 0, true)]);
    let mut watch = Watch::start(&database, &["--format=json"]);
    watch.wait_for("two lines", || watch.out().lines().count() > 2);
    for line in watch.out().lines().take(2) {
        let listing: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(listing["services"][0]["host"], "fine");
    }
    database.execute(&["ALTER TABLE services RENAME TO elsewhere"]);
    watch.wait_for("a failure", || watch.err().contains("error: "));
    assert_eq!(watch.end("TERM"), Some(2), "{}", watch.err());
}

#[test]
fn a_closed_pipe_ends_the_watch() {
    let database = listing(&[("fine", 0, true)]);
    let line = format!("{PROGRAM} services --watch --poll.interval=300ms | head -n 1");
    let output = Command::new("timeout")
        .args(["20", "bash", "-o", "pipefail", "-c", &line])
        .env(DATABASE_URL, database.url())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let refused = outcome(&["services", "--watch", "--format=csv"], &[]);
    assert_eq!(refused.code, 2);
    let expected = "choose --format table or json";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
}
