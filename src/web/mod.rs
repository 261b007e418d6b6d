//! HTTP: routes, limits and shutdown; what the answers say is decided elsewhere.

pub mod negotiation;
pub mod page;
pub mod server;
