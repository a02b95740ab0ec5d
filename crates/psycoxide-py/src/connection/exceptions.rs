//! The DB-API's exceptions as attributes: an optional extension of PEP 249, for programs that serve
//! several databases.

use pyo3::prelude::*;

use super::Connection;
use crate::error;

macro_rules! exceptions {
    ($($function:ident, $class:ident;)*) => {
        #[pymethods]
        impl Connection {
            $(
                #[doc = concat!("The class `psycoxide.", stringify!($class), "`.")]
                #[getter($class)]
                fn $function<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                    error::class(py, stringify!($class))
                }
            )*
        }
    };
}

exceptions! {
    error_class, Error;
    warning_class, Warning;
    interface_error, InterfaceError;
    database_error, DatabaseError;
    internal_error, InternalError;
    operational_error, OperationalError;
    programming_error, ProgrammingError;
    integrity_error, IntegrityError;
    data_error, DataError;
    not_supported_error, NotSupportedError;
}
