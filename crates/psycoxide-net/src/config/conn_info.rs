//! A parsed connection string.

use super::error::Error;
use super::keywords::Keyword;
use super::values::Values;
use super::{dsn, uri};

/// A connection string of either form, and the options in it.
///
/// A string is parsed once: the same value is used to merge options ([`ConnInfo::options`]) and to
/// connect ([`Config::of`](super::Config::of)).
pub struct ConnInfo {
    pub(super) text: String,
    pub(super) values: Values,
}

impl ConnInfo {
    /// Parses a connection string (keyword/value or URI).
    ///
    /// # Errors
    /// If the string is malformed: [`Error::is_syntax`] is true for all of these errors.
    pub fn parse(text: impl Into<String>) -> Result<ConnInfo, Error> {
        let text = text.into();
        if text.contains('\0') {
            return Err(Error::Nul);
        }
        let mut values = Values::new();
        let read = match uri::strip_designator(&text) {
            Some(_) => uri::parse(&text, &mut values),
            None => dsn::parse(&text, &mut values),
        };
        read.map_err(|error| error.of_unread(&text))?;
        Ok(ConnInfo { text, values })
    }

    /// The string as it was given, passwords included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The options in the string, without defaults, in the order of [`KEYWORDS`](super::KEYWORDS).
    pub fn options(&self) -> impl Iterator<Item = (&'static Keyword, &str)> {
        self.values.pairs()
    }
}
