//! From PostgreSQL's text to Python objects: typecasters and the plan that a result's columns follow.

use pyo3::prelude::*;

pub fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
