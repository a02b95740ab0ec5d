//! The failures of GSSAPI.

use std::fmt;
use std::io;

/// Why encryption by GSSAPI could not be set up, or failed later; libpq's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GssFailure(String);

impl GssFailure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The GSSAPI failure inside a stream's error, if there is one.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for GssFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GssFailure {}

impl From<GssFailure> for io::Error {
    fn from(failure: GssFailure) -> Self {
        io::Error::other(failure)
    }
}
