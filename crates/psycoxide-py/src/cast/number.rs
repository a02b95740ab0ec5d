//! Integers, floating-point numbers, decimals and truth values.

use psycoxide_sql::text::number;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;

use super::context::DecodeContext;
use crate::encoding::TextDecoder;
use crate::object::{Decoded, Raised, Value};
use crate::{error, imports};

/// An `int`.
#[inline(never)]
pub fn integer(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    match number::integer(text) {
        Some(value) => Value::integer(context.py, value),
        None => any_integer(context.py, text),
    }
}

/// Whatever else Python reads as an integer literal, as psycopg2 does: `0x1f`, `1_000`, ` 7 `.
#[cold]
pub fn any_integer(py: Python<'_>, text: &[u8]) -> Decoded {
    /// A 64-bit integer has at most 20 characters; psycopg2 stops here.
    const MOST: usize = 24;
    let mut terminated = [0_u8; MOST];
    // The last place is for the NUL.
    let Some(place) = terminated.get_mut(..text.len()).filter(|_| text.len() < MOST) else {
        return Err(Raised::from_error(py, error::data("int64 representation too long")));
    };
    if text.contains(&0) {
        return Err(Raised::from_error(py, PyValueError::new_err("NUL in an integer")));
    }
    place.copy_from_slice(text);
    // SAFETY: the copy is shorter than its buffer, so it ends in NUL; base 0 is allowed.
    unsafe {
        let literal = terminated.as_ptr().cast();
        Value::from_owned(ffi::PyLong_FromString(literal, std::ptr::null_mut(), 0))
    }
}

/// A `float`.
#[inline(never)]
pub fn float(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    match number::float(text) {
        // SAFETY: the GIL is held.
        Some(value) => unsafe { Value::from_owned(ffi::PyFloat_FromDouble(value)) },
        None => any_float(context.py, text),
    }
}

/// Whatever else Python reads as a `float`, or its exception.
#[cold]
fn any_float(py: Python<'_>, text: &[u8]) -> Decoded {
    let string = TextDecoder::UTF8.decode(py, text)?.into_bound(py);
    // SAFETY: `string` is a valid object.
    unsafe { Value::from_owned(ffi::PyFloat_FromString(string.as_ptr())) }
}

/// A `decimal.Decimal`.
#[inline(never)]
pub fn decimal(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    let py = context.py;
    let class = imports::DECIMAL.bind(py).map_err(|error| Raised::from_error(py, error))?;
    let string = TextDecoder::UTF8.decode(py, text)?.into_bound(py);
    // SAFETY: both are valid objects.
    unsafe { Value::from_owned(ffi::PyObject_CallOneArg(class.as_ptr(), string.as_ptr())) }
}

/// A `bool`, by its first letter.
#[inline(never)]
pub fn boolean(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    match text.first() {
        Some(b't' | b'T') => Value::boolean(context.py, true),
        Some(b'f' | b'F') => Value::boolean(context.py, false),
        _ => {
            let text = String::from_utf8_lossy(text);
            let error = error::interface(format!("can't parse boolean: '{text}'"));
            Err(Raised::from_error(context.py, error))
        }
    }
}
