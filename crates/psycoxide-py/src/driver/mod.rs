//! Who waits while an operation runs: the driver itself, the user's `poll()` loop, or a wait
//! callback.
//!
//! An [`Operation`] is one thread's turn on a connection: `run()` hands a request over and comes
//! back when it is complete or has to pause for the caller (COPY), `resume()` goes on after that.

pub mod blocking;
mod deliver;
pub mod green;
pub mod polled;

use std::time::Duration;

use psycoxide_net::TurnError;
use psycoxide_proto::{Engine, Event, Outcome, Request};
use pyo3::prelude::*;

pub use deliver::{deliver, refresh};

use crate::connection::Connection;
use crate::cursor::Cursor;
use crate::error;
use crate::row::Early;
use crate::session::Session;

/// How far an operation came.
pub enum Reached {
    /// The end.
    End(Outcome),
    /// A pause in which the caller has to act: COPY.
    Pause(Event),
    /// COPY FROM goes on: the data given so far were sent, the server waits for more.
    Hungry,
}

/// Takes rows of a result that is still coming.
pub struct Reader<'a, 'py> {
    /// The cursor that the result is for.
    pub cursor: &'a Bound<'py, Cursor>,
    /// What was taken; nothing, nearly always.
    pub rows: Option<Box<Early>>,
}

/// One thread's turn on a connection. Given back when dropped.
pub struct Operation<'a, 'py> {
    connection: &'a Bound<'py, Connection>,
    session: &'a Session,
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
        Self::begin_or(connection, || UNDERWAY.into())
    }

    /// The same for a method of the cursor that runs a statement, whose refusal names it.
    pub fn begin_as(connection: &'a Bound<'py, Connection>, what: &str) -> PyResult<Self> {
        Self::begin_or(connection, || {
            format!("{what} cannot be used while an asynchronous query is underway")
        })
    }

    fn begin_or(
        connection: &'a Bound<'py, Connection>,
        refusal: impl FnOnce() -> String,
    ) -> PyResult<Self> {
        let session = connection.get().open_session()?;
        Self::take_turn(connection, session, refusal)?;
        // It may have been closed while this thread waited.
        let operation = Self { connection, session };
        connection.get().open_session()?;
        Ok(operation)
    }

    /// The same for a connection that is still being made.
    pub fn connecting(
        connection: &'a Bound<'py, Connection>,
        session: &'a Session,
    ) -> PyResult<Self> {
        Self::take_turn(connection, session, || UNDERWAY.into())?;
        Ok(Self { connection, session })
    }

    /// Waits for the turn, and for signals, whose handlers may raise.
    fn take_turn(
        connection: &Bound<'py, Connection>,
        session: &Session,
        refusal: impl FnOnce() -> String,
    ) -> PyResult<()> {
        let py = connection.py();
        let mut taken = session.turn().try_acquire();
        while taken == Err(TurnError::Busy) {
            py.check_signals()?;
            taken = py.detach(|| session.turn().acquire(GLANCE));
        }
        taken.map_err(|_| error::programming(refusal()))
    }

    /// The session that the operation is on.
    pub fn session(&self) -> &'a Session {
        self.session
    }

    /// Sends a request and comes back at its end or its first pause.
    pub fn run(&self, request: Request) -> PyResult<Reached> {
        self.run_into(request, None)
    }

    /// The same; rows that the request offers go to `reader` as they come.
    pub fn run_into(
        &self,
        request: Request,
        reader: Option<&mut Reader<'_, '_>>,
    ) -> PyResult<Reached> {
        self.start(request)?;
        self.resume_into(reader)
    }

    fn start(&self, request: Request) -> PyResult<()> {
        let started = self.session.start(request);
        if started.is_err() && self.session.is_streaming() {
            return Err(error::operational("PQexec not allowed during COPY BOTH\n"));
        }
        self.connection.get().state(self.connection.py()).error_message = None;
        started.map_err(|error| error::from_net(&error))
    }

    /// Sends what the socket takes of a request at once, without a wait: [`Operation::resume`] has to
    /// follow.
    pub fn launch(&self, request: Request) -> PyResult<()> {
        self.start(request)?;
        // Should that fail, whoever waits for the answer finds out.
        self.connection.py().detach(|| drop(self.session.link().flush()));
        Ok(())
    }

    /// Runs a request that never pauses.
    pub fn complete(&self, request: Request) -> PyResult<Outcome> {
        match self.run(request)? {
            Reached::End(outcome) => Ok(outcome),
            Reached::Pause(event) => {
                // The server wants to copy where nobody asked it to.
                self.refuse(&event)?;
                Err(error::internal("the server began a COPY that was not asked for"))
            }
            Reached::Hungry => Err(error::internal("a COPY went on before it began")),
        }
    }

    /// Goes on after a pause.
    pub fn resume(&self) -> PyResult<Reached> {
        self.resume_into(None)
    }

    fn resume_into(&self, reader: Option<&mut Reader<'_, '_>>) -> PyResult<Reached> {
        let reached = match green::callback(self.connection.py()) {
            Some(callback) if !self.connection.get().is_async(self.connection.py()) => {
                green::drive(self.connection, self.session, &callback)
            }
            _ => blocking::drive(self.connection, self.session, reader),
        };
        let delivered = deliver(self.connection, self.session);
        let reached = reached.and_then(|reached| delivered.map(|()| reached));
        reached.inspect_err(|raised| self.connection.get().note_error(raised, self.connection.py()))
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
                Reached::End(outcome) => return Ok(outcome),
                Reached::Pause(event) => matches!(event, Event::CopyIn(_) | Event::CopyBoth(_)),
                Reached::Hungry => false,
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
