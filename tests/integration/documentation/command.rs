//! The commands of a block: some can run in the tests, and some serve until they are stopped.

use std::process::Command;

/// Programs, or their commands, that are not run, and the reason.
const NOT_HERE: &[(&str, &str)] = &[
    ("benches/largest", "takes forty minutes"),
    ("benches/run", "takes half an hour"),
    (
        "cargo",
        "builds and tests for minutes; this test is one of them",
    ),
    ("chronyc", "uses the clock of the machine"),
    ("docker", "needs containers of a cloud"),
    ("htpasswd", "asks for a password on the terminal"),
    ("install", "gives files to other users"),
    ("journalctl", "needs systemd as the first process"),
    ("kayobe", "needs a cloud that it deploys"),
    ("kolla-ansible", "needs a cloud that it deploys"),
    ("kubectl", "needs a cluster"),
    ("openstack", "needs a cloud with Keystone"),
    ("pgrep", "looks for processes of a cloud"),
    (
        "promtool test",
        "takes half a minute, which tests/alerts.rs spends",
    ),
    ("rabbitmqctl", "needs RabbitMQ"),
    ("ss", "looks for a port that the tests do not use"),
    ("sudo", "changes the machine"),
    ("systemctl", "needs systemd as the first process"),
    ("tests/run", "runs this test"),
    ("timedatectl", "uses the clock of the machine"),
];

/// A whole command, of one or more lines.
pub(super) struct Line {
    pub(super) text: String,
    programs: Vec<String>,
}

impl Line {
    /// Returns the commands of a block, without lines that are only comments.
    pub(super) fn all(block: &str) -> Vec<Self> {
        let mut lines = Vec::new();
        let mut text = String::new();
        for line in block.lines() {
            text.push_str(line);
            text.push('\n');
            if is_whole(&text) {
                let text = std::mem::take(&mut text);
                if !text.trim_start().starts_with('#') && !text.trim().is_empty() {
                    let programs = programs(&text);
                    lines.push(Self { text, programs });
                }
            }
        }
        assert!(text.is_empty(), "this does not end: {text}");
        lines
    }

    /// Returns whether it can be run here.
    pub(super) fn is_here(&self) -> bool {
        let is_meant = |name: &str| match name.split_once(' ') {
            Some(_) => self.text.starts_with(name),
            None => self.programs.iter().any(|program| program == name),
        };
        !NOT_HERE.iter().any(|(name, _)| is_meant(name))
    }

    /// Returns whether it is the exporter, which serves.
    pub(super) fn serves(&self) -> bool {
        let mut words = self.text.split_whitespace();
        let is_ours = words.next() == Some(env!("CARGO_PKG_NAME"));
        let serves = |word: &str| match word {
            "serve" | "demo" => true,
            "--help" | "--version" => false,
            word => word.starts_with("--"),
        };
        is_ours && words.next().is_none_or(serves)
    }
}

/// Returns whether the shell considers the command complete.
fn is_whole(text: &str) -> bool {
    let output = Command::new("bash").args(["-n", "-c", text]).output();
    // The shell only warns of a here-document without an end.
    let is_content = output.is_ok_and(|output| output.status.success() && output.stderr.is_empty());
    is_content && !text.trim_end().ends_with(['\\', '|'])
}

/// Returns the words in the place of a program's name. Some may not be names, since quotes are not parsed.
fn programs(text: &str) -> Vec<String> {
    let mut programs = Vec::new();
    let mut starts = true;
    for word in text.split_whitespace() {
        let name = word.trim_matches(['(', ';']);
        if starts && !name.contains('=') {
            programs.push(name.to_owned());
            starts = false;
        }
        starts |= word.ends_with(';') || ["|", "||", "&&", "{", "("].contains(&word);
    }
    programs
}
