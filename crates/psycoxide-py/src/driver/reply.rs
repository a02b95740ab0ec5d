//! What a call of `psycoxide.aio` or `psycoxide.sync` gives its caller.

use std::time::Instant;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// The reply to a call.
///
/// Objects are made of it by the caller, not by the driver: their typecasters and row factories run
/// in the caller's task and context, and a large result does not stop an event loop.
pub enum Reply {
    /// The result.
    Object(Py<PyAny>),
    /// A result that is still to be made.
    Making(Box<dyn Making>),
}

/// Makes a result.
pub trait Making: Send + Sync {
    /// Goes on until the result is made, or for about as long as `until` says. Returns the result;
    /// `None` if there is more to do.
    ///
    /// # Errors
    /// The exceptions of typecasters and row factories.
    fn go_on(&mut self, py: Python<'_>, until: Option<Instant>) -> PyResult<Option<Py<PyAny>>>;

    /// Shows the garbage collector what it holds.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

impl Reply {
    /// Makes the whole result.
    ///
    /// # Errors
    /// As [`Making::go_on`].
    pub fn made(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let mut making = match self {
            Self::Object(object) => return Ok(object),
            Self::Making(making) => making,
        };
        loop {
            if let Some(object) = making.go_on(py, None)? {
                return Ok(object);
            }
        }
    }
}
