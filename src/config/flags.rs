//! The command line and the environment, as far as they set settings.

use std::path::PathBuf;

use super::fault::Fault;
use super::key;
use super::layer::Layer;
use super::settings_file::{self, SettingsFile};

/// The settings given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The values of flags.
    pub layer: Layer,
    /// `--config.file`.
    pub config_file: Option<PathBuf>,
}

impl Flags {
    /// Reads the settings file that the flag names, or else the environment; empty if neither names one.
    pub(super) fn settings_file(
        &self,
        variable: impl Fn(&str) -> Option<String>,
        faults: &mut Vec<Fault>,
    ) -> SettingsFile {
        let name = key::variable(key::CONFIG_FILE);
        let (path, origin) = match (&self.config_file, variable(&name)) {
            (Some(path), _) => (path.clone(), format!("--{}", key::CONFIG_FILE)),
            (None, Some(path)) if !path.is_empty() => {
                (path.into(), format!("environment variable {name}"))
            }
            _ => return SettingsFile::default(),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let (file, found) = settings_file::read(&path, &text);
                faults.extend(found);
                file
            }
            Err(source) => {
                faults.push(Fault::read(path, &origin, source));
                SettingsFile::default()
            }
        }
    }
}

/// Reads a variable of the process.
///
/// Bytes that are not UTF-8 become replacement characters, so that the value is refused rather than ignored.
pub(super) fn variable(name: &str) -> Option<String> {
    let text = std::env::var_os(name)?;
    Some(text.to_string_lossy().into_owned())
}
