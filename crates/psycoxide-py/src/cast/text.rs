//! From bytes in the client encoding to `str`.

use std::ffi::CString;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyAny;

use super::object::{Decoded, Value};
use crate::adapt::ClientEncoding;

/// How the bytes of a client encoding become `str`.
#[derive(Clone, Debug, PartialEq)]
pub enum TextDecoder {
    /// UTF8
    Utf8,
    /// LATIN1, whose bytes are the first 256 code points.
    Latin1,
    /// What one of Python's codecs decodes.
    Codec {
        /// The codec's name.
        codec: CString,
        /// Bytes below 0x80 are ASCII wherever they stand, as the server sees it: they may be
        /// searched for.
        ascii_safe: bool,
        /// Text of nothing but ASCII needs no codec: it is not one of a program's own.
        usual: bool,
    },
}

/// For text that came from Python as `str`.
pub static UTF8: TextDecoder = TextDecoder::Utf8;

impl TextDecoder {
    /// The decoder of a client encoding.
    pub fn new(encoding: ClientEncoding) -> Self {
        let table = encoding.encoding();
        // Whatever codec a program has for these two: psycopg2 does not ask it about values.
        match (table.name, encoding.codec()) {
            ("UTF8", _) | (_, "utf_8") => return Self::Utf8,
            ("LATIN1", _) | (_, "iso8859_1") => return Self::Latin1,
            _ => {}
        }
        let (ascii_safe, usual) = (table.is_ascii_safe(), !encoding.is_own());
        match CString::new(encoding.codec()) {
            Ok(codec) => Self::Codec { codec, ascii_safe, usual },
            Err(_) => Self::Utf8,
        }
    }

    /// Whether the characters that structure a value (`{`, `"`, `\`) can be looked for in its bytes.
    pub fn is_ascii_safe(&self) -> bool {
        !matches!(self, Self::Codec { ascii_safe: false, .. })
    }

    /// Whether bytes that are all ASCII are so as text.
    fn leaves_ascii(&self) -> bool {
        !matches!(self, Self::Codec { ascii_safe: false, .. } | Self::Codec { usual: false, .. })
    }

    /// Whether this is UTF-8.
    pub fn is_utf8(&self) -> bool {
        matches!(self, Self::Utf8)
    }

    /// Whether decoding runs none of Python's codecs, some of which are written in Python.
    pub fn is_native(&self) -> bool {
        matches!(self, Self::Utf8 | Self::Latin1)
    }

    /// The `str` that `text` stands for.
    #[inline]
    pub fn decode(&self, py: Python<'_>, text: &[u8]) -> Decoded {
        if text.len() > 1 && is_ascii(text) && self.leaves_ascii() {
            return ascii(py, text);
        }
        self.decode_any(py, text)
    }

    fn decode_any(&self, _py: Python<'_>, text: &[u8]) -> Decoded {
        let (start, length) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
        match self {
            // SAFETY: `text` is valid for its length; no error handler is named.
            Self::Utf8 => unsafe {
                Value::from_owned(ffi::PyUnicode_DecodeUTF8(start, length, std::ptr::null()))
            },
            // SAFETY: as above.
            Self::Latin1 => unsafe {
                Value::from_owned(ffi::PyUnicode_DecodeLatin1(start, length, std::ptr::null()))
            },
            // SAFETY: as above; the codec's name ends in NUL.
            Self::Codec { codec, .. } => unsafe {
                let (codec, strict) = (codec.as_ptr(), std::ptr::null());
                Value::from_owned(ffi::PyUnicode_Decode(start, length, codec, strict))
            },
        }
    }
}

/// How many bytes a `str`'s characters take; 0 for anything else.
pub fn size(value: &Bound<'_, PyAny>) -> usize {
    let value = value.as_ptr();
    // SAFETY: `value` is a valid object, and of the right type where that matters; every `str` that
    // the interpreter hands out is in its final form.
    unsafe {
        if ffi::PyUnicode_Check(value) == 0 {
            return 0;
        }
        // The kind is the number of bytes of a character.
        let length = usize::try_from(ffi::PyUnicode_GET_LENGTH(value)).unwrap_or(0);
        length.saturating_mul(ffi::PyUnicode_KIND(value) as usize)
    }
}

/// A `str` of ASCII bytes alone.
///
/// Not for fewer than two: CPython shares the empty and the one-character strings.
#[inline]
pub fn ascii(_py: Python<'_>, text: &[u8]) -> Decoded {
    debug_assert!(text.len() > 1 && text.is_ascii());
    // SAFETY: the GIL is held. With a highest character of 127 the new string is compact ASCII, so
    // its data are `len` writable bytes (and a NUL already set) which nobody else can see yet.
    unsafe {
        let string = ffi::PyUnicode_New(text.len() as ffi::Py_ssize_t, 127);
        if !string.is_null() {
            let data = ffi::PyUnicode_1BYTE_DATA(string);
            match text.len() {
                16..=32 => copy_ends::<16>(text, data),
                8..16 => copy_ends::<8>(text, data),
                _ => std::ptr::copy_nonoverlapping(text.as_ptr(), data, text.len()),
            }
        }
        Value::from_owned(string)
    }
}

/// Whether all bytes are ASCII. Most texts are short: their first bytes and their last are looked at
/// in one step, where they overlap twice.
#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);
    let ends = match text.len() {
        16..=32 => text
            .first_chunk()
            .zip(text.last_chunk())
            .map(|(first, last)| u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last)),
        8..16 => text.first_chunk().zip(text.last_chunk()).map(|(first, last)| {
            u128::from(u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last))
        }),
        _ => None,
    };
    ends.map_or_else(|| text.is_ascii(), |ends| ends & HIGH == 0)
}

/// Copies a text of `N` to twice as many bytes, as its first and its last `N`.
///
/// # Safety
/// The text has at least `N` bytes, and `to` is valid for as many as it has.
#[inline]
unsafe fn copy_ends<const N: usize>(text: &[u8], to: *mut u8) {
    let rest = text.len() - N;
    // SAFETY: as the caller says.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), to, N);
        std::ptr::copy_nonoverlapping(text.as_ptr().add(rest), to.add(rest), N);
    }
}
