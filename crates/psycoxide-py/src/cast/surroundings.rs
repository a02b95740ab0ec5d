//! What a caster asks of the cursor that it is called with, and of that cursor's connection.
//!
//! In a fetch it is a cursor; called by hand, a caster takes anything, and what is no cursor counts
//! as one that nothing was changed on.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};

use super::registry;
use super::text::TextDecoder;
use crate::connection::Connection;
use crate::cursor::Cursor;

/// The client encoding of a cursor's connection.
pub fn encoding(cursor: &Bound<'_, PyAny>) -> TextDecoder {
    match connection(cursor) {
        Some(connection) => TextDecoder::new(connection.get().quote_context().encoding()),
        None => TextDecoder::Utf8,
    }
}

/// The cursor's `tzinfo_factory`; nothing for anything that has none.
pub fn tzinfo_factory<'py>(cursor: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = cursor.py();
    match cursor.cast::<Cursor>() {
        Ok(cursor) => Some(cursor.get().tzinfo_factory(py).into_bound(py)),
        Err(_) => cursor.getattr(intern!(py, "tzinfo_factory")).ok(),
    }
}

/// The registries that hold for a cursor, in the order in which they are asked.
pub fn registries<'py>(cursor: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyDict>> {
    let py = cursor.py();
    let mut found = Vec::with_capacity(3);
    if let Ok(cursor) = cursor.cast::<Cursor>() {
        found.extend(cursor.get().registered_types(py).cloned());
    }
    if let Some(connection) = connection(cursor) {
        found.push(connection.get().string_types(py).clone());
    }
    found.push(registry::string_types(py).clone());
    found
}

fn connection<'a, 'py>(cursor: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, Connection>> {
    cursor.cast::<Cursor>().ok()?.get().connection(cursor.py()).ok()
}
