//! Which event loop the connection belongs to.

use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;

use super::LoopDriver;
use super::event_loop::EventLoop;
use super::waiting::cancel_timer;
use crate::error;

impl LoopDriver {
    /// Makes the running loop the one that waits for this connection. A connection at rest follows
    /// its user from loop to loop.
    pub(super) fn bind(slf: &Bound<'_, Self>) -> PyResult<Arc<EventLoop>> {
        let (py, this) = (slf.py(), slf.get());
        let running = EventLoop::running(py)?;
        let old = this.state(py).event_loop.clone();
        if let Some(old) = &old {
            if old.is(&running) {
                return Ok(Arc::clone(old));
            }
            if old.is_closed(py) {
                this.forget_callers(py);
            } else if !this.state(py).queue.is_empty() || old.runs_elsewhere(py) {
                return Err(error::interface(format!(
                    "the connection is in use by another event loop: {} (this is {})",
                    old.object(py).repr()?,
                    running.repr()?
                )));
            }
        }
        let new = Arc::new(EventLoop::new(&running)?);
        let (mut watched, timer) = {
            let mut state = this.state(py);
            state.scheduled = false;
            (std::mem::take(&mut state.watched), state.timer.take())
        };
        let mut cancellation = this.state(py).cancellation.take();
        if let Some(old) = old {
            watched.clear(&old, py);
            cancel_timer(py, timer);
            if let Some(cancellation) = &mut cancellation {
                cancellation.unwatch(&old, py);
            }
        }
        let mut state = this.state(py);
        let left_behind = cancellation.is_some() || !state.queue.is_empty();
        state.cancellation = cancellation;
        state.event_loop = Some(Arc::clone(&new));
        drop(state);
        if left_behind {
            Self::resume(slf, &new)?;
        }
        Ok(new)
    }

    /// Goes on, in a new loop, with what the old one has left behind.
    fn resume(slf: &Bound<'_, Self>, event_loop: &EventLoop) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        let until = Instant::now() + state.cancel_timeout;
        let cancels = state.cancellation.as_mut().map(|cancellation| cancellation.until = until);
        drop(state);
        if cancels.is_some() {
            Self::wake_at(slf, event_loop, until)?;
            Self::go_on_cancelling(slf);
        }
        Self::cancel_unwanted(slf);
        Self::work(slf);
        Ok(())
    }

    /// Nobody waits for the calls in the queue any more: their loop was closed.
    fn forget_callers(&self, py: Python<'_>) {
        let (mut callers, mut calls) = (Vec::new(), Vec::new());
        let mut state = self.state(py);
        let in_flight = state.queue.in_flight();
        for (index, mut entry) in state.queue.take_all().into_iter().enumerate() {
            callers.extend(entry.awaitable.take());
            entry.pauses = false;
            if index < in_flight {
                state.queue.restore(entry);
            } else {
                calls.push(entry);
            }
        }
        drop(state);
        drop((callers, calls));
    }
}
