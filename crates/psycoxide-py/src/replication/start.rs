//! The start of a replication stream, as an operation.

use psycoxide_net::Stop;
use psycoxide_proto::{Event, Request};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::cursor::{Cursor, ForCursor};
use crate::driver::{Next, Operation, OperationContext};
use crate::error;

/// Runs the command that begins a stream, and ends when the stream has begun.
pub struct StartStream {
    cursor: ForCursor,
    sql: Vec<u8>,
    /// Why the server's COPY was refused.
    refused: Option<String>,
}

impl StartStream {
    pub fn new(cursor: ForCursor, sql: Vec<u8>) -> Self {
        Self { cursor, sql, refused: None }
    }
}

impl Operation for StartStream {
    type Output = ();

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        Ok(Next::Send(Request::query(std::mem::take(&mut self.sql))))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        if matches!(stop, Stop::Event(Event::CopyBoth(_))) {
            return Ok(Next::Done(()));
        }
        let Some(outcome) = context.outcome(stop, &mut self.refused)? else {
            return Ok(Next::Resume);
        };
        let cursor = self.cursor.get(context.py())?;
        if self.refused.is_some() {
            return Err(error::programming("the command did not start a replication stream"));
        }
        Cursor::take_outcome(&cursor, outcome).map(Next::Done)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.cursor.traverse(visit)
    }
}
