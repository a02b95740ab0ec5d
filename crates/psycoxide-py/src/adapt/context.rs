//! What quoting depends on: the session's client encoding and string style.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};

use psycoxide_sql::encoding::{self, Encoding};
use psycoxide_sql::quote::{StringStyle, literal};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::error;
use crate::guarded::Guarded;

/// How text is to be quoted for a session, as of now.
///
/// The default is that of an adapter which knows no session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuoteContext {
    encoding: ClientEncoding,
    strings: StringStyle,
    in_session: bool,
}

impl QuoteContext {
    pub fn new(encoding: ClientEncoding, strings: StringStyle) -> Self {
        Self { encoding, strings, in_session: true }
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
            Encoded::Bytes(bytes) if self.encoding.codec == Codec::Utf8 => {
                // SAFETY: Python's codec made these bytes, in strict mode, which gives UTF-8 only.
                let text = unsafe { std::str::from_utf8_unchecked(bytes.as_bytes()) };
                literal::write_utf8(out, text, self.strings)
            }
            Encoded::Bytes(bytes) => {
                literal::write(out, bytes.as_bytes(), self.encoding.encoding, self.strings)
            }
        }
        .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// A client encoding together with the Python codec for it.
#[derive(Clone, Copy, Debug)]
pub struct ClientEncoding {
    encoding: &'static Encoding,
    codec: Codec,
}

impl PartialEq for ClientEncoding {
    fn eq(&self, other: &Self) -> bool {
        // There is one description of each.
        std::ptr::eq(self.encoding, other.encoding) && self.codec == other.codec
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Codec {
    Utf8,
    Latin1,
    Named(&'static CStr),
    /// One that a program has put in the place of the usual one: it may be of any kind.
    Own(&'static CStr),
}

impl Default for ClientEncoding {
    fn default() -> Self {
        Self { encoding: &encoding::UTF8, codec: Codec::Utf8 }
    }
}

/// Text in a client encoding.
pub enum Encoded<'a, 'py> {
    /// ASCII, or the encoding is UTF-8: Python's own bytes.
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
        let unknown =
            || error::operational(format!("no Python encoding for PostgreSQL encoding '{clean}'"));
        let encoding = encoding::by_name(&clean).ok_or_else(unknown)?;
        let found = encodings(py).get_item(&clean)?.ok_or_else(unknown)?;
        let found = found.cast::<PyString>()?;
        let codec = found.to_str()?;
        let usual = encoding.codec == Some(codec);
        let codec = match encoding.name {
            "UTF8" if usual => Codec::Utf8,
            "LATIN1" if usual => Codec::Latin1,
            _ => {
                py.import("codecs")?.call_method1("lookup", (codec,))?;
                let kept = keep(py, codec)?;
                if usual { Codec::Named(kept) } else { Codec::Own(kept) }
            }
        };
        Ok(Self { encoding, codec })
    }

    /// The server's name for it.
    #[allow(dead_code)] // The connection's side of the house.
    pub fn name(&self) -> &'static str {
        self.encoding.name
    }

    /// What its bytes are like.
    pub fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// Python's codec for it, by the name that psycopg2 uses.
    pub fn codec(&self) -> &'static str {
        match self.codec {
            Codec::Utf8 => "utf_8",
            Codec::Latin1 => "iso8859_1",
            Codec::Named(name) | Codec::Own(name) => name.to_str().unwrap_or_default(),
        }
    }

    /// Whether the codec is one that a program has put in the place of the usual one.
    pub fn is_own(&self) -> bool {
        matches!(self.codec, Codec::Own(_))
    }

    /// `text` in this encoding.
    pub fn encode<'a, 'py>(&self, text: &'a Bound<'py, PyString>) -> PyResult<Encoded<'a, 'py>> {
        if let Some(text) = ascii(text)
            && self.takes_ascii(text)
        {
            return Ok(Encoded::Text(text));
        }
        // Not `to_str` for other text: it would keep the bytes in the str as long as that lives.
        let (py, text) = (text.py(), text.as_ptr());
        // SAFETY: `text` is a str, the codec's name ends in NUL, and each function returns a new
        // reference to an object or sets an exception.
        let bytes = unsafe {
            let bytes = match self.codec {
                Codec::Utf8 => ffi::PyUnicode_AsUTF8String(text),
                Codec::Latin1 => ffi::PyUnicode_AsLatin1String(text),
                Codec::Named(name) | Codec::Own(name) => {
                    ffi::PyUnicode_AsEncodedString(text, name.as_ptr(), std::ptr::null())
                }
            };
            Bound::from_owned_ptr_or_err(py, bytes)?
        };
        Ok(Encoded::Bytes(bytes.cast_into()?))
    }

    /// Text that is in this encoding. As in psycopg2, a program's own codec for UTF8 or LATIN1 is
    /// not asked about data.
    pub fn decode<'py>(&self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
        let codec = match self.encoding.name {
            "UTF8" => Codec::Utf8,
            "LATIN1" => Codec::Latin1,
            _ => self.codec,
        };
        codec.decode(py, text, None)
    }

    /// The same for text that must come out whatever it holds: what cannot be read is replaced.
    pub fn decode_replacing<'py>(
        &self,
        py: Python<'py>,
        text: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        self.codec.decode(py, text, Some(c"replace"))
    }

    /// Whether the codec leaves this ASCII text as it is. One does not: in Shift JIS 2004 a yen
    /// sign stands at the backslash's place and an overline at the tilde's.
    fn takes_ascii(&self, text: &str) -> bool {
        !self.is_own() && (self.encoding.name != "SHIFT_JIS_2004" || !text.contains(['\\', '~']))
    }
}

impl Codec {
    fn decode<'py>(
        self,
        py: Python<'py>,
        text: &[u8],
        errors: Option<&CStr>,
    ) -> PyResult<Bound<'py, PyString>> {
        let length = isize::try_from(text.len())?;
        let start = text.as_ptr().cast();
        let errors = errors.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: `start` points to `length` bytes, the names of the codec and of the error handler
        // end in NUL, and each function returns a new reference to an object or sets an exception.
        let text = unsafe {
            let text = match self {
                Self::Utf8 => ffi::PyUnicode_DecodeUTF8(start, length, errors),
                Self::Latin1 => ffi::PyUnicode_DecodeLatin1(start, length, errors),
                Self::Named(name) | Self::Own(name) => {
                    ffi::PyUnicode_Decode(start, length, name.as_ptr(), errors)
                }
            };
            Bound::from_owned_ptr_or_err(py, text)?
        };
        Ok(text.cast_into()?)
    }
}

/// The characters of `text`, if all are ASCII.
///
/// Not every version of Python gives access to a str's own mark of that. But the characters of such
/// a str lie right behind the shorter of its two heads, which others' never do; only those of a
/// class derived from str lie elsewhere, and have to be looked at.
fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    // SAFETY: `text` is a str, whose characters never change and live as long as it does; there are
    // as many bytes as characters if its kind is that of one byte; bytes below 128 are UTF-8.
    unsafe {
        let text = text.as_ptr();
        // Also zero: a str made by the oldest of C extensions may have no characters yet.
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

/// Keeps a codec's name for ever: there are few, and contexts are copied all the time.
fn keep(py: Python<'_>, name: &str) -> PyResult<&'static CStr> {
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
