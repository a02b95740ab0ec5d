//! The `connection` class.
//!
//! The class itself and what belongs to any of its methods stand here; the methods stand with the
//! subject they are about.

mod adapters;
mod attributes;
mod commands;
mod connecting;
mod credentials;
mod dsn;
mod encoding;
mod exceptions;
mod info;
mod open;
mod polling;
mod state;
mod tpc;
mod transaction;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use psycoxide_net::{Closed, Config, Refusal, Session};
use psycoxide_proto::Engine;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

pub use dsn::make_dsn;
pub use state::{State, Status, Waiter};

use crate::adapt::AdaptContext;
use crate::driver::{green, polled::PolledOperation};
use crate::encoding::{QuoteContext, SessionQuoting};
use crate::error;
use crate::guarded::{Guard, Guarded};

/// connection(dsn, ...) -> new connection object
///
/// A session with a PostgreSQL server. Made by `connect()`; the class is there to be subclassed
/// (`connection_factory`).
#[pyclass(name = "connection", module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct Connection {
    session: OnceLock<Session>,
    /// The connection string with its password hidden.
    dsn: OnceLock<String>,
    /// Every option in force.
    config: OnceLock<Arc<Config>>,
    /// `close()` was called, and `__init__` never.
    closed_blank: AtomicBool,
    /// How text is quoted for the session, as of now.
    quoting: SessionQuoting,
    state: Guarded<State>,
    objects: Guarded<Objects>,
    string_types: Py<PyDict>,
    binary_types: Py<PyDict>,
}

/// The Python objects that a connection holds and its user may replace.
struct Objects {
    notices: Py<PyAny>,
    notifies: Py<PyAny>,
    cursor_factory: Py<PyAny>,
    /// The operation that somebody polls.
    running: Option<PolledOperation>,
    /// What gives passwords and tokens, until the session stands.
    credentials: Option<Py<PyAny>>,
}

impl Objects {
    fn empty(py: Python<'_>) -> Self {
        Self {
            notices: py.None(),
            notifies: py.None(),
            cursor_factory: py.None(),
            running: None,
            credentials: None,
        }
    }
}

const NOT_INITIALISED: &str = "the connection was not initialised: call its __init__";
const ALREADY_CLOSED: &str = "connection already closed";

impl Connection {
    /// A connection before its `__init__`.
    pub fn unconnected(py: Python<'_>) -> Self {
        Self {
            session: OnceLock::new(),
            dsn: OnceLock::new(),
            config: OnceLock::new(),
            closed_blank: AtomicBool::new(false),
            quoting: SessionQuoting::default(),
            state: Guarded::new(State::default()),
            objects: Guarded::new(Objects::empty(py)),
            string_types: PyDict::new(py).unbind(),
            binary_types: PyDict::new(py).unbind(),
        }
    }

    /// The session, or the error that there is none (any more).
    #[inline]
    pub fn session(&self) -> PyResult<&Session> {
        self.any_session().ok_or_else(|| {
            error::interface(if self.is_blank() { NOT_INITIALISED } else { ALREADY_CLOSED })
        })
    }

    /// Whether `__init__` never ran. Programs make such an instance to stand for a connection, with
    /// the methods of their own: what psycopg2's do on it without harm, ours do.
    pub fn is_blank(&self) -> bool {
        self.dsn.get().is_none() && !self.closed_blank.load(Ordering::Acquire)
    }

    /// Refuses an instance whose `__init__` never ran, as psycopg2 does with this class of exception.
    pub fn refuse_blank(&self, exception: fn(String) -> PyErr) -> PyResult<()> {
        if self.is_blank() { Err(exception(NOT_INITIALISED.to_owned())) } else { Ok(()) }
    }

    /// The session, however it stands.
    #[inline]
    pub fn any_session(&self) -> Option<&Session> {
        self.session.get()
    }

    /// The session, if it is open and this process may use it: no other one may from then on.
    pub fn open_session(&self) -> PyResult<&Session> {
        let session = self.unclosed_session().map_err(|closed| self.refusal().unwrap_or(closed))?;
        self.claim()?;
        Ok(session)
    }

    /// The session, if it is open and this process may come to use it: for what sends nothing.
    pub fn usable_session(&self) -> PyResult<&Session> {
        let session = self.unclosed_session().map_err(|closed| self.refusal().unwrap_or(closed))?;
        session.check_claim().map_err(refused)?;
        Ok(session)
    }

    /// The session, if there is something that this process may end in it.
    pub fn session_to_end(&self) -> Option<&Session> {
        self.unclosed_session().ok().filter(|session| session.claim_to_end())
    }

    /// The session, if it is not closed; any process that has it may look at it.
    #[inline]
    pub fn unclosed_session(&self) -> PyResult<&Session> {
        let session = self.session()?;
        if session.closed() != Closed::Open {
            return Err(error::interface(ALREADY_CLOSED));
        }
        Ok(session)
    }

    /// Has this process use the session, if there is one. Of those that a fork left with it one may:
    /// two on one conversation would read each other's answers.
    pub fn claim(&self) -> PyResult<()> {
        self.session.get().map_or(Ok(()), |session| session.claim().map_err(refused))
    }

    /// The error that another process has the session, if one has; not once it was closed here.
    pub fn refusal(&self) -> Option<PyErr> {
        let session = self.session.get().filter(|session| session.closed() != Closed::ByUser)?;
        session.refusal().map(refused)
    }

    /// After a request that began with BEGIN: there is no transaction if that failed, or the
    /// connection is gone. What the server says of its state does not count: a peer that knows no
    /// transactions may say nothing of them.
    pub fn forget_failed_begin(&self, py: Python<'_>) {
        let begun = self.session.get().and_then(|session| session.ask(Engine::has_begun));
        if begun != Some(true) {
            let mut state = self.state(py);
            if state.status == Status::Begin {
                state.status = Status::Ready;
            }
        }
    }

    /// Whether the next statement will run without a transaction around it.
    pub fn outside_transactions(&self, py: Python<'_>) -> bool {
        let state = self.state(py);
        state.autocommit && !state.entered
    }

    /// What the driver knows of the session. Held for a moment, never across a call into Python.
    pub fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.lock(py)
    }

    fn objects<'a>(&'a self, py: Python<'a>) -> Guard<'a, Objects> {
        self.objects.lock(py)
    }

    /// How text is to be quoted for this session, as of now.
    pub fn quote_context(&self, py: Python<'_>) -> QuoteContext {
        self.quoting.now(py)
    }

    /// The same, for adapters that quote later.
    pub fn session_quoting(&self) -> &SessionQuoting {
        &self.quoting
    }

    /// For whom this connection's values are written, as of now.
    pub fn adapt_context<'a, 'py>(slf: &'a Bound<'py, Self>) -> AdaptContext<'a, 'py> {
        AdaptContext::new(slf.as_any(), &slf.get().quoting)
    }

    /// The typecasters registered on this connection: `{oid: caster}`.
    pub fn string_types<'py>(&self, py: Python<'py>) -> &Bound<'py, PyDict> {
        self.string_types.bind(py)
    }

    /// Whether psycopg2's rules for connections with `async=1` hold.
    pub fn is_async(&self, py: Python<'_>) -> bool {
        self.state(py).asynchronous
    }

    /// Whether the program waits for answers, by `poll()`.
    pub fn is_polled(&self, py: Python<'_>) -> bool {
        self.state(py).waiter == Waiter::Program
    }

    /// Refuses what an asynchronous connection may not do.
    pub fn refuse_async(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if self.is_async(py) {
            return Err(error::programming(format!("{what} cannot be used in asynchronous mode")));
        }
        Ok(())
    }

    /// Refuses what a wait callback cannot wait for.
    pub fn refuse_green(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if green::callback(py).is_some() {
            return Err(error::programming(format!(
                "{what} cannot be used with an asynchronous callback."
            )));
        }
        Ok(())
    }

    /// Refuses what cannot be done between `tpc_prepare()` and its end.
    pub fn refuse_tpc_prepared(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if self.state(py).status == Status::Prepared {
            return Err(error::programming(format!(
                "{what} cannot be used with a prepared two-phase transaction"
            )));
        }
        Ok(())
    }

    /// The class of `cursor()` when the call names none.
    pub fn cursor_factory(&self, py: Python<'_>) -> Py<PyAny> {
        self.objects(py).cursor_factory.clone_ref(py)
    }
}

#[cold]
fn refused(refusal: Refusal) -> PyErr {
    error::interface(refusal.to_string())
}

#[pymethods]
impl Connection {
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyAny>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        Self::unconnected(class.py())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(objects) = self.objects.visited(&visit) {
            visit.call(&objects.notices)?;
            visit.call(&objects.notifies)?;
            visit.call(&objects.cursor_factory)?;
            if let Some(running) = &objects.running {
                running.operation.traverse(&visit)?;
            }
            visit.call(&objects.credentials)?;
        }
        visit.call(&self.string_types)?;
        visit.call(&self.binary_types)
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = std::mem::replace(&mut *self.objects(py), Objects::empty(py));
        // Dropped after the lock: a destructor may come back here.
        drop(old);
        self.string_types.bind(py).clear();
        self.binary_types.bind(py).clear();
    }
}

/// Exports `connection`, `ConnectionInfo` and the functions around connecting.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Connection>()?;
    info::register(module)?;
    dsn::register(module)?;
    open::register(module)
}
