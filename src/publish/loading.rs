//! Whether the configuration was loaded: its parts are loaded independently, and have two metrics together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Gauge, IntGauge, Registry};

use super::table;

/// A part of the configuration that is loaded independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfigPart {
    /// The settings: cinder.conf, the YAML file, and the files of secrets.
    Settings,
    /// The web configuration file.
    Web,
}

/// The two metrics of all parts together.
#[derive(Debug)]
pub(super) struct Loading {
    /// By part: whether its last load was refused.
    refused: Mutex<[bool; 2]>,
    successful: IntGauge,
    timestamp: Gauge,
}

impl Loading {
    /// Registers the metrics; all parts count as loaded.
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let successful = IntGauge::with_opts(table::RELOAD_SUCCESSFUL.options())?;
        successful.set(1);
        registry.register(Box::new(successful.clone()))?;
        let timestamp = Gauge::with_opts(table::RELOAD_TIMESTAMP.options())?;
        registry.register(Box::new(timestamp.clone()))?;
        Ok(Self {
            refused: Mutex::default(),
            successful,
            timestamp,
        })
    }

    pub(super) fn loaded(&self, part: ConfigPart, at: Duration) {
        self.note(part, false);
        self.timestamp.set(at.as_secs_f64());
    }

    pub(super) fn refused(&self, part: ConfigPart) {
        self.note(part, true);
    }

    fn note(&self, part: ConfigPart, refusal: bool) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused[part as usize] = refusal;
        // While the lock is held, so that the latest state is published.
        self.successful.set((*refused == [false; 2]).into());
    }

    pub(super) fn is_successful(&self) -> bool {
        self.successful.get() == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_successful_while_no_part_is_refused() {
        let loading = Loading::new(&Registry::new()).unwrap();
        assert!(loading.is_successful());
        loading.refused(ConfigPart::Web);
        loading.refused(ConfigPart::Settings);
        loading.loaded(ConfigPart::Settings, Duration::from_secs(7));
        assert!(!loading.is_successful());
        loading.loaded(ConfigPart::Web, Duration::from_secs(9));
        assert!(loading.is_successful());
    }

    #[test]
    fn a_refusal_leaves_the_time_as_it_is() {
        let loading = Loading::new(&Registry::new()).unwrap();
        loading.loaded(ConfigPart::Settings, Duration::from_millis(7_500));
        loading.refused(ConfigPart::Settings);
        assert!((loading.timestamp.get() - 7.5).abs() < f64::EPSILON);
    }
}
