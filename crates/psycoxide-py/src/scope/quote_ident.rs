//! `quote_ident`.

use psycoxide_sql::quote::ident;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::connection_of;
use crate::adapt::type_name;
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
    let connection = connection_of(scope)?
        .ok_or_else(|| PyTypeError::new_err("argument 2 must be a connection or a cursor"))?;
    if connection.get().unclosed_session().is_err() {
        return Err(error::interface("connection not valid"));
    }
    let encoding = connection.get().quote_context(scope.py()).encoding();
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

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(quote_ident, module)?)
}
