//! `ReplicationMessage`: one piece of a replication stream.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// A message of a replication stream.
#[pyclass(module = "psycoxide.extensions", frozen, subclass)]
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
    /// When the server sent it: a naive `datetime` in local time.
    #[pyo3(get)]
    send_time: Py<PyAny>,
}

impl ReplicationMessage {
    /// A message as it came.
    pub fn received(
        cursor: Py<PyAny>,
        payload: Py<PyAny>,
        data_size: usize,
        data_start: u64,
        wal_end: u64,
        send_time: Py<PyAny>,
    ) -> Self {
        Self { cursor, payload, data_size, data_start, wal_end, send_time }
    }
}

#[pymethods]
impl ReplicationMessage {
    #[new]
    fn new(py: Python<'_>, cursor: Py<PyAny>, payload: Py<PyAny>) -> Self {
        Self { cursor, payload, data_size: 0, data_start: 0, wal_end: 0, send_time: py.None() }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "<ReplicationMessage object; data_size: {}; data_start: \"{}\"; wal_end: \"{}\"; send_time: {}>",
            self.data_size,
            lsn(self.data_start),
            lsn(self.wal_end),
            self.send_time.bind(py).str()?
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.cursor, &self.payload, &self.send_time]
            .into_iter()
            .try_for_each(|field| visit.call(field))
    }
}

/// A log position as PostgreSQL writes it: `16/B374D848`.
fn lsn(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
}
