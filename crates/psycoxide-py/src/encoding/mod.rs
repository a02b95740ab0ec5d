//! Text of a session: how it is encoded, decoded and quoted.
//!
//! A room on the ground floor: it knows neither connections nor cursors, which hand its values to
//! whoever writes or reads text for them.

mod client;
mod decoder;
mod quoting;

pub use client::{ClientEncoding, Encoded, register};
pub use decoder::{TextDecoder, ascii, size};
pub use quoting::{QuoteContext, SessionQuoting};
