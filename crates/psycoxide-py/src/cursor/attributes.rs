//! A cursor's attributes, and its end.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};

use super::Cursor;
use crate::connection::Connection;
use crate::error;
use crate::imports::TIMEZONE;
use crate::row::RowClass;

#[pymethods]
impl Cursor {
    /// close() -- Close the cursor; a named cursor is closed on the server, too.
    ///
    /// Closing twice is allowed. Raises ProgrammingError if the cursor is named and its transaction
    /// has ended, unless it is `withhold`.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        if this.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        if this.name().is_some() {
            Self::close_named(slf)?;
        }
        this.closed.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether the cursor, or its connection, is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.closed.load(Ordering::Acquire)
            || self
                .connection(py)
                .is_ok_and(|connection| connection.get().usable_session().is_err())
    }

    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        slf.call_method0("close").map(drop)
    }

    /// The connection that the cursor was made by.
    #[getter(connection)]
    fn connection_attribute<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Connection>> {
        // There is none if `__init__` never ran.
        self.connection(py).ok().cloned()
    }

    /// The name of a server-side cursor, or `None`.
    #[getter(name)]
    fn name_attribute(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.name().map(|name| name.clone_ref(py))
    }

    /// A tuple of `Column`s, or `None` if the last statement returned no rows.
    #[getter]
    fn description<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::describe(slf)
    }

    /// The number of rows that the last statement returned or affected: an int, -1 if it is not
    /// known. For `executemany()` the sum; for a named cursor the rows of the last fetch.
    #[getter]
    fn rowcount(&self, py: Python<'_>) -> i64 {
        self.state(py).fetched.rowcount
    }

    /// The number of the next row, from 0.
    #[getter]
    fn rownumber(&self, py: Python<'_>) -> usize {
        self.state(py).fetched.place.row
    }

    /// The oid of the last row inserted, if the table has oids; otherwise 0.
    #[getter]
    fn lastrowid(&self, py: Python<'_>) -> u32 {
        self.state(py).fetched.lastrowid
    }

    /// The last statement as it was sent: bytes, or `None`.
    #[getter]
    fn query(&self, py: Python<'_>) -> Py<PyAny> {
        self.objects(py).query.clone_ref(py)
    }

    /// The server's tag of the last command, such as `'INSERT 0 1'`.
    #[getter]
    fn statusmessage(&self, py: Python<'_>) -> Option<String> {
        let state = self.state(py);
        let tag = state.fetched.statusmessage.as_ref()?;
        Some(String::from_utf8_lossy(tag).into_owned())
    }

    /// The number of rows that `fetchmany()` returns by default: an int, 1 at first.
    #[getter]
    fn arraysize(&self, py: Python<'_>) -> i64 {
        self.state(py).arraysize
    }

    #[setter]
    fn set_arraysize(&self, py: Python<'_>, value: i64) {
        self.state(py).arraysize = value;
    }

    /// The number of rows that a named cursor fetches in each round trip of an iteration: an int,
    /// 2000 at first.
    #[getter]
    fn itersize(&self, py: Python<'_>) -> i64 {
        self.state(py).itersize
    }

    #[setter]
    fn set_itersize(&self, py: Python<'_>, value: i64) {
        self.state(py).itersize = value;
    }

    /// Whether a named cursor can move backwards; `None` leaves that to the server.
    #[getter]
    fn scrollable(&self, py: Python<'_>) -> Option<bool> {
        self.state(py).named.declaration.scrollable
    }

    #[setter]
    fn set_scrollable(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.name().is_none() && !value.is_none() {
            return Err(error::programming("trying to set .scrollable on unnamed cursor"));
        }
        let scrollable = if value.is_none() { None } else { Some(value.is_truthy()?) };
        self.state(value.py()).named.declaration.scrollable = scrollable;
        Ok(())
    }

    /// Whether rows are freed as they are read, so that the raw result and the objects made of it
    /// are never both in memory: a bool, False at first. It takes effect at the next `execute()`.
    /// Not in psycopg2.
    ///
    /// `scroll()` cannot move backwards then. Raises ProgrammingError when set on a named cursor:
    /// use its `scrollable`.
    #[getter]
    fn forward_only(&self, py: Python<'_>) -> bool {
        self.state(py).forward_only
    }

    #[setter]
    fn set_forward_only(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let forward_only = value.is_truthy()?;
        if forward_only && self.name().is_some() {
            return Err(error::programming(
                "forward_only is not for named cursors: see scrollable",
            ));
        }
        self.state(value.py()).forward_only = forward_only;
        Ok(())
    }

    /// Whether a named cursor outlives its transaction.
    #[getter]
    fn withhold(&self, py: Python<'_>) -> bool {
        self.state(py).named.declaration.withhold
    }

    #[setter]
    fn set_withhold(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // `False` itself changes nothing; other false values are refused, as in psycopg2.
        let unchanged = value.cast::<PyBool>().is_ok_and(|value| !value.is_true());
        if self.name().is_none() && !unchanged {
            return Err(error::programming("trying to set .withhold on unnamed cursor"));
        }
        let withhold = value.is_truthy()?;
        self.state(value.py()).named.declaration.withhold = withhold;
        Ok(())
    }

    /// Makes the `tzinfo` of aware datetimes: called with their offset, a `timedelta`, it returns a
    /// `tzinfo`. `datetime.timezone` at first; None makes naive datetimes.
    #[getter(tzinfo_factory)]
    fn tzinfo_factory_attribute(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.tzinfo_factory(py) {
            Some(factory) => Ok(factory),
            None => Ok(TIMEZONE.bind(py)?.clone().unbind()),
        }
    }

    #[setter]
    fn set_tzinfo_factory(&self, py: Python<'_>, value: Py<PyAny>) {
        let old = self.objects(py).tzinfo_factory.replace(value);
        let ahead = self.state(py).fetched.undo_read_ahead();
        drop((old, ahead));
    }

    /// Makes the rows: called with the cursor, it returns a mutable sequence, whose items are then
    /// assigned. None, the default, makes tuples.
    #[getter(row_factory)]
    fn row_factory_attribute(&self, py: Python<'_>) -> Py<PyAny> {
        self.row_factory(py)
    }

    #[setter]
    fn set_row_factory(&self, py: Python<'_>, value: Py<PyAny>) {
        let class = RowClass::of(value.bind(py));
        self.makes_rows.store(!value.is_none(py), Ordering::Release);
        let mut objects = self.objects(py);
        let old_class = std::mem::replace(&mut objects.row_class, class);
        let old = std::mem::replace(&mut objects.row_factory, value);
        drop(objects);
        drop((old, old_class));
    }

    /// The typecasters registered on this cursor: a dict of oid to typecaster, None if there are
    /// none.
    #[getter(string_types)]
    fn string_types_attribute<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        self.registered_types(py).cloned()
    }

    /// Always `None`: no typecaster is for binary values.
    #[getter]
    fn binary_types(&self) -> Option<i64> {
        None
    }

    /// Always `None`, as in psycopg2.
    #[getter]
    fn typecaster(&self) -> Option<i64> {
        None
    }

    /// Always `None`: there is no libpq below.
    #[getter]
    fn pgresult_ptr(&self) -> Option<i64> {
        None
    }

    /// nextset() -- Always raises NotSupportedError: of several statements the last result is kept.
    fn nextset(&self, py: Python<'_>) -> PyResult<()> {
        self.open_connection(py)?;
        Err(error::not_supported("not supported by PostgreSQL"))
    }

    /// setinputsizes(sizes) -- does nothing, as PEP 249 allows.
    fn setinputsizes(&self, sizes: &Bound<'_, PyAny>) -> PyResult<()> {
        self.readable_session(sizes.py()).map(drop)
    }

    /// setoutputsize(size, column=None) -- does nothing, as PEP 249 allows.
    #[pyo3(signature = (size, column=None))]
    fn setoutputsize(&self, py: Python<'_>, size: i64, column: Option<i64>) -> PyResult<()> {
        let _ = (size, column);
        self.readable_session(py).map(drop)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        let closed = i32::from(slf.get().closed(slf.py()));
        format!("<cursor object at {:p}; closed: {closed}>", slf.as_ptr())
    }

    /// The text of psycopg2, even if a subclass has a `__repr__` of its own.
    fn __str__(slf: &Bound<'_, Self>) -> String {
        Self::__repr__(slf)
    }
}
