//! Layers of configuration, how OpenStack writes its files, and the settings that result.

pub mod database_url;
pub mod key;
pub mod layer;
mod option_file;
pub mod oslo;
pub mod settings;
mod yaml;
