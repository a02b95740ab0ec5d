//! What a caster asks of the cursor that it is called with, and of that cursor's connection.

use psycoxide_sql::encoding;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::registry;
use super::text::TextDecoder;

/// The client encoding of a cursor's connection; of anything else, UTF-8.
pub fn encoding(cursor: &Bound<'_, PyAny>) -> PyResult<TextDecoder> {
    let py = cursor.py();
    let Ok(connection) = cursor.getattr(intern!(py, "connection")) else {
        return Ok(TextDecoder::Utf8);
    };
    let Ok(name) = connection.getattr(intern!(py, "encoding")) else {
        return Ok(TextDecoder::Utf8);
    };
    match name.cast::<PyString>() {
        Ok(name) => {
            Ok(encoding::by_name(name.to_str()?).map_or(TextDecoder::Utf8, TextDecoder::new))
        }
        Err(_) => Ok(TextDecoder::Utf8),
    }
}

/// The registries that hold for a cursor, in the order in which they are asked.
pub fn registries<'py>(cursor: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyDict>> {
    let py = cursor.py();
    let types = |object: &Bound<'py, PyAny>| {
        let types = object.getattr(intern!(py, "string_types")).ok()?;
        types.cast_into::<PyDict>().ok()
    };
    let connection = cursor.getattr(intern!(py, "connection")).ok();
    let mut found = Vec::with_capacity(3);
    found.extend(types(cursor));
    found.extend(connection.as_ref().and_then(types));
    found.push(registry::string_types(py).clone());
    found
}
