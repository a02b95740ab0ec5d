//! `json` and `jsonb` as the objects that `json.loads` would make, without calling it.
//!
//! Text that `psycoxide_sql` finds unusual goes to Python's default decoder, and so does everything
//! once a program has replaced that: values and errors are always those of Python.

use psycoxide_sql::text::json::{Build, ReadError, Text, read};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::context::DecodeContext;
use super::key_interner::KeyInterner;
use super::stdlib;
use crate::encoding::{TextDecoder, ascii_str};
use crate::object::{Decoded, Raised, Value, decoded};

/// The object for a JSON text.
#[inline(never)]
pub fn json(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    if context.encoding.is_utf8() && context.fetch.stdlib.has_standard_json() {
        let mut objects = Objects { py: context.py, keys: &context.fetch.keys };
        match read(text, &mut objects) {
            Ok(value) => return Ok(Value::from(value)),
            Err(ReadError::Failed(raised)) => return Err(raised),
            Err(ReadError::Unusual) => {}
        }
    }
    loads(context, text)
}

#[cold]
fn loads(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    let py = context.py;
    let string = context.encoding.decode(py, text)?.into_bound(py);
    let string = string.cast::<PyString>().map_err(PyErr::from);
    decoded(py, string.and_then(stdlib::loads))
}

/// Builds Python objects. They are held as `Bound`, so that unfinished ones are dropped after an
/// error.
struct Objects<'a, 'py> {
    py: Python<'py>,
    keys: &'a KeyInterner,
}

impl<'py> Objects<'_, 'py> {
    #[inline]
    fn decode(&self, text: &[u8]) -> Result<Bound<'py, PyAny>, Raised> {
        Ok(TextDecoder::UTF8.decode(self.py, text)?.into_bound(self.py))
    }
}

impl<'py> Build for Objects<'_, 'py> {
    type Value = Bound<'py, PyAny>;
    type Key = Bound<'py, PyAny>;
    type List = Bound<'py, PyAny>;
    type Object = Bound<'py, PyAny>;
    type Error = Raised;

    #[inline]
    fn null(&mut self) -> Result<Self::Value, Raised> {
        Ok(Value::none(self.py)?.into_bound(self.py))
    }

    #[inline]
    fn boolean(&mut self, value: bool) -> Result<Self::Value, Raised> {
        Ok(Value::boolean(self.py, value)?.into_bound(self.py))
    }

    #[inline]
    fn integer(&mut self, value: i64) -> Result<Self::Value, Raised> {
        Ok(Value::integer(self.py, value)?.into_bound(self.py))
    }

    #[inline]
    fn float(&mut self, value: f64) -> Result<Self::Value, Raised> {
        // SAFETY: the GIL is held; a new float comes back.
        Ok(unsafe { Value::from_owned(ffi::PyFloat_FromDouble(value))? }.into_bound(self.py))
    }

    #[inline]
    fn string(&mut self, text: Text<'_>) -> Result<Self::Value, Raised> {
        match text {
            Text::Ascii(text) if text.len() > 1 => {
                Ok(ascii_str(self.py, text)?.into_bound(self.py))
            }
            Text::Ascii(text) => self.decode(text),
            Text::Plain(text) => self.decode(text.as_bytes()),
            Text::Unescaped(text) => self.decode(text.as_bytes()),
        }
    }

    #[inline]
    fn list(&mut self) -> Result<Self::List, Raised> {
        // SAFETY: the GIL is held; a new list comes back.
        Ok(unsafe { Value::from_owned(ffi::PyList_New(0))? }.into_bound(self.py))
    }

    #[inline]
    fn push(&mut self, list: &mut Self::List, value: Self::Value) -> Result<(), Raised> {
        // SAFETY: both are valid objects; the list takes a reference of its own.
        let status = unsafe { ffi::PyList_Append(list.as_ptr(), value.as_ptr()) };
        if status == 0 { Ok(()) } else { Err(Raised) }
    }

    #[inline]
    fn end_list(&mut self, list: Self::List) -> Self::Value {
        list
    }

    #[inline]
    fn object(&mut self) -> Result<Self::Object, Raised> {
        // SAFETY: the GIL is held; a new dict comes back.
        Ok(unsafe { Value::from_owned(ffi::PyDict_New())? }.into_bound(self.py))
    }

    /// Keys are interned: equal keys of all objects are one `str`.
    #[inline]
    fn key(&mut self, text: Text<'_>) -> Result<Self::Key, Raised> {
        match text {
            Text::Ascii(text) => {
                self.keys.intern(self.py, text, || TextDecoder::UTF8.decode(self.py, text))
            }
            Text::Plain(text) => self.decode(text.as_bytes()),
            Text::Unescaped(text) => self.decode(text.as_bytes()),
        }
    }

    #[inline]
    fn insert(
        &mut self,
        object: &mut Self::Object,
        key: Self::Key,
        value: Self::Value,
    ) -> Result<(), Raised> {
        // SAFETY: all three are valid objects; the dict takes references of its own.
        let status = unsafe { ffi::PyDict_SetItem(object.as_ptr(), key.as_ptr(), value.as_ptr()) };
        if status == 0 { Ok(()) } else { Err(Raised) }
    }

    #[inline]
    fn end_object(&mut self, object: Self::Object) -> Self::Value {
        object
    }
}
