//! The one place where a fault becomes a Python exception.
//!
//! The classes are defined in Python (`psycoxide._exceptions`, `psycoxide.errors`) and imported at
//! first use; this file only chooses among them.
//!
//! All of it is marked as cold, so that what leads to an error is kept out of the way of what does not.

mod report;

use psycoxide_net::Error as NetError;
use psycoxide_proto::Error as ProtoError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::imports::Lazy;

pub use report::{from_report, report_text};

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
}

/// The classes that the module exports, and its connections the first ten of them: that is an
/// extension of PEP 249, for programs that serve several databases.
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

/// What went wrong on an open link.
///
/// The server's own last words come out with their class (`AdminShutdown`, …) if it had any.
#[cold]
pub fn from_net(error: &NetError) -> PyErr {
    match error.protocol() {
        Some(ProtoError::Server(report) | ProtoError::Terminated(Some(report))) => {
            Python::attach(|py| report::unaddressed(py, report))
        }
        Some(ProtoError::Misuse(what)) => internal(*what),
        _ => operational(line(error)),
    }
}

/// What went wrong while connecting: an `OperationalError` without a `pgcode`, as psycopg2 gives,
/// unless the session stood already and the statement that sets it up failed.
#[cold]
pub fn connecting(error: &NetError) -> PyErr {
    match error.protocol() {
        Some(ProtoError::Server(_)) => from_net(error),
        _ => operational(line(error)),
    }
}

/// An operation took longer than the connection allows.
#[cold]
pub fn timed_out() -> PyErr {
    operational("timeout expired: the operation took longer than operation_timeout\n")
}

/// What the engine refused.
#[cold]
pub fn from_proto(error: &ProtoError) -> PyErr {
    match error {
        ProtoError::Misuse(what) => internal(*what),
        error => operational(line(error)),
    }
}

/// libpq's texts end in a newline, and programs have come to expect that.
fn line(error: &dyn std::fmt::Display) -> String {
    let mut text = error.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
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

/// Exports `sqlstate_errors`. The exception classes are added by the package, where they are
/// defined.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("sqlstate_errors", PyDict::new(module.py()))
}
