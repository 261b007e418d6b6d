//! Files as they were at a moment, to tell whether they have changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Some files, each with what tells one state of it from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileStamps(Vec<(PathBuf, Option<Stamp>)>);

/// Which file it is, and when it was written and altered. Links are followed, so that one that leads elsewhere, as
/// Kubernetes replaces a mounted secret, is a change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    written: (i64, i64),
    altered: (i64, i64),
}

impl FileStamps {
    /// Adds a file as it is now, there or not.
    pub(crate) fn add(&mut self, path: &Path) {
        self.0.push((path.to_owned(), stamp(path)));
    }

    /// Returns the same files as they are now.
    #[must_use]
    pub(crate) fn again(&self) -> Self {
        let paths = self.0.iter();
        Self(paths.map(|(path, _)| (path.clone(), stamp(path))).collect())
    }
}

/// `None` where there is no file, or none that can be reached.
fn stamp(path: &Path) -> Option<Stamp> {
    let of = |data: Metadata| Stamp {
        file: (data.dev(), data.ino()),
        size: data.size(),
        written: (data.mtime(), data.mtime_nsec()),
        altered: (data.ctime(), data.ctime_nsec()),
    };
    std::fs::metadata(path).ok().map(of)
}
