//! `json` and `jsonb` as `json.loads` would have it, without calling it.
//!
//! Only what a server writes in the usual course is read here; everything else (a lone surrogate, an
//! integer beyond 64 bits, nesting by the hundred, no JSON at all) goes to Python's default decoder,
//! and so does everything once a program has replaced that: values and errors are always its own.

use psycoxide_sql::text::number;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::kept::Keys;
use super::object::{Decoded, Raised, Value, decoded};
use super::originals;
use super::scene::Scene;
use super::text::{TextDecoder, UTF8, ascii};

/// The object that JSON text stands for.
#[inline(never)]
pub fn json(scene: &Scene<'_, '_>, text: &[u8]) -> Decoded {
    if matches!(scene.encoding, TextDecoder::Utf8) && scene.kept.originals.has_json() {
        let mut parser = Parser { py: scene.py, rest: text, keys: &scene.kept.keys };
        match parser.document() {
            Ok(value) => return Ok(value),
            Err(Stop::Raised(raised)) => return Err(raised),
            Err(Stop::Unusual) => {}
        }
    }
    loads(scene, text)
}

#[cold]
fn loads(scene: &Scene<'_, '_>, text: &[u8]) -> Decoded {
    let py = scene.py;
    let string = scene.encoding.decode(py, text)?.into_bound(py);
    let string = string.cast::<PyString>().map_err(PyErr::from);
    decoded(py, string.and_then(originals::loads))
}

/// Why reading ended early.
enum Stop {
    /// Left to `json.loads`.
    Unusual,
    /// An exception is set.
    Raised(Raised),
}

impl From<Raised> for Stop {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

type Parsed = Result<Value, Stop>;

struct Parser<'a, 'py> {
    py: Python<'py>,
    rest: &'a [u8],
    keys: &'a Keys,
}

impl<'a, 'py> Parser<'a, 'py> {
    /// Deeper nesting is left to `json.loads`, which knows when the stack ends.
    const DEEPEST: usize = 100;

    fn document(&mut self) -> Parsed {
        self.space();
        let value = self.value(Self::DEEPEST)?.into_bound(self.py);
        self.space();
        if self.rest.is_empty() { Ok(Value::from(value)) } else { Err(Stop::Unusual) }
    }

    fn value(&mut self, depth: usize) -> Parsed {
        match self.rest.first() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.object(depth.checked_sub(1).ok_or(Stop::Unusual)?),
            Some(b'[') => self.array(depth.checked_sub(1).ok_or(Stop::Unusual)?),
            Some(b'n') if self.took(b"null") => Ok(Value::none(self.py)?),
            Some(b't') if self.took(b"true") => Ok(Value::boolean(self.py, true)?),
            Some(b'f') if self.took(b"false") => Ok(Value::boolean(self.py, false)?),
            _ => Err(Stop::Unusual),
        }
    }

    fn object(&mut self, depth: usize) -> Parsed {
        self.rest = &self.rest[1..];
        // SAFETY: the GIL is held; a new dict comes back.
        let dict = unsafe { Value::from_owned(ffi::PyDict_New())? }.into_bound(self.py);
        self.space();
        if self.took(b"}") {
            return Ok(Value::from(dict));
        }
        loop {
            let key = self.key()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value(depth)?.into_bound(self.py);
            // SAFETY: all three are valid objects; the dict takes references of its own.
            let status =
                unsafe { ffi::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()) };
            if status != 0 {
                return Err(Stop::Raised(Raised));
            }
            self.space();
            if self.took(b"}") {
                return Ok(Value::from(dict));
            }
            self.expect(b',')?;
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Parsed {
        self.rest = &self.rest[1..];
        // SAFETY: the GIL is held; a new list comes back.
        let list = unsafe { Value::from_owned(ffi::PyList_New(0))? }.into_bound(self.py);
        self.space();
        if self.took(b"]") {
            return Ok(Value::from(list));
        }
        loop {
            let value = self.value(depth)?.into_bound(self.py);
            // SAFETY: both are valid objects; the list takes a reference of its own.
            if unsafe { ffi::PyList_Append(list.as_ptr(), value.as_ptr()) } != 0 {
                return Err(Stop::Raised(Raised));
            }
            self.space();
            if self.took(b"]") {
                return Ok(Value::from(list));
            }
            self.expect(b',')?;
            self.space();
        }
    }

    fn number(&mut self) -> Parsed {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = self.rest;
        let mut end = usize::from(text.first() == Some(&b'-'));
        let whole = digits(&text[end..]);
        if whole == 0 || (whole > 1 && text[end] == b'0') {
            return Err(Stop::Unusual);
        }
        end += whole;
        let mut is_float = false;
        if text.get(end) == Some(&b'.') {
            let fraction = digits(&text[end + 1..]);
            if fraction == 0 {
                return Err(Stop::Unusual);
            }
            end += 1 + fraction;
            is_float = true;
        }
        if let Some(b'e' | b'E') = text.get(end) {
            let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
            let exponent = text.get(end + 1 + sign..).map_or(0, digits);
            if exponent == 0 {
                return Err(Stop::Unusual);
            }
            end += 1 + sign + exponent;
            is_float = true;
        }
        let (text, rest) = text.split_at(end);
        self.rest = rest;
        if is_float {
            let value = number::float(text).ok_or(Stop::Unusual)?;
            // SAFETY: the GIL is held.
            return Ok(unsafe { Value::from_owned(ffi::PyFloat_FromDouble(value))? });
        }
        let value = number::integer(text).ok_or(Stop::Unusual)?;
        Ok(Value::integer(self.py, value)?)
    }

    fn string(&mut self) -> Parsed {
        match self.quoted()? {
            Quoted::Ascii(text) if text.len() > 1 => Ok(ascii(self.py, text)?),
            Quoted::Ascii(text) | Quoted::Utf8(text) => self.decode(text),
            Quoted::Unescaped(text) => self.decode(&text),
        }
    }

    /// A key: shared with the equal keys of other objects.
    fn key(&mut self) -> Result<Bound<'py, PyAny>, Stop> {
        let py = self.py;
        match self.quoted()? {
            Quoted::Ascii(text) => Ok(self.keys.shared(py, text, || UTF8.decode(py, text))?),
            Quoted::Utf8(text) => Ok(self.decode(text)?.into_bound(py)),
            Quoted::Unescaped(text) => Ok(self.decode(&text)?.into_bound(py)),
        }
    }

    fn decode(&self, text: &[u8]) -> Parsed {
        if std::str::from_utf8(text).is_err() {
            return Err(Stop::Unusual);
        }
        Ok(UTF8.decode(self.py, text)?)
    }

    /// Takes a `"…"` off the front.
    fn quoted(&mut self) -> Result<Quoted<'a>, Stop> {
        let body = match self.rest {
            [b'"', body @ ..] => body,
            _ => return Err(Stop::Unusual),
        };
        let mut seen = 0;
        for (at, byte) in body.iter().enumerate() {
            match byte {
                b'"' => {
                    self.rest = &body[at + 1..];
                    let text = &body[..at];
                    return Ok(if seen < 0x80 { Quoted::Ascii(text) } else { Quoted::Utf8(text) });
                }
                b'\\' => return self.escaped(body, at),
                0x00..0x20 => return Err(Stop::Unusual),
                byte => seen |= byte,
            }
        }
        Err(Stop::Unusual)
    }

    /// As `quoted`, from the first backslash in `body` on.
    #[cold]
    fn escaped(&mut self, body: &'a [u8], first: usize) -> Result<Quoted<'a>, Stop> {
        let mut text = body[..first].to_vec();
        let mut rest = &body[first..];
        loop {
            let (byte, tail) = rest.split_first().ok_or(Stop::Unusual)?;
            rest = tail;
            match byte {
                b'"' => {
                    self.rest = rest;
                    return Ok(Quoted::Unescaped(text));
                }
                b'\\' => rest = unescape(rest, &mut text)?,
                0x00..0x20 => return Err(Stop::Unusual),
                byte => text.push(*byte),
            }
        }
    }

    #[inline]
    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn took(&mut self, expected: &[u8]) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, expected: u8) -> Result<(), Stop> {
        if self.took(&[expected]) { Ok(()) } else { Err(Stop::Unusual) }
    }
}

/// A JSON string's content.
enum Quoted<'a> {
    Ascii(&'a [u8]),
    Utf8(&'a [u8]),
    Unescaped(Vec<u8>),
}

/// Appends what the escape after a backslash stands for; gives what follows it.
fn unescape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], Stop> {
    let (kind, mut rest) = rest.split_first().ok_or(Stop::Unusual)?;
    let plain = match kind {
        b'"' | b'\\' | b'/' => *kind,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let mut code = four_hex(&mut rest)?;
            if (0xD800..0xDC00).contains(&code) {
                rest = rest.strip_prefix(b"\\u").ok_or(Stop::Unusual)?;
                let low = four_hex(&mut rest)?;
                if !(0xDC00..0xE000).contains(&low) {
                    return Err(Stop::Unusual);
                }
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
            // A lone surrogate is no `char`.
            let code = char::from_u32(code).ok_or(Stop::Unusual)?;
            text.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(rest);
        }
        _ => return Err(Stop::Unusual),
    };
    text.push(plain);
    Ok(rest)
}

fn four_hex(rest: &mut &[u8]) -> Result<u32, Stop> {
    let (digits, tail) = rest.split_first_chunk::<4>().ok_or(Stop::Unusual)?;
    *rest = tail;
    digits.iter().try_fold(0, |code, digit| {
        Ok(code << 4 | char::from(*digit).to_digit(16).ok_or(Stop::Unusual)?)
    })
}
