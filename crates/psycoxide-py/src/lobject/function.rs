//! The server's functions for large objects, called by the protocol's FunctionCall message.
//!
//! <https://www.postgresql.org/docs/current/lo-interfaces.html>. Their oids are the same in every
//! version of PostgreSQL.

use psycoxide_proto::Request;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::driver::{Exchange, Next, Operation, TurnGuard};
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

impl Function {
    /// The request that calls the function, with arguments in binary.
    pub fn request(self, arguments: Vec<Vec<u8>>) -> Request {
        Request::function(self as u32, arguments)
    }
}

/// Calls functions, one after another: `follow` gets the result of each, in binary, and returns what
/// comes next.
///
/// # Errors
/// `OperationalError` with the server's message, as in psycopg2.
pub fn calls<T: Send + Sync>(
    first: Request,
    mut follow: impl FnMut(Vec<u8>) -> PyResult<Next<T>> + Send + Sync,
) -> impl Operation<Output = T> {
    Exchange::new(Next::SendInTransaction(first), move |context, outcome| {
        if let Some(report) = outcome.error {
            let quoting = context.connection.get().quote_context(context.py());
            let text = error::report_text(context.py(), &report, None, true, &quoting);
            return Err(error::operational(text.to_string_lossy()));
        }
        let value = outcome.result.and_then(|result| result.function_value).flatten();
        follow(value.unwrap_or_default())
    })
}

/// Calls a function that returns an `int4`.
pub fn call_int4(
    connection: &Bound<'_, Connection>,
    function: Function,
    arguments: Vec<Vec<u8>>,
) -> PyResult<i32> {
    call(connection, function, arguments).map(i32::from_be_bytes)
}

/// Calls a function that returns an `int8`.
pub fn call_int8(
    connection: &Bound<'_, Connection>,
    function: Function,
    arguments: Vec<Vec<u8>>,
) -> PyResult<i64> {
    call(connection, function, arguments).map(i64::from_be_bytes)
}

fn call<const N: usize>(
    connection: &Bound<'_, Connection>,
    function: Function,
    arguments: Vec<Vec<u8>>,
) -> PyResult<[u8; N]> {
    let done = |value: Vec<u8>| {
        let value = value.try_into().map_err(|_| {
            let number = function as u32;
            error::operational(format!("unexpected answer of the server's function {number}"))
        })?;
        Ok(Next::Done(value))
    };
    TurnGuard::take(connection)?.run(calls(function.request(arguments), done))
}
