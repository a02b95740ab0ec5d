//! How `psycoxide.aio` and `psycoxide.sync` reach a connection.
//!
//! Both are written in Python, from one source. What they call is here: each method of [`Channel`]
//! makes an operation, and runs it by the driver of its kind. So a method returns its result on a
//! blocking channel, and on the channel of an event loop what a coroutine awaits.

mod arrow;
mod binding;
mod copy;
mod describe;
mod hold;
mod ping;
mod pipeline;
mod rows;
mod standing;
mod statement;
mod stream;
mod transaction;
mod two_phase;

use std::time::{Duration, Instant};

use psycoxide_net::Closed;
use psycoxide_proto::{Outcome, Request};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::connection::{Connecting, Connection, Waiter};
use crate::conventions::Conventions;
use crate::cursor::Cursor;
use crate::driver::awaited::{self, Awaitable, Call, CallOptions, LoopDriver, What};
use crate::driver::{
    CallLimit, Next, Operation, OperationContext, Reply, RowSink, Running, TurnGuard,
};
use crate::guarded::Guarded;
use hold::KeptOperation;

/// Channel(asynchronous, cancel_timeout)
///
/// A connection as `psycoxide.aio` or `psycoxide.sync` uses it.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct Channel {
    connection: Py<Connection>,
    /// `None`: calls wait themselves.
    driver: Option<Py<LoopDriver>>,
    cancel_timeout: Duration,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    /// The time limit of calls that name none.
    timeout: Option<Duration>,
    /// Parameters are bound on the server.
    binds: bool,
    /// Whether values may be sent in binary formats, for this version of the session's parameters.
    sends_binary: Option<(u64, bool)>,
    /// Whose transaction is open: other tasks may not use the connection.
    owner: Option<Py<PyAny>>,
    /// The outermost block of a transaction, while it is entered.
    entered: Option<Py<PyAny>>,
    /// The operation that keeps its place between calls, on a blocking channel.
    kept: Option<KeptOperation>,
    /// The number of the last of them.
    last_kept: u64,
}

/// An operation without an output of its own: it gives `None`.
struct Silent<O>(O);

impl<O: Operation<Output = ()>> Operation for Silent<O> {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let next = self.0.launch(context)?;
        Ok(next.map(|()| Reply::Object(context.py().None())))
    }

    fn land(
        &mut self,
        context: OperationContext<'_, '_>,
        stop: psycoxide_net::Stop,
    ) -> PyResult<Next<Reply>> {
        let next = self.0.land(context, stop)?;
        Ok(next.map(|()| Reply::Object(context.py().None())))
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        outcome: Option<Outcome>,
    ) -> PyErr {
        self.0.failed(context, raised, outcome)
    }

    fn undo(&mut self, context: OperationContext<'_, '_>) -> Option<Request> {
        self.0.undo(context)
    }

    fn sink(&mut self) -> Option<&mut dyn RowSink> {
        self.0.sink()
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(visit)
    }
}

impl Channel {
    /// Runs an operation: returns its result, or what a coroutine awaits.
    fn run<'py>(
        slf: &Bound<'py, Self>,
        operation: impl Operation<Output = Reply> + 'static,
        options: CallOptions,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let options = this.with_timeout(py, options);
        if let Some(driver) = &this.driver {
            let call = Call { what: What::Run(Box::new(Running::new(operation))), options };
            let driver = driver.bind(py);
            let awaitable = if options.detached {
                LoopDriver::begin(driver, None, call)?;
                Awaitable::answered(driver, Reply::Object(py.None()))
            } else {
                Awaitable::new(driver, call)
            };
            return Ok(Bound::new(py, awaitable)?.into_any());
        }
        if options.shielded {
            this.take_place_away(py);
        }
        let connection = this.connection.bind(py);
        let turn = match options.connects {
            true => TurnGuard::take_any(connection, connection.get().session()?)?,
            false => TurnGuard::take(connection)?,
        };
        let reply = turn.within(this.limit(options)).run(operation);
        Ok(reply?.made(py)?.into_bound(py))
    }

    /// The options of a call with the connection's time limit, if they have none.
    ///
    /// `operation_timeout` is the last one to count. A call that waits itself needs not be told of it:
    /// its driver asks the session.
    fn with_timeout(&self, py: Python<'_>, options: CallOptions) -> CallOptions {
        let usual = || {
            let usual = if options.connects { None } else { self.state.lock(py).timeout };
            usual.or_else(|| match self.driver {
                Some(_) => self.connection.bind(py).get().any_session()?.timeout(),
                None => None,
            })
        };
        CallOptions { timeout: options.timeout.or_else(usual), ..options }
    }

    /// The time limit of a call that waits itself.
    fn limit(&self, options: CallOptions) -> Option<CallLimit> {
        let patience = (!options.connects && !options.shielded).then_some(self.cancel_timeout);
        options.timeout.map(|timeout| CallLimit { until: Instant::now() + timeout, patience })
    }

    /// Gives a reply that is there already: returns its result, or what a coroutine awaits.
    fn give<'py>(slf: &Bound<'py, Self>, reply: Reply) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match &slf.get().driver {
            Some(driver) => {
                Ok(Bound::new(py, Awaitable::answered(driver.bind(py), reply))?.into_any())
            }
            None => Ok(reply.made(py)?.into_bound(py)),
        }
    }

    fn connection<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Connection> {
        slf.get().connection.bind(slf.py())
    }
}

/// A number of seconds; `None` if the caller names none.
fn seconds(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(timeout) = timeout else { return Ok(None) };
    match Duration::try_from_secs_f64(timeout) {
        Ok(timeout) => Ok(Some(timeout.min(MAX_TIMEOUT))),
        // Infinity, too.
        Err(_) if timeout > 0.0 => Ok(Some(MAX_TIMEOUT)),
        Err(_) => Err(PyValueError::new_err(format!(
            "timeout must be a number of seconds, 0 or more: got {timeout}"
        ))),
    }
}

/// The longest time limit: adding longer ones to the clock could overflow.
const MAX_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 86_400);

#[pymethods]
impl Channel {
    #[new]
    fn new(py: Python<'_>, asynchronous: bool, cancel_timeout: f64) -> PyResult<Self> {
        let cancel_timeout = seconds(Some(cancel_timeout))?.unwrap_or(MAX_TIMEOUT);
        let connection = Bound::new(py, Connection::of(py, Conventions::Own))?;
        let driver = asynchronous
            .then(|| Py::new(py, LoopDriver::new(&connection, cancel_timeout)))
            .transpose()?;
        let state = Guarded::default();
        Ok(Self { connection: connection.unbind(), driver, cancel_timeout, state })
    }

    /// over(connection) -- The blocking channel of a connection that is open already.
    #[staticmethod]
    fn over(connection: &Bound<'_, Connection>) -> Self {
        Self {
            connection: connection.clone().unbind(),
            driver: None,
            cancel_timeout: MAX_TIMEOUT,
            state: Guarded::default(),
        }
    }

    /// connect(conninfo, options, timeout) -- Opens the connection.
    fn connect<'py>(
        slf: &Bound<'py, Self>,
        conninfo: Option<Bound<'py, PyAny>>,
        options: &Bound<'py, PyDict>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let connection = Self::connection(slf);
        let waiter = if this.driver.is_some() { Waiter::EventLoop } else { Waiter::Call };
        Connection::dial_with(connection, conninfo, options, waiter)?;
        let options =
            CallOptions { timeout: seconds(timeout)?, connects: true, ..CallOptions::default() };
        Self::run(slf, Silent(Connecting), options)
    }

    /// cursor() -- A new native cursor.
    fn cursor<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Cursor>> {
        Cursor::of(Self::connection(slf))
    }

    /// wait_for_messages(timeout) -- Waits for the next notification, or for the end of `timeout`.
    fn wait_for_messages<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let timeout = seconds(timeout)?;
        match &this.driver {
            Some(driver) => {
                let awaitable = LoopDriver::listen(driver.bind(py), timeout)?;
                Ok(awaitable.into_bound(py).into_any())
            }
            None => {
                TurnGuard::take(Self::connection(slf))?.listen(timeout)?;
                Ok(py.None().into_bound(py))
            }
        }
    }

    /// cancel() -- Cancels the call that is under way on the server.
    fn cancel<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match &slf.get().driver {
            Some(driver) => {
                let awaitable = LoopDriver::cancel(driver.bind(py))?;
                Ok(awaitable.into_bound(py).into_any())
            }
            None => Self::connection(slf).call_method0(intern!(py, "cancel")),
        }
    }

    /// close() -- Closes the connection without a wait, from any thread.
    fn close(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        match (&this.driver, this.connection.bind(py).get().any_session()) {
            (Some(driver), _) => LoopDriver::close(driver.bind(py)),
            (None, Some(session)) if this.drop_kept(py) => session.close(),
            (None, Some(session)) => match session.turn().is_free() {
                true => session.close(),
                // Another thread waits for the socket: it wakes up and finds out.
                false => session.hang_up(),
            },
            (None, None) => {}
        }
    }

    /// The native connection.
    #[getter(connection)]
    fn connection_attribute<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Connection> {
        Self::connection(slf).clone()
    }

    /// Whether the connection is closed, whoever closed it.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        let session = self.connection.bind(py).get().any_session();
        session.is_none_or(|session| session.closed() != Closed::Open)
    }

    /// Whether the connection was closed by the other side, or because it could not be trusted.
    #[getter]
    fn broken(&self, py: Python<'_>) -> bool {
        let session = self.connection.bind(py).get().any_session();
        session.is_some_and(|session| session.closed() == Closed::Broken)
    }

    /// The time limit in seconds of calls that name none, or `None`.
    #[getter]
    fn timeout(&self, py: Python<'_>) -> Option<f64> {
        self.state.lock(py).timeout.map(|timeout| timeout.as_secs_f64())
    }

    #[setter]
    fn set_timeout(&self, py: Python<'_>, value: Option<f64>) -> PyResult<()> {
        let timeout = seconds(value)?;
        self.state.lock(py).timeout = timeout;
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)?;
        visit.call(&self.driver)?;
        let Some(state) = self.state.visited(&visit) else { return Ok(()) };
        visit.call(&state.owner)?;
        visit.call(&state.entered)?;
        state.kept.as_ref().map_or(Ok(()), |kept| kept.traverse(&visit))
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = std::mem::take(&mut *self.state.lock(py));
        drop(old);
    }
}

/// Exports `Channel`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    awaited::prepare(module.py());
    arrow::register(module)?;
    copy::register(module)?;
    pipeline::register(module)?;
    stream::register(module)?;
    module.add_class::<Channel>()
}
