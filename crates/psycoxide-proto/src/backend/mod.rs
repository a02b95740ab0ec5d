//! The messages that a server sends, each with its codec.

pub(crate) mod auth;
pub(crate) mod copy;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod session;
pub(crate) mod version;
