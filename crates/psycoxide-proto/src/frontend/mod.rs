//! The messages that a client sends, appended to a buffer.

pub(crate) mod auth;
pub(crate) mod copy;
pub(crate) mod extended;
pub(crate) mod parameters;
pub(crate) mod query;
pub(crate) mod startup;
