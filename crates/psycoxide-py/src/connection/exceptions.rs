//! A connection's errors: the text of the last one, and the DB-API's exceptions as attributes, an
//! optional extension of PEP 249 for programs that use several databases.

use psycoxide_proto::Report;
use pyo3::prelude::*;

use super::Connection;
use crate::error;

impl Connection {
    /// Keeps the text of an exception, for `info.error_message`.
    pub fn note_error(&self, raised: &PyErr, py: Python<'_>) {
        self.state(py).error_message = Some(raised.value(py).to_string());
    }

    /// The exception for the server's error report about `query`, which `cursor` executed. Its text
    /// is kept for `info.error_message`.
    #[cold]
    pub fn reported(
        &self,
        py: Python<'_>,
        report: &Report,
        query: Option<&[u8]>,
        cursor: Option<&Bound<'_, PyAny>>,
    ) -> PyErr {
        let context = self.quote_context(py);
        let (raised, text) = error::from_report(py, report, query, &context, cursor);
        self.state(py).error_message = Some(text);
        raised
    }
}

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
