//! The files and folders that a project's processes read their options from.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// One `--config-file` or `--config-dir` of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, which must exist.
    File(PathBuf),
    /// A folder, which must exist: its visible `*.conf` files, sorted by name, without subfolders.
    Dir(PathBuf),
}

impl Place {
    /// Returns the folder of this path, or else the file.
    pub(super) fn of(path: PathBuf) -> Self {
        if path.is_dir() {
            Self::Dir(path)
        } else {
            Self::File(path)
        }
    }

    /// Returns the path of the file or folder.
    pub(super) fn path(&self) -> &Path {
        let (Self::File(path) | Self::Dir(path)) = self;
        path
    }

    /// Returns whether it is a folder without files to read.
    pub(super) fn is_empty(&self) -> bool {
        self.files().is_ok_and(|files| files.is_empty())
    }

    /// Returns the files to read, in order.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub(super) fn files(&self) -> io::Result<Vec<PathBuf>> {
        let folder = match self {
            Self::File(path) => return Ok(vec![path.clone()]),
            Self::Dir(folder) => folder,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let bytes = name.as_encoded_bytes();
            if bytes.ends_with(b".conf") && !bytes.starts_with(b".") {
                names.push(name);
            }
        }
        names.sort();
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    }
}
