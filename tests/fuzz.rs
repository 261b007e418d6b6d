//! The targets of `fuzz/`, run briefly: on the corpus, and on inputs that a seeded generator derives from it.
//!
//! Without coverage guidance this finds few new faults. It guards against the return of those that fuzzing found,
//! and keeps the targets working. `fuzz/README.md` describes real fuzzing.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::disallowed_methods,
    reason = "a separate crate, which is checked there"
)]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use fastrand::Rng;

/// Number of inputs generated for a target, beyond its corpus.
const INPUTS: usize = 2000;
/// Longest input in bytes.
const LONGEST: usize = 2048;

/// Returns the corpus of a target, in the order of file names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = fs::read_dir(folder.join(target)).expect("each target has a corpus");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("it is a file"))
        .collect()
}

/// Changes an input in one place, as fuzzers do.
fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(..=input.len());
    let end = (at + random.usize(..16)).min(input.len());
    match random.u8(..6) {
        0 if at < input.len() => input[at] = random.u8(..),
        1 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        2 => drop(input.drain(at..end)),
        3 => drop(input.splice(at..end, std::iter::repeat_with(|| random.u8(..)).take(8))),
        4 => input.extend_from_within(at..),
        _ => {
            let other = random.choice(others).expect("each target has a corpus");
            input.truncate(at);
            input.extend(&other[random.usize(..=other.len())..]);
        }
    }
    input.truncate(LONGEST);
}

/// Runs a target on one input, as libFuzzer does: bytes that do not decode to an input are skipped.
fn feed<'a, T: Arbitrary<'a>>(bytes: &'a [u8], run: impl Fn(T)) {
    if let Ok(input) = T::arbitrary_take_rest(Unstructured::new(bytes)) {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(input)));
        assert!(
            outcome.is_ok(),
            "an input for the corpus: {}",
            bytes.escape_ascii()
        );
    }
}

/// Runs a target on its corpus and on inputs derived from it.
fn check(target: &str, feed: impl Fn(&[u8])) {
    let corpus = corpus(target);
    for input in &corpus {
        feed(input);
    }
    let mut random = Rng::with_seed(6);
    for _ in 0..INPUTS {
        let mut input = random.choice(&corpus).cloned().unwrap_or_default();
        for _ in 0..random.usize(1..6) {
            mutate(&mut input, &corpus, &mut random);
        }
        feed(&input);
    }
}

#[test]
fn accept() {
    check("accept", |bytes| feed(bytes, targets::accept::run));
}

#[test]
fn cinder_conf() {
    check("cinder_conf", |bytes| {
        feed(bytes, targets::cinder_conf::run);
    });
}

#[test]
fn columns() {
    check("columns", |bytes| {
        feed(bytes, |rows: Vec<targets::columns::Row>| {
            targets::columns::run(&rows);
        });
    });
}

#[test]
fn database_url() {
    check("database_url", |bytes| {
        feed(bytes, targets::database_url::run);
    });
}

#[test]
fn request() {
    check("request", |bytes| feed(bytes, targets::request::run));
}

#[test]
fn rows() {
    check("rows", |bytes| {
        feed(bytes, |story: targets::rows::Story| {
            targets::rows::run(&story);
        });
    });
}

#[test]
fn settings() {
    check("settings", |bytes| feed(bytes, targets::settings::run));
}

#[test]
fn web_config() {
    check("web_config", |bytes| feed(bytes, targets::web_config::run));
}
