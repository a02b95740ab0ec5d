//! The statements of a pipeline that are one transaction: what has failed of them.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::statement::PipelineStatement;
use crate::error;
use crate::guarded::Guarded;

/// The statements of a pipeline that are one transaction.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct PipelineGroup {
    /// Those that have failed, in order.
    failed: Guarded<Vec<Py<PipelineStatement>>>,
}

impl PipelineGroup {
    /// Why the statements that follow are not run.
    pub(super) fn cause(&self, py: Python<'_>) -> Option<PyErr> {
        let first = self.failed.lock(py).first().map(|first| first.clone_ref(py));
        first.and_then(|first| first.get().error(py))
    }

    pub(super) fn note(&self, statement: &Bound<'_, PipelineStatement>) {
        self.failed.lock(statement.py()).push(statement.clone().unbind());
    }
}

#[pymethods]
impl PipelineGroup {
    #[new]
    fn new() -> Self {
        Self { failed: Guarded::new(Vec::new()) }
    }

    /// Whether a statement has failed.
    #[getter]
    pub(super) fn failed(&self, py: Python<'_>) -> bool {
        !self.failed.lock(py).is_empty()
    }

    /// take_unread() -- The first error that the program does not know of, or `None`. It knows then.
    fn take_unread(&self, py: Python<'_>) -> Option<PyErr> {
        let failed: Vec<_> =
            self.failed.lock(py).iter().map(|failed| failed.clone_ref(py)).collect();
        failed.into_iter().find_map(|failed| {
            if failed.get().note_read(py) { None } else { failed.get().error(py) }
        })
    }

    /// abort(statements, cause) -- Notes that these are not sent. Without a cause it is the error of
    /// the group.
    fn abort(
        &self,
        statements: &Bound<'_, PyList>,
        cause: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = statements.py();
        let cause = match cause {
            Some(cause) => PyErr::from_value(cause.clone()),
            None => self.cause(py).unwrap_or_else(|| error::operational("not sent")),
        };
        for statement in statements.iter() {
            statement.cast::<PipelineStatement>()?.get().abort(py, &cause);
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(failed) = self.failed.visited(&visit) else { return Ok(()) };
        failed.iter().try_for_each(|failed| visit.call(failed))
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = std::mem::take(&mut *self.failed.lock(py));
        drop(old);
    }
}
