//! Layers of configuration, the formats of OpenStack's files, and the resulting settings.

pub(crate) mod certificate;
pub(crate) mod change;
pub mod database_url;
pub(crate) mod fault;
pub mod flags;
pub(crate) mod ini;
pub mod key;
pub mod keys;
pub(crate) mod layer;
pub(crate) mod listen_address;
mod node;
mod option_file;
pub mod oslo;
mod oslo_db;
pub mod place;
mod postgres_options;
pub(crate) mod reference;
pub mod settings;
mod settings_file;
mod spelling;
pub(crate) mod tls;
mod url_error;
mod url_parts;
mod url_source;
pub(crate) mod values;
pub mod web;
