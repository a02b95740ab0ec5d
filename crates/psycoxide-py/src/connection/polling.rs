//! Asynchronous use: `poll()`, `fileno()`, and what goes with them.

use psycoxide_net::{Closed, Interest, PollState, Session, Stop};
use psycoxide_proto::{Engine, Event, Outcome};
use pyo3::prelude::*;

use super::{Connection, Status, credentials};
use crate::driver::polled::{self, POLL_OK, POLL_WRITE};
use crate::driver::{Landing, Operation, copy_refusal, deliver};
use crate::error;

impl Connection {
    /// Notes where the outcome of the operation goes that `poll()` is about.
    pub fn set_landing(&self, py: Python<'_>, landing: Box<dyn Landing>) {
        let old = self.objects(py).landing.replace(landing);
        drop(old);
    }

    /// The operation that somebody polled has ended.
    fn finish_polled(&self, py: Python<'_>, outcome: Outcome) -> PyResult<()> {
        let landing = self.objects(py).landing.take();
        let Some(landing) = landing else {
            // The connection itself is what has been waited for.
            if let Some(report) = outcome.error {
                return Err(self.reported(py, &report, None, None));
            }
            return self.connected(py);
        };
        let refused = self.state(py).refused_copy.take();
        landing.land(py, outcome, refused)
    }

    /// A COPY came up in a polled operation: it is refused, and its end waited for.
    fn refuse_polled_copy(&self, py: Python<'_>, session: &Session, event: &Event) -> PyResult<()> {
        if let Some(text) = copy_refusal(event) {
            self.state(py).refused_copy = Some(text);
        }
        if matches!(event, Event::CopyIn(_) | Event::CopyBoth(_)) {
            let reason = b"COPY cannot be used in asynchronous mode";
            session
                .with_engine(|engine: &mut Engine| engine.copy_fail(reason))
                .map_err(|error| error::from_proto(&error))?;
        }
        session.set_poll_state(PollState::Running { wants: Interest::READ });
        Ok(())
    }

    /// What `poll()` answers without going on: when it is called for the first time, as psycopg2's,
    /// and when connecting has failed.
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

    fn poll_running(slf: &Bound<'_, Self>, session: &Session) -> PyResult<i32> {
        let py = slf.py();
        loop {
            if session.expire_polled() {
                return Err(error::timed_out());
            }
            let polled = py.detach(|| polled::poll(session));
            let delivered = deliver(slf, session);
            if polled.is_ok() {
                delivered.inspect_err(|_| session.set_poll_state(PollState::Idle))?;
            }
            let connecting = slf.get().state(py).is_connecting();
            match polled {
                // The watch ended what this step was about.
                Err(_) if session.expire_polled() => return Err(error::timed_out()),
                Ok(Some(number)) => return Ok(number),
                Err(error) if connecting => return Err(error::connecting(&error)),
                Err(error) => return Err(error::from_net(&error)),
                Ok(None) => {}
            }
            if !slf.get().is_async(slf.py()) {
                // A blocking call is behind the wait callback: it takes what came of it.
                return Ok(POLL_OK);
            }
            match session.take_poll_state() {
                PollState::Ended(Stop::Event(Event::Done(outcome))) => {
                    if !session.end_polled() {
                        return Err(error::timed_out());
                    }
                    slf.get().finish_polled(py, outcome)?;
                    return Ok(POLL_OK);
                }
                PollState::Ended(Stop::Event(Event::CopyBoth(_)))
                    if slf.get().state(slf.py()).replication =>
                {
                    // The stream has begun: its cursor reads it.
                    if !session.end_polled() {
                        return Err(error::timed_out());
                    }
                    let landing = slf.get().objects(slf.py()).landing.take();
                    drop(landing);
                    return Ok(POLL_OK);
                }
                PollState::Ended(Stop::Event(Event::Ask(ask))) => {
                    credentials::give(slf, session, ask).inspect_err(|_| session.break_off())?;
                    session.set_poll_state(PollState::Running { wants: Interest::WRITE });
                }
                PollState::Ended(Stop::Event(event)) => {
                    slf.get().refuse_polled_copy(slf.py(), session, &event)?
                }
                _ => return Ok(POLL_OK),
            }
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
        // The end of an operation is told even if it was the end of the session as well.
        if session.is_polled() && session.closed() != Closed::ByUser {
            let polled = Self::poll_running(slf, session);
            return polled.inspect_err(|raised| this.note_error(raised, slf.py()));
        }
        let session = this.open_session()?;
        if session.is_streaming() {
            return Ok(POLL_OK);
        }
        let operation = Operation::begin(slf)?;
        let checked = session.link().poke();
        let delivered = deliver(slf, session);
        drop(operation);
        match checked {
            Ok(()) => delivered.map(|()| POLL_OK),
            Err(error) => {
                session.mark_broken();
                Err(error::from_net(&error))
            }
        }
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
        self.state(py).is_connecting() || polled && self.is_async(py)
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
        this.refuse_prepared(slf.py(), "cancel")?;
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
