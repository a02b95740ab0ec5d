//! Text of a session: how it is encoded, decoded and quoted.
//!
//! Nothing here knows connections or cursors, which keep these values and pass them on.

mod client;
mod decoder;
mod quoting;

pub use client::{ClientEncoding, Encoded, register};
pub use decoder::{TextDecoder, ascii_str, str_size};
pub use quoting::{QuoteContext, SessionQuoting};
