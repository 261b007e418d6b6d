//! The OpenStack projects whose services leave heartbeats in a table: a file each, and what such a file consists of.

pub mod cinder;
pub(crate) mod layout;
