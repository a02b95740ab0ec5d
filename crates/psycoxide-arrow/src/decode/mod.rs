//! From values to arrays.

mod build;
mod choice;
mod datetime;
mod decimal;
mod dictionary;
mod list;
mod number;
mod primitive;
mod strings;
mod structs;
mod text;
mod vector;

pub(crate) use build::Build;
pub(crate) use choice::{builder, prefers_binary, why_not};
