//! Functions of the module that take a connection or a cursor as their scope.

mod encrypt_password;
mod quote_ident;
mod register_type;

use pyo3::intern;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::cursor::Cursor;

/// The connection that `scope` is, or belongs to; `None` if it is neither a connection nor a cursor.
fn connection_of<'py>(scope: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, Connection>>> {
    let scope = &native(scope)?;
    if let Ok(connection) = scope.cast::<Connection>() {
        return Ok(Some(connection.clone()));
    }
    let Ok(cursor) = scope.cast::<Cursor>() else { return Ok(None) };
    Ok(Some(cursor.get().connection(scope.py())?.clone()))
}

/// The connection or cursor itself, if `scope` is one of `psycoxide.aio` or `psycoxide.sync`.
fn native<'py>(scope: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(scope.getattr_opt(intern!(scope.py(), "_native"))?.unwrap_or_else(|| scope.clone()))
}

/// Exports the functions.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    encrypt_password::register(module)?;
    quote_ident::register(module)?;
    register_type::register(module)
}
