//! Built-in casters that are written in Python, and imported when they are first needed.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::once::Once;

/// Calls a function of the package.
#[pyclass(frozen, module = "psycoxide._psycopg")]
pub struct Deferred {
    module: &'static str,
    /// The function: the attribute of this name in the module, of that one the next, and so on.
    path: Vec<&'static str>,
    function: Once<Py<PyAny>>,
}

impl Deferred {
    pub fn new(module: &'static str, path: &[&'static str]) -> Self {
        Self { module, path: path.to_vec(), function: Once::new() }
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
        let function = self.function.get_or_make(py, || {
            let mut found = py.import(self.module)?.into_any();
            for name in &self.path {
                found = found.getattr(*name)?;
            }
            Ok(found.unbind())
        })?;
        function.bind(py).call1(args)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the garbage collector runs in a thread that is attached.
        let py = unsafe { Python::assume_attached() };
        self.function.get(py).map_or(Ok(()), |function| visit.call(function))
    }
}
