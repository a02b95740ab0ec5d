//! The driver whose waiting is done by an asyncio event loop.
//!
//! Each connection has one [`LoopDriver`], a callable that the loop calls whenever the socket is
//! ready. It is registered once. A call sends what the socket takes at once, and its [`Awaitable`]
//! gives the task a future to wait for; there is neither a task nor a thread of our own.
//!
//! Calls queue up, first in, first out. Those that are one statement are sent behind each other
//! without a wait, each with its own Sync. A caller that goes away (its task is cancelled, its time
//! is over) leaves its call behind: the driver cancels the statement on the server if it is at the
//! head, reads the rest of its answer, and goes on with the next call. If that takes longer than
//! `cancel_timeout`, the connection is closed.

mod awaitable;
mod calls;
mod cancellation;
mod cancelling;
mod ending;
mod event_loop;
mod loops;
mod progress;
mod queue;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::{Closed, Session};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

pub use awaitable::{Awaitable, Call, CallOptions, Place, SLICE, What, prepare};
use cancellation::Cancellation;
use ending::Lost;
use event_loop::{EventLoop, Watched};
use queue::Queue;

use super::operation::{Operation, Running};
use super::reply::Reply;
use crate::connection::Connection;
use crate::error;
use crate::guarded::{Guard, Guarded};

/// An operation that an event loop drives.
pub type AwaitedOperation = Box<Running<dyn Operation<Output = Reply>>>;

/// Drives the operations of one connection from an event loop.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct LoopDriver {
    connection: Py<Connection>,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    event_loop: Option<Arc<EventLoop>>,
    watched: Watched,
    queue: Queue,
    /// The driver is at work: what is called by it must not go on with the session.
    at_work: bool,
    /// The operation at the head is asked what follows: nothing else may be sent.
    landing: bool,
    /// The loop will call the driver in its next turn.
    scheduled: bool,
    cancellation: Option<Cancellation>,
    /// When the loop's timer wakes the driver, and the timer.
    timer: Option<(Instant, Py<PyAny>)>,
    /// How long the server may take to end a statement whose caller is gone.
    cancel_timeout: Duration,
    /// Wait for notifications.
    listeners: Vec<(Py<Awaitable>, Option<Instant>)>,
    /// What ended the session, if nobody was told.
    lost: Option<Lost>,
}

impl LoopDriver {
    pub fn new(connection: &Bound<'_, Connection>, cancel_timeout: Duration) -> Self {
        let state = State { cancel_timeout, ..State::default() };
        Self { connection: connection.clone().unbind(), state: Guarded::new(state) }
    }

    fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.lock(py)
    }

    fn session<'a>(&'a self, py: Python<'a>) -> Option<&'a Session> {
        self.connection.bind(py).get().any_session()
    }

    fn create_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = self.state(py).event_loop.clone();
        match event_loop {
            Some(event_loop) => event_loop.create_future(py),
            None => Err(error::internal("a wait without an event loop")),
        }
    }

    /// Refuses a closed connection.
    pub fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        let connection = self.connection.bind(py).get();
        let session = connection.session()?;
        if session.closed() == Closed::Broken
            && let Some(lost) = &self.state(py).lost
        {
            return Err(lost.raised());
        }
        connection.open_session().map(drop)
    }

    /// Whether there are calls, and whether somebody waits for one of them.
    pub fn load(&self, py: Python<'_>) -> (bool, bool) {
        let mut state = self.state(py);
        let has_calls = state.cancellation.is_some() || !state.queue.is_empty();
        (has_calls, state.queue.iter_mut().any(|entry| entry.is_wanted()))
    }

    /// Reads what the server has sent of its own accord to a connection at rest.
    pub fn look(slf: &Bound<'_, Self>) {
        Self::work(slf);
    }
}

#[pymethods]
impl LoopDriver {
    /// The socket is ready, or the driver has asked for another turn.
    fn __call__(slf: &Bound<'_, Self>) {
        slf.get().state(slf.py()).scheduled = false;
        Self::work(slf);
        Self::cancel_unwanted(slf);
    }

    /// The socket of the cancel request is ready.
    fn _cancel(slf: &Bound<'_, Self>) {
        Self::go_on_cancelling(slf);
    }

    /// A time limit has passed.
    fn _wake(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::end_overdue(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)?;
        let Some(state) = self.state.visited(&visit) else { return Ok(()) };
        if let Some(event_loop) = &state.event_loop {
            event_loop.traverse(&visit)?;
        }
        state.queue.traverse(&visit)?;
        if let Some((_, handle)) = &state.timer {
            visit.call(handle)?;
        }
        for (listener, _) in &state.listeners {
            visit.call(listener)?;
        }
        Ok(())
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = std::mem::take(&mut *self.state(py));
        drop(old);
    }
}
