//! A snapshot in words: condition and advice for the page, a table for the terminal, JSON and CSV for scripts.

pub(crate) mod advice;
pub(crate) mod condition;
pub mod csv;
pub mod documentation;
pub mod json;
mod record;
mod servers;
pub mod table;
pub mod view;
pub(crate) mod words;
