//! Arguments that may be given as str or as bytes.

use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// The text of a str or (UTF-8) bytes object.
///
/// # Errors
/// `TypeError`, in psycopg2's words, for any other object.
pub fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match optional(value)? {
        Some(text) => Ok(text),
        None => Err(PyTypeError::new_err(format!(
            "Expected bytes or unicode string, got {} instead",
            value.get_type().name()?
        ))),
    }
}

/// The text of a str or (UTF-8) bytes object; `None` for any other object.
pub fn optional(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Some(text.to_str()?.to_owned()));
    }
    let Ok(bytes) = value.cast::<PyBytes>() else { return Ok(None) };
    match std::str::from_utf8(bytes.as_bytes()) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => {
            let py = value.py();
            Err(PyUnicodeDecodeError::new_utf8(py, bytes.as_bytes(), error)?.into())
        }
    }
}
