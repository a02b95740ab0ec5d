//! The `connection` class.
//!
//! The class itself, and what several of its methods need, is here; the methods are in the files of
//! their subjects.

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
mod types;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use psycoxide_net::{Closed, Config, Refusal, Session};
use psycoxide_proto::Engine;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

pub use connecting::Connecting;
pub use dsn::make_dsn;
pub use state::{State, Status, Waiter};
pub use types::ResultTypes;

use crate::adapt::AdaptContext;
use crate::conventions::Conventions;
use crate::cursor::KnownQueries;
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
    /// All options in effect.
    config: OnceLock<Arc<Config>>,
    /// `close()` was called, but never `__init__`.
    closed_blank: AtomicBool,
    /// How text is quoted for the session at present.
    quoting: SessionQuoting,
    state: Guarded<State>,
    objects: Guarded<Objects>,
    string_types: Py<PyDict>,
    binary_types: Py<PyDict>,
    /// Which API the connection belongs to.
    conventions: Conventions,
    /// Set if parameters are bound on the server: what is known of queries there.
    binding: OnceLock<KnownQueries>,
}

/// The Python objects that a connection holds and its user may replace.
struct Objects {
    notices: Py<PyAny>,
    notifies: Py<PyAny>,
    cursor_factory: Py<PyAny>,
    /// The operation that `poll()` drives.
    running: Option<PolledOperation>,
    /// The supplier of passwords and tokens, until the connection is open.
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
        Self::of(py, Conventions::Psycopg2)
    }

    /// A connection of an API, before it is opened.
    pub fn of(py: Python<'_>, conventions: Conventions) -> Self {
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
            conventions,
            binding: OnceLock::new(),
        }
    }

    /// The session, or an error if there is none, or none any more.
    #[inline]
    pub fn session(&self) -> PyResult<&Session> {
        self.any_session().ok_or_else(|| {
            error::interface(if self.is_blank() { NOT_INITIALISED } else { ALREADY_CLOSED })
        })
    }

    /// Whether `__init__` never ran. Some programs use such an instance, with methods of their own,
    /// in place of a connection: what works on it in psycopg2 works here.
    pub fn is_blank(&self) -> bool {
        self.dsn.get().is_none() && !self.closed_blank.load(Ordering::Acquire)
    }

    /// Refuses an instance whose `__init__` never ran, with the class of exception that psycopg2
    /// raises there.
    pub fn refuse_blank(&self, exception: fn(String) -> PyErr) -> PyResult<()> {
        if self.is_blank() { Err(exception(NOT_INITIALISED.to_owned())) } else { Ok(()) }
    }

    /// The session, in whatever state.
    #[inline]
    pub fn any_session(&self) -> Option<&Session> {
        self.session.get()
    }

    /// The session, if it is open and this process may use it; from then on, no other process may.
    pub fn open_session(&self) -> PyResult<&Session> {
        let session = self.unclosed_session().map_err(|closed| self.refusal().unwrap_or(closed))?;
        self.claim()?;
        Ok(session)
    }

    /// The session, if it is open and this process may still claim it: for methods that send
    /// nothing.
    pub fn usable_session(&self) -> PyResult<&Session> {
        let session = self.unclosed_session().map_err(|closed| self.refusal().unwrap_or(closed))?;
        session.check_claim().map_err(refused)?;
        Ok(session)
    }

    /// The session, if this process may end something in it: a forked child may not, before it has
    /// used the session itself.
    pub fn session_to_end(&self) -> Option<&Session> {
        self.unclosed_session().ok().filter(|session| session.claim_to_end())
    }

    /// The session, if it is not closed. A forked child that has not claimed it may look at it,
    /// too.
    #[inline]
    pub fn unclosed_session(&self) -> PyResult<&Session> {
        let session = self.session()?;
        if session.closed() != Closed::Open {
            return Err(error::interface(ALREADY_CLOSED));
        }
        Ok(session)
    }

    /// Claims the session, if there is one, for this process. Of the processes that share it after
    /// a fork only one may use it: two would read each other's replies.
    pub fn claim(&self) -> PyResult<()> {
        self.session.get().map_or(Ok(()), |session| session.claim().map_err(refused))
    }

    /// The error that another process uses the session, if one does; `None` once the connection was
    /// closed here.
    pub fn refusal(&self) -> Option<PyErr> {
        let session = self.session.get().filter(|session| session.closed() != Closed::ByUser)?;
        session.refusal().map(refused)
    }

    /// Called after a request with a BEGIN: if that failed, or the connection is gone, there is no
    /// transaction. The transaction status that the server reports does not decide: some poolers
    /// report none.
    pub fn forget_failed_begin(&self, py: Python<'_>) {
        let begun = self.session.get().and_then(|session| session.ask(Engine::has_begun));
        if begun != Some(true) {
            let mut state = self.state(py);
            if state.status == Status::Begin {
                state.status = Status::Ready;
            }
        }
    }

    /// Whether the next statement runs outside a transaction.
    pub fn outside_transactions(&self, py: Python<'_>) -> bool {
        let state = self.state(py);
        state.autocommit && !state.entered
    }

    /// Which API the connection belongs to.
    pub fn conventions(&self) -> Conventions {
        self.conventions
    }

    /// What is known of queries whose parameters are bound on the server; `None` if they are merged.
    #[inline]
    pub fn known_queries(&self) -> Option<&KnownQueries> {
        self.binding.get()
    }

    /// Locks the state of the driver. Held for a moment, never across a call into Python.
    pub fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.lock(py)
    }

    fn objects<'a>(&'a self, py: Python<'a>) -> Guard<'a, Objects> {
        self.objects.lock(py)
    }

    /// A snapshot of how text is quoted for this session.
    pub fn quote_context(&self, py: Python<'_>) -> QuoteContext {
        self.quoting.now(py)
    }

    /// How text is quoted for this session, for adapters that quote later.
    pub fn session_quoting(&self) -> &SessionQuoting {
        &self.quoting
    }

    /// The context in which values for this connection are adapted: a snapshot.
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

    /// Whether an event loop waits for replies.
    pub fn is_awaited(&self, py: Python<'_>) -> bool {
        self.state(py).waiter == Waiter::EventLoop
    }

    /// Whether the program waits for replies, by `poll()`.
    pub fn uses_poll(&self, py: Python<'_>) -> bool {
        self.state(py).waiter == Waiter::Program
    }

    /// Refuses a method on an asynchronous connection.
    pub fn refuse_async(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if self.is_async(py) {
            return Err(error::programming(format!("{what} cannot be used in asynchronous mode")));
        }
        Ok(())
    }

    /// Refuses a method whose waiting a wait callback cannot do.
    pub fn refuse_green(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if green::callback(py).is_some() {
            return Err(error::programming(format!(
                "{what} cannot be used with an asynchronous callback."
            )));
        }
        Ok(())
    }

    /// Refuses a method between `tpc_prepare()` and the end of that transaction.
    pub fn refuse_tpc_prepared(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if self.state(py).status == Status::Prepared {
            return Err(error::programming(format!(
                "{what} cannot be used with a prepared two-phase transaction"
            )));
        }
        Ok(())
    }

    /// The factory that `cursor()` uses when the call names none.
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
