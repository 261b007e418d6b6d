//! Where the exporter listens, for a client on the same machine, which needs no database to be told.

use super::fault::Fault;
use super::layer::Layer;
use super::listen_address::Listen;
use super::reader::Reader;
use super::settings::{Flags, config_file, merge, variable};

/// What a client is to know.
#[derive(Debug)]
pub(crate) struct Listening {
    /// What the exporter listens on.
    pub listen: Listen,
    /// Whether a web configuration file is set, and so TLS possible.
    pub has_web_config: bool,
    /// What is wrong elsewhere in the settings file: an exporter that runs has refused it, and goes on.
    pub faults: Vec<Fault>,
}

impl Listening {
    /// Loads it from the places that [`Settings::load`](super::settings::Settings::load) reads, cinder.conf aside.
    ///
    /// # Errors
    /// What prevents the address from being known.
    pub(crate) fn load(flags: Flags) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let file = config_file(&flags, variable, &mut faults);
        let environment = Layer::environment(variable);
        let layers = [Layer::defaults(), file, environment, flags.layer];
        let merged = merge(&layers).map_err(|error| vec![error.into()])?;
        let mut reader = Reader {
            merged: &merged,
            faults,
            effective: Vec::new(),
        };
        match reader.listen() {
            Some(listen) => Ok(Self {
                listen,
                has_web_config: reader.web_config().is_some(),
                faults: reader.faults,
            }),
            None => Err(reader.faults),
        }
    }
}
