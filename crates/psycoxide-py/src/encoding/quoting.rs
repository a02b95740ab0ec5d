//! How a session quotes and reads text: its client encoding and its string style.

use std::borrow::Cow;
use std::sync::Arc;

use psycoxide_sql::quote::{StringStyle, ident, literal};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::client::{ClientEncoding, Encoded};
use crate::conventions::Conventions;
use crate::guarded::Guarded;

/// How text is quoted for a session: a snapshot.
///
/// The default is for adapters that know no session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuoteContext {
    encoding: ClientEncoding,
    strings: StringStyle,
    in_session: bool,
    /// Each field of an interval needs a sign of its own.
    signs_intervals: bool,
    conventions: Conventions,
}

impl QuoteContext {
    pub fn new(encoding: ClientEncoding, strings: StringStyle) -> Self {
        Self { encoding, strings, in_session: true, ..Self::default() }
    }

    /// The same for a session whose `IntervalStyle` is `sql_standard`, or is not: by that the sign of the
    /// first field counts for those that have none.
    pub fn signing_intervals(self, signs_intervals: bool) -> Self {
        Self { signs_intervals, ..self }
    }

    /// The same for a session of which these conventions hold.
    pub fn with_conventions(self, conventions: Conventions) -> Self {
        let strings = match conventions {
            Conventions::Psycopg2 => self.strings,
            // Constants that mean the same whatever `standard_conforming_strings` is.
            Conventions::Own => StringStyle::Escape,
        };
        let signs_intervals = self.signs_intervals || conventions == Conventions::Own;
        Self { strings, signs_intervals, conventions, ..self }
    }

    /// Whether each field of an interval needs a sign of its own.
    pub fn signs_intervals(&self) -> bool {
        self.signs_intervals
    }

    pub fn conventions(&self) -> Conventions {
        self.conventions
    }

    pub fn encoding(&self) -> ClientEncoding {
        self.encoding
    }

    pub fn strings(&self) -> StringStyle {
        self.strings
    }

    /// Whether encoding and style are a session's own, not a guess.
    pub fn in_session(&self) -> bool {
        self.in_session
    }

    /// Appends `text` as a string constant.
    pub fn write_literal(&self, text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> PyResult<()> {
        match self.encoding.encode(text)? {
            Encoded::Text(text) => literal::write_utf8(out, text, self.strings),
            Encoded::Bytes(bytes) if self.encoding.writes_utf8() => {
                // SAFETY: Python's codec made these bytes, in strict mode, which gives UTF-8 only.
                let text = unsafe { std::str::from_utf8_unchecked(bytes.as_bytes()) };
                literal::write_utf8(out, text, self.strings)
            }
            Encoded::Bytes(bytes) => {
                literal::write(out, bytes.as_bytes(), self.encoding.encoding(), self.strings)
            }
        }
        .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Appends `text` as it is, for a parameter. Refuses what [`Self::write_literal`] refuses.
    pub fn write_text(&self, text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> PyResult<()> {
        let text = self.encoding.encode(text)?;
        let text = text.as_bytes();
        literal::check(text, self.encoding.encoding())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        out.extend_from_slice(text);
        Ok(())
    }

    /// `text` in the session's encoding.
    pub fn encode<'a, 'py>(&self, text: &'a Bound<'py, PyString>) -> PyResult<Encoded<'a, 'py>> {
        self.encoding().encode(text)
    }

    /// The `str` for text in the session's encoding.
    pub fn decode<'py>(&self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        self.encoding().decode(py, text)
    }

    /// The same for text that must be readable whatever it holds, such as error messages.
    pub fn decode_lossy<'py>(&self, py: Python<'py>, text: &[u8]) -> Bound<'py, PyString> {
        if text.is_ascii() && !self.encoding().has_custom_codec() {
            return PyString::new(py, &String::from_utf8_lossy(text));
        }
        let decoded = self.encoding().decode_replacing(py, text);
        decoded.unwrap_or_else(|_| PyString::new(py, &String::from_utf8_lossy(text)))
    }

    /// The same as a Rust string.
    pub fn read_lossy<'a>(&self, py: Python<'_>, text: &'a [u8]) -> Cow<'a, str> {
        if text.is_ascii() && !self.encoding().has_custom_codec() {
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

/// How a session quotes at this moment: shared by the connection and the adapters prepared for it.
#[derive(Clone, Default)]
pub struct SessionQuoting(Arc<Guarded<QuoteContext>>);

impl SessionQuoting {
    /// A snapshot of how text is quoted.
    pub fn now(&self, py: Python<'_>) -> QuoteContext {
        *self.0.lock(py)
    }

    /// Takes over how text is quoted after the session's parameters have changed.
    pub fn set(&self, py: Python<'_>, context: QuoteContext) {
        *self.0.lock(py) = context;
    }
}
