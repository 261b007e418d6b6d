//! HTTP: routes, limits and shutdown; what the answers say is decided elsewhere.

pub mod access;
pub mod asset;
pub mod auth;
pub mod chart;
pub mod condition;
pub mod crowd;
mod descriptors;
pub mod documentation;
pub mod handshake;
pub mod negotiation;
pub mod page;
pub mod query;
pub mod rate_limit;
pub mod response;
pub mod route;
pub mod row;
pub mod san;
pub mod server;
pub mod tls;
mod watched;
mod words;
