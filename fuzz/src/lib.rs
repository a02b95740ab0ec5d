//! What the fuzz targets do with their inputs: one function a target.
//!
//! The ordinary tests of the crates include these files by their paths and replay the corpus.

pub mod commands;
pub mod config;
pub mod json;
pub mod play;
pub mod texts;
