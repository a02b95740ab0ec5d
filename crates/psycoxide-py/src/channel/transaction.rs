//! Transactions: how they begin and end, and whose they are.

use psycoxide_net::Stop;
use psycoxide_proto::{Outcome, Request};
use psycoxide_sql::command::begin::{Characteristics, IsolationLevel};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{Channel, Silent, seconds};
use crate::driver::awaited::CallOptions;
use crate::driver::{Exchange, Next, Operation, OperationContext};
use crate::error;
use crate::imports::Lazy;

/// A context variable: the innermost transaction block that the running code is in.
static CURRENT: Lazy = Lazy::new("psycoxide._transactions", "current");
static IN_FAILED_TRANSACTION: Lazy = Lazy::new("psycoxide.errors", "InFailedSqlTransaction");

/// Ends the transaction that the driver has begun; sends nothing if there is none.
struct End {
    commits: bool,
    /// The transaction is that of a block.
    leaves_block: bool,
}

impl Operation for End {
    type Output = ();

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        let command = if self.commits { "COMMIT" } else { "ROLLBACK" };
        let mut state = context.connection.get().state(context.py());
        if self.leaves_block {
            state.entered = false;
            state.characteristics = state.usual_characteristics.take().unwrap_or_default();
        }
        Ok(match state.end(command) {
            Some(command) => Next::Send(Request::query(command)),
            None => Next::Done(()),
        })
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        let py = context.py();
        let Some(outcome) = context.outcome(stop, &mut None)? else { return Ok(Next::Resume) };
        if let Some(report) = outcome.error {
            return Err(context.connection.get().reported(py, &report, None, None));
        }
        let rolled_back = outcome.result.is_some_and(|result| *result.tag == *b"ROLLBACK");
        if self.commits && rolled_back {
            let class = IN_FAILED_TRANSACTION.bind(py)?;
            let raised = class.call1((
                "the transaction was rolled back instead of committed: a statement in it has \
                 failed, and the error was caught",
            ))?;
            return Err(PyErr::from_value(raised));
        }
        Ok(Next::Done(()))
    }
}

/// A statement of the driver's own within a transaction.
fn command(sql: Vec<u8>) -> impl Operation<Output = ()> {
    let report = |context: OperationContext<'_, '_>, outcome: Outcome| match outcome.error {
        Some(report) => Err(context.connection.get().reported(context.py(), &report, None, None)),
        None => Ok(Next::Done(())),
    };
    Exchange::new(Next::SendInTransaction(Request::statement(sql)), report)
}

impl Channel {
    /// Refuses the code of a task that is outside of the block whose transaction is open.
    pub(super) fn check_owner(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some(owner) = this.state.lock(py).owner.as_ref().map(|owner| owner.clone_ref(py))
        else {
            return Ok(());
        };
        let mut block = CURRENT.bind(py)?.call_method0("get")?;
        while !block.is_none() {
            if block.is(&owner) {
                return Ok(());
            }
            block = block.getattr("outer")?;
        }
        Err(error::programming(
            "the connection is in the transaction of another task: use a connection of its own for \
             each task, or start this task within the block of the transaction",
        ))
    }
}

#[pymethods]
impl Channel {
    /// enter_transaction(owner, isolation, read_only, deferrable) -- The next statement begins a
    /// transaction. If `owner` is not `None`, only code within that block may use the connection.
    #[pyo3(signature = (owner, isolation, read_only, deferrable, /))]
    fn enter_transaction(
        slf: &Bound<'_, Self>,
        owner: Option<Py<PyAny>>,
        isolation: Option<&str>,
        read_only: Option<bool>,
        deferrable: Option<bool>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        Self::check_owner(slf)?;
        let isolation = match isolation {
            None => None,
            Some(name) => {
                Some(IsolationLevel::from_name(&name.replace('_', " ")).ok_or_else(|| {
                    PyValueError::new_err(format!("there is no isolation level {name:?}"))
                })?)
            }
        };
        let connection = Self::connection(slf).get();
        connection.usable_session()?;
        {
            let mut state = connection.state(py);
            let usual = state.characteristics;
            state.usual_characteristics = Some(usual);
            state.characteristics = Characteristics {
                isolation: isolation.or(usual.isolation),
                readonly: read_only.or(usual.readonly),
                deferrable: deferrable.or(usual.deferrable),
            };
            state.entered = true;
        }
        let old = std::mem::replace(&mut this.state.lock(py).owner, owner);
        drop(old);
        Ok(())
    }

    /// leave_transaction(commits) -- Ends the block's transaction; its end is awaited even if the
    /// caller is cancelled.
    #[pyo3(signature = (commits, timeout, /))]
    fn leave_transaction<'py>(
        slf: &Bound<'py, Self>,
        commits: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let owner = slf.get().state.lock(slf.py()).owner.take();
        drop(owner);
        Self::end(slf, End { commits, leaves_block: true }, timeout)
    }

    /// end_transaction(commits, timeout) -- `commit()` and `rollback()`.
    #[pyo3(signature = (commits, timeout, /))]
    fn end_transaction<'py>(
        slf: &Bound<'py, Self>,
        commits: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        Self::connection(slf).get().refuse_tpc(slf.py(), "commit() and rollback()")?;
        Self::end(slf, End { commits, leaves_block: false }, timeout)
    }

    /// command(sql, shielded, timeout) -- Runs a statement of the driver's own, in a transaction.
    #[pyo3(signature = (sql, shielded, timeout, /))]
    fn command<'py>(
        slf: &Bound<'py, Self>,
        sql: &str,
        shielded: bool,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        let options =
            CallOptions { timeout: seconds(timeout)?, shielded, ..CallOptions::default() };
        Self::run(slf, Silent(command(sql.as_bytes().to_vec())), options)
    }

    /// Whether the connection is within the block of a transaction.
    #[getter]
    fn in_block(slf: &Bound<'_, Self>) -> bool {
        Self::connection(slf).get().state(slf.py()).entered
    }

    /// check_open() -- Raises what a call on a closed connection raises.
    fn check_open(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        match &this.driver {
            Some(driver) => driver.get().check_open(py),
            None => Self::connection(slf).get().open_session().map(drop),
        }
    }

    /// Whether a transaction is open, or begins with the next statement of its block.
    #[getter]
    fn in_transaction(slf: &Bound<'_, Self>) -> bool {
        let state = Self::connection(slf).get().state(slf.py());
        state.entered || state.status == crate::connection::Status::Begin
    }
}

impl Channel {
    fn end<'py>(
        slf: &Bound<'py, Self>,
        end: End,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options =
            CallOptions { timeout: seconds(timeout)?, shielded: true, ..CallOptions::default() };
        Self::run(slf, Silent(end), options)
    }
}
