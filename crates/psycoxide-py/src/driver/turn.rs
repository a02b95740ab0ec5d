//! Operations that a call runs to their end: it holds the turn of its thread on the connection.

use std::time::{Duration, Instant};

use psycoxide_net::{Session, Stop, TurnError};
use psycoxide_proto::Request;
use pyo3::prelude::*;

use super::operation::{Operation, OperationContext, RowSink, Running, Step};
use super::{HAS_PLACE, blocking, deliver, green};
use crate::connection::Connection;
use crate::error;

/// psycopg2's message about an operation in the middle of another.
const UNDERWAY: &str = "a single async query can be executed on the same connection";

/// How long to wait for the turn before signals are checked again.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// How long the server may take to end what an operation that has failed leaves behind.
const UNDO_PATIENCE: Duration = Duration::from_secs(5);

/// The time limit of one call. Unlike `operation_timeout`, it leaves the connection usable if the
/// server can be stopped.
#[derive(Clone, Copy, Debug)]
pub struct CallLimit {
    /// When the call has taken too long.
    pub until: Instant,
    /// How long the server may take to end the statement then. `None`: the statement cannot be
    /// ended, so the connection is closed.
    pub patience: Option<Duration>,
}

/// The turn of one thread on a connection. Released when dropped.
pub struct TurnGuard<'a, 'py> {
    context: OperationContext<'a, 'py>,
    limit: Option<CallLimit>,
}

impl<'a, 'py> TurnGuard<'a, 'py> {
    /// Waits until it is this thread's turn on an open connection.
    ///
    /// # Errors
    /// `InterfaceError` if the connection is closed, `ProgrammingError` if this thread is in the
    /// middle of an operation on it (of another greenlet, or of code that called back).
    pub fn take(connection: &'a Bound<'py, Connection>) -> PyResult<Self> {
        Self::take_open(connection, connection.get().open_session()?, || UNDERWAY.into())
    }

    /// The same for a cursor's method that runs a statement: the error names the method. The caller
    /// has just checked that the connection is open.
    pub fn take_as(connection: &'a Bound<'py, Connection>, what: &str) -> PyResult<Self> {
        Self::take_open(connection, connection.get().session()?, || {
            format!("{what} cannot be used while an asynchronous query is underway")
        })
    }

    fn take_open(
        connection: &'a Bound<'py, Connection>,
        session: &'a Session,
        refusal: impl FnOnce() -> String,
    ) -> PyResult<Self> {
        let (turn, waited) = Self::acquire(connection, session, refusal)?;
        if waited {
            // The other thread may have closed it.
            connection.get().open_session()?;
        }
        Ok(turn)
    }

    /// The same for a connection that is still being opened, or is about to be closed.
    pub fn take_any(
        connection: &'a Bound<'py, Connection>,
        session: &'a Session,
    ) -> PyResult<Self> {
        Self::acquire(connection, session, || UNDERWAY.into()).map(|(turn, _)| turn)
    }

    /// Waits for the turn, and checks signals, whose handlers may raise. Also returns whether
    /// another thread had the turn.
    fn acquire(
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
            taken = py.detach(|| session.turn().acquire(SIGNAL_INTERVAL));
        }
        taken.map_err(|_| match connection.get().state(py).has_place {
            true => error::programming(HAS_PLACE),
            false => error::programming(refusal()),
        })?;
        Ok((Self { context: OperationContext { connection, session }, limit: None }, waited))
    }

    /// The same turn with a time limit.
    pub fn within(mut self, limit: Option<CallLimit>) -> Self {
        self.limit = limit;
        self
    }

    /// The turn that an operation has kept between calls, for its next one.
    pub fn kept(connection: &'a Bound<'py, Connection>, session: &'a Session) -> Self {
        connection.get().state(connection.py()).has_place = false;
        Self { context: OperationContext { connection, session }, limit: None }
    }

    /// Keeps the turn beyond this call, for an operation that pauses.
    pub fn keep(self) {
        let connection = self.context.connection;
        connection.get().state(connection.py()).has_place = true;
        std::mem::forget(self);
    }

    /// The session that the turn is on.
    pub fn session(&self) -> &'a Session {
        self.context.session
    }

    /// Waits until there are notifications, or until `timeout` has passed.
    pub fn listen(&self, timeout: Option<Duration>) -> PyResult<()> {
        let until = timeout.map(|timeout| Instant::now() + timeout);
        blocking::listen(self.context.connection, self.context.session, until)
    }

    /// Reads what the server has sent of its own accord, without a wait. An error closes the
    /// connection.
    pub fn look(&self) {
        let OperationContext { connection, session } = self.context;
        let _ = session.poke();
        let _ = deliver(connection, session);
    }

    /// Runs an operation to its end.
    pub fn run<O: Operation>(&self, operation: O) -> PyResult<O::Output> {
        let mut running = Running::new(operation);
        let step = running.launch(self.context)?;
        self.finish(&mut running, step)
    }

    /// Runs an operation to its end, or to its first pause.
    pub fn begin<O: Operation + ?Sized>(&self, running: &mut Running<O>) -> PyResult<O::Output> {
        let step = running.launch(self.context)?;
        self.finish(running, step)
    }

    /// Goes on with an operation that has paused, to its end or to its next pause.
    pub fn go_on<O: Operation + ?Sized>(&self, running: &mut Running<O>) -> PyResult<O::Output> {
        let step = running.resume(self.context).unwrap_or_else(Step::GiveUp);
        self.finish(running, step)
    }

    /// Ends an operation that has paused, as nobody will go on with it.
    pub fn let_go<O: Operation + ?Sized>(&self, running: &mut Running<O>, patience: Duration) {
        let outcome = blocking::let_go(self.context, patience);
        drop(running.given_up(self.context, error::operational("canceled"), outcome));
    }

    /// Begins an operation, and sends what the socket takes of its first request without a wait.
    pub fn launch<O: Operation>(self, operation: O) -> PyResult<Launched<'a, 'py, O>> {
        let mut running = Running::new(operation);
        let step = running.launch(self.context)?;
        let step = running.start_step(self.context, step)?;
        // If this fails, the error comes up again when the reply is waited for.
        let session = self.session();
        self.context.py().detach(|| drop(session.link().flush()));
        Ok(Launched { turn: self, running, step })
    }

    fn finish<O: Operation + ?Sized>(
        &self,
        running: &mut Running<O>,
        step: Step<O::Output>,
    ) -> PyResult<O::Output> {
        let finished = self.drive(running, step);
        if finished.is_err() {
            self.undo(&mut running.operation);
        }
        finished
    }

    /// Sends what an operation that has failed still has to send.
    #[cold]
    fn undo<O: Operation + ?Sized>(&self, operation: &mut O) {
        let OperationContext { connection, session } = self.context;
        while let Some(request) = operation.undo(self.context) {
            let until = Instant::now() + UNDO_PATIENCE;
            let limit = Some(CallLimit { until, patience: None });
            // If this fails, the connection is closed, and the operation has nothing to undo.
            let _ = blocking::drive(connection, session, Some(request), None, limit);
        }
    }

    #[inline(always)]
    fn drive<O: Operation + ?Sized>(
        &self,
        running: &mut Running<O>,
        mut step: Step<O::Output>,
    ) -> PyResult<O::Output> {
        loop {
            step = match step {
                Step::Done(output) => return Ok(output),
                Step::Wait(request) => {
                    let stop = self.wait(request, running.operation.sink());
                    running.land(self.context, stop)?
                }
                step @ Step::WaitForAll(_) => running.start_step(self.context, step)?,
                Step::Again => running.launch(self.context)?,
                Step::GiveUp(raised) => {
                    let outcome = blocking::give_up(self.context);
                    return Err(running.operation.failed(self.context, raised, outcome));
                }
            }
        }
    }

    /// Sends a request, if there is one, and waits for the session's next stop, or lets the wait
    /// callback do that.
    fn wait(&self, request: Option<Request>, sink: Option<&mut dyn RowSink>) -> PyResult<Stop> {
        let OperationContext { connection, session } = self.context;
        let this = connection.get();
        let stop = match green::callback(connection.py()) {
            Some(callback) if !this.uses_poll(connection.py()) => {
                let started = request.map_or(Ok(()), |request| self.context.start(request));
                started.and_then(|()| green::drive(connection, session, &callback))
            }
            _ => blocking::drive(connection, session, request, sink, self.limit),
        };
        let delivered = deliver(connection, session);
        let stop = stop.and_then(|stop| delivered.map(|()| stop));
        stop.inspect_err(|raised| this.note_error(raised, connection.py()))
    }
}

impl Drop for TurnGuard<'_, '_> {
    fn drop(&mut self) {
        // A child that was forked in the middle of a turn does not have it: the turn stays with its
        // parent.
        if !self.session().is_inherited() {
            self.session().turn().release();
        }
    }
}

/// An operation whose first request was sent; its reply is read by `land()`.
pub struct Launched<'a, 'py, O: Operation> {
    turn: TurnGuard<'a, 'py>,
    running: Running<O>,
    step: Step<O::Output>,
}

impl<O: Operation> Launched<'_, '_, O> {
    /// Waits for the end of the operation.
    pub fn land(mut self) -> PyResult<O::Output> {
        self.turn.finish(&mut self.running, self.step)
    }
}
