//! SQL text for PostgreSQL: quoting, templates, text formats, the driver's own statements.
#![forbid(unsafe_code)]

pub mod command;
pub mod encoding;
pub mod message;
pub mod oid;
pub mod quote;
pub mod sqlstate;
pub mod template;
pub mod text;
