//! The `cursor` class.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::connection::Connection;

/// A DB-API cursor: runs statements and holds their result.
#[pyclass(name = "cursor", module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct Cursor {
    connection: Py<Connection>,
    string_types: Py<PyDict>,
}

impl Cursor {
    /// The connection that the cursor was made by.
    pub fn connection<'py>(&self, py: Python<'py>) -> &Bound<'py, Connection> {
        self.connection.bind(py)
    }

    /// The typecasters registered on this cursor: `{oid: caster}`.
    pub fn string_types<'py>(&self, py: Python<'py>) -> &Bound<'py, PyDict> {
        self.string_types.bind(py)
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Cursor>()
}
