//! Stamps of files, to detect changes without reading them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files, each with its stamp; `None` for a file that is missing or inaccessible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileStamps(Vec<(PathBuf, Option<Stamp>)>);

/// Identity, size and times of a file. Links are followed: a link with a new target is a change. Kubernetes replaces
/// mounted secrets that way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamps {
    /// Adds a file with its present stamp.
    pub(crate) fn add(&mut self, path: &Path) {
        self.0.push((path.to_owned(), stamp(path)));
    }

    /// Returns the same files with their present stamps.
    pub(crate) fn refreshed(&self) -> Self {
        let paths = self.0.iter();
        Self(paths.map(|(path, _)| (path.clone(), stamp(path))).collect())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |data: Metadata| Stamp {
        file: (data.dev(), data.ino()),
        size: data.size(),
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
    };
    std::fs::metadata(path).ok().map(of)
}
