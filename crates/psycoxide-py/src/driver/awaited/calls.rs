//! Calls: how they begin, take a place at the head, and are handed to the session.

use std::time::Instant;

use psycoxide_net::Session;
use psycoxide_proto::Engine;
use pyo3::prelude::*;

use super::queue::Entry;
use super::{Awaitable, Call, CallOptions, LoopDriver, Place, What};
use crate::driver::operation::{OperationContext, Step};
use crate::driver::reply::Reply;
use crate::driver::{HAS_PLACE, LEFT};
use crate::error;
use crate::imports::Lazy;

static CURRENT_TASK: Lazy = Lazy::new("asyncio", "current_task");

impl LoopDriver {
    /// Whether the answer to a call is awaited even if its caller is cancelled.
    pub(super) fn is_shielded(slf: &Bound<'_, Self>, number: u64) -> bool {
        let mut state = slf.get().state(slf.py());
        state.queue.get_mut(number).is_some_and(|entry| entry.options.shielded)
    }

    /// Begins a call: it is sent, or waits in the queue. Without an awaitable nobody learns of its
    /// end.
    pub fn begin(
        slf: &Bound<'_, Self>,
        awaitable: Option<&Bound<'_, Awaitable>>,
        call: Call,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Call { what, options } = call;
        let (operation, place) = match what {
            What::Run(operation) => (operation, None),
            What::Begin(operation, place) => (operation, Some(place)),
            What::GoOn(place) => return Self::go_on(slf, awaitable, &place, options),
        };
        if !options.connects {
            this.check_open(py)?;
            Self::check_place(slf, options)?;
        }
        let event_loop = Self::bind(slf)?;
        let task = place.is_some().then(|| current_task(py)).transpose()?;
        let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
        let number = this.state(py).queue.push(Entry {
            number: 0,
            running: Some(operation),
            awaitable: awaitable.map(|awaitable| awaitable.clone().unbind()),
            options,
            deadline,
            pauses: false,
            place: place.clone(),
            task,
            given_up: None,
            exposed: false,
        });
        if let Some(awaitable) = awaitable {
            awaitable.get().enqueued(py, number);
        }
        if let Some(place) = place {
            place.set(number);
        }
        if let Some(deadline) = deadline {
            Self::wake_at(slf, &event_loop, deadline)?;
        }
        Self::launch_waiting(slf);
        Ok(())
    }

    /// Refuses a call of the task that has a place on the connection: it would wait for itself. The
    /// end of a transaction takes the place away instead.
    fn check_place(slf: &Bound<'_, Self>, options: CallOptions) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        let head = state.queue.head_mut().filter(|head| head.pauses);
        let place = head.and_then(|head| Some((head.number, head.task.as_ref()?.clone_ref(py))));
        drop(state);
        let Some((number, task)) = place else { return Ok(()) };
        if !current_task(py)?.is(&task) {
            return Ok(());
        }
        if options.shielded {
            Self::leave_place(slf, number);
            return Ok(());
        }
        Err(error::programming(HAS_PLACE))
    }

    /// Goes on with the operation that has a place.
    pub(super) fn go_on(
        slf: &Bound<'_, Self>,
        awaitable: Option<&Bound<'_, Awaitable>>,
        place: &Place,
        options: CallOptions,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let event_loop = Self::bind(slf)?;
        let task = current_task(py)?;
        let number = place.number();
        let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
        let mut state = this.state(py);
        let head = state.queue.head_mut();
        let head = head.filter(|head| head.number == number && head.pauses);
        let (running, old) = match head {
            Some(head) => {
                head.pauses = false;
                head.awaitable = awaitable.map(|awaitable| awaitable.clone().unbind());
                head.deadline = deadline;
                (head.running.take(), head.task.replace(task))
            }
            None => (None, None),
        };
        drop(state);
        drop(old);
        let (Some(mut running), Some(session)) = (running, this.session(py)) else {
            this.check_open(py)?;
            return Err(error::programming(LEFT));
        };
        if let Some(awaitable) = awaitable {
            awaitable.get().enqueued(py, number);
        }
        if let Some(deadline) = deadline {
            Self::wake_at(slf, &event_loop, deadline)?;
        }
        let connection = this.connection.bind(py);
        let context = OperationContext { connection, session };
        let popped = this.state(py).queue.pop_head();
        let Some(mut entry) = popped else { return Ok(()) };
        this.state(py).landing = true;
        let step = running.resume(context);
        Self::follow(context, &mut entry, &mut running, step, false);
        this.state(py).landing = false;
        entry.running = Some(running);
        let answered = entry.pauses;
        this.state(py).queue.push_head(entry);
        if !answered {
            Self::cancel_unwanted(slf);
            Self::work(slf);
        }
        Ok(())
    }

    /// Nobody will go on with the operation that has a place.
    pub fn let_go(slf: &Bound<'_, Self>, place: &Place) {
        Self::leave_place(slf, place.number());
    }

    pub(super) fn leave_place(slf: &Bound<'_, Self>, number: u64) {
        let (py, this) = (slf.py(), slf.get());
        if this.session(py).is_none_or(Session::is_inherited) {
            // A forked child leaves it to its parent.
            return;
        }
        let mut state = this.state(py);
        let head = state.queue.head_mut().filter(|head| head.number == number && head.pauses);
        let Some(head) = head else { return };
        head.pauses = false;
        let event_loop = state.event_loop.clone();
        drop(state);
        let Some(event_loop) = event_loop else { return };
        if event_loop.is_closed(py) {
            // The next loop will see to it.
        } else if event_loop.runs_elsewhere(py) {
            let _ = event_loop.call_soon_threadsafe(slf.as_any());
        } else {
            // All of the answer may be there already.
            Self::work(slf);
            Self::cancel_unwanted(slf);
        }
    }

    /// Hands waiting calls to the session, as far as that is possible now.
    pub(super) fn launch_waiting(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let Some(session) = this.session(py) else { return };
        let connection = this.connection.bind(py);
        let context = OperationContext { connection, session };
        let (mut launched, mut unwanted) = (0, false);
        let alone = this.state(py).queue.in_flight() == 0;
        loop {
            let next = {
                let mut state = this.state(py);
                let free = state.cancellation.is_none()
                    && !state.landing
                    && state
                        .queue
                        .has_next(|| session.ask(Engine::accepts_pipelined) == Some(true));
                if free { state.queue.launch_next() } else { None }
            };
            let Some((number, mut running)) = next else { break };
            let step = running.launch(context);
            let begun = match step.and_then(|step| running.start_step(context, step)) {
                Ok(Step::Wait(_) | Step::WaitForAll(_)) => Ok(()),
                Ok(Step::GiveUp(raised)) | Err(raised) => Err(raised),
                Ok(Step::Again) => Err(error::internal("an operation that cannot be launched")),
                Ok(Step::Done(reply)) => {
                    let entry = this.state(py).queue.remove_launched(number);
                    answer(py, entry, Ok(reply));
                    continue;
                }
            };
            if let Err(raised) = begun {
                let entry = this.state(py).queue.remove_launched(number);
                answer(py, entry, Err(raised));
                continue;
            }
            if let Some(entry) = this.state(py).queue.get_mut(number) {
                // If the BEGIN failed, statements behind it would run outside the transaction.
                entry.options.pipelined &= !running.has_sent_begin();
                entry.running = Some(running);
                unwanted |= entry.awaitable.is_none();
            }
            launched += 1;
        }
        if unwanted {
            // It has to end in time all the same.
            Self::cancel_unwanted(slf);
        }
        if launched == 0 || this.state(py).at_work {
            return;
        }
        if alone && launched == 1 {
            // What can be sent is sent at once.
            Self::work(slf);
        } else {
            // Others may follow in this turn of the loop: all are sent together.
            Self::schedule(slf);
        }
    }
}

/// The task that runs, or None.
fn current_task(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(CURRENT_TASK.bind(py)?.call0()?.unbind())
}

fn answer(py: Python<'_>, entry: Option<Entry>, answer: PyResult<Reply>) {
    if let Some(mut entry) = entry {
        entry.answer(py, answer);
    }
}
