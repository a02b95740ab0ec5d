//! Statements whose results come in the types' binary formats, for a cursor that prefers them.
//!
//! Which columns can come in binary is known only after the server has told their types. So a
//! statement is described first, and run in a second round trip by the extended query protocol. Its
//! text has the parameters merged in, as always. A statement that returns no rows, has only columns
//! that come in text, or cannot be run by that protocol, is run as on any other cursor.

use std::sync::atomic::Ordering;

use psycoxide_sql::statement;
use pyo3::prelude::*;

use super::Cursor;
use crate::error;

impl Cursor {
    /// Whether this statement's columns are to come in binary where they can.
    pub(super) fn prefers_binary(&self, py: Python<'_>, sql: &[u8]) -> bool {
        let wanted = || self.name().is_none() && self.arrow_options(py).is_some();
        (self.binary.load(Ordering::Acquire) || wanted()) && statement::is_single(sql)
    }
}

#[pymethods]
impl Cursor {
    /// Whether the server sends columns in binary, for types whose values are the same in both
    /// formats: a bool, False at first. Not in psycopg2.
    ///
    /// It saves time for large `bytea` values, floats, timestamps and the like, and costs each
    /// statement that returns rows a second round trip. A statement with a `;` or a `$` in it gets
    /// its rows as text. Raises ProgrammingError when set on a named or asynchronous cursor.
    #[getter(binary)]
    fn binary_attribute(&self) -> bool {
        self.binary.load(Ordering::Acquire)
    }

    #[setter]
    fn set_binary(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let this = slf.get();
        let binary = value.is_truthy()?;
        if binary && this.name().is_some() {
            return Err(error::programming(
                "a named cursor has no binary results: leave out the name, or binary",
            ));
        }
        if binary && this.connection(slf.py())?.get().is_async(slf.py()) {
            return Err(error::programming("binary cannot be used in asynchronous mode"));
        }
        this.binary.store(binary, Ordering::Release);
        Ok(())
    }
}
