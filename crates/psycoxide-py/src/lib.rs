//! `psycoxide._psycopg`: the native module. Registrations only; each room says what it exports.

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod adapt;
mod arrow;
mod cast;
mod channel;
mod connection;
mod conventions;
mod cursor;
mod driver;
mod encoding;
mod error;
mod exception;
mod guarded;
mod imports;
mod interpreter;
mod late;
mod lobject;
mod notify;
mod object;
mod once;
mod replication;
mod row;
mod scope;
mod text;
mod version;
mod xid;

use pyo3::prelude::*;

// A free-threaded interpreter turns its GIL on for this module: nobody has tried it without.
#[pymodule(gil_used = true)]
fn _psycopg(module: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::claim(module.py())?;
    psycoxide_net::count_forks();
    late::register(module)?;
    error::register(module)?;
    encoding::register(module)?;
    adapt::register(module)?;
    arrow::register(module)?;
    cast::register(module)?;
    channel::register(module)?;
    connection::register(module)?;
    cursor::register(module)?;
    driver::green::register(module)?;
    lobject::register(module)?;
    notify::register(module)?;
    replication::register(module)?;
    row::register(module)?;
    scope::register(module)?;
    version::register(module)?;
    xid::register(module)
}
