//! The `connection` class.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::adapt::QuoteContext;

/// A session with a PostgreSQL server.
#[pyclass(name = "connection", module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct Connection {
    string_types: Py<PyDict>,
}

impl Connection {
    /// How text is to be quoted for this session, as of now.
    pub fn quote_context(&self) -> QuoteContext {
        QuoteContext::default()
    }

    /// The typecasters registered on this connection: `{oid: caster}`.
    pub fn string_types<'py>(&self, py: Python<'py>) -> &Bound<'py, PyDict> {
        self.string_types.bind(py)
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Connection>()
}
