//! `ReplicationMessage`: one piece of a replication stream.

use psycoxide_net::replication::unix_seconds;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::cursor::Cursor;
use crate::imports;

/// A message of a replication stream.
#[pyclass(module = "psycoxide.extensions", subclass)]
pub struct ReplicationMessage {
    /// The cursor that received it.
    #[pyo3(get)]
    cursor: Py<PyAny>,
    /// The data: bytes, or str if the stream is decoded.
    #[pyo3(get)]
    payload: Py<PyAny>,
    /// The size of the data in bytes, before decoding.
    #[pyo3(get)]
    data_size: usize,
    /// The position in the log of the data's start.
    #[pyo3(get)]
    data_start: u64,
    /// The end of the log on the server.
    #[pyo3(get)]
    wal_end: u64,
    /// When the server sent it, in microseconds since 2000.
    sent: i64,
}

impl ReplicationMessage {
    /// A message as it was received.
    pub fn received(
        cursor: Py<PyAny>,
        payload: Py<PyAny>,
        data_size: usize,
        data_start: u64,
        wal_end: u64,
        sent: i64,
    ) -> Self {
        Self { cursor, payload, data_size, data_start, wal_end, sent }
    }
}

#[pymethods]
impl ReplicationMessage {
    /// An instance before its `__init__`. Subclasses may pass any arguments.
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn blank(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        let none = || class.py().None();
        Self::received(none(), none(), 0, 0, 0, 0)
    }

    fn __init__(
        slf: &Bound<'_, Self>,
        cursor: &Bound<'_, PyAny>,
        payload: Py<PyAny>,
    ) -> PyResult<()> {
        if !cursor.is_instance_of::<Cursor>() {
            let name = match cursor.is_none() {
                true => "None".to_owned(),
                false => cursor.get_type().name()?.to_string(),
            };
            return Err(PyTypeError::new_err(format!(
                "argument 1 must be psycopg2.extensions.cursor, not {name}"
            )));
        }
        let made = Self::received(cursor.clone().unbind(), payload, 0, 0, 0, 0);
        let old = std::mem::replace(&mut *slf.try_borrow_mut()?, made);
        // Dropped after the borrow: a destructor may run Python code that looks at this object.
        drop(old);
        Ok(())
    }

    /// The time when the server sent it: a naive `datetime` in local time.
    #[getter]
    fn send_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        local_time(py, unix_seconds(self.sent))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.try_borrow()?;
        Ok(format!(
            "<ReplicationMessage object at {:p}; data_size: {}; data_start: {}; wal_end: {}; \
             send_time: {}>",
            slf.as_ptr(),
            this.data_size,
            lsn(this.data_start),
            lsn(this.wal_end),
            this.sent
        ))
    }

    /// The text of psycopg2, even if a subclass has a `__repr__` of its own.
    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Self::__repr__(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.cursor, &self.payload].into_iter().try_for_each(|field| visit.call(field))
    }
}

/// A Unix time as a naive `datetime` in local time.
pub fn local_time(py: Python<'_>, seconds: f64) -> PyResult<Py<PyAny>> {
    Ok(imports::DATETIME.bind(py)?.call_method1("fromtimestamp", (seconds,))?.unbind())
}

/// A log position as psycopg2 shows it: `16/b374d848`.
fn lsn(position: u64) -> String {
    format!("{:x}/{:x}", position >> 32, position & 0xffff_ffff)
}
