//! The server's functions for large objects, called by the protocol's FunctionCall.
//!
//! <https://www.postgresql.org/docs/current/lo-interfaces.html>. Their oids are the same in every
//! PostgreSQL.

use psycoxide_proto::Request;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::driver::Operation;
use crate::error;

/// A function of `pg_proc`.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Open = 952,
    Close = 953,
    Read = 954,
    Write = 955,
    Create = 715,
    Creat = 957,
    Unlink = 964,
    Seek = 3170,
    Tell = 3171,
    Truncate = 3172,
}

/// Calls a function with arguments in binary; the answer is its result in binary.
///
/// # Errors
/// `OperationalError` with the server's words, as psycopg2 gives.
pub fn call(
    connection: &Bound<'_, Connection>,
    function: Function,
    arguments: Vec<Vec<u8>>,
) -> PyResult<Vec<u8>> {
    let operation = Operation::begin(connection)?;
    let request = Request::function(function as u32, arguments);
    let outcome = operation.complete_in_transaction(request)?;
    if let Some(report) = outcome.error {
        let py = connection.py();
        let context = connection.get().quote_context(py);
        let text = error::report_text(py, &report, None, true, &context);
        return Err(error::operational(text.to_string_lossy()));
    }
    Ok(outcome.result.and_then(|result| result.function_value).flatten().unwrap_or_default())
}

/// The same for a function that gives an `int4`.
pub fn call_int4(
    connection: &Bound<'_, Connection>,
    function: Function,
    arguments: Vec<Vec<u8>>,
) -> PyResult<i32> {
    let value = call(connection, function, arguments)?;
    value.try_into().map(i32::from_be_bytes).map_err(|_| unexpected(function))
}

/// The same for a function that gives an `int8`.
pub fn call_int8(
    connection: &Bound<'_, Connection>,
    function: Function,
    arguments: Vec<Vec<u8>>,
) -> PyResult<i64> {
    let value = call(connection, function, arguments)?;
    value.try_into().map(i64::from_be_bytes).map_err(|_| unexpected(function))
}

fn unexpected(function: Function) -> PyErr {
    error::operational(format!("unexpected answer of the server's function {}", function as u32))
}
