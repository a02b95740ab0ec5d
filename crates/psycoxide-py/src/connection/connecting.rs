//! Connecting, as an operation.

use psycoxide_net::Stop;
use psycoxide_proto::{Event, Outcome};
use pyo3::prelude::*;

use super::credentials;
use crate::driver::{Next, Operation, OperationContext};
use crate::error;

/// Connecting. The session does it by itself, but asks for what only Python can give.
pub struct Connecting;

impl Operation for Connecting {
    type Output = ();

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        Ok(Next::Resume)
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        let landed = match stop {
            Stop::Event(Event::Done(Outcome { error: Some(report), .. })) => {
                Err(context.connection.get().reported(context.py(), &report, None, None))
            }
            Stop::Event(Event::Done(_)) => {
                return context.connection.get().connected(context.py()).map(Next::Done);
            }
            Stop::Event(Event::Ask(ask)) => {
                credentials::give(context.connection, context.session, ask).map(|()| Next::Resume)
            }
            _ => Err(error::operational("the server began a COPY while connecting")),
        };
        landed.inspect_err(|_| context.session.break_off())
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        _outcome: Option<Outcome>,
    ) -> PyErr {
        context.session.break_off();
        raised
    }
}
