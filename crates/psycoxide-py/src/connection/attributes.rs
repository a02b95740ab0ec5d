//! The attributes of a connection, and `close()`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use psycoxide_net::Closed;
use psycoxide_proto::{Engine, StatementSettings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use super::Connection;
use super::info::ConnectionInfo;
use crate::driver::TurnGuard;

impl Connection {
    /// The object that notices are appended to.
    pub fn notices(&self, py: Python<'_>) -> Py<PyAny> {
        self.objects(py).notices.clone_ref(py)
    }

    /// The object that notifications are appended to.
    pub fn notifies(&self, py: Python<'_>) -> Py<PyAny> {
        self.objects(py).notifies.clone_ref(py)
    }
}

impl Connection {
    /// The text for `repr()`, with psycopg2's name of the class.
    pub fn describe(slf: &Bound<'_, Self>, class: &str) -> String {
        let dsn = slf.get().dsn.get().map_or("<uninitialised>", String::as_str);
        let closed = slf.get().closed();
        format!("<{class} object at {:p}; dsn: '{dsn}', closed: {closed}>", slf.as_ptr())
    }
}

#[pymethods]
impl Connection {
    /// close() -- Close the connection.
    ///
    /// No ROLLBACK is sent: the server rolls an open transaction back when the session ends.
    /// Closing twice is allowed; anything else raises InterfaceError afterwards.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let Some(session) = this.session.get() else {
            this.closed_blank.store(this.dsn.get().is_none(), Ordering::Release);
            return Ok(());
        };
        if session.closed() == Closed::ByUser {
            return Ok(());
        }
        if session.claim_to_end() && session.closed() == Closed::Open && !this.uses_poll(slf.py()) {
            // A statement of another thread may end first.
            let turn = TurnGuard::take_any(slf, session);
            // If there is no turn, this thread has it: for another greenlet, in the wait callback.
            if turn.is_err() && session.is_polled() {
                session.hang_up();
            } else {
                session.close();
            }
            drop(turn);
        } else {
            session.close();
        }
        drop(this.take_running(slf.py()));
        Ok(())
    }

    /// 0 if the connection is open, 1 if it was closed, 2 if it broke, or if another process uses
    /// it since a fork.
    #[getter]
    fn closed(&self) -> i32 {
        let closed = match self.session.get() {
            // Another process uses the session: it is lost to this one.
            Some(session) if session.refusal().is_some() && session.closed() == Closed::Open => {
                Closed::Broken
            }
            Some(session) => session.closed(),
            None if self.closed_blank.load(Ordering::Acquire) => Closed::ByUser,
            None if self.is_blank() => Closed::Open,
            // A connection that could not be made is as good as broken.
            None => Closed::Broken,
        };
        closed as i32
    }

    /// The state of the connection as the driver knows it: one of the `extensions.STATUS_*`
    /// constants.
    #[getter]
    fn status(&self, py: Python<'_>) -> i32 {
        self.state(py).status.number()
    }

    /// The connection string, its password hidden.
    #[getter]
    fn dsn(slf: &Bound<'_, Self>) -> Option<String> {
        slf.get().dsn.get().cloned()
    }

    /// 1 if the connection is asynchronous.
    #[getter(r#async)]
    fn async_keyword(&self, py: Python<'_>) -> i32 {
        i32::from(self.is_async(py))
    }

    /// 1 if the connection is asynchronous.
    #[getter]
    fn async_(&self, py: Python<'_>) -> i32 {
        i32::from(self.is_async(py))
    }

    /// More about the connection: a `ConnectionInfo`.
    #[getter]
    fn info(slf: &Bound<'_, Self>) -> ConnectionInfo {
        ConnectionInfo::of(slf)
    }

    /// The messages that the server sent beside its answers, such as `'NOTICE: hello\n'`: a list of
    /// str that keeps the last 50, or another object with a method `append` that the program has
    /// set.
    #[getter(notices)]
    fn notices_attribute(&self, py: Python<'_>) -> Py<PyAny> {
        self.notices(py)
    }

    #[setter(notices)]
    fn set_notices(&self, py: Python<'_>, value: Py<PyAny>) {
        let old = std::mem::replace(&mut self.objects(py).notices, value);
        drop(old);
    }

    /// The notifications received: a list of `Notify`, which the program has to empty, or another
    /// object with a method `append` that the program has set.
    #[getter(notifies)]
    fn notifies_attribute(&self, py: Python<'_>) -> Py<PyAny> {
        self.notifies(py)
    }

    #[setter(notifies)]
    fn set_notifies(&self, py: Python<'_>, value: Py<PyAny>) {
        let old = std::mem::replace(&mut self.objects(py).notifies, value);
        drop(old);
    }

    /// The class or function that makes the cursors of `cursor()`; None for `extensions.cursor`.
    #[getter(cursor_factory)]
    fn cursor_factory_attribute(&self, py: Python<'_>) -> Py<PyAny> {
        self.cursor_factory(py)
    }

    #[setter(cursor_factory)]
    fn set_cursor_factory(&self, py: Python<'_>, value: Py<PyAny>) {
        let old = std::mem::replace(&mut self.objects(py).cursor_factory, value);
        drop(old);
    }

    /// The typecasters registered on this connection: a dict of oid to typecaster.
    #[getter(string_types)]
    fn string_types_attribute(&self, py: Python<'_>) -> Py<PyDict> {
        self.string_types.clone_ref(py)
    }

    /// The typecasters for binary values registered on this connection; unused, as in psycopg2.
    #[getter]
    fn binary_types(&self, py: Python<'_>) -> Py<PyDict> {
        self.binary_types.clone_ref(py)
    }

    /// The seconds that an operation may take: a float, or `None` for no limit.
    ///
    /// An operation that takes longer raises OperationalError and closes the connection; the server
    /// is told to stop. Connecting is bounded by the option of this name. Where a wait callback or the
    /// program itself waits, the socket becomes ready when the time is over, and `poll()` raises. Not
    /// in psycopg2.
    #[getter]
    fn operation_timeout(&self) -> PyResult<Option<f64>> {
        Ok(self.usable_session()?.timeout().map(|timeout| timeout.as_secs_f64()))
    }

    #[setter]
    fn set_operation_timeout(&self, seconds: Option<f64>) -> PyResult<()> {
        let timeout = seconds
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|_| PyValueError::new_err("operation_timeout must be a positive number"))?;
        self.usable_session()?.set_timeout(timeout.filter(|timeout| !timeout.is_zero()));
        Ok(())
    }

    /// Where parameters are bound to queries: "client" or "auto", as the option of this name says.
    /// Not in psycopg2.
    #[getter]
    fn binding(&self) -> &'static str {
        if self.binding.get().is_some() { "auto" } else { "client" }
    }

    /// How often a query runs before it is prepared, if its parameters are bound on the server: an
    /// int, or `None` for never. Not in psycopg2.
    #[getter]
    fn prepare_threshold(&self) -> PyResult<Option<u32>> {
        let settings = self.usable_session()?.ask(Engine::statement_settings);
        Ok(settings.and_then(|settings| settings.threshold))
    }

    #[setter]
    fn set_prepare_threshold(&self, runs: Option<i64>) -> PyResult<()> {
        let threshold = runs
            .map(u32::try_from)
            .transpose()
            .map_err(|_| PyValueError::new_err("prepare_threshold must not be negative"))?;
        let session = self.usable_session()?;
        let settings = session.ask(Engine::statement_settings).unwrap_or_default();
        let settings = StatementSettings { threshold, ..settings };
        session.with_engine(|engine| engine.set_statement_settings(settings));
        Ok(())
    }

    /// Always `None`: there is no libpq below.
    #[getter]
    fn pgconn_ptr(&self) -> Option<i64> {
        None
    }

    /// get_native_connection() -- a capsule with the descriptor of the connection's socket.
    ///
    /// There is no `PGconn` below. The capsule's name differs from psycopg2's, so that C code which
    /// expects one refuses it.
    fn get_native_connection<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        self.refuse_blank(PyValueError::new_err)?;
        let descriptor = self.open_session()?.fd();
        PyCapsule::new_with_value(py, descriptor, c"psycoxide.connection.socket")
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        Self::describe(slf, "connection")
    }

    /// The text of psycopg2, even if a subclass has a `__repr__` of its own.
    fn __str__(slf: &Bound<'_, Self>) -> String {
        Self::__repr__(slf)
    }
}
