//! Built-in casters that are written in Python, and imported when they are first needed.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::once::Once;

/// Calls the `parse()` of one of the `RangeCaster`s of `psycoxide._range`.
#[pyclass(frozen, module = "psycoxide._psycopg")]
pub struct Deferred {
    caster: &'static str,
    parse: Once<Py<PyAny>>,
}

impl Deferred {
    pub const fn new(caster: &'static str) -> Self {
        Self { caster, parse: Once::new() }
    }
}

#[pymethods]
impl Deferred {
    #[pyo3(signature = (*args))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let parse = self.parse.get_or_make(py, || {
            let caster = py.import("psycoxide._range")?.getattr(self.caster)?;
            caster.getattr("parse").map(Bound::unbind)
        })?;
        parse.bind(py).call1(args)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the garbage collector runs in a thread that is attached.
        let py = unsafe { Python::assume_attached() };
        self.parse.get(py).map_or(Ok(()), |parse| visit.call(parse))
    }
}
