//! Arrow data: reading it from its producers, and writing it as the rows of a COPY.

mod import;
mod ingest;

use pyo3::prelude::*;

/// Exports `ArrowEncoder`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    ingest::register(module)
}
