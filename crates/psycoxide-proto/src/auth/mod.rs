//! Proving who one is, and making the server prove it too: MD5 and SCRAM-SHA-256.

pub(crate) mod bearer;
mod derivation;
pub(crate) mod key_cache;
pub(crate) mod keys;
pub mod md5;
pub(crate) mod saslprep;
pub mod scram;
