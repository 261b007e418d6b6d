//! Reads a project's tables: one connection, one statement a poll, and the meaning of each failure.

pub(crate) mod catalog;
mod connection;
mod dial;
mod driver;
pub(crate) mod error;
mod facts_cache;
pub mod grant;
mod handshake;
mod mysql;
mod postgres;
mod product;
mod quantum;
mod row;
mod sqlite;
pub(crate) mod statement;
mod target;
mod tls;

pub use connection::Connection;
pub(crate) use error::Error;
pub(crate) use product::Product;
pub use target::Target;
