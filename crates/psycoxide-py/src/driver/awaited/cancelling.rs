//! Calls whose callers are gone, and cancel requests.

use std::time::Instant;

use pyo3::intern;
use pyo3::prelude::*;

use super::cancellation::Cancellation;
use super::{Awaitable, LoopDriver};
use crate::driver::reply::Reply;
use crate::error;

impl LoopDriver {
    /// The caller of a call goes away before the answer came.
    pub(super) fn abandon(slf: &Bound<'_, Self>, number: u64) {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        let Some(entry) = state.queue.get_mut(number) else { return };
        // A transaction ends, even if nobody waits for that.
        if !entry.options.shielded
            && let Some(unsent) = state.queue.remove_waiting(number)
        {
            drop(state);
            drop(unsent);
            return;
        }
        let Some(entry) = state.queue.get_mut(number) else { return };
        let caller = entry.awaitable.take();
        let connects = entry.options.connects;
        drop(state);
        drop(caller);
        if connects {
            Self::break_off(slf);
        } else {
            Self::cancel_unwanted(slf);
        }
    }

    /// Cancels the statement at the head on the server, if nobody waits for it any more. Those
    /// behind it are not, before they are at the head; if the request hits one that is wanted, it
    /// is sent again. The end of a transaction is not cancelled, but has to come in time, too.
    pub(super) fn cancel_unwanted(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        if state.cancellation.is_some() {
            return;
        }
        let Some(head) = state.queue.head_mut() else { return };
        if head.is_wanted() || head.options.connects {
            return;
        }
        let (number, shielded) = (head.number, head.options.shielded);
        let until = Instant::now() + state.cancel_timeout;
        let event_loop = state.event_loop.clone();
        drop(state);
        let (Some(session), Some(event_loop)) = (this.session(py), event_loop) else { return };
        let token = if shielded { None } else { session.cancel_token() };
        match Cancellation::begin(number, token, until) {
            Ok(cancellation) => {
                let mut state = this.state(py);
                state.queue.expose_behind_head();
                state.cancellation = Some(cancellation);
                drop(state);
                let _ = Self::wake_at(slf, &event_loop, until);
                Self::go_on_cancelling(slf);
            }
            Err(_) => Self::break_off(slf),
        }
    }

    /// The caller of a call was cancelled, and waits for its end all the same: not for ever.
    pub(super) fn limit(slf: &Bound<'_, Self>, number: u64) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        let until = Instant::now() + state.cancel_timeout;
        let Some(entry) = state.queue.get_mut(number) else { return Ok(()) };
        if entry.deadline.is_some_and(|deadline| deadline <= until) {
            return Ok(());
        }
        entry.deadline = Some(until);
        let event_loop = state.event_loop.clone();
        drop(state);
        event_loop.map_or(Ok(()), |event_loop| Self::wake_at(slf, &event_loop, until))
    }

    pub(super) fn cancelled_call_ended(&self, py: Python<'_>, number: u64) {
        let mut state = self.state(py);
        if let Some(cancellation) = &mut state.cancellation {
            cancellation.call_ended(number);
            if cancellation.is_over() {
                state.cancellation = None;
            }
        }
    }

    /// Cancels the call at the head on the server. Returns what awaits the end of the request.
    pub fn cancel(slf: &Bound<'_, Self>) -> PyResult<Py<Awaitable>> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        let event_loop = Self::bind(slf)?;
        let mut state = this.state(py);
        let head = state.queue.head_mut().map(|head| head.number);
        let until = Instant::now() + state.cancel_timeout;
        let cancelling = state.cancellation.is_some();
        drop(state);
        let (Some(number), Some(session)) = (head.filter(|_| !cancelling), this.session(py)) else {
            return Py::new(py, Awaitable::answered(slf, Reply::Object(py.None())));
        };
        let awaitable = Py::new(py, Awaitable::waiting(slf))?;
        let begun = Cancellation::begin(number, session.cancel_token(), until);
        let mut cancellation = begun.map_err(|error| error::connecting(&error))?;
        cancellation.awaitable = Some(awaitable.clone_ref(py));
        let mut state = this.state(py);
        state.queue.expose_behind_head();
        state.cancellation = Some(cancellation);
        drop(state);
        Self::wake_at(slf, &event_loop, until)?;
        Self::go_on_cancelling(slf);
        Ok(awaitable)
    }

    /// Goes on with the cancel request.
    pub(super) fn go_on_cancelling(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        let event_loop = state.event_loop.clone();
        let cancellation = state.cancellation.take();
        drop(state);
        let (Some(event_loop), Some(mut cancellation)) = (event_loop, cancellation) else { return };
        let callback = slf.getattr(intern!(py, "_cancel"));
        let advanced = callback.map(|callback| cancellation.advance(&event_loop, &callback));
        if !matches!(advanced, Ok(Ok(()))) {
            // It may still be on its way, and would hit another statement.
            cancellation.stop(&event_loop, py);
            return Self::break_off(slf);
        }
        if cancellation.was_taken()
            && let Some(awaitable) = cancellation.awaitable.take()
        {
            awaitable.get().answer(py, Ok(Reply::Object(py.None())));
        }
        if cancellation.is_over() {
            Self::cancel_unwanted(slf);
            Self::launch_waiting(slf);
        } else {
            let next = cancellation.next();
            this.state(py).cancellation = Some(cancellation);
            let _ = Self::wake_at(slf, &event_loop, next);
        }
    }

    /// Sends the cancel request again, if it is time for that and the statement still runs.
    pub(super) fn repeat_cancelling(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let Some(session) = this.session(py) else { return };
        let mut state = this.state(py);
        let repeated = match &mut state.cancellation {
            Some(cancellation) => cancellation.repeat(session.cancel_token()),
            None => return,
        };
        if matches!(repeated, Ok(true)) {
            state.queue.expose_behind_head();
        }
        drop(state);
        match repeated {
            Ok(false) => {}
            Ok(true) => Self::go_on_cancelling(slf),
            Err(_) => Self::break_off(slf),
        }
    }
}
