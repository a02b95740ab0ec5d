//! Requests without a pause, one after another, as an operation.

use psycoxide_net::Stop;
use psycoxide_proto::{Outcome, Request};
use pyo3::prelude::*;

use super::operation::{Next, Operation, OperationContext};
use crate::error;

/// Runs a request, which must not begin a COPY. `follow` gets its outcome and returns what comes
/// next: another request, or the output.
pub struct Exchange<T, F> {
    first: Option<Next<T>>,
    follow: F,
    refused: Option<String>,
}

impl<T, F> Exchange<T, F>
where
    F: FnMut(OperationContext<'_, '_>, Outcome) -> PyResult<Next<T>> + Send + Sync,
{
    pub fn new(first: Next<T>, follow: F) -> Self {
        Self { first: Some(first), follow, refused: None }
    }
}

/// A request whose outcome is the output.
pub type OneRequest =
    Exchange<Outcome, fn(OperationContext<'_, '_>, Outcome) -> PyResult<Next<Outcome>>>;

impl OneRequest {
    /// The request in a transaction: one begins if there is none, outside autocommit mode.
    pub fn in_transaction(request: Request) -> Self {
        Self::new(Next::SendInTransaction(request), |_, outcome| Ok(Next::Done(outcome)))
    }
}

impl<T, F> Operation for Exchange<T, F>
where
    T: Send + Sync,
    F: FnMut(OperationContext<'_, '_>, Outcome) -> PyResult<Next<T>> + Send + Sync,
{
    type Output = T;

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<T>> {
        self.first.take().ok_or_else(|| error::internal("an operation that was launched twice"))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<T>> {
        match context.outcome(stop, &mut self.refused)? {
            None => Ok(Next::Resume),
            Some(_) if self.refused.is_some() => {
                Err(error::internal("the server began a COPY that was not asked for"))
            }
            Some(outcome) => (self.follow)(context, outcome),
        }
    }
}
