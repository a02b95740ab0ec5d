//! What a caster asks of the cursor that it is called with, and of that cursor's connection.
//!
//! In a fetch it is a cursor; called by hand, a caster takes anything, and what is no cursor counts
//! as one that nothing was changed on.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyAny;

use super::registry::{self, Registries};
use super::text::TextDecoder;
use crate::connection::Connection;
use crate::cursor::Cursor;

/// The client encoding of a cursor's connection.
pub fn encoding(cursor: &Bound<'_, PyAny>) -> TextDecoder {
    match connection(cursor) {
        Some(connection) => {
            TextDecoder::new(connection.get().quote_context(cursor.py()).encoding())
        }
        None => TextDecoder::Utf8,
    }
}

/// The cursor's `tzinfo_factory`; nothing if it is the default, or for anything that has none.
pub fn tzinfo_factory<'py>(cursor: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let py = cursor.py();
    match cursor.cast::<Cursor>() {
        Ok(cursor) => cursor.get().tzinfo_factory(py).map(|factory| factory.into_bound(py)),
        Err(_) => cursor.getattr(intern!(py, "tzinfo_factory")).ok(),
    }
}

/// The registries that hold for a cursor.
pub fn registries<'py>(cursor: &Bound<'py, PyAny>) -> Registries<'py> {
    let py = cursor.py();
    let (mut of_cursor, mut of_connection) = (None, None);
    if let Ok(cursor) = cursor.cast::<Cursor>() {
        of_cursor = cursor.get().registered_types(py).cloned();
        let connection = cursor.get().connection(py).ok();
        of_connection = connection.map(|connection| connection.get().string_types(py).clone());
    }
    Registries::new([of_cursor, of_connection, Some(registry::string_types(py).clone())])
}

fn connection<'a, 'py>(cursor: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, Connection>> {
    cursor.cast::<Cursor>().ok()?.get().connection(cursor.py()).ok()
}
