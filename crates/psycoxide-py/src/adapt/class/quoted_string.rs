//! `QuotedString`, the adapter of text.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::{ObjectCell, conform, quoted, text_of};
use crate::adapt::context::{AdaptContext, AdapterConnection};
use crate::adapt::registry::Native;
use crate::adapt::scalar;
use crate::guarded::Guarded;

/// The value of `encoding` until the program or a connection has set one.
const UNSET: &str = "latin1";

/// QuotedString(text): a str as a string constant, quotes and backslashes doubled as the session
/// needs it.
///
/// `getquoted()` raises ValueError if there is a NUL in it, UnicodeEncodeError if the encoding
/// lacks a character.
#[pyclass(name = "QuotedString", module = "psycoxide.extensions", subclass, frozen)]
#[derive(Default)]
pub struct QuotedString {
    wrapped: ObjectCell,
    buffer: ObjectCell,
    conn: AdapterConnection,
    encoding: Guarded<Option<String>>,
}

impl QuotedString {
    /// Does what `prepare(conn)` does, and returns the adapted text.
    pub fn wrapped_for<'py>(&self, context: &AdaptContext<'_, 'py>) -> Bound<'py, PyAny> {
        self.conn.prepare(context);
        self.wrapped.get_or_none(context.conn.py())
    }

    /// The connection that `prepare()` was called with.
    pub fn adapter_connection(&self) -> &AdapterConnection {
        &self.conn
    }

    /// The encoding that the program has set, unless there is a connection, whose own encoding
    /// wins.
    fn own_encoding(&self, py: Python<'_>) -> Option<String> {
        if self.conn.is_set(py) { None } else { self.encoding.lock(py).clone() }
    }

    fn quote<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let object = self.wrapped.get_or_none(py);
        match self.own_encoding(py) {
            Some(codec) => {
                let mut out = Vec::new();
                scalar::string_in(&object, &codec, &mut out)?;
                Ok(PyBytes::new(py, &out))
            }
            None => quoted(py, Native::QuotedString, &object, &self.conn),
        }
    }
}

#[pymethods]
impl QuotedString {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (adapted, /))]
    fn __init__(&self, py: Python<'_>, adapted: Py<PyAny>) {
        self.wrapped.set(py, Some(adapted));
        self.buffer.set(py, None);
    }

    /// The text that is adapted.
    #[getter]
    fn adapted<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.wrapped.get_or_none(py)
    }

    /// The result of the first `getquoted()`, which it returns ever after.
    #[getter]
    fn buffer<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.buffer.get_or_none(py)
    }

    /// Python's name of the encoding to write the text in. A connection's own always wins.
    #[getter]
    fn encoding(&self, py: Python<'_>) -> String {
        match self.conn.is_set(py) {
            true => self.conn.quoting(py).encoding().codec().to_owned(),
            false => self.own_encoding(py).unwrap_or_else(|| UNSET.to_owned()),
        }
    }

    #[setter]
    fn set_encoding(&self, py: Python<'_>, encoding: String) {
        *self.encoding.lock(py) = Some(encoding);
    }

    /// The text as a string constant.
    fn getquoted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(buffer) = self.buffer.get(py) {
            return Ok(buffer);
        }
        let quoted = self.quote(py)?.into_any();
        self.buffer.set(py, Some(quoted.clone().unbind()));
        Ok(quoted)
    }

    fn __conform__<'py>(slf: &Bound<'py, Self>, protocol: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        conform(slf, protocol)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let quoted = self.getquoted(py)?.cast_into::<PyBytes>()?;
        match self.own_encoding(py) {
            Some(codec) => Ok(quoted.call_method1("decode", (codec,))?.cast_into()?),
            None => text_of(py, &quoted, &self.conn),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.wrapped.traverse(&visit)?;
        self.conn.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.wrapped.set(py, None);
        self.conn.clear(py);
    }
}
