//! `Binary`, the adapter of byte strings.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::{ObjectCell, conform, quoted, text_of};
use crate::adapt::context::{AdaptContext, AdapterConnection};
use crate::adapt::registry::Native;

/// Binary(buffer): the bytes of any object with the buffer protocol, as a constant of type bytea:
/// `'\x00ff'::bytea`.
///
/// `getquoted()` raises TypeError if the object has no such buffer.
#[pyclass(name = "Binary", module = "psycoxide.extensions", subclass, frozen)]
#[derive(Default)]
pub struct Binary {
    wrapped: ObjectCell,
    buffer: ObjectCell,
    conn: AdapterConnection,
}

impl Binary {
    /// Does what `prepare(conn)` does, and returns the adapted object.
    pub fn wrapped_for<'py>(&self, context: &AdaptContext<'_, 'py>) -> Bound<'py, PyAny> {
        self.conn.prepare(context);
        self.wrapped.get_or_none(context.conn.py())
    }

    /// The connection that `prepare()` was called with.
    pub fn adapter_connection(&self) -> &AdapterConnection {
        &self.conn
    }
}

#[pymethods]
impl Binary {
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

    /// The object that is adapted.
    #[getter]
    fn adapted<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.wrapped.get_or_none(py)
    }

    /// The result of the first `getquoted()`, which it returns ever after.
    #[getter]
    fn buffer<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.buffer.get_or_none(py)
    }

    /// The bytes as a constant.
    fn getquoted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(buffer) = self.buffer.get(py) {
            return Ok(buffer);
        }
        let object = self.wrapped.get_or_none(py);
        let quoted = quoted(py, Native::Binary, &object, &self.conn)?.into_any();
        self.buffer.set(py, Some(quoted.clone().unbind()));
        Ok(quoted)
    }

    fn __conform__<'py>(slf: &Bound<'py, Self>, protocol: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        conform(slf, protocol)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        text_of(py, &self.getquoted(py)?.cast_into::<PyBytes>()?, &self.conn)
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
