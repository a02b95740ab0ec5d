//! A statement of a pipeline, and what became of it.

use psycoxide_proto::{Outcome, Request};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::channel::rows::Rows;
use crate::cursor::{Cursor, Run};
use crate::driver::Reply;
use crate::driver::awaited::Awaitable;
use crate::guarded::Guarded;
use crate::imports::Lazy;

static PIPELINE_ABORTED: Lazy = Lazy::new("psycoxide._exceptions", "PipelineAborted");

/// A statement of a pipeline.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct PipelineStatement {
    cursor: Py<Cursor>,
    /// How many bytes it takes, about.
    size: usize,
    run: Run,
    state: Guarded<StatementState>,
}

struct StatementState {
    stage: Stage,
    /// What becomes of the result.
    rows: Option<Rows>,
    /// Whether the program knows of the error.
    read: bool,
    /// Whether somebody was told of the answer.
    awaited: bool,
    /// Wait for the answer.
    waiting: Vec<Py<Awaitable>>,
}

enum Stage {
    Waiting,
    Succeeded,
    Failed(PyErr),
}

impl PipelineStatement {
    /// A statement that is still to be sent. `rows` is what becomes of its result.
    pub(super) fn new(cursor: &Bound<'_, Cursor>, run: Run, rows: Option<Rows>) -> Self {
        let state = StatementState {
            stage: Stage::Waiting,
            rows,
            read: false,
            awaited: false,
            waiting: Vec::new(),
        };
        Self {
            cursor: cursor.clone().unbind(),
            size: run.statement().size(),
            run,
            state: Guarded::new(state),
        }
    }

    /// Its native cursor takes its outcome over.
    pub(super) fn take_outcome(&self, py: Python<'_>, outcome: Outcome) -> PyResult<()> {
        Cursor::take_outcome(self.cursor.bind(py), outcome)
    }

    /// Adds one who waits for the answer.
    pub(super) fn add_waiting(&self, awaitable: &Bound<'_, Awaitable>) {
        self.state.lock(awaitable.py()).waiting.push(awaitable.clone().unbind());
    }

    /// Notes that the program knows of the error. Returns whether it did before.
    pub(super) fn note_read(&self, py: Python<'_>) -> bool {
        std::mem::replace(&mut self.state.lock(py).read, true)
    }

    /// Takes what becomes of the result.
    pub(super) fn take_rows(&self, py: Python<'_>) -> Option<Rows> {
        self.state.lock(py).rows.take()
    }

    /// Notes how it ended, and wakes those who wait for that.
    pub(super) fn answer(&self, py: Python<'_>, answer: PyResult<()>) {
        if let Err(raised) = &answer {
            // Made before the lock, so that copying it calls no Python.
            raised.value(py);
        }
        let mut state = self.state.lock(py);
        if !matches!(state.stage, Stage::Waiting) {
            return;
        }
        state.stage = match answer {
            Ok(()) => Stage::Succeeded,
            Err(raised) => Stage::Failed(raised),
        };
        let waiting = std::mem::take(&mut state.waiting);
        state.awaited = !waiting.is_empty();
        drop(state);
        for awaitable in waiting {
            awaitable.get().answer(py, Ok(Reply::Object(py.None())));
        }
    }

    /// The exception that it ended with.
    pub(super) fn error(&self, py: Python<'_>) -> Option<PyErr> {
        match &self.state.lock(py).stage {
            Stage::Failed(raised) => Some(raised.clone_ref(py)),
            _ => None,
        }
    }

    /// Notes that it does not run, because of this exception.
    pub(super) fn abort(&self, py: Python<'_>, cause: &PyErr) {
        self.answer(py, Err(aborted(py, cause)));
    }

    /// Whether the program may have its result.
    pub(super) fn was_seen(&self, py: Python<'_>) -> bool {
        let state = self.state.lock(py);
        state.read || state.awaited
    }

    /// It is sent again, and has no answer yet.
    pub(super) fn reset(&self, py: Python<'_>) {
        let mut state = self.state.lock(py);
        let old = std::mem::replace(&mut state.stage, Stage::Waiting);
        drop(state);
        drop(old);
    }

    /// The request for it: in a group, or standing alone; with a name, or never with one.
    pub(super) fn request(&self, grouped: bool, named: bool) -> Request {
        if grouped { self.run.grouped_request(named) } else { self.run.plain_request() }
    }
}

fn aborted(py: Python<'_>, cause: &PyErr) -> PyErr {
    let class = match PIPELINE_ABORTED.bind(py) {
        Ok(class) => class,
        Err(raised) => return raised,
    };
    let text = "the statement was not run: another one of its pipeline has failed";
    match class.call1((text,)) {
        Ok(raised) => {
            let raised = PyErr::from_value(raised);
            raised.set_cause(py, Some(cause.clone_ref(py)));
            raised
        }
        Err(raised) => raised,
    }
}

#[pymethods]
impl PipelineStatement {
    /// Whether it has its answer.
    #[getter]
    pub(super) fn done(&self, py: Python<'_>) -> bool {
        !matches!(self.state.lock(py).stage, Stage::Waiting)
    }

    /// The native cursor of its result.
    #[getter]
    fn cursor(&self, py: Python<'_>) -> Py<Cursor> {
        self.cursor.clone_ref(py)
    }

    /// How many bytes it takes, about.
    #[getter]
    fn size(&self) -> usize {
        self.size
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        let Some(state) = self.state.visited(&visit) else { return Ok(()) };
        if let Some(rows) = &state.rows {
            crate::driver::Making::traverse(rows, &visit)?;
        }
        state.waiting.iter().try_for_each(|awaitable| visit.call(awaitable))
    }

    fn __clear__(&self, py: Python<'_>) {
        let mut state = self.state.lock(py);
        let old = (state.rows.take(), std::mem::take(&mut state.waiting));
        drop(state);
        drop(old);
    }
}
