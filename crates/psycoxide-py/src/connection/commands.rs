//! Statements of the driver's own, as an operation.

use std::iter;

use psycoxide_proto::Request;

use crate::driver::{Exchange, Next, Operation};

/// Runs statements that return no rows, one after another, without a transaction around them, up to
/// the first that fails.
pub fn commands<I>(list: I) -> impl Operation<Output = ()>
where
    I: IntoIterator<Item = Vec<u8>, IntoIter: Send + Sync>,
{
    let mut requests = list.into_iter().map(Request::query).map(Next::Send);
    let mut next = move || requests.next().unwrap_or(Next::Done(()));
    Exchange::new(next(), move |context, outcome| match outcome.error {
        Some(report) => Err(context.connection.get().reported(context.py(), &report, None, None)),
        None => Ok(next()),
    })
}

/// Runs one such statement.
pub fn command(sql: Vec<u8>) -> impl Operation<Output = ()> {
    commands(iter::once(sql))
}
