//! TLS: trust, the client's identity, and the encrypted stream.
//!
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>

mod algorithms;
mod binding;
mod buffers;
mod certificate;
mod chain;
mod client;
mod constraints;
mod directory_name;
mod distrust;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod general_name;
mod info;
mod key;
mod key_log;
#[cfg(any(test, feature = "fuzzing"))]
mod mint;
mod name;
#[cfg(test)]
mod openssl;
mod pem;
mod revocation;
mod session;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod verifier;

pub use failure::TlsFailure;
pub use info::TlsInfo;
#[cfg(test)]
pub(crate) use openssl::OpenSsl;
pub(crate) use session::{NOT_REQUESTED, TlsSession};
