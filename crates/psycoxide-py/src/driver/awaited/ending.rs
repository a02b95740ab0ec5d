//! The end of the connection.

use psycoxide_net::{Closed, Error};
use pyo3::prelude::*;

use super::LoopDriver;
use super::waiting::cancel_timer;
use crate::driver::operation::OperationContext;
use crate::error;

/// What ended a session that the program did not close: a fault, or a call that could not be ended in
/// time.
pub(super) struct Lost(Option<Error>);

impl Lost {
    #[cold]
    pub(super) fn raised(&self) -> PyErr {
        match &self.0 {
            Some(fault) => error::from_net(fault),
            None => error::operational(
                "the connection was closed: an operation could not be ended in time\n",
            ),
        }
    }
}

impl LoopDriver {
    /// Closes the connection because it can no longer be trusted.
    pub(super) fn break_off(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        this.unwatch(py);
        if let Some(session) = this.session(py) {
            session.break_off();
        }
        if !this.state(py).at_work {
            Self::end(slf, None);
        }
    }

    /// Closes the connection. Never blocks, and may be called from any thread.
    pub fn close(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let Some(session) = this.session(py) else { return };
        let mut state = this.state(py);
        let patience = state.cancel_timeout;
        let runs = state.queue.head_mut().is_some_and(|head| !head.options.shielded);
        let event_loop = state.event_loop.clone();
        drop(state);
        if runs && session.closed() == Closed::Open {
            // Otherwise the server would find out when it next writes to the socket.
            session.cancel_in_background(Some(patience));
        }
        if let Some(event_loop) = event_loop
            && event_loop.runs_elsewhere(py)
            && !session.is_inherited()
        {
            // The loop wakes up, finds the session closed, and ends it.
            session.hang_up();
            let _ = event_loop.call_soon_threadsafe(slf.as_any());
            return;
        }
        this.unwatch(py);
        session.close();
        if !this.state(py).at_work {
            Self::end(slf, None);
        }
    }

    /// The session is over: all callers learn why.
    pub(super) fn end(slf: &Bound<'_, Self>, fault: Option<Error>) {
        let (py, this) = (slf.py(), slf.get());
        let Some(session) = this.session(py) else { return };
        let connection = this.connection.bind(py);
        let context = OperationContext { connection, session };
        this.unwatch(py);
        let by_user = session.closed() == Closed::ByUser;
        if by_user {
            session.close()
        } else {
            session.break_off()
        }
        let mut state = this.state(py);
        let (entries, listeners) = (state.queue.take_all(), std::mem::take(&mut state.listeners));
        let (cancellation, timer) = (state.cancellation.take(), state.timer.take());
        let event_loop = state.event_loop.clone();
        drop(state);
        if let (Some(cancellation), Some(event_loop)) = (cancellation, &event_loop) {
            cancellation.stop(event_loop, py);
        }
        cancel_timer(py, timer);
        let lost = Lost(fault);
        let raise = |connects: bool| match &lost.0 {
            Some(fault) if connects => error::connecting(fault),
            None if by_user => error::interface("connection already closed"),
            _ => lost.raised(),
        };
        let mut is_told = by_user;
        for mut entry in entries {
            is_told |= entry.awaitable.is_some();
            let raised = raise(entry.options.connects);
            let raised = entry.given_up.take().unwrap_or(raised);
            let raised = match &mut entry.running {
                Some(running) => running.given_up(context, raised, None),
                None => raised,
            };
            entry.answer(py, Err(raised));
        }
        for (listener, _) in listeners {
            listener.get().answer(py, Err(raise(false)));
        }
        if !is_told {
            this.state(py).lost = Some(lost);
        }
    }
}
