//! The functions of the fuzz targets.
//!
//! The crates' ordinary tests include these files by their paths and replay the corpus.

pub mod commands;
pub mod config;
pub mod json;
pub mod play;
pub mod sql;
pub mod texts;
