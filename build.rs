//! Writes down the revision and the compiler for `--version` and the metric `…_build_info`.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=BUILD_REVISION");
    // HEAD changes with the branch, its log with each commit; a file that is not there would mean: always.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = output("git", &["rev-parse", "--git-path", file])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // A build from a source archive, as in the Dockerfile, has no repository and may give the revision.
    let revision = env::var("BUILD_REVISION")
        .ok()
        .filter(|revision| !revision.is_empty())
        .or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version =
        output(&rustc, &["--version"]).and_then(|text| text.split(' ').nth(1).map(str::to_owned));
    for (name, value) in [("BUILD_REVISION", revision), ("BUILD_RUSTC", version)] {
        println!(
            "cargo::rustc-env={name}={}",
            value.as_deref().unwrap_or("unknown")
        );
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
