//! Two-phase commit (PEP 249).

use psycoxide_sql::command::tpc;
use pyo3::prelude::*;

use super::commands::command;
use super::{Connection, Status};
use crate::driver::TurnGuard;
use crate::error;
use crate::xid::Xid;

impl Connection {
    /// Refuses a method that would end a two-phase transaction in the wrong way.
    pub fn refuse_tpc(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        if self.state(py).tpc.is_some() {
            return Err(error::programming(format!(
                "{what} cannot be used during a two-phase transaction"
            )));
        }
        Ok(())
    }

    fn tpc_command(slf: &Bound<'_, Self>, write: fn(&[u8]) -> Vec<u8>, xid: &str) -> PyResult<()> {
        let literal = slf.get().quote_context(slf.py()).literal(xid.as_bytes())?;
        TurnGuard::take(slf)?.run(command(write(&literal)))
    }

    /// `tpc_commit()` and `tpc_rollback()`.
    fn tpc_finish(
        slf: &Bound<'_, Self>,
        xid: Option<&Bound<'_, PyAny>>,
        name: &str,
        one_phase: &str,
        two_phase: fn(&[u8]) -> Vec<u8>,
    ) -> PyResult<()> {
        let this = slf.get();
        this.refuse_blank(error::not_supported)?;
        this.open_session()?;
        this.refuse_async(slf.py(), name)?;
        let (status, own) = {
            let state = this.state(slf.py());
            (state.status, state.tpc.clone())
        };
        if let Some(xid) = xid.filter(|xid| !xid.is_none()) {
            // A transaction that was prepared earlier, perhaps by another program.
            if status != Status::Ready {
                return Err(error::programming(
                    "tpc_commit/tpc_rollback with a xid must be called outside a transaction",
                ));
            }
            let xid = Xid::from_object(xid)?.try_borrow()?.text(slf.py())?;
            return Self::tpc_command(slf, two_phase, &xid);
        }
        let Some(own) = own else {
            return Err(error::programming(
                "tpc_commit/tpc_rollback with no parameter must be called in a two-phase transaction",
            ));
        };
        if status == Status::Prepared {
            Self::tpc_command(slf, two_phase, &own)?;
            this.state(slf.py()).transaction_ended();
        } else {
            Self::end_transaction(slf, one_phase)?;
        }
        this.state(slf.py()).tpc = None;
        Ok(())
    }
}

#[pymethods]
impl Connection {
    /// xid(format_id, gtrid, bqual) -> Xid -- A transaction identifier for the `tpc_` methods.
    ///
    /// Raises ValueError if the format is not from 0 to 2147483647, or one of the two strings is
    /// longer than 64 characters or not printable ASCII.
    fn xid<'py>(
        slf: &Bound<'py, Self>,
        format_id: &Bound<'py, PyAny>,
        gtrid: &Bound<'py, PyAny>,
        bqual: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().refuse_blank(error::not_supported)?;
        slf.get().usable_session()?;
        slf.py().get_type::<Xid>().call1((format_id, gtrid, bqual))
    }

    /// tpc_begin(xid) -- Begin a two-phase transaction with this identifier: an `Xid` or a str.
    ///
    /// Only `tpc_commit()` and `tpc_rollback()` end it. Raises ProgrammingError within a
    /// transaction and in autocommit mode, NotSupportedError if the server is too old.
    fn tpc_begin(slf: &Bound<'_, Self>, xid: &Bound<'_, PyAny>) -> PyResult<()> {
        let this = slf.get();
        this.refuse_blank(error::not_supported)?;
        this.open_session()?;
        this.refuse_async(slf.py(), "tpc_begin")?;
        let xid = Xid::from_object(xid)?.try_borrow()?.text(slf.py())?;
        let (status, autocommit, begin) = {
            let state = this.state(slf.py());
            (state.status, state.autocommit, state.characteristics.begin())
        };
        if status != Status::Ready {
            return Err(error::programming("tpc_begin cannot be used inside a transaction"));
        }
        if autocommit {
            return Err(error::programming("tpc_begin can't be called in autocommit mode"));
        }
        TurnGuard::take(slf)?.run(command(begin.into_bytes()))?;
        let mut state = this.state(slf.py());
        state.status = Status::Begin;
        state.tpc = Some(xid);
        Ok(())
    }

    /// tpc_prepare() -- Perform the first phase: `PREPARE TRANSACTION`.
    ///
    /// After it only `tpc_commit()` and `tpc_rollback()` are allowed. Raises ProgrammingError
    /// outside a two-phase transaction, and the server's errors: `ObjectNotInPrerequisiteState` if
    /// its `max_prepared_transactions` is 0.
    fn tpc_prepare(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.refuse_blank(error::programming)?;
        this.open_session()?;
        this.refuse_async(slf.py(), "tpc_prepare")?;
        this.refuse_tpc_prepared(slf.py(), "tpc_prepare")?;
        let Some(xid) = this.state(slf.py()).tpc.clone() else {
            return Err(error::programming(
                "prepare must be called inside a two-phase transaction",
            ));
        };
        Self::tpc_command(slf, tpc::prepare, &xid)?;
        this.state(slf.py()).status = Status::Prepared;
        Ok(())
    }

    /// tpc_commit(xid=None) -- Commit a two-phase transaction.
    ///
    /// Without `xid` it is this connection's transaction, committed in a single phase if it is not
    /// prepared. With `xid` it is the transaction that was prepared with that identifier, here or
    /// elsewhere. Raises ProgrammingError if the state does not allow it, `errors.UndefinedObject`
    /// if there is no such transaction.
    #[pyo3(signature = (xid=None))]
    fn tpc_commit(slf: &Bound<'_, Self>, xid: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        Self::tpc_finish(slf, xid, "tpc_commit", "COMMIT", tpc::commit)
    }

    /// tpc_rollback(xid=None) -- Roll a two-phase transaction back; as `tpc_commit()`.
    #[pyo3(signature = (xid=None))]
    fn tpc_rollback(slf: &Bound<'_, Self>, xid: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        Self::tpc_finish(slf, xid, "tpc_rollback", "ROLLBACK", tpc::rollback)
    }
}
