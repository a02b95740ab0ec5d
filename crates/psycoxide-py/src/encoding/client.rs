//! A session's client encoding, with Python's codec for it.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};

use psycoxide_sql::encoding::{self, Encoding};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::decoder::{Codec, TextDecoder};
use crate::exception;
use crate::guarded::Guarded;

/// A client encoding together with the Python codec for it.
#[derive(Clone, Copy, Debug)]
pub struct ClientEncoding {
    encoding: &'static Encoding,
    codec: Codec,
    /// A program has replaced the usual codec.
    custom: bool,
}

impl PartialEq for ClientEncoding {
    fn eq(&self, other: &Self) -> bool {
        // There is one description of each encoding.
        std::ptr::eq(self.encoding, other.encoding)
            && (self.codec, self.custom) == (other.codec, other.custom)
    }
}

impl Default for ClientEncoding {
    fn default() -> Self {
        Self { encoding: &encoding::UTF8, codec: Codec::Utf8, custom: false }
    }
}

/// Text in a client encoding.
pub enum Encoded<'a, 'py> {
    /// ASCII text: Python's own bytes.
    Text(&'a str),
    Bytes(Bound<'py, PyBytes>),
}

impl Encoded<'_, '_> {
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Encoded::Text(text) => text.as_bytes(),
            Encoded::Bytes(bytes) => bytes.as_bytes(),
        }
    }
}

static ENCODINGS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

impl ClientEncoding {
    /// The encoding that the server calls `name`.
    ///
    /// Its codec is the one that `extensions.encodings` holds now: users add codecs there.
    pub fn lookup(py: Python<'_>, name: &str) -> PyResult<Self> {
        let clean = encoding::clean_name(name);
        let unknown = || {
            exception::operational(format!("no Python encoding for PostgreSQL encoding '{clean}'"))
        };
        let encoding = encoding::by_name(&clean).ok_or_else(unknown)?;
        let found = encodings(py).get_item(&clean)?.ok_or_else(unknown)?;
        let found = found.cast::<PyString>()?;
        let codec = found.to_str()?;
        let usual = encoding.codec == Some(codec);
        let codec = match codec {
            "utf_8" => Codec::Utf8,
            "iso8859_1" => Codec::Latin1,
            _ => {
                py.import("codecs")?.call_method1("lookup", (codec,))?;
                Codec::Named(intern(py, codec)?)
            }
        };
        Ok(Self { encoding, codec, custom: !usual })
    }

    /// The properties of its bytes.
    pub fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// Python's codec for it, by the name that psycopg2 uses.
    pub fn codec(&self) -> &'static str {
        match self.codec {
            Codec::Utf8 => "utf_8",
            Codec::Latin1 => "iso8859_1",
            Codec::Named(name) => name.to_str().unwrap_or_default(),
        }
    }

    /// Whether a program has replaced the usual codec.
    pub fn has_custom_codec(&self) -> bool {
        self.custom
    }

    /// Whether this is UTF8 with its usual codec.
    pub fn writes_utf8(&self) -> bool {
        self.codec == Codec::Utf8 && !self.custom
    }

    /// `text` in this encoding.
    pub fn encode<'a, 'py>(&self, text: &'a Bound<'py, PyString>) -> PyResult<Encoded<'a, 'py>> {
        if let Some(text) = ascii(text)
            && self.takes_ascii(text)
        {
            return Ok(Encoded::Text(text));
        }
        // Not `to_str`: it would cache the bytes in the str for as long as that lives.
        let (py, text) = (text.py(), text.as_ptr());
        // SAFETY: `text` is a str, the codec's name ends in NUL, and each function returns a new
        // reference to an object or sets an exception.
        let bytes = unsafe {
            let bytes = match self.codec {
                Codec::Utf8 => ffi::PyUnicode_AsUTF8String(text),
                Codec::Latin1 => ffi::PyUnicode_AsLatin1String(text),
                Codec::Named(name) => {
                    ffi::PyUnicode_AsEncodedString(text, name.as_ptr(), std::ptr::null())
                }
            };
            Bound::from_owned_ptr_or_err(py, bytes)?
        };
        Ok(Encoded::Bytes(bytes.cast_into()?))
    }

    /// How values in this encoding become `str`. As in psycopg2, a program's own codec for UTF8 or
    /// LATIN1 is not used for data.
    pub fn decoder(&self) -> TextDecoder {
        match (self.encoding.name, self.codec) {
            ("UTF8", _) | (_, Codec::Utf8) => TextDecoder::UTF8,
            ("LATIN1", _) | (_, Codec::Latin1) => TextDecoder::LATIN1,
            (_, codec) => TextDecoder::new(codec, self.encoding.is_ascii_safe(), !self.custom),
        }
    }

    /// The `str` for text in this encoding.
    pub fn decode<'py>(&self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        match self.decoder().decode(py, text) {
            Ok(text) => Ok(text.into_bound(py).cast_into()?),
            Err(raised) => Err(raised.into_error(py)),
        }
    }

    /// The same for text that must be readable whatever it holds: the codec, a program's own too,
    /// replaces what it cannot decode.
    pub fn decode_replacing<'py>(
        &self,
        py: Python<'py>,
        text: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        match self.codec.decode(py, text, Some(c"replace")) {
            Ok(text) => Ok(text.into_bound(py).cast_into()?),
            Err(raised) => Err(raised.into_error(py)),
        }
    }

    /// Whether the codec leaves this ASCII text as it is. One does not: in Shift JIS 2004 a yen
    /// sign stands at the backslash's place and an overline at the tilde's.
    fn takes_ascii(&self, text: &str) -> bool {
        !self.custom && (self.encoding.name != "SHIFT_JIS_2004" || !text.contains(['\\', '~']))
    }
}

/// The characters of `text`, if all are ASCII.
///
/// Not every version of Python gives access to a str's own flag for that. But the characters of an
/// ASCII str follow the smaller of the two headers, `PyASCIIObject`, and those of any other str
/// never do. Only the characters of a subclass of str lie elsewhere, and have to be looked at.
fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    // SAFETY: `text` is a str, whose characters never change and live as long as it does; there are
    // as many bytes as characters if its kind is that of one byte; bytes below 128 are UTF-8.
    unsafe {
        let text = text.as_ptr();
        // The kind may also be zero: a str made by the oldest of C extensions may have no
        // characters yet.
        if ffi::PyUnicode_KIND(text) != ffi::PyUnicode_1BYTE_KIND {
            return None;
        }
        let start = ffi::PyUnicode_1BYTE_DATA(text);
        let length = usize::try_from(ffi::PyUnicode_GET_LENGTH(text)).ok()?;
        let characters = std::slice::from_raw_parts(start, length);
        let marked = start == text.cast::<ffi::PyASCIIObject>().add(1).cast();
        (marked || characters.is_ascii()).then(|| std::str::from_utf8_unchecked(characters))
    }
}

/// Interns a codec's name for ever: there are few, and contexts are copied all the time.
fn intern(py: Python<'_>, name: &str) -> PyResult<&'static CStr> {
    static NAMES: Guarded<BTreeSet<&'static CStr>> = Guarded::new(BTreeSet::new());
    let name = CString::new(name)?;
    let mut names = NAMES.lock(py);
    if let Some(known) = names.get(name.as_c_str()) {
        return Ok(known);
    }
    let kept: &'static CStr = Box::leak(name.into_boxed_c_str());
    names.insert(kept);
    Ok(kept)
}

fn encodings(py: Python<'_>) -> &Bound<'_, PyDict> {
    ENCODINGS.get_or_init(py, || PyDict::new(py).unbind()).bind(py)
}

/// Exports `encodings`: `{name: codec}`, under psycopg2's names and under their cleaned forms.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let table = encodings(module.py());
    let own = encoding::ENCODINGS.iter().filter_map(|known| Some((known.name, known.codec?)));
    for (name, codec) in own.chain(encoding::MORE_CODECS.iter().copied()) {
        table.set_item(name, codec)?;
        table.set_item(encoding::clean_name(name), codec)?;
    }
    module.add("encodings", table)
}
