//! What decides is pure: an invariant of the crate that the compiler does not hold.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the crate has its sources") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn what_decides_knows_no_runtime_no_driver_and_no_http() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![
        root.join("metrics/exposition.rs"),
        root.join("metrics/table.rs"),
        root.join("web/chart.rs"),
        root.join("web/documentation.rs"),
        root.join("web/query.rs"),
        root.join("web/row.rs"),
        root.join("web/san.rs"),
        root.join("web/words.rs"),
    ];
    let named = files.len();
    sources(&root.join("heartbeat"), &mut files);
    assert!(files.len() > named + 8, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("sources are UTF-8");
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for outside in [
                "tokio",
                "sqlx",
                "hyper",
                "Instant::now",
                "SystemTime",
                "Utc::now",
                "crate::database",
            ] {
                let named = line.contains(outside);
                // The tests of the exposition make the own metrics that it renders.
                assert!(
                    !named || file.ends_with("tests.rs"),
                    "{}: {line}",
                    file.display()
                );
            }
        }
    }
}
