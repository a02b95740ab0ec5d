//! What a coroutine awaits: one call, from before it begins until its result is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyType;
use pyo3::{ffi, intern};

use super::{AwaitedOperation, LoopDriver};
use crate::driver::reply::{Making, Reply};
use crate::guarded::Guarded;
use crate::imports::Lazy;

/// How long rows are made of a reply before other tasks get a turn.
pub const SLICE: Duration = Duration::from_millis(4);

static CANCELLED: Lazy = Lazy::new("asyncio", "CancelledError");

/// A call that was not begun yet.
pub struct Call {
    pub what: What,
    pub options: CallOptions,
}

/// What a call does.
pub enum What {
    /// It runs an operation.
    Run(AwaitedOperation),
    /// It begins an operation that may keep a place.
    Begin(AwaitedOperation, Place),
    /// It goes on with the operation that has this place.
    GoOn(Place),
}

impl What {
    /// The number of the call that has a place already, and goes on.
    fn place(&self) -> Option<u64> {
        match self {
            Self::GoOn(place) => Some(place.number()),
            Self::Run(_) | Self::Begin(..) => None,
        }
    }
}

/// The place that an operation keeps at the head of the calls on a connection.
#[derive(Clone, Default)]
pub struct Place(Arc<PlaceState>);

#[derive(Default)]
struct PlaceState {
    number: AtomicU64,
    left: AtomicBool,
}

impl Place {
    /// The number of the call in the driver's queue; 0 before it began.
    pub fn number(&self) -> u64 {
        self.0.number.load(Ordering::Relaxed)
    }

    /// Notes the number.
    pub fn set(&self, number: u64) {
        self.0.number.store(number, Ordering::Relaxed);
    }

    /// Whether nobody will go on with the operation. A call of it that is under way ends as ever, and
    /// the operation does not pause behind it.
    pub fn is_left(&self) -> bool {
        self.0.left.load(Ordering::Acquire)
    }

    /// Notes that nobody will.
    pub fn leave(&self) {
        self.0.left.store(true, Ordering::Release);
    }
}

/// How a call behaves beside others, and when its caller goes away.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    /// How long the caller waits.
    pub timeout: Option<Duration>,
    /// One statement that is no COPY: it may be sent while others are under way.
    pub pipelined: bool,
    /// The end of a transaction: its answer is awaited even if the caller is cancelled.
    pub shielded: bool,
    /// The caller does not wait for the answer.
    pub detached: bool,
    /// Opens the session.
    pub connects: bool,
    /// The loop gets a turn before the call begins.
    pub yields: bool,
}

/// The result of a call, to be awaited once.
///
/// It has the methods of a coroutine, so that it learns of a cancellation in the moment in which
/// the task does.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct Awaitable {
    driver: Py<LoopDriver>,
    state: Guarded<State>,
}

struct State {
    stage: Stage,
    /// The number of the call in the driver's queue.
    number: u64,
    /// What the task waits for.
    future: Option<Py<PyAny>>,
    /// The cancellation that is raised when the answer has come.
    cancelled: Option<PyErr>,
}

enum Stage {
    New(Box<Call>),
    Waiting,
    Answered(PyResult<Reply>),
    Making(Box<dyn Making>),
    Over,
}

impl Awaitable {
    pub fn new(driver: &Bound<'_, LoopDriver>, call: Call) -> Self {
        Self::at(driver, Stage::New(Box::new(call)))
    }

    /// An awaitable that something other than a call answers.
    pub fn waiting(driver: &Bound<'_, LoopDriver>) -> Self {
        Self::at(driver, Stage::Waiting)
    }

    /// An awaitable that has its answer.
    pub fn answered(driver: &Bound<'_, LoopDriver>, reply: Reply) -> Self {
        Self::at(driver, Stage::Answered(Ok(reply)))
    }

    fn at(driver: &Bound<'_, LoopDriver>, stage: Stage) -> Self {
        let state = State { stage, number: 0, future: None, cancelled: None };
        Self { driver: driver.clone().unbind(), state: Guarded::new(state) }
    }

    /// Notes that the call is in the queue, under this number.
    pub(super) fn enqueued(&self, py: Python<'_>, number: u64) {
        self.state.lock(py).number = number;
    }

    /// Gives the answer, and wakes the task.
    pub fn answer(&self, py: Python<'_>, answer: PyResult<Reply>) {
        let mut state = self.state.lock(py);
        if !matches!(state.stage, Stage::Waiting) {
            return;
        }
        state.stage = Stage::Answered(answer);
        let future = state.future.take();
        drop(state);
        if let Some(future) = future {
            // It was cancelled if the task was, in this very turn of the loop.
            let _ = future.bind(py).call_method1(intern!(py, "set_result"), (py.None(),));
        }
    }

    /// Whether a task waits for the answer.
    pub(super) fn is_waiting(&self, py: Python<'_>) -> bool {
        matches!(self.state.lock(py).stage, Stage::Waiting)
    }

    fn replace(&self, py: Python<'_>, stage: Stage) -> Stage {
        std::mem::replace(&mut self.state.lock(py).stage, stage)
    }

    /// Goes on as far as possible.
    fn go_on(slf: &Bound<'_, Self>) -> PyResult<Went> {
        let (py, this) = (slf.py(), slf.get());
        let mut stage = this.replace(py, Stage::Waiting);
        if let Stage::New(mut call) = stage {
            if std::mem::take(&mut call.options.yields) {
                drop(this.replace(py, Stage::New(call)));
                return Ok(Went::Waits(py.None()));
            }
            let begun = LoopDriver::begin(this.driver.bind(py), Some(slf), *call);
            if let Err(raised) = begun {
                drop(this.replace(py, Stage::Over));
                return Err(raised);
            }
            stage = this.replace(py, Stage::Waiting);
        }
        match stage {
            Stage::Waiting => this.wait(py).map(Went::Waits),
            Stage::Answered(answer) => {
                drop(this.replace(py, Stage::Over));
                let cancelled = this.state.lock(py).cancelled.take();
                if let Some(cancelled) = cancelled {
                    // No error may hide from the task that it was cancelled.
                    if let Err(raised) = answer {
                        cancelled.set_cause(py, Some(raised));
                    }
                    return Err(cancelled);
                }
                match answer? {
                    Reply::Object(object) => Ok(Went::Ended(object)),
                    Reply::Making(making) => this.make(py, making),
                }
            }
            Stage::Making(making) => this.make(py, making),
            Stage::New(_) | Stage::Over => {
                drop(this.replace(py, Stage::Over));
                Err(PyRuntimeError::new_err("cannot await the same call again"))
            }
        }
    }

    /// Makes more of the result.
    fn make(&self, py: Python<'_>, mut making: Box<dyn Making>) -> PyResult<Went> {
        match making.go_on(py, Some(Instant::now() + SLICE)) {
            Ok(Some(object)) => {
                drop(self.replace(py, Stage::Over));
                Ok(Went::Ended(object))
            }
            Ok(None) => {
                drop(self.replace(py, Stage::Making(making)));
                Ok(Went::Waits(py.None()))
            }
            Err(raised) => {
                drop(self.replace(py, Stage::Over));
                Err(raised)
            }
        }
    }

    /// A new future to wait for.
    fn wait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = self.driver.get().create_future(py)?;
        // What a future's own `__await__` does before it gives itself to the task.
        future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
        let old = self.state.lock(py).future.replace(future.clone().unbind());
        drop(old);
        Ok(future.unbind())
    }

    /// Ends the wait because of `raised`. Returns a future if the wait has to go on first.
    fn interrupt(&self, py: Python<'_>, raised: PyErr) -> PyResult<Py<PyAny>> {
        let number = self.state.lock(py).number;
        let waits = matches!(self.state.lock(py).stage, Stage::Waiting);
        let driver = self.driver.bind(py);
        if waits && LoopDriver::is_shielded(driver, number) && is_cancellation(py, &raised)? {
            self.state.lock(py).cancelled = Some(raised);
            LoopDriver::limit(driver, number)?;
            return self.wait(py);
        }
        self.leave(py, waits.then_some(number));
        Err(raised)
    }

    /// The caller is gone.
    fn leave(&self, py: Python<'_>, waiting: Option<u64>) {
        let old = self.replace(py, Stage::Over);
        let mut state = self.state.lock(py);
        let (future, number) = (state.future.take(), state.number);
        drop(state);
        let place = match &old {
            // It was to go on with an operation, which lacks what this call was given: nobody may
            // go on as if that had been sent.
            Stage::New(call) => call.what.place(),
            // In the turn of the loop in which the answer came: a place that it gave is nobody's.
            Stage::Answered(_) | Stage::Making(_) => Some(number),
            Stage::Waiting | Stage::Over => None,
        };
        drop((old, future));
        let driver = self.driver.bind(py);
        if let Some(number) = waiting {
            LoopDriver::abandon(driver, number);
        } else if let Some(number) = place {
            LoopDriver::leave_place(driver, number);
        }
    }
}

/// How far a call came.
enum Went {
    /// The task has to wait for this: a future, or None for one turn of the loop.
    Waits(Py<PyAny>),
    /// The call has this result.
    Ended(Py<PyAny>),
}

impl Went {
    /// As an iterator says it.
    fn yielded(self) -> PyResult<Py<PyAny>> {
        match self {
            Self::Waits(object) => Ok(object),
            Self::Ended(object) => Err(PyStopIteration::new_err((object,))),
        }
    }
}

/// Resumes the call for interpreters that use the slot `am_send`: the result needs no exception.
unsafe extern "C" fn resume(
    awaitable: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    // The thread is attached: this lets PyO3 know.
    Python::attach(|py| {
        // SAFETY: the interpreter calls this with an instance.
        let awaitable = unsafe { Bound::from_borrowed_ptr(py, awaitable).cast_into_unchecked() };
        let (object, how) = match Awaitable::go_on(&awaitable) {
            Ok(Went::Waits(object)) => (object.into_ptr(), ffi::PySendResult::PYGEN_NEXT),
            Ok(Went::Ended(object)) => (object.into_ptr(), ffi::PySendResult::PYGEN_RETURN),
            Err(raised) => {
                raised.restore(py);
                (std::ptr::null_mut(), ffi::PySendResult::PYGEN_ERROR)
            }
        };
        // SAFETY: it is a place for the result.
        unsafe { *result = object };
        how
    })
}

/// Puts [`resume`] into its slot, for which `#[pymethods]` has no name.
pub fn prepare(py: Python<'_>) {
    let class = py.get_type::<Awaitable>();
    // SAFETY: the class is our own; as one that was made at run time and has `__await__`, it has
    // slots of its own for that.
    unsafe {
        let slots = (*class.as_type_ptr()).tp_as_async;
        if !slots.is_null() {
            (*slots).am_send = Some(resume);
        }
    }
}

fn is_cancellation(py: Python<'_>, raised: &PyErr) -> PyResult<bool> {
    Ok(raised.is_instance(py, CANCELLED.bind(py)?))
}

#[pymethods]
impl Awaitable {
    fn __await__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        Self::go_on(slf)?.yielded().map(Some)
    }

    fn send(slf: &Bound<'_, Self>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::go_on(slf)?.yielded()
    }

    #[pyo3(signature = (typ, val=None, _tb=None))]
    fn throw(
        &self,
        py: Python<'_>,
        typ: &Bound<'_, PyAny>,
        val: Option<&Bound<'_, PyAny>>,
        _tb: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let value = val.filter(|value| !value.is_none());
        let raised = match (typ.cast::<PyType>(), value) {
            (Err(_), _) => typ.clone(),
            (Ok(_), Some(value)) if value.is_instance(typ)? => value.clone(),
            (Ok(class), Some(value)) => class.call1((value,))?,
            (Ok(class), None) => class.call0()?,
        };
        if !raised.is_instance_of::<pyo3::exceptions::PyBaseException>() {
            return Err(PyTypeError::new_err("exceptions must derive from BaseException"));
        }
        self.interrupt(py, PyErr::from_value(raised))
    }

    /// The coroutine is closed: nobody will take the answer.
    fn close(&self, py: Python<'_>) {
        let state = self.state.lock(py);
        let number = state.number;
        let waits = matches!(state.stage, Stage::Waiting);
        drop(state);
        self.leave(py, waits.then_some(number));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.driver)?;
        let Some(state) = self.state.visited(&visit) else { return Ok(()) };
        visit.call(&state.future)?;
        match &state.stage {
            Stage::New(call) => match &call.what {
                What::Run(running) | What::Begin(running, _) => running.operation.traverse(&visit),
                What::GoOn(_) => Ok(()),
            },
            Stage::Answered(Ok(Reply::Object(object))) => visit.call(object),
            Stage::Answered(Ok(Reply::Making(making))) | Stage::Making(making) => {
                making.traverse(&visit)
            }
            Stage::Answered(Err(_)) | Stage::Waiting | Stage::Over => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = self.replace(py, Stage::Over);
        let future = self.state.lock(py).future.take();
        drop((old, future));
    }
}
