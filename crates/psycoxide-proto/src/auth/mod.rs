//! Authentication: proving who the client is, and checking that the server proves itself too.

pub(crate) mod bearer;
mod derivation;
pub(crate) mod key_cache;
pub(crate) mod keys;
pub mod md5;
pub(crate) mod saslprep;
pub mod scram;
