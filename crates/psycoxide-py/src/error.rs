//! The one place where a fault becomes a Python exception.
//!
//! The classes are defined in Python (`psycoxide._exceptions`, `psycoxide.errors`) and imported at
//! first use; this file only chooses among them.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::imports::Lazy;

static EXCEPTIONS: &str = "psycoxide._exceptions";

macro_rules! dbapi_errors {
    ($($function:ident, $lazy:ident, $class:literal;)*) => {
        $(
            static $lazy: Lazy = Lazy::new("psycoxide._exceptions", $class);

            #[doc = concat!("A `", $class, "` that says `text`.")]
            #[allow(dead_code)]
            pub fn $function(text: impl Into<String>) -> PyErr {
                raise(&$lazy, text.into())
            }
        )*
    };
}

dbapi_errors! {
    interface, INTERFACE, "InterfaceError";
    database, DATABASE, "DatabaseError";
    data, DATA, "DataError";
    operational, OPERATIONAL, "OperationalError";
    integrity, INTEGRITY, "IntegrityError";
    internal, INTERNAL, "InternalError";
    programming, PROGRAMMING, "ProgrammingError";
    not_supported, NOT_SUPPORTED, "NotSupportedError";
}

fn raise(class: &'static Lazy, text: String) -> PyErr {
    Python::attach(|py| {
        match class.bind(py).and_then(|class| Ok(class.cast::<PyType>()?.clone())) {
            Ok(class) => PyErr::from_type(class, text),
            Err(error) => error,
        }
    })
}

/// Exports `sqlstate_errors`, and the exception classes through the module's `__getattr__`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("sqlstate_errors", PyDict::new(module.py()))?;
    module.add_function(wrap_pyfunction!(__getattr__, module)?)?;
    Ok(())
}

/// PEP 562: the exception classes are Python's, looked up when they are asked for.
#[pyfunction]
fn __getattr__<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    const NAMES: &[&str] = &[
        "Warning",
        "Error",
        "InterfaceError",
        "DatabaseError",
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
        "QueryCanceledError",
        "TransactionRollbackError",
        "Diagnostics",
    ];
    if NAMES.contains(&name) {
        return py.import(EXCEPTIONS)?.getattr(name);
    }
    Err(pyo3::exceptions::PyAttributeError::new_err(format!(
        "module '_psycopg' has no attribute '{name}'"
    )))
}
