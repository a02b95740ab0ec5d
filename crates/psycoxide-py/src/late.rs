//! Attributes of the module that are made lazily, when they are first asked for.
//!
//! Every process pays for what `import psycoxide` loads, and many need neither the exceptions nor the
//! modules of dates, decimals and collections.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::{adapt, error, row};

const ADAPTERS: &str = "adapters";
const ORDERED_ROW: &str = "_OrderedRow";

/// PEP 562: an attribute that the module does not have yet.
#[pyfunction]
#[pyo3(pass_module)]
fn __getattr__<'py>(
    module: &Bound<'py, PyModule>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = module.py();
    // Lossy, so that any unknown name, whatever its characters, raises AttributeError.
    let value = match name.to_string_lossy().as_ref() {
        ADAPTERS => adapt::adapters(py)?.clone().into_any(),
        ORDERED_ROW => row::ordered_row(py)?.clone().into_any(),
        exception if error::CLASSES.contains(&exception) => error::class(py, exception)?,
        other => {
            let module = module.name()?;
            return Err(PyAttributeError::new_err(format!(
                "module '{module}' has no attribute '{other}'"
            )));
        }
    };
    module.setattr(name, &value)?;
    Ok(value)
}

/// PEP 562: the names of all attributes, there or not.
#[pyfunction]
#[pyo3(pass_module)]
fn __dir__<'py>(module: &Bound<'py, PyModule>) -> PyResult<Bound<'py, PyList>> {
    let names = module.dict().keys();
    for name in error::CLASSES.iter().chain(&[ADAPTERS, ORDERED_ROW]) {
        if !names.contains(name)? {
            names.append(name)?;
        }
    }
    Ok(names)
}

/// Gives the module its `__getattr__` and `__dir__`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.index()?.append(ADAPTERS)?;
    // Not as functions, which would be among the names that the module exports.
    module.setattr("__getattr__", wrap_pyfunction!(__getattr__, module)?)?;
    module.setattr("__dir__", wrap_pyfunction!(__dir__, module)?)
}
