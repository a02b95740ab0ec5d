//! Operations as values: what each kind of operation sends, and what it does with the replies.
//!
//! An operation never waits. A driver asks it what to do first (`launch`), waits until the session
//! stops, and asks what follows (`land`), until the operation has its output. So an operation is
//! written once for all drivers, and no driver needs to know COPY, large objects or two-phase
//! commit.

use psycoxide_net::{Session, Stop};
use psycoxide_proto::{Columns, Engine, Event, Outcome, Request, Rows};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::blocking;
use crate::connection::Connection;
use crate::conventions::Conventions;
use crate::error;

/// What an operation does next.
pub enum Next<T> {
    /// Send a request.
    Send(Request),
    /// Send a request in a transaction: a BEGIN is put in front if the connection has to begin one.
    SendInTransaction(Request),
    /// Send requests one behind the other, the first one as with `SendInTransaction`. All but the
    /// last are pipelined. [`Operation::land`] gets their outcomes one by one; the operation is not
    /// done before it has the last.
    SendTogether(Vec<Request>),
    /// Go on after a pause, with what the operation has given the engine; or wait for the outcomes
    /// of requests that were sent before.
    Resume,
    /// Give the caller this, and keep the place on the connection until the next call:
    /// [`Operation::resume`].
    Pause(T),
    /// Launch it again: nothing is left of it on the server.
    Again,
    /// Give up because of this exception: the server is told to cancel, and the rest of its reply
    /// is read. Then [`Operation::failed`] is called.
    GiveUp(PyErr),
    /// The operation is complete.
    Done(T),
}

impl<T> Next<T> {
    /// Changes the output, if it is there.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Next<U> {
        match self {
            Self::Send(request) => Next::Send(request),
            Self::SendInTransaction(request) => Next::SendInTransaction(request),
            Self::SendTogether(requests) => Next::SendTogether(requests),
            Self::Resume => Next::Resume,
            Self::Again => Next::Again,
            Self::Pause(output) => Next::Pause(change(output)),
            Self::GiveUp(raised) => Next::GiveUp(raised),
            Self::Done(output) => Next::Done(change(output)),
        }
    }
}

/// An operation on a connection.
///
/// If it holds no borrowed references, it can be kept between calls and be driven by `poll()`.
pub trait Operation: Send + Sync {
    /// The result of the operation.
    type Output;

    /// Returns what comes first.
    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Self::Output>>;

    /// Returns what follows a stop of the session: the end of a request, or a pause.
    fn land(
        &mut self,
        context: OperationContext<'_, '_>,
        stop: Stop,
    ) -> PyResult<Next<Self::Output>>;

    /// Returns what follows when the caller calls again after a [`Next::Pause`].
    fn resume(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<Self::Output>> {
        Ok(Next::Resume)
    }

    /// Called when the conversation failed, or the operation was given up: then `outcome` is the
    /// end of the reply, if it came in time. Returns the exception to raise.
    fn failed(
        &mut self,
        _context: OperationContext<'_, '_>,
        raised: PyErr,
        _outcome: Option<Outcome>,
    ) -> PyErr {
        raised
    }

    /// Called after all outcomes have come of an operation that has failed or was given up, again
    /// and again: returns what else has to be sent, to leave the connection as it was.
    fn undo(&mut self, _context: OperationContext<'_, '_>) -> Option<Request> {
        None
    }

    /// The receiver of rows while they arrive, if the request offers them; not every driver
    /// delivers them. Without one, [`Operation::land`] is told of them.
    fn sink(&mut self) -> Option<&mut dyn RowSink> {
        None
    }

    /// Makes it ready to be launched again, after it ended without a trace on the server. Returns
    /// whether that is possible.
    fn prepare_again(&mut self, _context: OperationContext<'_, '_>) -> bool {
        false
    }

    /// Shows the garbage collector what the operation holds.
    fn traverse(&self, _visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        Ok(())
    }
}

/// Receives the rows of a result that is still arriving.
pub trait RowSink {
    /// Takes the next rows. Returns rows that have been read, so that their memory is used again,
    /// or `None` if the following rows are to stay in the result.
    fn take(&mut self, py: Python<'_>, columns: &Columns, rows: Rows) -> Option<Rows>;
}

/// The connection that an operation is on.
#[derive(Clone, Copy)]
pub struct OperationContext<'a, 'py> {
    /// The connection.
    pub connection: &'a Bound<'py, Connection>,
    /// Its session.
    pub session: &'a Session,
}

impl<'py> OperationContext<'_, 'py> {
    /// The interpreter.
    pub fn py(&self) -> Python<'py> {
        self.connection.py()
    }

    /// Returns the outcome of a request that is no COPY; `None` if the request goes on.
    ///
    /// If the server begins a COPY, the driver makes it fail and discards its data, and `refused`
    /// gets the message for the user.
    #[inline]
    pub fn outcome(&self, stop: Stop, refused: &mut Option<String>) -> PyResult<Option<Outcome>> {
        let event = match stop {
            Stop::Event(Event::Done(outcome)) => return Ok(Some(outcome)),
            Stop::Event(event) => event,
            _ => return Err(error::internal("a COPY went on before it began")),
        };
        if let Some(text) = copy_refusal(&event, self.connection.get().conventions()) {
            refused.get_or_insert(text);
        }
        if matches!(event, Event::CopyIn(_) | Event::CopyBoth(_)) {
            let reason: &[u8] = match self.connection.get().uses_poll(self.py()) {
                true => b"COPY cannot be used in asynchronous mode",
                false => b"COPY was not asked for by a copy_*() method",
            };
            self.session
                .with_engine(|engine: &mut Engine| engine.copy_fail(reason))
                .map_err(|error| error::from_proto(&error))?;
        }
        Ok(None)
    }

    /// Hands a request to the session.
    pub fn start(&self, request: Request) -> PyResult<()> {
        let started = self.session.start(request);
        started.map_err(|error| blocking::not_sent(self.session, &error))
    }
}

/// The message of `execute()` about a COPY; `None` if the event is not a COPY's beginning.
fn copy_refusal(event: &Event, conventions: Conventions) -> Option<String> {
    let (direction, method) = match event {
        Event::CopyIn(_) => ("FROM", "copy_from"),
        Event::CopyOut(_) => ("TO", "copy_to"),
        Event::CopyBoth(_) => ("BOTH", "start_replication"),
        _ => return None,
    };
    let method = if conventions == Conventions::Own { "copy" } else { method };
    Some(format!("can't execute COPY {direction}: use the {method}() method instead"))
}

/// What a driver does next.
pub enum Step<T> {
    /// Send a request, if there is one, and wait for the session's next stop.
    Wait(Option<Request>),
    /// Send several requests, by [`Running::start_step`], and wait for the session's next stop.
    WaitForAll(Vec<Request>),
    /// Launch the operation again, when its turn comes.
    Again,
    /// Cancel the operation on the server, and read the rest of its reply.
    GiveUp(PyErr),
    /// Return the operation's output: it is complete, or it [pauses](Running::pauses).
    Done(T),
}

/// An operation under way, with the state that every driver needs.
pub struct Running<O: Operation + ?Sized> {
    /// A BEGIN was sent with the request that has not ended yet.
    begun: bool,
    /// How many requests that were sent together have no outcome yet.
    unanswered: usize,
    /// It keeps its place, and goes on with the next call.
    pauses: bool,
    pub operation: O,
}

impl<O: Operation> Running<O> {
    /// An operation before its launch.
    pub fn new(operation: O) -> Self {
        Self { begun: false, unanswered: 0, pauses: false, operation }
    }
}

impl<O: Operation + ?Sized> Running<O> {
    /// Begins the operation.
    #[inline(always)]
    pub fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Step<O::Output>> {
        let next = self.operation.launch(context)?;
        self.follow(context, next)
    }

    /// Goes on after a stop of the session.
    #[inline(always)]
    pub fn land(
        &mut self,
        context: OperationContext<'_, '_>,
        stop: PyResult<Stop>,
    ) -> PyResult<Step<O::Output>> {
        if matches!(stop, Err(_) | Ok(Stop::Event(Event::Done(_)))) {
            self.answered(context);
        }
        let next = match stop {
            Ok(stop) => match self.operation.land(context, stop) {
                // The requests behind the one that has failed are under way.
                Err(raised) if self.has_more_to_come() => return Ok(Step::GiveUp(raised)),
                next => next?,
            },
            Err(raised) => return Err(self.operation.failed(context, raised, None)),
        };
        self.follow(context, next)
    }

    /// Goes on after a pause between two calls.
    pub fn resume(&mut self, context: OperationContext<'_, '_>) -> PyResult<Step<O::Output>> {
        self.pauses = false;
        let next = self.operation.resume(context)?;
        self.follow(context, next)
    }

    /// Whether the operation keeps its place on the connection until the next call.
    pub fn pauses(&self) -> bool {
        self.pauses
    }

    #[inline(always)]
    fn follow(
        &mut self,
        context: OperationContext<'_, '_>,
        next: Next<O::Output>,
    ) -> PyResult<Step<O::Output>> {
        Ok(match next {
            Next::Send(request) => {
                context.connection.get().state(context.py()).error_message = None;
                Step::Wait(Some(request))
            }
            // The only place where the connection's BEGIN is put in front of a request.
            Next::SendInTransaction(request) => {
                let mut state = context.connection.get().state(context.py());
                state.error_message = None;
                let (request, begun) = state.begin(request);
                self.begun = begun;
                Step::Wait(Some(request))
            }
            Next::SendTogether(requests) => {
                let mut state = context.connection.get().state(context.py());
                state.error_message = None;
                let mut requests = requests.into_iter();
                let first = requests.next().map(|first| state.begin(first));
                let (first, begun) = first.unzip();
                // Those that are under way may have begun with a BEGIN.
                self.begun |= begun.unwrap_or_default();
                Step::WaitForAll(first.into_iter().chain(requests).collect())
            }
            Next::Resume => Step::Wait(None),
            Next::Again => Step::Again,
            Next::Pause(output) => {
                self.pauses = true;
                Step::Done(output)
            }
            Next::GiveUp(raised) => Step::GiveUp(raised),
            Next::Done(output) => Step::Done(output),
        })
    }

    /// Ends an operation that was given up, or whose conversation has failed. `outcome` is the end
    /// of the reply, if it came. Returns the exception to raise.
    pub fn given_up(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        outcome: Option<Outcome>,
    ) -> PyErr {
        self.forget_failed_begin(context);
        self.operation.failed(context, raised, outcome)
    }

    /// Notes the outcome of a request, or the end of the session. Returns whether outcomes of
    /// requests that were sent with it are still to come.
    pub fn answered(&mut self, context: OperationContext<'_, '_>) -> bool {
        self.forget_failed_begin(context);
        self.unanswered = self.unanswered.saturating_sub(1);
        self.has_more_to_come()
    }

    /// Whether outcomes of requests that were sent together are still to come.
    pub fn has_more_to_come(&self) -> bool {
        self.unanswered > 0
    }

    /// Whether a BEGIN was sent with the request that has not ended yet.
    pub fn has_sent_begin(&self) -> bool {
        self.begun
    }

    /// Hands a request to the session, for a driver that waits later.
    pub fn start(&mut self, context: OperationContext<'_, '_>, request: Request) -> PyResult<()> {
        context.start(request).map_err(|raised| {
            self.forget_failed_begin(context);
            self.operation.failed(context, raised, None)
        })
    }

    /// The same for the requests of a step, whatever they are. The wait is left of it.
    pub fn start_step<T>(
        &mut self,
        context: OperationContext<'_, '_>,
        step: Step<T>,
    ) -> PyResult<Step<T>> {
        match step {
            Step::Wait(Some(request)) => self.start(context, request)?,
            Step::WaitForAll(requests) => self.start_all(context, requests)?,
            step => return Ok(step),
        }
        Ok(Step::Wait(None))
    }

    #[cold]
    fn start_all(
        &mut self,
        context: OperationContext<'_, '_>,
        requests: Vec<Request>,
    ) -> PyResult<()> {
        for request in requests {
            self.start(context, request).inspect_err(|_| {
                if self.has_more_to_come() {
                    // The others of them are on their way.
                    context.session.break_off();
                }
            })?;
            self.unanswered += 1;
        }
        Ok(())
    }

    fn forget_failed_begin(&mut self, context: OperationContext<'_, '_>) {
        if std::mem::take(&mut self.begun) {
            context.connection.get().forget_failed_begin(context.py());
        }
    }
}
