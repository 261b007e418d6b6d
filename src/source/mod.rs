//! One database of one project: read, tracked, and polled for ever.

pub(crate) mod poll_settings;
pub(crate) mod poller;
