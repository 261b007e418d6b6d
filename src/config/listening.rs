//! The address of a running exporter, for a client on the same machine; no database is needed.

use super::fault::Fault;
use super::flags::{Flags, variable};
use super::layer::Layer;
use super::listen_address::Listen;
use super::values::Values;

/// Where and how the exporter listens.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The addresses or sockets.
    pub listen: Listen,
    /// Whether a web configuration file is set, which may enable TLS.
    pub has_web_config: bool,
    /// Other faults of the settings file. A running exporter has refused that file and keeps its settings.
    pub faults: Vec<Fault>,
}

impl Listening {
    /// Loads it from all sources of [`Settings::load`](super::settings::Settings::load) except cinder.conf.
    ///
    /// # Errors
    /// The faults, if the address is unknown because of them.
    pub(crate) fn load(flags: Flags) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let file = flags.settings_file(variable, &mut faults);
        let environment = Layer::environment(variable);
        let layers = [Layer::defaults(), file, environment, flags.layer];
        let mut values = Values::merge(&layers, faults)?;
        match values.listen() {
            Some(listen) => Ok(Self {
                listen,
                has_web_config: values.web_config().is_some(),
                faults: values.faults,
            }),
            None => Err(values.faults),
        }
    }
}
