//! Layers of configuration, how OpenStack writes its files, and the settings that result.

pub mod change;
mod credential;
pub mod database_url;
pub mod fault;
pub mod ini;
pub mod key;
pub mod layer;
pub mod listen_address;
pub mod listening;
mod node;
mod option_file;
pub mod oslo;
mod reader;
pub mod reference;
pub mod settings;
pub mod tls;
mod url_option;
pub mod web;
mod yaml;
