//! Two-phase commit (PEP 249).

use psycoxide_net::Stop;
use psycoxide_proto::Request;
use psycoxide_sql::command::tpc;
use pyo3::prelude::*;

use super::{Channel, Silent, seconds};
use crate::connection::{State, Status};
use crate::driver::awaited::CallOptions;
use crate::driver::{Next, Operation, OperationContext};
use crate::error;
use crate::xid::Xid;

/// A step of a two-phase transaction.
struct TwoPhase {
    sql: Vec<u8>,
    /// Notes what follows from the step's success.
    succeeded: Box<dyn FnMut(&mut State) + Send + Sync>,
}

impl Operation for TwoPhase {
    type Output = ();

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        Ok(Next::Send(Request::query(std::mem::take(&mut self.sql))))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        let connection = context.connection.get();
        let Some(outcome) = context.outcome(stop, &mut None)? else { return Ok(Next::Resume) };
        if let Some(report) = outcome.error {
            return Err(connection.reported(context.py(), &report, None, None));
        }
        (self.succeeded)(&mut connection.state(context.py()));
        Ok(Next::Done(()))
    }
}

/// The transaction is over.
fn over(state: &mut State) {
    state.transaction_ended();
    state.tpc = None;
}

impl Channel {
    fn run_step<'py>(
        slf: &Bound<'py, Self>,
        sql: Vec<u8>,
        timeout: Option<f64>,
        succeeded: impl FnMut(&mut State) + Send + Sync + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        let step = TwoPhase { sql, succeeded: Box::new(succeeded) };
        let options =
            CallOptions { timeout: seconds(timeout)?, shielded: true, ..CallOptions::default() };
        Self::run(slf, Silent(step), options)
    }

    fn xid_literal(slf: &Bound<'_, Self>, xid: &str) -> PyResult<Vec<u8>> {
        Self::connection(slf).get().quote_context(slf.py()).literal(xid.as_bytes())
    }

    fn finish_two_phase<'py>(
        slf: &Bound<'py, Self>,
        xid: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
        one_phase: &[u8],
        two_phase: fn(&[u8]) -> Vec<u8>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        let (status, own) = {
            let state = Self::connection(slf).get().state(slf.py());
            (state.status, state.tpc.clone())
        };
        if let Some(xid) = xid {
            if status != Status::Ready {
                return Err(error::programming(
                    "tpc_commit() and tpc_rollback() with a xid are for outside of a transaction",
                ));
            }
            let xid = Xid::from_object(xid)?.try_borrow()?.text(slf.py())?;
            let sql = two_phase(&Self::xid_literal(slf, &xid)?);
            return Self::run_step(slf, sql, timeout, |_| {});
        }
        let Some(own) = own else {
            return Err(error::programming(
                "tpc_commit() and tpc_rollback() without a xid are for a two-phase transaction: \
                 call tpc_begin() first",
            ));
        };
        let sql = match status {
            Status::Prepared => two_phase(&Self::xid_literal(slf, &own)?),
            _ => one_phase.to_vec(),
        };
        Self::run_step(slf, sql, timeout, over)
    }
}

#[pymethods]
impl Channel {
    /// tpc_begin(xid, timeout) -- Begins a two-phase transaction.
    #[pyo3(signature = (xid, timeout, /))]
    fn tpc_begin<'py>(
        slf: &Bound<'py, Self>,
        xid: &Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        let xid = Xid::from_object(xid)?.try_borrow()?.text(slf.py())?;
        let (in_transaction, begin) = {
            let state = Self::connection(slf).get().state(slf.py());
            (state.status != Status::Ready || state.entered, state.characteristics.begin())
        };
        if in_transaction {
            return Err(error::programming("tpc_begin() cannot be used inside a transaction"));
        }
        Self::run_step(slf, begin.into_bytes(), timeout, move |state| {
            state.status = Status::Begin;
            state.tpc = Some(xid.clone());
        })
    }

    /// recover_query() -- The query for the prepared transactions.
    #[staticmethod]
    fn recover_query() -> &'static str {
        tpc::RECOVER
    }

    /// recovered(gid, prepared, owner, database) -- The `Xid` of one of its rows.
    #[staticmethod]
    fn recovered(
        py: Python<'_>,
        gid: &str,
        prepared: Py<PyAny>,
        owner: Py<PyAny>,
        database: Py<PyAny>,
    ) -> Xid {
        Xid::recovered(py, gid, prepared, owner, database)
    }

    /// tpc_prepare(timeout) -- The first phase.
    #[pyo3(signature = (timeout, /))]
    fn tpc_prepare<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        Self::connection(slf).get().refuse_tpc_prepared(slf.py(), "tpc_prepare()")?;
        let Some(xid) = Self::connection(slf).get().state(slf.py()).tpc.clone() else {
            return Err(error::programming(
                "tpc_prepare() is for a two-phase transaction: call tpc_begin() first",
            ));
        };
        let sql = tpc::prepare(&Self::xid_literal(slf, &xid)?);
        Self::run_step(slf, sql, timeout, |state| state.status = Status::Prepared)
    }

    /// tpc_commit(xid, timeout) -- The second phase, or the only one.
    #[pyo3(signature = (xid, timeout, /))]
    fn tpc_commit<'py>(
        slf: &Bound<'py, Self>,
        xid: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::finish_two_phase(slf, xid, timeout, b"COMMIT", tpc::commit)
    }

    /// tpc_rollback(xid, timeout) -- Rolls back.
    #[pyo3(signature = (xid, timeout, /))]
    fn tpc_rollback<'py>(
        slf: &Bound<'py, Self>,
        xid: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::finish_two_phase(slf, xid, timeout, b"ROLLBACK", tpc::rollback)
    }
}
