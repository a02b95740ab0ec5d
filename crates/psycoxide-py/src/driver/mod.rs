//! Who waits while an operation runs: the driver itself, the user's `poll()` loop, or a wait
//! callback.
//!
//! An [`Operation`] is one thread's turn on a connection: `run()` hands a request over and comes
//! back when it is complete or has to pause for the caller (COPY), `resume()` goes on after that.

pub mod blocking;
mod deliver;
pub mod green;
pub mod polled;

use std::cell::Cell;
use std::time::Duration;

use psycoxide_net::{Session, Stop, TurnError};
use psycoxide_proto::{Columns, Engine, Event, Outcome, Request, Rows};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

pub use deliver::{deliver, refresh};

use crate::connection::Connection;
use crate::error;

/// Where the rows of a result go that is still coming, if the request offers them.
pub trait RowSink {
    /// Takes the next rows. Returns rows that have been read, for their memory to be used again;
    /// nothing if those that follow are to stay with the result.
    fn take(&mut self, columns: &Columns, rows: Rows) -> Option<Rows>;
}

/// Where the outcome of an operation goes that nobody waits for in a call: somebody `poll()`s.
pub trait Landing: Send + Sync {
    /// Takes the outcome; `refused` says why a COPY that came up was refused.
    fn land(&self, py: Python<'_>, outcome: Outcome, refused: Option<String>) -> PyResult<()>;

    /// Shows the garbage collector what this holds.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

/// What `execute()` says of a COPY; `None` if the event is not its beginning.
pub fn copy_refusal(event: &Event) -> Option<String> {
    let (direction, method) = match event {
        Event::CopyIn(_) => ("FROM", "copy_from"),
        Event::CopyOut(_) => ("TO", "copy_to"),
        Event::CopyBoth(_) => ("BOTH", "start_replication"),
        _ => return None,
    };
    Some(format!("can't execute COPY {direction}: use the {method}() method instead"))
}

/// One thread's turn on a connection. Given back when dropped.
pub struct Operation<'a, 'py> {
    connection: &'a Bound<'py, Connection>,
    session: &'a Session,
    /// A BEGIN went with the request, which has not ended yet.
    begun: Cell<bool>,
}

/// What psycopg2 says of an operation in the middle of another.
const UNDERWAY: &str = "a single async query can be executed on the same connection";

/// So long another thread's operation is waited for before signals are looked at.
const GLANCE: Duration = Duration::from_millis(100);

impl<'a, 'py> Operation<'a, 'py> {
    /// Waits until it is this thread's turn on an open connection.
    ///
    /// # Errors
    /// `InterfaceError` if the connection is closed, `ProgrammingError` if this very thread is in
    /// the middle of an operation on it (another greenlet's, or a callback of its own).
    pub fn begin(connection: &'a Bound<'py, Connection>) -> PyResult<Self> {
        Self::begin_on(connection, connection.get().open_session()?, || UNDERWAY.into())
    }

    /// The same for a method of the cursor that runs a statement, whose refusal names it. The
    /// connection has just been found open.
    pub fn begin_as(connection: &'a Bound<'py, Connection>, what: &str) -> PyResult<Self> {
        Self::begin_on(connection, connection.get().session()?, || {
            format!("{what} cannot be used while an asynchronous query is underway")
        })
    }

    fn begin_on(
        connection: &'a Bound<'py, Connection>,
        session: &'a Session,
        refusal: impl FnOnce() -> String,
    ) -> PyResult<Self> {
        let (operation, waited) = Self::take_turn(connection, session, refusal)?;
        if waited {
            // It may have been closed meanwhile.
            connection.get().open_session()?;
        }
        Ok(operation)
    }

    /// The same for a connection that is still being made.
    pub fn connecting(
        connection: &'a Bound<'py, Connection>,
        session: &'a Session,
    ) -> PyResult<Self> {
        Self::take_turn(connection, session, || UNDERWAY.into()).map(|(operation, _)| operation)
    }

    /// Waits for the turn, and for signals, whose handlers may raise. Also returns whether another
    /// thread had it.
    fn take_turn(
        connection: &'a Bound<'py, Connection>,
        session: &'a Session,
        refusal: impl FnOnce() -> String,
    ) -> PyResult<(Self, bool)> {
        let py = connection.py();
        let mut waited = false;
        let mut taken = session.turn().try_acquire();
        while taken == Err(TurnError::Busy) {
            waited = true;
            py.check_signals()?;
            taken = py.detach(|| session.turn().acquire(GLANCE));
        }
        taken.map_err(|_| error::programming(refusal()))?;
        Ok((Self { connection, session, begun: Cell::new(false) }, waited))
    }

    /// The session that the operation is on.
    pub fn session(&self) -> &'a Session {
        self.session
    }

    /// Sends a request and comes back at its end, or where it waits for the caller.
    pub fn run(&self, request: Request) -> PyResult<Stop> {
        self.start(request)?;
        self.resume_into(None)
    }

    /// The same in a transaction, which begins if none has and the connection is to have one. Rows
    /// that the request offers go to `sink` as they come.
    pub fn run_in_transaction(
        &self,
        request: Request,
        sink: Option<&mut dyn RowSink>,
    ) -> PyResult<Stop> {
        let started = self.begin_and_start(request);
        self.ended(started.and_then(|()| self.resume_into(sink)))
    }

    /// Sends what the socket takes of a request in a transaction at once, without a wait:
    /// [`Operation::land`] has to follow.
    pub fn launch_in_transaction(&self, request: Request) -> PyResult<()> {
        self.begin_and_start(request).inspect_err(|_| self.forget_failed_begin())?;
        // Should that fail, whoever waits for the answer finds out.
        self.connection.py().detach(|| drop(self.session.link().flush()));
        Ok(())
    }

    /// Comes back at the end of a request that was launched.
    pub fn land(&self) -> PyResult<Stop> {
        self.ended(self.resume())
    }

    fn start(&self, request: Request) -> PyResult<()> {
        let started = self.session.start(request);
        if started.is_err() && self.session.is_streaming() {
            return Err(error::operational("PQexec not allowed during COPY BOTH\n"));
        }
        self.connection.get().state(self.connection.py()).error_message = None;
        started.map_err(|error| error::from_net(&error))
    }

    /// Puts a BEGIN in front, if there has to be one.
    fn begin_and_start(&self, request: Request) -> PyResult<()> {
        let (request, begun) = self.connection.get().state(self.connection.py()).begin(request);
        self.begun.set(begun);
        self.start(request)
    }

    /// Looks what became of the BEGIN, unless the request only waits for the caller.
    fn ended(&self, stop: PyResult<Stop>) -> PyResult<Stop> {
        if matches!(stop, Err(_) | Ok(Stop::Event(Event::Done(_)))) {
            self.forget_failed_begin();
        }
        stop
    }

    fn forget_failed_begin(&self) {
        if self.begun.take() {
            self.connection.get().forget_failed_begin(self.connection.py());
        }
    }

    /// Runs a request that never pauses.
    pub fn complete(&self, request: Request) -> PyResult<Outcome> {
        self.completed(self.run(request)?)
    }

    /// The same in a transaction.
    pub fn complete_in_transaction(&self, request: Request) -> PyResult<Outcome> {
        self.completed(self.run_in_transaction(request, None)?)
    }

    fn completed(&self, stop: Stop) -> PyResult<Outcome> {
        match stop {
            Stop::Event(Event::Done(outcome)) => Ok(outcome),
            Stop::Event(event) => {
                // The server wants to copy where nobody asked it to.
                self.refuse(&event)?;
                Err(error::internal("the server began a COPY that was not asked for"))
            }
            _ => Err(error::internal("a COPY went on before it began")),
        }
    }

    /// Goes on after a pause.
    pub fn resume(&self) -> PyResult<Stop> {
        self.resume_into(None)
    }

    fn resume_into(&self, sink: Option<&mut dyn RowSink>) -> PyResult<Stop> {
        let stop = match green::callback(self.connection.py()) {
            Some(callback) if !self.connection.get().is_async(self.connection.py()) => {
                green::drive(self.connection, self.session, &callback)
            }
            _ => blocking::drive(self.connection, self.session, sink),
        };
        let delivered = deliver(self.connection, self.session);
        let stop = stop.and_then(|stop| delivered.map(|()| stop));
        stop.inspect_err(|raised| self.connection.get().note_error(raised, self.connection.py()))
    }

    /// Ends a COPY that nobody will feed or read: what is refused ends with an error of the
    /// server, what is sent is taken and thrown away.
    pub fn refuse(&self, event: &Event) -> PyResult<Outcome> {
        let mut wants_data = matches!(event, Event::CopyIn(_) | Event::CopyBoth(_));
        loop {
            if wants_data {
                let reason = b"COPY was not asked for by a copy_*() method";
                self.session
                    .with_engine(|engine: &mut Engine| engine.copy_fail(reason))
                    .map_err(|error| error::from_proto(&error))?;
            }
            wants_data = match self.resume()? {
                Stop::Event(Event::Done(outcome)) => return Ok(outcome),
                Stop::Event(event) => matches!(event, Event::CopyIn(_) | Event::CopyBoth(_)),
                _ => false,
            };
        }
    }
}

impl Drop for Operation<'_, '_> {
    fn drop(&mut self) {
        // A child that was forked in its middle has no operation: it stays the parent's.
        if !self.session.is_inherited() {
            self.session.turn().release();
        }
    }
}
