//! Transactions: how they begin and end, and whose they are.

use psycoxide_net::Stop;
use psycoxide_proto::{Outcome, Request};
use psycoxide_sql::command::begin::{Characteristics, IsolationLevel};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::{Channel, Silent, seconds};
use crate::connection::Status;
use crate::driver::awaited::CallOptions;
use crate::driver::{Exchange, Next, Operation, OperationContext, Reply};
use crate::error;
use crate::imports::Lazy;

/// A context variable: the innermost transaction block that the running code is in.
static CURRENT: Lazy = Lazy::new("psycoxide._transactions", "current");
static IN_FAILED_TRANSACTION: Lazy = Lazy::new("psycoxide.errors", "InFailedSqlTransaction");

/// Enters the block of a transaction, behind the calls that came before it: what the connection's
/// state is then decides whether the block is the outermost one.
struct Enter {
    channel: Py<Channel>,
    block: Py<PyAny>,
    characteristics: Characteristics,
}

impl Operation for Enter {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let py = context.py();
        let mut state = context.connection.get().state(py);
        let outermost = !state.entered && state.status != Status::Begin;
        if outermost {
            let usual = state.characteristics;
            state.usual_characteristics = Some(usual);
            state.characteristics = Characteristics {
                isolation: self.characteristics.isolation.or(usual.isolation),
                readonly: self.characteristics.readonly.or(usual.readonly),
                deferrable: self.characteristics.deferrable.or(usual.deferrable),
            };
            state.entered = true;
        }
        drop(state);
        let channel = self.channel.bind(py).get();
        if outermost {
            let entered = Some(self.block.clone_ref(py));
            let old = std::mem::replace(&mut channel.state.lock(py).entered, entered);
            drop(old);
        } else {
            channel.disown(self.block.bind(py));
            if self.characteristics != Characteristics::default() {
                return Err(error::programming(
                    "isolation, read_only and deferrable are for the outermost transaction",
                ));
            }
        }
        Ok(Next::Done(Reply::Object(PyBool::new(py, outermost).to_owned().into_any().unbind())))
    }

    fn land(&mut self, _context: OperationContext<'_, '_>, _stop: Stop) -> PyResult<Next<Reply>> {
        Err(error::internal("an answer to what was not sent"))
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.channel)?;
        visit.call(&self.block)
    }
}

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
    /// The connection does not belong to this block, if it did.
    pub(super) fn disown(&self, block: &Bound<'_, PyAny>) {
        let mut state = self.state.lock(block.py());
        let old = state.owner.take_if(|owner| owner.is(block));
        drop(state);
        drop(old);
    }

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
    /// enter_transaction(block, owns, isolation, read_only, deferrable) -- Returns whether `block`
    /// is the outermost one: then the next statement begins a transaction. If `owns`, only code
    /// within the block may use the connection, from now on.
    #[pyo3(signature = (block, owns, isolation, read_only, deferrable, /))]
    fn enter_transaction<'py>(
        slf: &Bound<'py, Self>,
        block: Py<PyAny>,
        owns: bool,
        isolation: Option<&str>,
        read_only: Option<bool>,
        deferrable: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
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
        Self::connection(slf).get().usable_session()?;
        if owns {
            let mut state = this.state.lock(py);
            state.owner.get_or_insert_with(|| block.clone_ref(py));
        }
        let channel = slf.clone().unbind();
        let characteristics = Characteristics { isolation, readonly: read_only, deferrable };
        Self::run(slf, Enter { channel, block, characteristics }, CallOptions::default())
    }

    /// stop_entering(block) -- Forgets a block whose entry failed. Returns whether it was entered as
    /// the outermost one all the same, so that it has to be left.
    fn stop_entering(&self, block: &Bound<'_, PyAny>) -> bool {
        self.disown(block);
        let state = self.state.lock(block.py());
        state.entered.as_ref().is_some_and(|entered| entered.is(block))
    }

    /// leave_transaction(commits, detached) -- Ends the block's transaction. Its end is awaited even
    /// if the caller is cancelled; if `detached`, an event loop does that.
    #[pyo3(signature = (commits, detached, /))]
    fn leave_transaction<'py>(
        slf: &Bound<'py, Self>,
        commits: bool,
        detached: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut state = slf.get().state.lock(slf.py());
        let old = (state.owner.take(), state.entered.take());
        drop(state);
        drop(old);
        let options = CallOptions { shielded: true, detached, ..CallOptions::default() };
        Self::run(slf, Silent(End { commits, leaves_block: true }), options)
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
        let options =
            CallOptions { timeout: seconds(timeout)?, shielded: true, ..CallOptions::default() };
        Self::run(slf, Silent(End { commits, leaves_block: false }), options)
    }

    /// command(sql, shielded, detached) -- Runs a statement of the driver's own, in a transaction.
    #[pyo3(signature = (sql, shielded, detached, /))]
    fn command<'py>(
        slf: &Bound<'py, Self>,
        sql: &str,
        shielded: bool,
        detached: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::check_owner(slf)?;
        let options = CallOptions { shielded, detached, ..CallOptions::default() };
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
}
