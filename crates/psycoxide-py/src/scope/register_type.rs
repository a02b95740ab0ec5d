//! `register_type`.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::cast::{self, Caster};
use crate::connection::Connection;
use crate::cursor::Cursor;

/// register_type(obj, conn_or_curs=None) -> None -- Use a typecaster for the types whose oids it
/// has.
///
/// `conn_or_curs` is the cursor or the connection to use it on; None means everywhere. A cursor's
/// own typecasters come first, then its connection's. Results that were executed before keep
/// theirs. Raises TypeError if `obj` is no typecaster.
#[pyfunction]
#[pyo3(signature = (obj, conn_or_curs=None, /))]
pub fn register_type(
    obj: &Bound<'_, Caster>,
    conn_or_curs: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = obj.py();
    let types = match conn_or_curs {
        None => cast::string_types(py),
        Some(scope) => {
            let scope = super::native(scope)?;
            if let Ok(cursor) = scope.cast::<Cursor>() {
                return add(cursor.get().string_types(py), obj);
            }
            let Ok(connection) = scope.cast::<Connection>() else {
                return Err(PyTypeError::new_err(
                    "argument 2 must be a connection, cursor or None",
                ));
            };
            return add(connection.get().string_types(py), obj);
        }
    };
    add(types, obj)
}

fn add(types: &Bound<'_, PyDict>, caster: &Bound<'_, Caster>) -> PyResult<()> {
    for value in caster.get().values(caster.py()) {
        types.set_item(value, caster)?;
    }
    Ok(())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(register_type, module)?)
}
