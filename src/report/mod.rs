//! What a snapshot says, in words: for people as a table, for scripts as JSON and CSV.

pub(crate) mod advice;
pub(crate) mod condition;
pub mod csv;
pub mod documentation;
pub mod json;
mod record;
pub mod table;
pub(crate) mod words;
