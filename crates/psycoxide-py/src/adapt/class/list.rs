//! `List`, the adapter of lists.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use super::{ObjectCell, conform, quoted, text_of};
use crate::adapt::context::{AdaptContext, AdapterConnection};
use crate::adapt::registry::Native;

/// List(list): a list as an array, `ARRAY[1,2]`; an empty one as `'{}'`.
///
/// `getquoted()` raises ProgrammingError if an item cannot be adapted.
#[pyclass(name = "List", module = "psycoxide._psycopg", subclass, frozen)]
#[derive(Default)]
pub struct List {
    wrapped: ObjectCell,
    conn: AdapterConnection,
}

impl List {
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
impl List {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (adapted, /))]
    fn __init__(&self, py: Python<'_>, adapted: Bound<'_, PyList>) {
        self.wrapped.set(py, Some(adapted.into_any().unbind()));
    }

    /// The list that is adapted.
    #[getter]
    fn adapted<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.wrapped.get_or_none(py)
    }

    /// The list as an array.
    fn getquoted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        quoted(py, Native::List, &self.wrapped.get_or_none(py), &self.conn)
    }

    fn __conform__<'py>(slf: &Bound<'py, Self>, protocol: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        conform(slf, protocol)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        text_of(py, &self.getquoted(py)?, &self.conn)
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
