//! The DB-API's exceptions.
//!
//! The classes are defined in Python (`psycoxide._exceptions`) and imported at first use.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::imports::Lazy;

static EXCEPTIONS: &str = "psycoxide._exceptions";

macro_rules! dbapi_errors {
    ($($function:ident, $lazy:ident, $class:literal;)*) => {
        $(
            static $lazy: Lazy = Lazy::new("psycoxide._exceptions", $class);

            #[doc = concat!("A `", $class, "` that says `text`.")]
            #[allow(dead_code)]
            #[cold]
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
    timeout, TIMEOUT, "OperationTimeout";
}

/// The classes that the module exports. The first ten are also attributes of connections, an
/// extension of PEP 249 for programs that use several databases.
pub const CLASSES: &[&str] = &[
    "Error",
    "Warning",
    "InterfaceError",
    "DatabaseError",
    "InternalError",
    "OperationalError",
    "ProgrammingError",
    "IntegrityError",
    "DataError",
    "NotSupportedError",
    "Diagnostics",
    "QueryCanceledError",
    "TransactionRollbackError",
];

/// The exception class of this name, one of the DB-API's or psycopg2's.
pub fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import(EXCEPTIONS)?.getattr(name)
}

#[cold]
fn raise(class: &'static Lazy, text: String) -> PyErr {
    Python::attach(|py| {
        match class.bind(py).and_then(|class| Ok(class.cast::<PyType>()?.clone())) {
            Ok(class) => PyErr::from_type(class, text),
            Err(error) => error,
        }
    })
}
