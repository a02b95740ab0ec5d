//! A cancel request under way: for a statement whose caller is gone.

use std::time::{Duration, Instant};

use psycoxide_net::{CancelProgress, CancelToken, Cancelling, Error};
use pyo3::prelude::*;

use super::awaitable::Awaitable;
use super::event_loop::{EventLoop, Watched};
use crate::error;

/// The end of a statement whose caller is gone.
///
/// It is over when both have happened: the server has closed the connection that carried the
/// request, and the statement's answer has ended. Before that, the request could hit the next
/// statement.
pub struct Cancellation {
    /// The number of the call that is cancelled.
    number: u64,
    /// Its answer has ended.
    call_ended: bool,
    request: Option<Cancelling>,
    watched: Watched,
    /// Who waits until the server has taken note of the request.
    pub awaitable: Option<Py<Awaitable>>,
    /// Until when the server has to end the statement.
    pub until: Instant,
    /// When to send the request again.
    pub repeats: Option<Instant>,
}

/// After this time the request is sent again: one that comes before the server has begun the
/// statement has no effect.
const REPEATED_AFTER: Duration = Duration::from_millis(200);

impl Cancellation {
    /// Begins to send the request. Nothing is sent without a token.
    pub fn begin(number: u64, token: Option<CancelToken>, until: Instant) -> Result<Self, Error> {
        let request = token.map(|token| token.begin()).transpose()?;
        let watched = Watched::default();
        let (call_ended, awaitable, repeats) = (false, None, None);
        Ok(Self { number, call_ended, request, watched, awaitable, until, repeats })
    }

    /// Notes that the answer to a call has ended.
    pub fn call_ended(&mut self, number: u64) {
        self.call_ended |= number == self.number;
    }

    /// Whether the server has taken note of the request.
    pub fn was_taken(&self) -> bool {
        self.request.is_none()
    }

    /// Whether other statements may be sent.
    pub fn is_over(&self) -> bool {
        self.call_ended && self.request.is_none()
    }

    /// Goes on without a wait. `callback` is called when there is more to do.
    pub fn advance(
        &mut self,
        event_loop: &EventLoop,
        callback: &Bound<'_, PyAny>,
    ) -> Result<(), Error> {
        let Some(request) = &mut self.request else { return Ok(()) };
        // The request may change its socket while it connects.
        self.watched.clear(event_loop, callback.py());
        match request.advance()? {
            CancelProgress::Done => {
                self.request = None;
                // A request of the program's own is sent once.
                let own = self.awaitable.is_some();
                self.repeats = (!own).then(|| Instant::now() + REPEATED_AFTER);
            }
            CancelProgress::Wait(interest) => {
                let fd = request.fd();
                // A loop that cannot watch it is closed: the time limit ends the wait.
                let _ = self.watched.set(event_loop, fd, interest, callback);
            }
        }
        Ok(())
    }

    /// Begins to send the request again, if it is time for that. Returns whether it is.
    pub fn repeat(&mut self, token: Option<CancelToken>) -> Result<bool, Error> {
        let due = self.repeats.is_some_and(|at| at <= Instant::now()) && !self.call_ended;
        if due {
            self.repeats = None;
            self.request = token.map(|token| token.begin()).transpose()?;
        }
        Ok(due)
    }

    /// When something is to be done.
    pub fn next(&self) -> Instant {
        self.repeats.map_or(self.until, |at| at.min(self.until))
    }

    /// Makes a loop forget the request.
    pub fn unwatch(&mut self, event_loop: &EventLoop, py: Python<'_>) {
        self.watched.clear(event_loop, py);
    }

    /// Gives the request up.
    pub fn stop(mut self, event_loop: &EventLoop, py: Python<'_>) {
        self.unwatch(event_loop, py);
        if let Some(awaitable) = self.awaitable.take() {
            let raised = error::operational("the cancel request could not be delivered");
            awaitable.get().answer(py, Err(raised));
        }
    }
}
