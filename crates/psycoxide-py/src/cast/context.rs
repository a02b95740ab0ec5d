//! What decoding a field needs beside its bytes.

use pyo3::prelude::*;
use pyo3::types::PyAny;

use super::key_interner::KeyInterner;
use super::stdlib::Stdlib;
use super::zones::{FindFactory, Zones};
use crate::encoding::TextDecoder;

/// What the fields of one fetch, or of one call of a caster, share. The caller that fetches makes
/// it.
pub struct FetchContext<'a, 'py> {
    /// Handed to casters written in Python: a cursor, or whatever the caller gave.
    pub cursor: &'a Bound<'py, PyAny>,
    /// The `tzinfo` objects.
    pub zones: Zones<'a, 'py>,
    /// The keys of JSON objects and of `hstore` values.
    pub keys: KeyInterner,
    /// The parts of the standard library that a program may have replaced.
    pub stdlib: Stdlib<'py>,
}

impl<'a, 'py> FetchContext<'a, 'py> {
    /// The context of a fetch by `cursor`; `find` looks for its `tzinfo_factory`.
    pub fn new(cursor: &'a Bound<'py, PyAny>, find: FindFactory) -> Self {
        let py = cursor.py();
        Self {
            cursor,
            zones: Zones::new(cursor, find),
            keys: KeyInterner::default(),
            stdlib: Stdlib::new(py),
        }
    }

    /// The context for values in this encoding.
    pub fn decoding<'b>(&'b self, encoding: &'b TextDecoder) -> DecodeContext<'b, 'py> {
        DecodeContext { py: self.cursor.py(), encoding, fetch: self }
    }
}

/// What the decoder of a field gets beside the bytes.
pub struct DecodeContext<'a, 'py> {
    pub py: Python<'py>,
    /// The encoding that the values are in.
    pub encoding: &'a TextDecoder,
    /// What the fields of the fetch share.
    pub fetch: &'a FetchContext<'a, 'py>,
}

impl<'py> DecodeContext<'_, 'py> {
    /// The same context for text in another encoding.
    pub fn with_encoding<'b>(&'b self, encoding: &'b TextDecoder) -> DecodeContext<'b, 'py> {
        DecodeContext { py: self.py, encoding, fetch: self.fetch }
    }
}
