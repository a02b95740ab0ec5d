//! The `cursor` class.
//!
//! The class itself is here; its methods are in the files of their subjects.

mod arrow;
mod attributes;
mod binary_results;
mod bound;
mod column;
mod copy;
mod direct_file;
mod execute;
mod executemany;
mod executemany_prepared;
mod factory;
mod fetch;
mod file_copy;
mod ingest;
mod iteration;
mod known_queries;
mod many;
mod named;
mod place;
mod query;
mod read_ahead;
mod result;
mod run;
mod scroll;
mod statement;
mod tpc_recover;
mod typecast;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use psycoxide_arrow::Options;
use psycoxide_net::Session;
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use crate::connection::Connection;
use crate::error;
use crate::guarded::{Guard, Guarded};
use crate::row::{RowClass, RowKeys};
pub use arrow::Converting;
pub use known_queries::KnownQueries;
pub use many::Many;
use named::Named;
use result::Fetched;
pub use run::{Again, Run};
pub use statement::{ForCursor, Statement};

/// cursor(conn, name=None) -> new cursor
///
/// A DB-API cursor: runs statements and holds their result. Made by `connection.cursor()`; the
/// class is there to be subclassed (`cursor_factory`).
#[pyclass(name = "cursor", module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct Cursor {
    connection: OnceLock<Py<Connection>>,
    name: OnceLock<Py<PyString>>,
    state: Guarded<State>,
    closed: AtomicBool,
    /// Whether rows are made by the row factory. An atomic, as it is read for each row.
    makes_rows: AtomicBool,
    /// Whether columns are to come in binary. An atomic, as it is read for each statement.
    binary: AtomicBool,
    objects: Guarded<Objects>,
    string_types: OnceLock<Py<PyDict>>,
}

/// The part of a cursor that holds no Python objects of its user.
struct State {
    arraysize: i64,
    itersize: i64,
    forward_only: bool,
    /// The raw rows of each result go back to the session, so that the next rows arrive where these
    /// were.
    returns_memory: bool,
    /// Rows are to become Arrow's while they arrive, in this way.
    arrow: Option<Arc<Options>>,
    fetched: Fetched,
    named: Named,
}

/// The Python objects that a cursor holds and its user may replace.
struct Objects {
    /// As the program has set it; otherwise `datetime.timezone` is used.
    tzinfo_factory: Option<Py<PyAny>>,
    row_factory: Py<PyAny>,
    /// The row factory, if it is a class whose rows can be made without calling it.
    row_class: Option<Arc<RowClass>>,
    /// `cursor.arrow`, as the program has set it.
    arrow: Option<Py<PyAny>>,
    /// The keys of the last row that had any.
    row_keys: Option<Arc<RowKeys>>,
    query: Py<PyAny>,
    description: Option<Py<PyAny>>,
}

impl Objects {
    fn empty(py: Python<'_>) -> Self {
        Self {
            tzinfo_factory: None,
            row_factory: py.None(),
            row_class: None,
            arrow: None,
            row_keys: None,
            query: py.None(),
            description: None,
        }
    }
}

impl Cursor {
    /// A cursor before its `__init__`.
    pub fn unattached(py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            connection: OnceLock::new(),
            name: OnceLock::new(),
            state: Guarded::new(State {
                arraysize: 1,
                itersize: 2000,
                forward_only: false,
                returns_memory: false,
                arrow: None,
                fetched: Fetched::default(),
                named: Named::default(),
            }),
            closed: AtomicBool::new(false),
            makes_rows: AtomicBool::new(false),
            binary: AtomicBool::new(false),
            objects: Guarded::new(Objects::empty(py)),
            string_types: OnceLock::new(),
        })
    }

    /// A new cursor of a connection.
    pub fn of<'py>(connection: &Bound<'py, Connection>) -> PyResult<Bound<'py, Self>> {
        let py = connection.py();
        let cursor = Self::unattached(py)?;
        let _ = cursor.connection.set(connection.clone().unbind());
        Bound::new(py, cursor)
    }

    /// The connection that the cursor was made by.
    pub fn connection<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Connection>> {
        self.connection
            .get()
            .map(|connection| connection.bind(py))
            .ok_or_else(|| error::interface("the cursor was not initialised: call its __init__"))
    }

    /// The session, if neither it nor the cursor is closed: enough for reading rows that were
    /// fetched already, which a forked child may do.
    #[inline]
    fn readable_session<'a>(&'a self, py: Python<'a>) -> PyResult<&'a Session> {
        match self.connection(py)?.get().unclosed_session() {
            Ok(session) if !self.closed.load(Ordering::Acquire) => Ok(session),
            _ => Err(error::interface("cursor already closed")),
        }
    }

    /// The connection, if the cursor may be used.
    fn open_connection<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Connection>> {
        let connection = self.connection(py)?;
        if self.closed.load(Ordering::Acquire) || connection.get().open_session().is_err() {
            let closed = || error::interface("cursor already closed");
            return Err(connection.get().refusal().unwrap_or_else(closed));
        }
        Ok(connection)
    }

    /// The typecasters registered on this cursor: `{oid: caster}`.
    pub fn string_types<'py>(&self, py: Python<'py>) -> &Bound<'py, PyDict> {
        self.string_types.get_or_init(|| PyDict::new(py).unbind()).bind(py)
    }

    /// The typecasters registered on this cursor, if there ever were any.
    fn registered_types<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyDict>> {
        self.string_types.get().map(|types| types.bind(py))
    }

    /// The factory of `tzinfo` objects, if the program has set one.
    fn tzinfo_factory(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.objects(py).tzinfo_factory.as_ref().map(|factory| factory.clone_ref(py))
    }

    /// Whether the last statement returned a table.
    pub fn has_rows(&self, py: Python<'_>) -> bool {
        self.state(py).fetched.tuples.is_some()
    }

    /// How many columns the result has.
    pub fn width(&self, py: Python<'_>) -> usize {
        self.state(py).fetched.tuples.as_ref().map_or(0, |tuples| tuples.plan.decoders().len())
    }

    /// The row factory as it was set, or `None`.
    fn row_factory(&self, py: Python<'_>) -> Py<PyAny> {
        self.objects(py).row_factory.clone_ref(py)
    }

    /// Locks the state. Held for a moment, never across a call into Python.
    fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.lock(py)
    }

    /// Locks the objects, likewise.
    fn objects<'a>(&'a self, py: Python<'a>) -> Guard<'a, Objects> {
        self.objects.lock(py)
    }

    fn name(&self) -> Option<&Py<PyString>> {
        self.name.get()
    }
}

#[pymethods]
impl Cursor {
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyAny>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Self::unattached(class.py())
    }

    /// Joins the cursor to its connection.
    #[pyo3(signature = (conn, name=None))]
    fn __init__(
        slf: &Bound<'_, Self>,
        conn: &Bound<'_, PyAny>,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let connection = conn.cast::<Connection>().map_err(|_| {
            pyo3::exceptions::PyTypeError::new_err(format!(
                "argument 1 must be psycopg2.extensions.connection, not {}",
                conn.get_type().name().map_or_else(|_| String::new(), |name| name.to_string())
            ))
        })?;
        let this = slf.get();
        let _ = this.connection.set(connection.clone().unbind());
        if let Some(name) = name.filter(|name| !name.is_none()) {
            let _ = this.name.set(name.cast::<PyString>()?.clone().unbind());
        }
        this.state(slf.py()).named.transaction_number =
            connection.get().state(slf.py()).transaction_number;
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(connection) = self.connection.get() {
            visit.call(connection)?;
        }
        if let Some(types) = self.string_types.get() {
            visit.call(types)?;
        }
        if let Some(objects) = self.objects.visited(&visit) {
            visit.call(&objects.tzinfo_factory)?;
            visit.call(&objects.row_factory)?;
            visit.call(&objects.arrow)?;
        }
        if let Some(state) = self.state.visited(&visit)
            && let Some(tuples) = &state.fetched.tuples
        {
            tuples.plan.traverse(&visit)?;
        }
        Ok(())
    }

    /// Drops the objects that may refer to the cursor: the row factory may be a method of its own.
    fn __clear__(&self, py: Python<'_>) {
        self.reset(py);
        let old = std::mem::replace(&mut *self.objects(py), Objects::empty(py));
        // Dropped after the lock: a destructor may come back here.
        drop(old);
        self.makes_rows.store(false, Ordering::Release);
        if let Some(types) = self.string_types.get() {
            types.bind(py).clear();
        }
    }
}

/// Exports `cursor` and `Column`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Cursor>()?;
    iteration::install(&module.py().get_type::<Cursor>());
    module.add_class::<column::Column>()
}
