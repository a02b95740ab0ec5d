//! Asking the server whether it is there.

use psycoxide_proto::{Outcome, Request};
use pyo3::prelude::*;

use super::{Channel, Silent, seconds};
use crate::driver::awaited::CallOptions;
use crate::driver::{Exchange, Next, OperationContext};

#[pymethods]
impl Channel {
    /// ping(timeout) -- Asks the server for an answer, without a statement.
    fn ping<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let follow = |context: OperationContext<'_, '_>, outcome: Outcome| match outcome.error {
            Some(report) => {
                Err(context.connection.get().reported(context.py(), &report, None, None))
            }
            None => Ok(Next::Done(())),
        };
        let options =
            CallOptions { timeout: seconds(timeout)?, pipelined: true, ..CallOptions::default() };
        Self::run(slf, Silent(Exchange::new(Next::Send(Request::sync()), follow)), options)
    }
}
