//! Work on the calls in flight: reading what the server sends, and what follows from it.

use std::time::{Duration, Instant};

use psycoxide_net::{Closed, Error, Interest, Session, Step as Stepped, Stop};
use psycoxide_proto::{Engine, Event, TransactionStatus};
use pyo3::prelude::*;

use super::queue::Entry;
use super::{AwaitedOperation, LoopDriver};
use crate::connection::Connection;
use crate::driver::operation::{OperationContext, Step};
use crate::driver::reply::Reply;
use crate::driver::{blocking, deliver};
use crate::error;

/// How long the driver works at a stretch before the loop gets its turn.
const STRETCH: Duration = Duration::from_millis(2);

const QUERY_CANCELED: &str = "57014";

/// How far the driver came.
enum Worked {
    /// The socket has to be ready for this first.
    Waits(Interest),
    /// There is more to do, after the loop had its turn.
    Yielded,
    /// The operation at the head waits for its caller.
    Paused,
    /// The session is over, because of this fault if there is one.
    Ended(Option<Error>),
}

impl LoopDriver {
    /// Asks the loop to call the driver in its next turn.
    pub(super) fn schedule(slf: &Bound<'_, Self>) {
        let mut state = slf.get().state(slf.py());
        if std::mem::replace(&mut state.scheduled, true) {
            return;
        }
        let event_loop = state.event_loop.clone();
        drop(state);
        if let Some(event_loop) = event_loop
            && event_loop.call_soon(slf.as_any()).is_err()
        {
            slf.get().state(slf.py()).scheduled = false;
        }
    }

    /// Goes on with the session as far as that is possible without a wait.
    pub(super) fn work(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let mut state = this.state(py);
        if state.at_work {
            return;
        }
        if state.queue.pauses() {
            // The receiver is behind: nothing is read.
            drop(state);
            return Self::watch(slf, Interest::NONE);
        }
        state.at_work = true;
        let connects = state.queue.head_mut().is_some_and(|head| head.options.connects);
        drop(state);
        let worked = match this.session(py) {
            Some(session) if session.closed() == Closed::Open => {
                if connects {
                    // Each attempt has a socket of its own, and closes it when it fails.
                    this.unwatch(py);
                }
                Self::step(slf, session)
            }
            _ => Worked::Ended(None),
        };
        this.state(py).at_work = false;
        match worked {
            Worked::Waits(interest) => Self::watch(slf, interest),
            Worked::Yielded => {
                Self::watch(slf, Interest::READ);
                Self::schedule(slf);
            }
            // It mostly goes on at once: the loop forgets the socket only if it finds it ready
            // meanwhile.
            Worked::Paused => {}
            Worked::Ended(error) => Self::end(slf, error),
        }
    }

    fn step(slf: &Bound<'_, Self>, session: &Session) -> Worked {
        let (py, this) = (slf.py(), slf.get());
        let connection = this.connection.bind(py);
        if this.state(py).queue.in_flight() == 0 {
            return this.idle(py, connection, session);
        }
        let mut began = None;
        loop {
            let stepped = session.step();
            let delivered = deliver(connection, session);
            this.wake_listeners(py);
            let stop = match stepped {
                Ok(Stepped::Wait(interest)) => {
                    if delivered.is_err() {
                        return Worked::Ended(None);
                    }
                    return Worked::Waits(interest);
                }
                Ok(Stepped::Yield) => return Worked::Yielded,
                Ok(Stepped::Stop(stop)) => stop,
                Err(error) => return Worked::Ended(Some(error)),
            };
            let fault = match session.closed() {
                Closed::Open => None,
                // The error of this answer is why there are no others.
                _ => session.ask(|engine| engine.error().cloned()).flatten(),
            };
            match stop {
                Stop::Backlog => {}
                Stop::Rows if this.offer(py, session) => {}
                stop => Self::land(slf, session, stop),
            }
            if session.closed() != Closed::Open {
                return Worked::Ended(fault.map(Error::Protocol));
            }
            let mut state = this.state(py);
            if state.queue.in_flight() == 0 {
                return Worked::Waits(Interest::READ);
            }
            if state.queue.pauses() {
                return Worked::Paused;
            }
            drop(state);
            // A look at the clock for each answer would be a good part of its cost.
            let since = *began.get_or_insert_with(Instant::now);
            if since.elapsed() > STRETCH {
                return Worked::Yielded;
            }
        }
    }

    /// Reads what the server sends of its own accord.
    fn idle(
        &self,
        py: Python<'_>,
        connection: &Bound<'_, Connection>,
        session: &Session,
    ) -> Worked {
        let poked = session.poke();
        let delivered = deliver(connection, session);
        self.wake_listeners(py);
        match poked {
            Err(error) => Worked::Ended(Some(error)),
            Ok(()) if delivered.is_err() => Worked::Ended(None),
            Ok(()) => Worked::Waits(Interest::READ),
        }
    }

    /// Offers the rows that have arrived to the operation at the head. Returns false if it has no
    /// receiver for them, and takes them itself.
    fn offer(&self, py: Python<'_>, session: &Session) -> bool {
        let mut state = self.state(py);
        let head = state.queue.head_mut();
        let number = head.as_ref().map_or(0, |head| head.number);
        let wanted = head.as_ref().is_some_and(|head| head.is_wanted());
        let running = head.and_then(|head| head.running.take());
        drop(state);
        let Some(mut running) = running else {
            session.keep_rows();
            return true;
        };
        let mut received = true;
        match running.operation.sink() {
            // Nobody waits for them: they are not even kept.
            _ if !wanted => drop(session.take_rows()),
            Some(sink) => {
                if !blocking::offer(py, session, sink) {
                    session.keep_rows();
                }
            }
            None => received = false,
        }
        if let Some(head) = self.state(py).queue.get_mut(number) {
            head.running = Some(running);
        }
        received
    }

    /// Goes on after a stop of the session, which belongs to the call at the head.
    fn land(slf: &Bound<'_, Self>, session: &Session, stop: Stop) {
        let (py, this) = (slf.py(), slf.get());
        let connection = this.connection.bind(py);
        let context = OperationContext { connection, session };
        let popped = this.state(py).queue.pop_head();
        let Some(mut entry) = popped else { return };
        let Some(mut running) = entry.running.take() else { return };
        this.state(py).landing = true;
        let done = matches!(stop, Stop::Event(Event::Done(_)));
        let number = entry.number;
        let goes_on = if !entry.is_wanted() && !entry.options.shielded {
            Self::land_unwanted(context, &mut entry, &mut running, stop)
        } else {
            let is_hit = entry.exposed && is_hit(session, &stop);
            let step = match is_hit && running.operation.prepare_again(context) {
                true => Ok(Step::Again),
                false => running.land(context, Ok(stop)),
            };
            if matches!(step, Ok(Step::Again)) {
                // Nothing of it is left on the server.
                entry.exposed = false;
                entry.running = Some(running);
                let mut state = this.state(py);
                state.landing = false;
                state.queue.push_again(entry);
                drop(state);
                return Self::after_landing(slf, false);
            }
            Self::follow(context, &mut entry, &mut running, step, done)
        };
        this.state(py).landing = false;
        if goes_on {
            entry.running = Some(running);
            this.state(py).queue.push_head(entry);
        } else {
            drop((entry, running));
            this.cancelled_call_ended(py, number);
        }
        Self::after_landing(slf, goes_on);
    }

    fn after_landing(slf: &Bound<'_, Self>, goes_on: bool) {
        Self::cancel_unwanted(slf);
        if !goes_on {
            Self::launch_waiting(slf);
        }
    }

    /// Does what an operation wants next; `done` says whether a request has just been answered.
    /// Returns whether the call goes on.
    pub(super) fn follow(
        context: OperationContext<'_, '_>,
        entry: &mut Entry,
        running: &mut AwaitedOperation,
        step: PyResult<Step<Reply>>,
        done: bool,
    ) -> bool {
        let py = context.py();
        let ended = done && !running.has_more_to_come();
        match step.and_then(|step| running.start_step(context, step)) {
            Ok(Step::Wait(_) | Step::WaitForAll(_) | Step::Again) => true,
            Ok(Step::Done(reply)) => {
                // If the operation neither ends nor pauses, it has what its caller wanted: the rest
                // of the answer is dropped.
                entry.pauses = !ended && running.pauses() && entry.keeps_place();
                entry.answer(py, Ok(reply));
                !ended
            }
            Ok(Step::GiveUp(raised)) | Err(raised) if !ended => {
                entry.given_up = Some(raised);
                true
            }
            Ok(Step::GiveUp(raised)) | Err(raised) => {
                // It may have been given up for another reason, and undone since.
                let raised = entry.given_up.take().unwrap_or(raised);
                entry.answer(py, Err(raised));
                false
            }
        }
    }

    /// The same for a call whose caller is gone, or that gave itself up. Returns whether the call
    /// goes on.
    fn land_unwanted(
        context: OperationContext<'_, '_>,
        entry: &mut Entry,
        running: &mut AwaitedOperation,
        stop: Stop,
    ) -> bool {
        match stop {
            Stop::Event(Event::Done(outcome)) => {
                if running.answered(context) {
                    return true;
                }
                if let Some(request) = running.operation.undo(context) {
                    // It is not what the caller has given up.
                    entry.options.shielded = true;
                    if running.start(context, request).is_ok() {
                        return true;
                    }
                    context.session.break_off();
                }
                let raised = entry.given_up.take();
                let raised = raised.unwrap_or_else(|| error::operational("canceled"));
                let raised = running.given_up(context, raised, Some(outcome));
                entry.answer(context.py(), Err(raised));
                return false;
            }
            Stop::Event(Event::CopyIn(_) | Event::CopyBoth(_)) | Stop::Hungry => {
                let _ = context.session.with_engine(|engine| engine.copy_fail(b"canceled"));
            }
            _ => {}
        }
        true
    }
}

/// Whether an answer says that a cancel request ended the statement, and nothing is left of it: it
/// was a transaction of its own.
fn is_hit(session: &Session, stop: &Stop) -> bool {
    let Stop::Event(Event::Done(outcome)) = stop else { return false };
    outcome.error.as_ref().is_some_and(|report| report.sqlstate() == Some(QUERY_CANCELED))
        && session.ask(Engine::transaction_status) == Some(TransactionStatus::Idle)
}
