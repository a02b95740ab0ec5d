//! Which caster is for which type: on a cursor, on a connection, or everywhere.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt};

use super::caster::Caster;
use super::decoder::Decoder;
use crate::connection::Connection;
use crate::cursor::Cursor;

/// The casters that hold where neither the cursor nor the connection has one of its own. (The
/// module is initialised once a process, so there is one such dictionary.)
static STRING_TYPES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// The global registry: `{oid: caster}`.
pub fn string_types(py: Python<'_>) -> &Bound<'_, PyDict> {
    STRING_TYPES.get_or_init(py, || PyDict::new(py).unbind()).bind(py)
}

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
        None => string_types(py),
        Some(scope) => {
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

/// Registries, in the order in which they are asked.
pub struct Registries<'py>([Option<Bound<'py, PyDict>>; 3]);

impl<'py> Registries<'py> {
    /// These; one that is empty is not asked.
    pub fn new(registries: [Option<Bound<'py, PyDict>>; 3]) -> Self {
        Self(registries.map(|registry| registry.filter(|registry| !registry.is_empty())))
    }

    /// The caster for a type: of the first registry that has one for it.
    pub fn caster(&self, oid: &Bound<'py, PyInt>) -> PyResult<Option<Bound<'py, PyAny>>> {
        for registry in self.0.iter().flatten() {
            if let Some(found) = registry.get_item(oid)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The decoder for a type.
    pub fn decoder(&self, py: Python<'py>, oid: u32) -> PyResult<Decoder> {
        Ok(decoder(self.caster(&PyInt::new(py, oid))?.as_ref()))
    }
}

/// What a caster does. A type that nobody has registered a caster for is text.
pub fn decoder(caster: Option<&Bound<'_, PyAny>>) -> Decoder {
    let Some(found) = caster else { return Decoder::Text };
    match found.cast::<Caster>() {
        Ok(caster) => caster.get().decoder().clone_ref(found.py()),
        // The dictionary is the user's: whatever else is in it is called like a caster.
        Err(_) => Decoder::Python(found.clone().unbind()),
    }
}
