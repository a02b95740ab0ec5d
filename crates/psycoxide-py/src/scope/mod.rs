//! Functions of the module that take a connection or a cursor as their scope.

mod encrypt_password;
mod quote_ident;
mod register_type;

use pyo3::prelude::*;

use crate::connection::Connection;
use crate::cursor::Cursor;

/// The connection that `scope` is, or belongs to; `None` if it is neither a connection nor a cursor.
fn connection_of<'py>(scope: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, Connection>>> {
    if let Ok(connection) = scope.cast::<Connection>() {
        return Ok(Some(connection.clone()));
    }
    let Ok(cursor) = scope.cast::<Cursor>() else { return Ok(None) };
    Ok(Some(cursor.get().connection(scope.py())?.clone()))
}

/// Exports the functions.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    encrypt_password::register(module)?;
    quote_ident::register(module)?;
    register_type::register(module)
}
