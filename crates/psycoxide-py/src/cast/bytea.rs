//! `bytea` as `memoryview`.

use std::ffi::{c_char, c_int};

use psycoxide_sql::text::bytea as read;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use super::decoder;
use crate::error;
use crate::object::{Decoded, Raised, Value, decoded};

/// The memory behind a `memoryview` that a `bytea` gives: read-only, of format `c`.
#[pyclass(name = "chunk", module = "psycoxide._psycopg", frozen)]
struct Chunk {
    bytes: Vec<u8>,
}

#[pymethods]
impl Chunk {
    /// # Safety
    /// Called by the interpreter, with a view to fill.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        let bytes = &slf.get().bytes;
        // SAFETY: the view keeps a reference to `slf`, whose bytes never move or change; the flag
        // 1 says that they are read-only.
        unsafe {
            let start = bytes.as_ptr().cast_mut().cast();
            let length = bytes.len() as ffi::Py_ssize_t;
            if ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) != 0 {
                return Err(PyErr::fetch(slf.py()));
            }
            if flags & ffi::PyBUF_FORMAT != 0 {
                (*view).format = c"c".as_ptr().cast_mut();
            }
        }
        Ok(())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        format!("<memory chunk at {:p} size {}>", slf.as_ptr(), slf.get().bytes.len())
    }
}

/// A new `memoryview` of the bytes that a `bytea`'s text stands for.
#[inline(never)]
pub fn bytea(py: Python<'_>, text: &[u8]) -> Decoded {
    view_of(&decode_chunk(py, text)?.into_bound(py))
}

/// A new `memoryview` of these bytes.
pub fn view(py: Python<'_>, bytes: Vec<u8>) -> Decoded {
    view_of(&chunk(py, bytes)?.into_bound(py))
}

/// A `bytes` of the bytes that a `bytea`'s text stands for.
#[inline(never)]
pub fn byte_string(py: Python<'_>, text: &[u8]) -> Decoded {
    match read::bytes(text) {
        Ok(bytes) => decoder::bytes(py, &bytes),
        Err(fault) => Err(Raised::from_error(py, error::data(fault.0))),
    }
}

/// The [`Chunk`] of the bytes that a `bytea`'s text stands for.
pub fn decode_chunk(py: Python<'_>, text: &[u8]) -> Decoded {
    match read::bytes(text) {
        Ok(bytes) => chunk(py, bytes),
        Err(fault) => Err(Raised::from_error(py, error::data(fault.0))),
    }
}

/// A [`Chunk`] of these bytes.
pub fn chunk(py: Python<'_>, bytes: Vec<u8>) -> Decoded {
    decoded(py, Bound::new(py, Chunk { bytes }).map(Bound::into_any))
}

/// A new `memoryview` of a [`Chunk`].
pub fn view_of(chunk: &Bound<'_, PyAny>) -> Decoded {
    // SAFETY: `chunk` is a valid object; the view takes a reference of its own.
    unsafe { Value::from_owned(ffi::PyMemoryView_FromObject(chunk.as_ptr())) }
}

/// The caster of `bytea` under the C symbol that psycopg2 exports, for callers through `ctypes`.
///
/// # Safety
/// The GIL is held; `text` is null or `length` readable bytes.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub unsafe extern "C" fn typecast_BINARY_cast(
    text: *const c_char,
    length: usize,
    _cursor: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the caller holds the GIL.
    let py = unsafe { Python::assume_attached() };
    let decoded = if text.is_null() {
        Value::none(py)
    } else {
        // SAFETY: the caller vouches for the bytes.
        bytea(py, unsafe { std::slice::from_raw_parts(text.cast(), length) })
    };
    decoded.map_or(std::ptr::null_mut(), Value::into_ptr)
}
