//! The adapter of dates, times and intervals.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::{ObjectCell, conform, quoted, text_of};
use crate::adapt::context::AdapterConnection;
use crate::adapt::registry::Native;
use crate::guarded::Guarded;

/// datetime(object, type): a date or time as a constant.
///
/// The type is 0 for a time, 1 for a date, 2 for a timestamp and 3 for an interval.
#[pyclass(name = "datetime", module = "psycoxide._psycopg", subclass, frozen)]
pub struct DateTime {
    wrapped: ObjectCell,
    kind: Guarded<i32>,
}

/// The SQL type that an object is written as. The numbers are psycopg2's.
#[derive(Clone, Copy)]
pub enum Kind {
    Time = 0,
    Date = 1,
    Timestamp = 2,
    Interval = 3,
}

impl DateTime {
    /// An adapter of `object`, to be written as `kind`.
    pub fn of(object: Bound<'_, PyAny>, kind: Kind) -> PyResult<Bound<'_, DateTime>> {
        let py = object.py();
        let wrapped = ObjectCell::default();
        wrapped.set(py, Some(object.unbind()));
        Bound::new(py, DateTime { wrapped, kind: Guarded::new(kind as i32) })
    }

    /// The object that is adapted.
    pub fn wrapped<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.wrapped.get_or_none(py)
    }

    /// The built-in adapter of its kind.
    pub fn native(&self, py: Python<'_>) -> Native {
        match *self.kind.lock(py) {
            0 => Native::Time,
            1 => Native::Date,
            2 => Native::Timestamp,
            _ => Native::Interval,
        }
    }
}

#[pymethods]
impl DateTime {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { wrapped: ObjectCell::default(), kind: Guarded::new(-1) }
    }

    #[pyo3(signature = (adapted, r#type=-1, /))]
    fn __init__(&self, py: Python<'_>, adapted: Py<PyAny>, r#type: i32) {
        self.wrapped.set(py, Some(adapted));
        *self.kind.lock(py) = r#type;
    }

    /// The object that is adapted.
    #[getter]
    fn adapted<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.wrapped.get_or_none(py)
    }

    /// What it is written as.
    #[getter]
    fn r#type(&self, py: Python<'_>) -> i32 {
        *self.kind.lock(py)
    }

    /// The date or time as a constant.
    fn getquoted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        quoted(py, self.native(py), &self.wrapped.get_or_none(py), &AdapterConnection::default())
    }

    fn __conform__<'py>(slf: &Bound<'py, Self>, protocol: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        conform(slf, protocol)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        text_of(py, &self.getquoted(py)?, &AdapterConnection::default())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.wrapped.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.wrapped.set(py, None);
    }
}
