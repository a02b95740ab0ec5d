//! Values that are made at first use.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// A value that is made once, by running Python.
///
/// Other threads run meanwhile. If one of them needs the value too, it makes its own, and the first
/// one that is stored stays. No thread waits for another, because a child that is forked at this
/// moment would not have that thread.
pub struct Once<T>(PyOnceLock<T>);

impl<T> Once<T> {
    pub const fn new() -> Self {
        Self(PyOnceLock::new())
    }

    /// The value, if there is one yet.
    pub fn get(&self, py: Python<'_>) -> Option<&T> {
        self.0.get(py)
    }

    /// The value, made if there is none.
    #[inline]
    pub fn get_or_make(&self, py: Python<'_>, make: impl FnOnce() -> PyResult<T>) -> PyResult<&T> {
        if let Some(value) = self.0.get(py) {
            return Ok(value);
        }
        let made = make()?;
        Ok(self.0.get_or_init(py, || made))
    }
}
