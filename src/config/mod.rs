//! Layers of configuration, how OpenStack writes its files, and the settings that result.

pub(crate) mod change;
mod credential;
pub mod database_url;
pub(crate) mod fault;
pub(crate) mod ini;
pub mod key;
pub(crate) mod layer;
pub(crate) mod listen_address;
pub(crate) mod listening;
mod node;
mod option_file;
pub mod oslo;
mod reader;
pub(crate) mod reference;
pub mod settings;
pub(crate) mod tls;
mod url_option;
pub mod web;
mod yaml;
