//! `prepare()` of the adapters, which takes the quoting rules from a connection.
//!
//! The adapters' own files do not know connections, only the values that are passed to them here.

use pyo3::prelude::*;

use super::Connection;
use crate::adapt::{AdapterConnection, Binary, List, QuotedString, SqlIn};

fn prepare(adapter: &AdapterConnection, conn: &Bound<'_, PyAny>) {
    let connection = conn.cast::<Connection>().ok();
    let session = connection.map(|connection| connection.get().session_quoting().clone());
    adapter.set(conn.py(), conn.clone().unbind(), session);
}

#[pymethods]
impl Binary {
    /// Takes the quoting rules from a connection.
    #[pyo3(signature = (conn, /))]
    fn prepare(&self, conn: &Bound<'_, Connection>) {
        prepare(self.adapter_connection(), conn.as_any());
    }
}

#[pymethods]
impl List {
    /// Takes encoding and string style from a connection, which the items' adapters get too.
    #[pyo3(signature = (conn, /))]
    fn prepare(&self, conn: &Bound<'_, Connection>) {
        prepare(self.adapter_connection(), conn.as_any());
    }
}

#[pymethods]
impl QuotedString {
    /// Takes the encoding and the quoting rules from a connection.
    #[pyo3(signature = (conn, /))]
    fn prepare(&self, conn: &Bound<'_, Connection>) {
        prepare(self.adapter_connection(), conn.as_any());
    }
}

#[pymethods]
impl SqlIn {
    /// Keeps the connection for the items' adapters.
    #[pyo3(signature = (conn))]
    fn prepare(&self, conn: &Bound<'_, PyAny>) {
        self.set_conn(conn);
    }

    #[setter(_conn)]
    fn set_conn(&self, conn: &Bound<'_, PyAny>) {
        prepare(self.adapter_connection(), conn);
    }
}
