//! `connection.cursor()`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Cursor;
use crate::connection::Connection;
use crate::error;
use crate::text::text;

/// A cursor's name, as a str or bytes object.
fn cursor_name<'py>(name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if name.is_none() || name.is_instance_of::<PyString>() {
        return Ok(name.clone());
    }
    Ok(PyString::new(name.py(), &text(name)?).into_any())
}

#[pymethods]
impl Connection {
    /// cursor(name=None, cursor_factory=extensions.cursor, withhold=False, scrollable=None, *,
    /// binary=False) -> cursor
    ///
    /// A new cursor of this connection. With a `name` (str or bytes) it lives on the server: with
    /// `withhold` it outlives the transaction; `scrollable` allows it to move backwards (True),
    /// forbids that (False) or leaves it to the server (None). `cursor_factory(connection, name)`
    /// makes the cursor that is returned: by default the connection's `cursor_factory`, or else
    /// `extensions.cursor`. `binary` (not in psycopg2) is the cursor's attribute of that name.
    ///
    /// Raises InterfaceError if the connection is closed, ProgrammingError if `withhold` or
    /// `scrollable` are given without a name or `binary` with one, TypeError if the factory returns
    /// no cursor.
    #[pyo3(signature = (name=None, cursor_factory=None, withhold=None, scrollable=None, *, binary=false))]
    fn cursor<'py>(
        slf: &Bound<'py, Self>,
        name: Option<Bound<'py, PyAny>>,
        cursor_factory: Option<Bound<'py, PyAny>>,
        withhold: Option<Bound<'py, PyAny>>,
        scrollable: Option<Bound<'py, PyAny>>,
        binary: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        this.refuse_blank(error::operational)?;
        this.usable_session()?;
        if this.state(slf.py()).is_connecting() {
            return Err(error::operational("asynchronous connection attempt underway"));
        }
        let name = match name {
            Some(name) => cursor_name(&name)?,
            None => py.None().into_bound(py),
        };
        if !name.is_none() {
            this.refuse_async(slf.py(), "named cursors").map_err(|_| {
                error::programming("asynchronous connections cannot produce named cursors")
            })?;
        }
        let factory = match cursor_factory.filter(|factory| !factory.is_none()) {
            Some(factory) => factory,
            None => {
                let factory = this.cursor_factory(py).into_bound(py);
                if factory.is_none() { py.get_type::<Cursor>().into_any() } else { factory }
            }
        };
        let cursor = factory.call1((slf, name))?;
        if !cursor.is_instance_of::<Cursor>() {
            return Err(PyTypeError::new_err(
                "cursor factory must be subclass of psycopg2.extensions.cursor",
            ));
        }
        if let Some(withhold) = withhold.filter(|value| {
            !value.is(false.into_pyobject(py).unwrap_or_else(|never| match never {}))
        }) {
            cursor.setattr("withhold", withhold)?;
        }
        if let Some(scrollable) = scrollable.filter(|value| !value.is_none()) {
            cursor.setattr("scrollable", scrollable)?;
        }
        if binary {
            cursor.setattr("binary", true)?;
        }
        Ok(cursor)
    }
}
