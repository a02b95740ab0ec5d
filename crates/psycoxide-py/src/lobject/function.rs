//! The server's functions for large objects, called by the protocol's FunctionCall message.
//!
//! <https://www.postgresql.org/docs/current/lo-interfaces.html>. Their oids are the same in every
//! version of PostgreSQL.

use psycoxide_net::Stop;
use psycoxide_proto::Request;
use pyo3::prelude::*;

use crate::connection::Connection;
use crate::driver::{Next, Operation, OperationContext, TurnGuard, unasked_copy};
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

/// What follows the result of a call.
pub enum Then<T> {
    Call(Request),
    Done(T),
}

/// Calls of functions, one after another: `follow` gets the result of each, in binary, and returns
/// what comes next.
pub struct Calls<F> {
    first: Option<Request>,
    follow: F,
    refused: Option<String>,
}

impl<F> Calls<F> {
    pub fn new(first: Request, follow: F) -> Self {
        Self { first: Some(first), follow, refused: None }
    }
}

impl<T, F> Operation for Calls<F>
where
    F: FnMut(Vec<u8>) -> PyResult<Then<T>> + Send + Sync,
{
    type Output = T;

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<T>> {
        let twice = || error::internal("a call that was launched twice");
        self.first.take().map(Next::SendInTransaction).ok_or_else(twice)
    }

    /// # Errors
    /// `OperationalError` with the server's message, as in psycopg2.
    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<T>> {
        let Some(outcome) = context.outcome(stop, &mut self.refused)? else {
            return Ok(Next::Resume);
        };
        if self.refused.is_some() {
            return Err(unasked_copy());
        }
        if let Some(report) = outcome.error {
            let quoting = context.connection.get().quote_context(context.py());
            let text = error::report_text(context.py(), &report, None, true, &quoting);
            return Err(error::operational(text.to_string_lossy()));
        }
        let value = outcome.result.and_then(|result| result.function_value).flatten();
        Ok(match (self.follow)(value.unwrap_or_default())? {
            Then::Call(request) => Next::SendInTransaction(request),
            Then::Done(output) => Next::Done(output),
        })
    }
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
        Ok(Then::Done(value))
    };
    TurnGuard::take(connection)?.run(Calls::new(function.request(arguments), done))
}
