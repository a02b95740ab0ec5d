//! What a caster asks of the cursor that it is called with, and of that cursor's connection.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::registry;
use super::text::TextDecoder;
use crate::connection::Connection;

/// The client encoding of a cursor's connection; of anything else, UTF-8.
pub fn encoding(cursor: &Bound<'_, PyAny>) -> TextDecoder {
    match connection(cursor) {
        Some(connection) => TextDecoder::new(connection.get().quote_context().encoding()),
        None => TextDecoder::Utf8,
    }
}

fn connection<'py>(cursor: &Bound<'py, PyAny>) -> Option<Bound<'py, Connection>> {
    let connection = cursor.getattr(intern!(cursor.py(), "connection")).ok()?;
    connection.cast_into::<Connection>().ok()
}

/// The registries that hold for a cursor, in the order in which they are asked.
pub fn registries<'py>(cursor: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyDict>> {
    let py = cursor.py();
    let mut found = Vec::with_capacity(3);
    if let Ok(own) = cursor.getattr(intern!(py, "string_types"))
        && let Ok(own) = own.cast_into::<PyDict>()
    {
        found.push(own);
    }
    if let Some(connection) = connection(cursor) {
        found.push(connection.get().string_types(py).clone());
    }
    found.push(registry::string_types(py).clone());
    found
}
