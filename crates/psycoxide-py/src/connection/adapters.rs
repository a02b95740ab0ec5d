//! What adapters take from a connection: `prepare()`.
//!
//! The adapters themselves know no connection, only what is handed to them here.

use pyo3::prelude::*;

use super::Connection;
use crate::adapt::{Binary, List, QuotedString, SqlIn};
use crate::encoding::SessionQuoting;

fn quoting_of(conn: &Bound<'_, Connection>) -> Option<SessionQuoting> {
    Some(conn.get().session_quoting().clone())
}

#[pymethods]
impl Binary {
    /// Takes the quoting rules from a connection.
    #[pyo3(signature = (conn, /))]
    fn prepare(&self, conn: &Bound<'_, Connection>) {
        self.prepared_for().set(conn.py(), conn.clone().into_any().unbind(), quoting_of(conn));
    }
}

#[pymethods]
impl List {
    /// Takes encoding and string style from a connection, which the items' adapters get too.
    #[pyo3(signature = (conn, /))]
    fn prepare(&self, conn: &Bound<'_, Connection>) {
        self.prepared_for().set(conn.py(), conn.clone().into_any().unbind(), quoting_of(conn));
    }
}

#[pymethods]
impl QuotedString {
    /// Takes the encoding and the quoting rules from a connection.
    #[pyo3(signature = (conn, /))]
    fn prepare(&self, conn: &Bound<'_, Connection>) {
        self.prepared_for().set(conn.py(), conn.clone().into_any().unbind(), quoting_of(conn));
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
        let quoting = conn.cast::<Connection>().ok().and_then(quoting_of);
        self.prepared_for().set(conn.py(), conn.clone().unbind(), quoting);
    }
}
