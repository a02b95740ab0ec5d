//! Statements that the driver sends for its own purposes.

use std::collections::VecDeque;

use psycoxide_net::Stop;
use psycoxide_proto::Request;
use pyo3::prelude::*;

use crate::driver::{Next, Operation, OperationContext, unasked_copy};

/// Runs statements that return no rows, one after another, outside transactions, and stops at the
/// first error.
#[derive(Default)]
pub struct Commands {
    commands: VecDeque<Vec<u8>>,
    refused: Option<String>,
}

impl Commands {
    /// One statement.
    pub fn one(sql: Vec<u8>) -> Self {
        [sql].into_iter().collect()
    }

    fn next(&mut self) -> Next<()> {
        match self.commands.pop_front() {
            Some(sql) => Next::Send(Request::query(sql)),
            None => Next::Done(()),
        }
    }
}

impl FromIterator<Vec<u8>> for Commands {
    fn from_iter<T: IntoIterator<Item = Vec<u8>>>(commands: T) -> Self {
        Self { commands: commands.into_iter().collect(), refused: None }
    }
}

impl Operation for Commands {
    type Output = ();

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        Ok(self.next())
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        let Some(outcome) = context.outcome(stop, &mut self.refused)? else {
            return Ok(Next::Resume);
        };
        if self.refused.is_some() {
            return Err(unasked_copy());
        }
        match outcome.error {
            Some(report) => {
                Err(context.connection.get().reported(context.py(), &report, None, None))
            }
            None => Ok(self.next()),
        }
    }
}
