//! The parts that the driver's own statements are made of, and text that comes back.

use std::borrow::Cow;

use psycoxide_sql::quote::{ident, literal};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::context::{ClientEncoding, Encoded, QuoteContext};

impl QuoteContext {
    /// `text` in the session's encoding.
    pub fn encode<'a, 'py>(&self, text: &'a Bound<'py, PyString>) -> PyResult<Encoded<'a, 'py>> {
        self.encoding().encode(text)
    }

    /// Text that is in the session's encoding.
    pub fn decode<'py>(&self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        self.encoding().decode(py, text)
    }

    /// The same for text that must come out whatever it holds: error messages, say.
    pub fn decode_lossy<'py>(&self, py: Python<'py>, text: &[u8]) -> Bound<'py, PyString> {
        if text.is_ascii() && !self.encoding().is_own() {
            return PyString::new(py, &String::from_utf8_lossy(text));
        }
        let decoded = self.encoding().decode_replacing(py, text);
        decoded.unwrap_or_else(|_| PyString::new(py, &String::from_utf8_lossy(text)))
    }

    /// The same as text that Rust can hold.
    pub fn read_lossy<'a>(&self, py: Python<'_>, text: &'a [u8]) -> Cow<'a, str> {
        if text.is_ascii() && !self.encoding().is_own() {
            return String::from_utf8_lossy(text);
        }
        if self.encoding() == ClientEncoding::default()
            && let Ok(text) = str::from_utf8(text)
        {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.decode_lossy(py, text).to_string_lossy().into_owned())
    }

    /// `text` as a string constant.
    pub fn literal(&self, text: &[u8]) -> PyResult<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len() + 3);
        literal::write(&mut out, text, self.encoding().encoding(), self.strings())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(out)
    }

    /// `name` as an identifier.
    pub fn identifier(&self, name: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
        let mut out = Vec::new();
        ident::write(&mut out, self.encode(name)?.as_bytes(), self.encoding().encoding())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(out)
    }
}
