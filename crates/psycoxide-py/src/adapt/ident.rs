//! `quote_ident`.

use psycoxide_sql::quote::ident;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::context::QuoteContext;
use super::registry::type_name;
use crate::connection::Connection;
use crate::cursor::Cursor;
use crate::error;

/// An identifier in quotes: `it"s` becomes `"it""s"`.
///
/// `ident` is str or bytes, `scope` a connection or a cursor, whose encoding is used. Returns str.
/// Raises TypeError if `scope` is neither, ValueError if there is a NUL.
#[pyfunction]
#[pyo3(signature = (ident, scope))]
fn quote_ident<'py>(
    ident: &Bound<'py, PyAny>,
    scope: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyString>> {
    let context = scope_context(scope)?;
    let encoding = context.encoding();
    let mut out = Vec::new();
    let quoted = if let Ok(text) = ident.cast::<PyString>() {
        ident::write(&mut out, encoding.encode(text)?.as_bytes(), encoding.encoding())
    } else if let Ok(bytes) = ident.cast::<PyBytes>() {
        ident::write(&mut out, bytes.as_bytes(), encoding.encoding())
    } else {
        let name = type_name(ident);
        return Err(PyTypeError::new_err(format!(
            "Expected bytes or unicode string, got {name} instead"
        )));
    };
    quoted.map_err(|error| PyValueError::new_err(error.to_string()))?;
    encoding.decode(ident.py(), &out)
}

fn scope_context(scope: &Bound<'_, PyAny>) -> PyResult<QuoteContext> {
    if let Ok(connection) = scope.cast::<Connection>() {
        return open_context(connection);
    }
    if let Ok(cursor) = scope.cast::<Cursor>() {
        return open_context(cursor.get().connection(scope.py())?);
    }
    Err(PyTypeError::new_err("argument 2 must be a connection or a cursor"))
}

fn open_context(connection: &Bound<'_, Connection>) -> PyResult<QuoteContext> {
    match connection.get().unclosed_session() {
        Ok(_) => Ok(connection.get().quote_context(connection.py())),
        Err(_) => Err(error::interface("connection not valid")),
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(quote_ident, module)?)
}
