//! `psycoxide._psycopg`: the native module. Registrations only; each room says what it exports.

mod adapt;
mod cast;
mod connection;
mod cursor;
mod error;
mod imports;
mod row;

use pyo3::prelude::*;

#[pymodule]
fn _psycopg(module: &Bound<'_, PyModule>) -> PyResult<()> {
    error::register(module)?;
    adapt::register(module)?;
    cast::register(module)?;
    connection::register(module)?;
    cursor::register(module)?;
    Ok(())
}
