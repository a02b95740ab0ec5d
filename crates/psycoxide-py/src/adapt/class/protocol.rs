//! `ISQLQuote`, the protocol that adapters follow.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::ObjectCell;

/// The protocol of adapters: the method `getquoted()` returns the SQL text of an object.
#[pyclass(name = "ISQLQuote", module = "psycoxide.extensions", subclass, frozen)]
#[derive(Default)]
pub struct ISQLQuote {
    wrapped: ObjectCell,
}

#[pymethods]
impl ISQLQuote {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (wrapped, /))]
    fn __init__(&self, py: Python<'_>, wrapped: Py<PyAny>) {
        self.wrapped.set(py, Some(wrapped));
    }

    #[getter]
    fn _wrapped<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.wrapped.get_or_none(py)
    }

    /// None; adapters override it.
    fn getquoted(&self) {}

    /// None; adapters override it.
    fn getbinary(&self) {}

    /// None; adapters override it.
    fn getbuffer(&self) {}

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.wrapped.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.wrapped.set(py, None);
    }
}
