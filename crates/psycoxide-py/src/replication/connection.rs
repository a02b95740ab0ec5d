//! `ReplicationConnection`: a connection that asks for a walsender.

use std::sync::OnceLock;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::connection::{Connection, make_dsn};
use crate::imports;
use crate::version::{REPLICATION_LOGICAL, REPLICATION_PHYSICAL};

/// ReplicationConnection(dsn, replication_type=...) -> new connection
///
/// No transaction is ever begun on it.
#[pyclass(extends = Connection, module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct ReplicationConnection {
    replication_type: OnceLock<i64>,
}

#[pymethods]
impl ReplicationConnection {
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyAny>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Connection::unconnected(class.py()))
            .add_subclass(Self { replication_type: OnceLock::new() })
    }

    #[pyo3(signature = (dsn, r#async=0, async_=0, replication_type=None))]
    fn __init__(
        slf: &Bound<'_, Self>,
        dsn: &Bound<'_, PyAny>,
        r#async: i64,
        async_: i64,
        replication_type: Option<i64>,
    ) -> PyResult<()> {
        let py = slf.py();
        let options = PyDict::new(py);
        match replication_type {
            Some(REPLICATION_LOGICAL) => options.set_item("replication", "database")?,
            Some(REPLICATION_PHYSICAL) => {
                options.set_item("replication", "true")?;
                // A physical walsender belongs to no database; lines of .pgpass are looked up by
                // this name.
                options.set_item("dbname", "replication")?;
            }
            _ => {
                return Err(PyTypeError::new_err(
                    "replication_type must be either REPLICATION_PHYSICAL or REPLICATION_LOGICAL",
                ));
            }
        }
        let completed =
            make_dsn(py, Some(dsn.clone()).filter(|dsn| !dsn.is_none()), Some(&options))?;
        let _ = slf.get().replication_type.set(replication_type.unwrap_or_default());
        let connection = slf.as_super();
        connection.get().never_begins(slf.py());
        Connection::initialise(connection, &completed, dsn, r#async != 0 || async_ != 0)?;
        let factory = imports::REPLICATION_CURSOR.bind(py)?;
        connection.setattr("cursor_factory", factory)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        Connection::describe(slf.as_super(), "ReplicationConnection")
    }

    /// The text of psycopg2, even if a subclass has a `__repr__` of its own.
    fn __str__(slf: &Bound<'_, Self>) -> String {
        Self::__repr__(slf)
    }

    /// `REPLICATION_LOGICAL` or `REPLICATION_PHYSICAL`.
    #[getter]
    fn replication_type(&self) -> Option<i64> {
        self.replication_type.get().copied()
    }

    /// Not for replication connections: they run no transactions.
    #[getter]
    fn autocommit(&self) -> PyResult<bool> {
        Err(unreadable("autocommit"))
    }

    /// Not for replication connections.
    #[getter]
    fn isolation_level(&self) -> PyResult<i64> {
        Err(unreadable("isolation_level"))
    }

    /// Not for replication connections.
    #[getter]
    fn readonly(&self) -> PyResult<bool> {
        Err(unreadable("readonly"))
    }

    /// Not for replication connections.
    #[getter]
    fn deferrable(&self) -> PyResult<bool> {
        Err(unreadable("deferrable"))
    }

    /// Not for replication connections.
    #[getter]
    fn set_session(&self) -> PyResult<bool> {
        Err(unreadable("set_session"))
    }

    /// Not for replication connections.
    #[getter]
    fn set_isolation_level(&self) -> PyResult<bool> {
        Err(unreadable("set_isolation_level"))
    }

    /// Not for replication connections.
    #[getter]
    fn reset(&self) -> PyResult<bool> {
        Err(unreadable("reset"))
    }
}

fn unreadable(name: &str) -> PyErr {
    PyAttributeError::new_err(format!(
        "attribute '{name}' of 'psycopg2.extensions.ReplicationConnection' objects is not readable"
    ))
}
