//! SQL text for PostgreSQL: quoting, templates, text formats, the driver's own statements.
#![forbid(unsafe_code)]

pub mod command;
pub mod message;
pub mod oid;
pub mod sqlstate;
pub mod text;
