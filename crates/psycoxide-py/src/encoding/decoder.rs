//! From bytes in the client encoding to `str`.

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyAny;

use crate::object::{Decoded, Value};

/// A Python codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// `utf_8`
    Utf8,
    /// `iso8859_1`
    Latin1,
    /// Any other one, by its name.
    Named(&'static CStr),
}

impl Codec {
    /// The `str` for `text`; `errors` names the codec's error handler.
    pub fn decode(self, _py: Python<'_>, text: &[u8], errors: Option<&CStr>) -> Decoded {
        let (start, length) = (text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
        let errors = errors.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: `start` points to `length` bytes, the names of the codec and of the error handler
        // end in NUL, and each function returns a new reference to an object or sets an exception.
        unsafe {
            Value::from_owned(match self {
                Self::Utf8 => ffi::PyUnicode_DecodeUTF8(start, length, errors),
                Self::Latin1 => ffi::PyUnicode_DecodeLatin1(start, length, errors),
                Self::Named(name) => ffi::PyUnicode_Decode(start, length, name.as_ptr(), errors),
            })
        }
    }
}

/// How the values of a client encoding become `str`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextDecoder {
    codec: Codec,
    /// A byte below 0x80 is an ASCII character wherever it stands, so that values can be searched
    /// for it.
    ascii_safe: bool,
    /// ASCII text needs no codec: bytes are ASCII-safe, and the codec is not a program's own.
    leaves_ascii: bool,
}

impl TextDecoder {
    /// UTF-8, also for text that Python passed as `str`.
    pub const UTF8: Self = Self { codec: Codec::Utf8, ascii_safe: true, leaves_ascii: true };
    /// LATIN1, whose bytes are the first 256 code points.
    pub const LATIN1: Self = Self { codec: Codec::Latin1, ascii_safe: true, leaves_ascii: true };

    /// The decoder of any other encoding; `usual` says that the codec is not a program's own.
    pub fn new(codec: Codec, ascii_safe: bool, usual: bool) -> Self {
        Self { codec, ascii_safe, leaves_ascii: ascii_safe && usual }
    }

    /// Whether the characters that structure a value (`{`, `"`, `\`) can be looked for in its bytes.
    pub fn is_ascii_safe(&self) -> bool {
        self.ascii_safe
    }

    /// Whether this is UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.codec == Codec::Utf8
    }

    /// Whether decoding runs no codec by name: some of those are written in Python.
    pub fn is_native(&self) -> bool {
        !matches!(self.codec, Codec::Named(_))
    }

    /// The `str` that `text` stands for.
    #[inline]
    pub fn decode(&self, py: Python<'_>, text: &[u8]) -> Decoded {
        if text.len() > 1 && is_ascii(text) && self.leaves_ascii {
            return ascii_str(py, text);
        }
        self.codec.decode(py, text, None)
    }
}

/// How many bytes a `str`'s characters take; 0 for anything else.
pub fn str_size(value: &Bound<'_, PyAny>) -> usize {
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
/// Not for fewer than two bytes: CPython shares the empty and the one-character strings.
#[inline]
pub fn ascii_str(_py: Python<'_>, text: &[u8]) -> Decoded {
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

/// Whether all bytes are ASCII. Most texts are short: their first and their last bytes are tested
/// together, in one word, and may overlap.
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

/// Copies a text of `N` to `2 * N` bytes as its first `N` and its last `N`, which may overlap.
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
