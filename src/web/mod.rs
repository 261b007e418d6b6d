//! HTTP server: routes, limits, access and shutdown, the status page and the JSON API.

pub mod access;
mod api;
pub(crate) mod asset;

pub(crate) mod chart;
pub(crate) mod connections;
pub mod handshake;
pub(crate) mod login;
pub mod negotiation;
pub(crate) mod page;
mod parameters;
mod protocol;
pub(crate) mod query;
pub(crate) mod rate_limit;
pub(crate) mod refusal;
pub(crate) mod reload;
pub(crate) mod response;
pub mod route;
pub(crate) mod row;
pub(crate) mod san;
pub(crate) mod server;
pub mod site;
mod stream;
pub mod tls;
