//! Streaming replication: connections, cursors and messages.
//!
//! <https://www.postgresql.org/docs/current/protocol-replication.html>

mod connection;
mod cursor;
mod message;
mod start;

use pyo3::prelude::*;

/// Exports the replication classes.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<connection::ReplicationConnection>()?;
    module.add_class::<cursor::ReplicationCursor>()?;
    module.add_class::<message::ReplicationMessage>()
}
