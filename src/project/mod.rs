//! The OpenStack projects whose services write heartbeats to a table, one file a project.
//!
//! A project's file is a [`layout::Layout`]: the project's name, the table of services, the table of clusters if the
//! project has one, and for each table its columns, their kinds, and the column that marks deleted rows. Rows are
//! decoded by position, so the columns of services keep the order of Cinder's.

pub mod cinder;
pub(crate) mod layout;
