//! The one place where a fault of the network, of the protocol or of the server becomes a Python
//! exception.
//!
//! Everything here is `#[cold]`, so that error paths stay out of the hot code.

mod report;

use psycoxide_net::Error as NetError;
use psycoxide_proto::Error as ProtoError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub use crate::exception::*;
pub use report::{from_report, report_text};

/// The exception for a fault on an open link.
///
/// The server's own last words become an exception of their class (`AdminShutdown`, …), if it had
/// any.
#[cold]
pub fn from_net(error: &NetError) -> PyErr {
    match error.protocol() {
        Some(ProtoError::Server(report) | ProtoError::Terminated(Some(report))) => {
            Python::attach(|py| report::without_session(py, report))
        }
        Some(ProtoError::Misuse(what)) => internal(*what),
        _ => operational(line(error)),
    }
}

/// The exception for a fault while connecting: an `OperationalError` without a `pgcode`, as in
/// psycopg2, unless the session was open already and the statement that sets it up failed.
#[cold]
pub fn connecting(error: &NetError) -> PyErr {
    match error.protocol() {
        Some(ProtoError::Server(_)) => from_net(error),
        _ => operational(line(error)),
    }
}

/// The exception for an operation that took longer than the connection allows.
#[cold]
pub fn timed_out() -> PyErr {
    operational("timeout expired: the operation took longer than operation_timeout\n")
}

/// The exception for a call whose own time limit has passed.
#[cold]
pub fn operation_timeout() -> PyErr {
    timeout("timeout expired: the call took longer than its timeout allows")
}

/// The exception for a request that the engine refused.
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

/// Exports `sqlstate_errors`. The exception classes are added by the package, where they are
/// defined.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("sqlstate_errors", PyDict::new(module.py()))
}
