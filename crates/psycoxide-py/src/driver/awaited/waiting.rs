//! What the event loop is asked for: the socket, timers, notifications.

use std::time::{Duration, Instant};

use psycoxide_net::Interest;
use pyo3::intern;
use pyo3::prelude::*;

use super::cancellation::Cancellation;
use super::event_loop::EventLoop;
use super::{Awaitable, LoopDriver};
use crate::driver::reply::Reply;
use crate::error;

impl LoopDriver {
    /// Makes the loop watch the socket.
    pub(super) fn watch(slf: &Bound<'_, Self>, interest: Interest) {
        let (py, this) = (slf.py(), slf.get());
        let Some(session) = this.session(py) else { return };
        let mut state = this.state(py);
        let connects = state.queue.head_mut().is_some_and(|head| head.options.connects);
        let interest = match (connects, state.queue.pauses()) {
            (true, _) => interest,
            (false, true) => Interest::NONE,
            // Registered once: an idle connection hears notifications and the end as well.
            (false, false) => interest | Interest::READ,
        };
        let (event_loop, mut watched) = (state.event_loop.clone(), state.watched);
        drop(state);
        let Some(event_loop) = event_loop else { return };
        if connects {
            let deadline = session.link().deadline();
            if let Some(deadline) = deadline {
                let _ = Self::wake_at(slf, &event_loop, deadline);
            }
        }
        let fd = session.fd();
        if watched.is(fd, interest) {
            return;
        }
        let set = watched.set(&event_loop, fd, interest, slf.as_any());
        this.state(py).watched = watched;
        if set.is_err() {
            Self::break_off(slf);
        }
    }

    /// Makes the loop forget the socket, which is going to be closed.
    pub(super) fn unwatch(&self, py: Python<'_>) {
        let mut state = self.state(py);
        let mut watched = std::mem::take(&mut state.watched);
        let event_loop = state.event_loop.clone();
        drop(state);
        if let Some(event_loop) = event_loop {
            watched.clear(&event_loop, py);
        }
    }

    /// Makes the loop wake the driver at a moment, or earlier.
    pub(super) fn wake_at(
        slf: &Bound<'_, Self>,
        event_loop: &EventLoop,
        at: Instant,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.state(py).timer.as_ref().is_some_and(|(set, _)| *set <= at) {
            return Ok(());
        }
        let delay = at.saturating_duration_since(Instant::now());
        let handle = event_loop.call_later(delay, &slf.getattr(intern!(py, "_wake"))?)?;
        let old = this.state(py).timer.replace((at, handle));
        cancel_timer(py, old);
        Ok(())
    }

    /// Awaits the next notification or notice, or the end of `timeout`.
    pub fn listen(slf: &Bound<'_, Self>, timeout: Option<Duration>) -> PyResult<Py<Awaitable>> {
        let (py, this) = (slf.py(), slf.get());
        this.check_open(py)?;
        let event_loop = Self::bind(slf)?;
        let awaitable = Py::new(py, Awaitable::waiting(slf))?;
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        if let Some(deadline) = deadline {
            Self::wake_at(slf, &event_loop, deadline)?;
        }
        let mut gone = Vec::new();
        let mut state = this.state(py);
        for (listener, until) in std::mem::take(&mut state.listeners) {
            match listener.get().is_waiting(py) {
                true => state.listeners.push((listener, until)),
                false => gone.push(listener),
            }
        }
        state.listeners.push((awaitable.clone_ref(py), deadline));
        let at_rest = state.queue.in_flight() == 0;
        drop(state);
        drop(gone);
        if at_rest {
            // Otherwise the socket is watched already, perhaps for room to send as well.
            Self::watch(slf, Interest::READ);
        }
        Ok(awaitable)
    }

    /// Wakes those who wait for notifications, if there are some.
    pub(super) fn wake_listeners(&self, py: Python<'_>) {
        if self.state(py).listeners.is_empty() {
            return;
        }
        let notifies = self.connection.bind(py).get().notifies(py);
        if notifies.bind(py).is_empty().unwrap_or(false) {
            return;
        }
        let listeners = std::mem::take(&mut self.state(py).listeners);
        for (listener, _) in listeners {
            listener.get().answer(py, Ok(Reply::Object(py.None())));
        }
    }

    /// Ends what has reached its time limit.
    pub(super) fn end_overdue(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let now = Instant::now();
        let mut state = this.state(py);
        let timer = state.timer.take();
        let (mut expired, mut unknown) = (Vec::new(), false);
        let in_flight = state.queue.in_flight();
        for (index, entry) in state.queue.iter_mut().enumerate() {
            if entry.deadline.is_some_and(|deadline| deadline <= now)
                && let Some(awaitable) = entry.awaitable.take()
            {
                unknown |= entry.options.connects || entry.options.shielded && index < in_flight;
                expired.push((awaitable, entry.number));
            }
        }
        let (mut heard, mut waiting) = (Vec::new(), Vec::new());
        for (listener, until) in std::mem::take(&mut state.listeners) {
            match until.is_some_and(|until| until <= now) {
                true => heard.push(listener),
                false => waiting.push((listener, until)),
            }
        }
        state.listeners = waiting;
        let stuck = state.cancellation.as_ref().is_some_and(|cancel| cancel.until <= now);
        let connects = state.queue.head_mut().is_some_and(|head| head.options.connects);
        drop(state);
        drop(timer);
        for (awaitable, number) in expired {
            awaitable.get().answer(py, Err(error::operation_timeout()));
            Self::abandon(slf, number);
        }
        for listener in heard {
            listener.get().answer(py, Ok(Reply::Object(py.None())));
        }
        if stuck || unknown {
            Self::break_off(slf);
        } else if connects {
            Self::work(slf);
        } else {
            Self::repeat_cancelling(slf);
        }
        let state = this.state(py);
        let next = [state.queue.deadline(), state.cancellation.as_ref().map(Cancellation::next)]
            .into_iter()
            .chain(state.listeners.iter().map(|(_, until)| *until))
            .flatten()
            .min();
        let event_loop = state.event_loop.clone();
        drop(state);
        match (next, event_loop) {
            (Some(next), Some(event_loop)) => Self::wake_at(slf, &event_loop, next),
            _ => Ok(()),
        }
    }
}

pub(super) fn cancel_timer(py: Python<'_>, timer: Option<(Instant, Py<PyAny>)>) {
    if let Some((_, handle)) = timer {
        let _ = handle.bind(py).call_method0(intern!(py, "cancel"));
    }
}
