//! Operations that keep their place on a connection between calls: streams of rows, and COPY.
//!
//! Such an operation pauses when it has something for its caller, and goes on with the next call;
//! nothing else happens on the connection meanwhile. The driver of an event loop keeps it at the
//! head of its queue. On a blocking channel, the channel keeps it, with the turn of its thread.

use std::time::Duration;

use psycoxide_net::Closed;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::Channel;
use crate::driver::awaited::{
    Awaitable, AwaitedOperation, Call, CallOptions, LoopDriver, Place, What,
};
use crate::driver::{LEFT, Operation, Reply, Running, TurnGuard};
use crate::error;
use crate::guarded::Guarded;

/// An operation between two calls of a blocking channel.
pub struct KeptOperation {
    number: u64,
    running: AwaitedOperation,
}

impl KeptOperation {
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.running.operation.traverse(visit)
    }
}

/// A place on a connection for one operation, from before it begins until it is over. If this is
/// dropped before that, the operation is given up.
pub struct Hold {
    channel: Py<Channel>,
    place: Place,
    /// The operation before it begins.
    waiting: Guarded<Option<AwaitedOperation>>,
}

impl Hold {
    /// A place for an operation that begins with the first call.
    pub fn new(
        channel: &Bound<'_, Channel>,
        operation: impl Operation<Output = Reply> + 'static,
    ) -> Self {
        let running: AwaitedOperation = Box::new(Running::new(operation));
        let waiting = Guarded::new(Some(running));
        Self { channel: channel.clone().unbind(), place: Place::default(), waiting }
    }

    /// The channel that the place is on.
    pub fn channel<'py>(&self, py: Python<'py>) -> &Bound<'py, Channel> {
        self.channel.bind(py)
    }

    /// Begins the operation, or goes on with it, up to its next pause or its end. Returns what it
    /// gives there, or what a coroutine awaits.
    pub fn call<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<Duration>,
        yields: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let channel = self.channel.bind(py);
        let this = channel.get();
        let options = CallOptions { timeout, yields, ..CallOptions::default() };
        let options = this.with_timeout(py, options);
        let waiting = self.waiting.lock(py).take();
        if let Some(driver) = &this.driver {
            let what = match waiting {
                Some(running) => What::Begin(running, self.place.clone()),
                None => What::GoOn(self.place.clone()),
            };
            let awaitable = Awaitable::new(driver.bind(py), Call { what, options });
            return Ok(Bound::new(py, awaitable)?.into_any());
        }
        let connection = this.connection.bind(py);
        let (number, turn, mut running, reply);
        if let Some(begins) = waiting {
            turn = TurnGuard::take(connection)?.within(this.limit(options));
            number = this.next_number(py);
            self.place.set(number);
            running = begins;
            reply = turn.begin(&mut running);
        } else {
            number = self.place.number();
            let Some(kept) = this.take_kept(py, number) else {
                connection.get().open_session()?;
                return Err(error::programming(LEFT));
            };
            running = kept.running;
            let session = connection.get().session()?;
            turn = TurnGuard::kept(connection, session).within(this.limit(options));
            connection.get().open_session()?;
            reply = turn.go_on(&mut running);
        }
        let reply = reply?;
        if running.pauses() {
            this.state.lock(py).kept = Some(KeptOperation { number, running });
            turn.keep();
            if self.place.is_left() {
                // By another thread, while it was not kept.
                this.let_go(py, number);
            }
        } else {
            drop((turn, running));
        }
        Ok(reply.made(py)?.into_bound(py))
    }

    /// Gives the operation up, unless it is over. Does not wait for an event loop, nor for a call of
    /// another task or thread, which gets its answer yet.
    pub fn let_go(&self, py: Python<'_>) {
        self.place.leave();
        let waiting = self.waiting.lock(py).take();
        drop(waiting);
        let number = self.place.number();
        let this = self.channel.bind(py).get();
        match &this.driver {
            _ if number == 0 => {}
            Some(driver) => LoopDriver::let_go(driver.bind(py), &self.place),
            None => this.let_go(py, number),
        }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.channel)?;
        let Some(waiting) = self.waiting.visited(visit) else { return Ok(()) };
        waiting.as_ref().map_or(Ok(()), |running| running.operation.traverse(visit))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.place.number() == 0 {
            return;
        }
        tidy_up(|py| self.let_go(py));
    }
}

/// Calls this for something that is dropped, unless the interpreter ends: there is nothing left to
/// tidy up then.
pub fn tidy_up(action: impl FnOnce(Python<'_>)) {
    let _ = Python::try_attach(|py| {
        // Dropped while an exception is on its way, perhaps: that must not be lost.
        let raised = PyErr::take(py);
        action(py);
        if let Some(raised) = raised {
            raised.restore(py);
        }
    });
}

impl Channel {
    fn next_number(&self, py: Python<'_>) -> u64 {
        let mut state = self.state.lock(py);
        state.last_kept += 1;
        state.last_kept
    }

    /// Takes out the operation with this number, if it keeps its place.
    fn take_kept(&self, py: Python<'_>, number: u64) -> Option<KeptOperation> {
        self.state.lock(py).kept.take_if(|kept| kept.number == number)
    }

    /// Gives up the operation with this number, if it keeps its place.
    fn let_go(&self, py: Python<'_>, number: u64) {
        let connection = self.connection.bind(py);
        let Some(session) = connection.get().any_session() else { return };
        // A forked child leaves it to its parent.
        if session.is_inherited() {
            return;
        }
        let Some(mut kept) = self.take_kept(py, number) else { return };
        let turn = TurnGuard::kept(connection, session);
        if session.closed() == Closed::Open {
            turn.let_go(&mut kept.running, self.cancel_timeout);
        }
        drop((turn, kept));
    }

    /// Gives up the operation that this thread keeps a place for, if there is one: a transaction
    /// ends.
    pub(super) fn take_place_away(&self, py: Python<'_>) {
        let number = self.state.lock(py).kept.as_ref().map(|kept| kept.number);
        let Some(number) = number else { return };
        let session = self.connection.bind(py).get().any_session();
        if session.is_some_and(|session| session.turn().is_mine()) {
            self.let_go(py, number);
        }
    }

    /// Forgets the operation that keeps its place, if there is one, and gives back its turn: the
    /// connection is closed.
    pub(super) fn drop_kept(&self, py: Python<'_>) -> bool {
        let kept = self.state.lock(py).kept.take();
        let connection = self.connection.bind(py);
        let (Some(kept), Some(session)) = (kept, connection.get().any_session()) else {
            return false;
        };
        drop((TurnGuard::kept(connection, session), kept));
        true
    }
}
