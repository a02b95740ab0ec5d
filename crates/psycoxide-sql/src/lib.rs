//! SQL text for PostgreSQL: quoting, templates, the driver's own statements, and the types'
//! formats.
#![forbid(unsafe_code)]

pub mod binary;
pub mod command;
pub mod copy;
pub mod encoding;
pub mod insert;
pub mod lex;
pub mod message;
pub mod numbered;
pub mod oid;
pub mod parameter;
pub mod quote;
pub mod sqlstate;
pub mod statement;
pub mod template;
pub mod text;
