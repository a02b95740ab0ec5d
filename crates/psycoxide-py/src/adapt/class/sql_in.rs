//! `SQL_IN`, the adapter of tuples.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::{ObjectCell, quoted};
use crate::adapt::context::AdapterConnection;
use crate::adapt::registry::Native;

/// SQL_IN(iterable): its items as `(a, b)`, for `IN` and for composites. It is the adapter of
/// tuples.
///
/// `getquoted()` raises ProgrammingError if an item cannot be adapted.
#[pyclass(name = "SQL_IN", module = "psycoxide.extensions", subclass, frozen, dict, weakref)]
#[derive(Default)]
pub struct SqlIn {
    seq: ObjectCell,
    conn: AdapterConnection,
}

impl SqlIn {
    /// The object that `prepare()` was called with.
    pub fn adapter_connection(&self) -> &AdapterConnection {
        &self.conn
    }
}

#[pymethods]
impl SqlIn {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(seq)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (seq))]
    fn __init__(&self, py: Python<'_>, seq: Py<PyAny>) {
        self.seq.set(py, Some(seq));
    }

    #[getter]
    fn _seq<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.seq.get_or_none(py)
    }

    #[setter(_seq)]
    fn set_seq(&self, py: Python<'_>, seq: Py<PyAny>) {
        self.seq.set(py, Some(seq));
    }

    #[getter]
    fn _conn<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.conn.conn(py)
    }

    /// The items in brackets.
    fn getquoted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        quoted(py, Native::In, &self.seq.get_or_none(py), &self.conn)
    }

    /// As in psycopg2 the text of a bytes object, `b'(1, 2)'`.
    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        self.getquoted(py)?.str()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.seq.traverse(&visit)?;
        self.conn.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.seq.set(py, None);
        self.conn.clear(py);
    }
}
