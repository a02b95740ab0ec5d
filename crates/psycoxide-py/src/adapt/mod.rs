//! From Python objects to SQL text: adapters, and the query with its parameters merged in.

use pyo3::prelude::*;

/// What quoting depends on: the session's client encoding and string style.
#[derive(Clone, Debug, Default)]
pub struct QuoteContext {}

pub fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
