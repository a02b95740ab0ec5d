//! Writing single values as SQL text: booleans, numbers, text, bytes.
//!
//! Each function takes whatever its adapter class takes, which is more than the type it is
//! registered for.

use std::borrow::Cow;

use psycoxide_sql::encoding::{self, Encoding};
use psycoxide_sql::quote::{StringStyle, bytea, literal, number};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString};

use super::registry::type_name;
use crate::encoding::QuoteContext;
use crate::imports;

pub fn boolean(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    out.extend_from_slice(if object.is_truthy()? { b"true" } else { b"false" });
    Ok(())
}

/// Writes an int, or what `int()` makes of the object: an IntEnum's `str()` is not its number.
pub fn int(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    if !object.is_exact_instance_of::<PyInt>() {
        let number = object.py().get_type::<PyInt>().call1((object,))?;
        return int_digits(&number, out);
    }
    int_digits(object, out)
}

/// The value of an int; `None` if it has more than 64 bits, or is of another type.
#[inline]
pub fn small_int(object: &Bound<'_, PyAny>) -> Option<i64> {
    if !object.is_exact_instance_of::<PyInt>() {
        return None;
    }
    let mut overflow = 0;
    // SAFETY: the GIL is held, and `object` is an int, for which the function raises nothing.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object.as_ptr(), &raw mut overflow) };
    (overflow == 0).then_some(value)
}

fn int_digits(number: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let mut overflow = 0;
    // SAFETY: the GIL is held and `number` is alive; the function takes any object.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &mut overflow) };
    if overflow != 0 {
        number::write_digits(out, number.str()?.to_str()?.as_bytes());
        return Ok(());
    }
    if value == -1
        && let Some(error) = PyErr::take(number.py())
    {
        return Err(error);
    }
    number::write_integer(out, value);
    Ok(())
}

/// Writes a float's value, not its `repr`: a subclass may print anything, as numpy's does.
///
/// Any other number is written as its `str()` if that is a numeric constant: `numpy.float32(0.1)`
/// is 0.1.
pub fn float(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    if let Ok(float) = object.cast::<PyFloat>() {
        number::write_float(out, float.value());
        return Ok(());
    }
    if object.is_instance_of::<PyInt>() {
        return int(object, out);
    }
    let value: f64 = object.extract()?;
    let text = object.str()?;
    match text.to_str()? {
        digits if is_number(digits) => number::write_digits(out, digits.as_bytes()),
        _ => number::write_float(out, value),
    }
    Ok(())
}

/// Whether text is a numeric constant and nothing else.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let mut last = 0;
    let plain = unsigned.iter().all(|&byte| {
        let before = std::mem::replace(&mut last, byte);
        match byte {
            b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' => true,
            // Two of them would begin a comment.
            b'-' => before != b'-',
            _ => false,
        }
    });
    plain && unsigned.first().is_some_and(u8::is_ascii_digit)
}

/// Writes a Decimal's digits, and NaN or an infinity as a string with a cast.
pub fn decimal(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let text = object.str()?;
    let digits = text.to_str()?;
    let exact = object.get_type_ptr().cast() == imports::DECIMAL.bind(object.py())?.as_ptr();
    if is_number(digits) && (exact || object.call_method0("is_finite")?.is_truthy()?) {
        number::write_digits(out, digits.as_bytes());
    } else if object.call_method0("is_finite")?.is_truthy()? {
        return Err(PyValueError::new_err(format!("not a number: {digits}")));
    } else if object.call_method0("is_nan")?.is_truthy()? {
        out.extend_from_slice(b"'NaN'::numeric");
    } else if object.call_method0("is_signed")?.is_truthy()? {
        out.extend_from_slice(b"'-Infinity'::numeric");
    } else {
        out.extend_from_slice(b"'Infinity'::numeric");
    }
    Ok(())
}

/// Writes text, or bytes that are taken for text in the session's encoding.
pub fn string(
    object: &Bound<'_, PyAny>,
    context: &QuoteContext,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    if let Ok(text) = object.cast::<PyString>() {
        if !context.in_session() {
            check_latin1(text)?;
        }
        return context.write_literal(text, out);
    }
    write_bytes(object, context.encoding().encoding(), context.strings(), out)
}

/// Writes text in the encoding that Python calls `codec`, for no session in particular.
pub fn string_in(object: &Bound<'_, PyAny>, codec: &str, out: &mut Vec<u8>) -> PyResult<()> {
    let encoding = encoding::by_codec(codec);
    match object.cast::<PyString>() {
        Ok(text) => {
            let encoded = text.call_method1("encode", (codec,))?;
            write_bytes(&encoded, encoding, StringStyle::Standard, out)
        }
        Err(_) => write_bytes(object, encoding, StringStyle::Standard, out),
    }
}

/// Refuses text that is not Latin-1, as psycopg2's adapters without a session do.
///
/// psycopg2 then writes Latin-1. That is wrong for nearly every session, so here UTF-8 is written.
fn check_latin1(text: &Bound<'_, PyString>) -> PyResult<()> {
    // SAFETY: `text` is a str; the function returns a new reference, or NULL with an exception set.
    let encoded = unsafe {
        Bound::from_owned_ptr_or_err(text.py(), ffi::PyUnicode_AsLatin1String(text.as_ptr()))
    };
    encoded.map(|_| ())
}

fn write_bytes(
    object: &Bound<'_, PyAny>,
    encoding: &Encoding,
    strings: StringStyle,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    let Ok(bytes) = object.cast::<PyBytes>() else {
        return Err(PyTypeError::new_err("can't quote non-string object"));
    };
    literal::write(out, bytes.as_bytes(), encoding, strings)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Writes the content of any object with the buffer protocol; None is NULL.
pub fn binary(
    object: &Bound<'_, PyAny>,
    context: &QuoteContext,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    match content(object)? {
        None => out.extend_from_slice(b"NULL"),
        Some(data) if context.in_session() => bytea::write_hex(out, &data, context.strings()),
        Some(data) => bytea::write_escape(out, &data),
    }
    Ok(())
}

/// The content of any object with the buffer protocol; `None` for None.
pub fn content<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Option<Cow<'a, [u8]>>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Some(Cow::Borrowed(bytes.as_bytes())));
    }
    if object.is_none() {
        return Ok(None);
    }
    // SAFETY: the GIL is held and `object` is alive; the function only looks at its type.
    if unsafe { ffi::PyObject_CheckBuffer(object.as_ptr()) } == 0 {
        let name = type_name(object);
        return Err(PyTypeError::new_err(format!("can't escape {name} to binary")));
    }
    let buffer = PyUntypedBuffer::get(object)?;
    if !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err("underlying buffer is not C-contiguous"));
    }
    Ok(Some(Cow::Owned(copied(&buffer))))
}

/// A copy of the bytes of a C-contiguous buffer. Threads without the GIL (numpy's, other writers of
/// a mapped file) may write to it meanwhile, so no Rust slice may point to it.
fn copied(buffer: &PyUntypedBuffer) -> Vec<u8> {
    let length = buffer.len_bytes();
    let mut bytes = Vec::with_capacity(length);
    // SAFETY: a C-contiguous buffer of this length begins at `buf_ptr`, and stays there while
    // `buffer` is alive; the vector has room for `length` bytes, and all are written before
    // `set_len`.
    unsafe {
        std::ptr::copy_nonoverlapping(buffer.buf_ptr().cast(), bytes.as_mut_ptr(), length);
        bytes.set_len(length);
    }
    bytes
}

/// Writes what `str()` makes of the object, unquoted; None is NULL.
pub fn as_is(object: &Bound<'_, PyAny>, context: &QuoteContext, out: &mut Vec<u8>) -> PyResult<()> {
    if object.is_none() {
        out.extend_from_slice(b"NULL");
        return Ok(());
    }
    let text = object.str()?;
    out.extend_from_slice(context.encoding().encode(&text)?.as_bytes());
    Ok(())
}
