//! Asynchronous use: `poll()`, `fileno()`, and what goes with them.

use psycoxide_net::{Closed, Session};
use pyo3::prelude::*;

use super::{Connection, Status};
use crate::driver::polled::{self, POLL_OK, POLL_WRITE, PolledOperation};
use crate::driver::{TurnGuard, deliver};
use crate::error;

impl Connection {
    /// Keeps the operation that `poll()` drives.
    pub fn set_running(&self, py: Python<'_>, running: PolledOperation) {
        let old = self.objects(py).running.replace(running);
        drop(old);
    }

    /// Takes the operation that `poll()` drives.
    pub fn take_running(&self, py: Python<'_>) -> Option<PolledOperation> {
        self.objects(py).running.take()
    }

    /// The result of `poll()` if it does nothing: at the first call, as in psycopg2, and after
    /// connecting has failed.
    fn poll_connecting(&self, py: Python<'_>, session: &Session) -> Option<PyResult<i32>> {
        let mut state = self.state(py);
        match (session.closed(), state.is_connecting()) {
            (Closed::Open, true) if state.status == Status::Setup => {
                state.status = Status::Connecting;
                Some(Ok(POLL_WRITE))
            }
            (Closed::Broken, true) => {
                let text = state.error_message.clone().unwrap_or_default();
                drop(state);
                Some(Err(error::operational(text)))
            }
            _ => None,
        }
    }
}

#[pymethods]
impl Connection {
    /// poll() -> int -- Go on with connecting or with a query, without blocking.
    ///
    /// Returns `extensions.POLL_OK` when it is done, `POLL_READ` or `POLL_WRITE` when the socket
    /// must become readable or writable first; while connecting, `fileno()` may return another
    /// socket each time. On an idle connection it reads notifications and notices. Raises the
    /// query's error, InterfaceError if the connection is closed.
    fn poll(slf: &Bound<'_, Self>) -> PyResult<i32> {
        let this = slf.get();
        let session = this.session()?;
        this.claim()?;
        if let Some(polled) = this.poll_connecting(slf.py(), session) {
            return polled;
        }
        // The end of an operation is reported even if the session ended with it.
        if session.is_polled() && session.closed() != Closed::ByUser {
            let polled = polled::poll(slf, session);
            return polled.inspect_err(|raised| this.note_error(raised, slf.py()));
        }
        let session = this.open_session()?;
        if session.is_streaming() {
            return Ok(POLL_OK);
        }
        let turn = TurnGuard::take(slf)?;
        let poked = session.poke();
        let delivered = deliver(slf, session);
        drop(turn);
        poked.map_err(|error| error::from_net(&error))?;
        delivered.map(|()| POLL_OK)
    }

    /// fileno() -> int -- The descriptor of the connection's socket, for select and the like.
    ///
    /// Raises InterfaceError if the connection is closed.
    fn fileno(&self) -> PyResult<i32> {
        if self.is_blank() { Ok(-1) } else { Ok(self.usable_session()?.fd()) }
    }

    /// isexecuting() -> bool -- Whether an asynchronous query runs, or connecting goes on; False if
    /// the connection is not asynchronous.
    fn isexecuting(&self, py: Python<'_>) -> bool {
        let polled = self.session.get().is_some_and(Session::is_polled);
        self.state(py).is_connecting() || polled && self.uses_poll(py)
    }

    /// cancel() -- Ask the server to cancel the running statement.
    ///
    /// May be called from another thread or a signal handler; the cancelled call raises
    /// `errors.QueryCanceled`. Nothing happens if the connection is idle. Raises ProgrammingError
    /// between `tpc_prepare()` and the transaction's end, OperationalError if the request cannot be
    /// delivered.
    fn cancel(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        this.refuse_blank(error::operational)?;
        let session = this.open_session()?;
        if this.state(slf.py()).is_connecting() {
            return Err(error::operational("asynchronous connection attempt underway"));
        }
        this.refuse_tpc_prepared(slf.py(), "cancel")?;
        let Some(token) = session.cancel_token() else {
            return Err(error::operational("the server gave no key to cancel with"));
        };
        let timeout = match (this.connect_timeout(), session.timeout()) {
            (Some(connecting), Some(any)) => Some(connecting.min(any)),
            (connecting, any) => connecting.or(any),
        };
        let mut raised = None;
        let mut go_on = || {
            raised = Python::attach(|py| py.check_signals()).err();
            raised.is_none()
        };
        let sent = slf.py().detach(|| token.send(timeout, &mut go_on));
        match raised {
            Some(raised) => Err(raised),
            None => sent.map_err(|error| error::connecting(&error)),
        }
    }
}
