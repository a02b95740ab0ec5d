//! How a connection stands: what a pool asks when it lends one, and when it gets one back.

use std::time::Instant;

use psycoxide_net::{Closed, Interest, Readiness, Session, wait};
use psycoxide_proto::{Engine, TransactionStatus};
use pyo3::prelude::*;

use super::Channel;
use crate::driver::TurnGuard;
use crate::driver::awaited::LoopDriver;

/// How often a connection at rest is read from before it is lent: a flood of notifications may wait.
const MAX_LOOKS: usize = 8;

/// How a connection stands, as a number for Python.
#[repr(u8)]
enum Standing {
    /// Open and at rest, outside of a transaction.
    Ready = 0,
    /// At rest in a transaction, or in the block of one.
    Transaction = 1,
    /// The end of a statement whose caller is gone is still to come.
    Draining = 2,
    /// Somebody waits for a call, or has not read a stream or a COPY to its end.
    Busy = 3,
    /// Closed, by whatever side.
    Closed = 4,
}

impl Channel {
    fn stands(slf: &Bound<'_, Self>) -> Standing {
        let (py, this) = (slf.py(), slf.get());
        let connection = Self::connection(slf).get();
        let Some(session) = connection.any_session() else { return Standing::Closed };
        if session.closed() != Closed::Open || session.is_inherited() {
            return Standing::Closed;
        }
        let (has_calls, has_callers) = match &this.driver {
            Some(driver) => driver.get().load(py),
            None => (!session.turn().is_free(), true),
        };
        match (has_calls, has_callers) {
            (true, true) => return Standing::Busy,
            (true, false) => return Standing::Draining,
            (false, _) => {}
        }
        let state = connection.state(py);
        let in_block = state.entered || state.tpc.is_some();
        drop(state);
        match session.ask(Engine::transaction_status) {
            Some(TransactionStatus::Idle) if !in_block => Standing::Ready,
            _ => Standing::Transaction,
        }
    }

    /// Reads what the server has sent to a connection at rest: it may have ended the session.
    fn look(slf: &Bound<'_, Self>, session: &Session) -> PyResult<()> {
        // The end may come behind the reason for it.
        for _ in 0..MAX_LOOKS {
            let now = Some(Instant::now());
            if session.closed() != Closed::Open
                || !matches!(wait(session.fd(), Interest::READ, now), Ok(Readiness::Ready))
            {
                break;
            }
            match &slf.get().driver {
                Some(driver) => LoopDriver::look(driver.bind(slf.py())),
                None => TurnGuard::take(Self::connection(slf))?.look(),
            }
        }
        Ok(())
    }
}

#[pymethods]
impl Channel {
    /// standing() -- How the connection stands: 0 at rest, 1 in a transaction, 2 the rest of an
    /// answer is still to come, 3 in use, 4 closed.
    fn standing(slf: &Bound<'_, Self>) -> u8 {
        Self::stands(slf) as u8
    }

    /// check_standing() -- The same, after reading what the server has sent of its own accord. Does
    /// not wait.
    fn check_standing(slf: &Bound<'_, Self>) -> PyResult<u8> {
        let standing = Self::stands(slf);
        if !matches!(standing, Standing::Ready) {
            return Ok(standing as u8);
        }
        if let Some(session) = Self::connection(slf).get().any_session() {
            Self::look(slf, session)?;
        }
        Ok(Self::stands(slf) as u8)
    }
}
