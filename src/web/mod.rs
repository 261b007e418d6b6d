//! HTTP: routes, limits and shutdown; what the answers say is decided elsewhere.

pub mod asset;
pub mod chart;
pub mod condition;
pub mod crowd;
mod descriptors;
pub mod documentation;
pub mod negotiation;
pub mod page;
pub mod query;
mod response;
mod route;
pub mod row;
pub mod server;
mod watched;
mod words;
