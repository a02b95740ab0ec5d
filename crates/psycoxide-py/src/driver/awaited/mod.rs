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
mod cancellation;
mod event_loop;
mod queue;

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::{Closed, Error, Interest, Session, Step as Stepped, Stop};
use psycoxide_proto::{Engine, Event, TransactionStatus};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

pub use awaitable::{Awaitable, Call, CallOptions, Place, SLICE, What, prepare};
use cancellation::Cancellation;
use event_loop::{EventLoop, Watched};
use queue::{Entry, Queue};

use super::operation::{Operation, OperationContext, Running, Step};
use super::reply::Reply;
use super::{HAS_PLACE, LEFT, blocking, deliver};
use crate::connection::Connection;
use crate::error;
use crate::guarded::{Guard, Guarded};
use crate::imports::Lazy;

static CURRENT_TASK: Lazy = Lazy::new("asyncio", "current_task");

/// How long the driver works at a stretch before the loop gets its turn.
const STRETCH: Duration = Duration::from_millis(2);

const QUERY_CANCELED: &str = "57014";

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
    /// The error that ended the session while nobody waited for anything.
    lost: Option<String>,
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

    /// Whether the answer to a call is awaited even if its caller is cancelled.
    fn is_shielded(slf: &Bound<'_, Self>, number: u64) -> bool {
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
    fn go_on(
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

    fn leave_place(slf: &Bound<'_, Self>, number: u64) {
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

    /// Refuses a closed connection.
    pub fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        let connection = self.connection.bind(py).get();
        let session = connection.session()?;
        if session.closed() == Closed::Broken
            && let Some(lost) = &self.state(py).lost
        {
            return Err(error::operational(lost.clone()));
        }
        connection.open_session().map(drop)
    }

    /// Makes the running loop the one that waits for this connection. A connection at rest follows
    /// its user from loop to loop.
    fn bind(slf: &Bound<'_, Self>) -> PyResult<Arc<EventLoop>> {
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

    /// Hands waiting calls to the session, as far as that is possible now.
    fn launch_waiting(slf: &Bound<'_, Self>) {
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

    /// Asks the loop to call the driver in its next turn.
    fn schedule(slf: &Bound<'_, Self>) {
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
    fn work(slf: &Bound<'_, Self>) {
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
            Worked::Ended(error) => Self::end(slf, error.as_ref()),
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
        } else if entry.exposed
            && is_hit(session, &stop)
            && running.operation.prepare_again(context)
        {
            // Nothing of it is left on the server.
            entry.exposed = false;
            entry.running = Some(running);
            let mut state = this.state(py);
            state.landing = false;
            state.queue.push_again(entry);
            drop(state);
            return Self::after_landing(slf, false);
        } else {
            let step = running.land(context, Ok(stop));
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
    fn follow(
        context: OperationContext<'_, '_>,
        entry: &mut Entry,
        running: &mut AwaitedOperation,
        step: PyResult<Step<Reply>>,
        done: bool,
    ) -> bool {
        let py = context.py();
        let ended = done && !running.has_more_to_come();
        match step.and_then(|step| running.start_step(context, step)) {
            Ok(Step::Wait(_) | Step::WaitForAll(_)) => true,
            Ok(Step::Done(reply)) => {
                // If the operation neither ends nor pauses, it has what its caller wanted: the rest
                // of the answer is dropped.
                entry.pauses = !ended && running.pauses();
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

    /// The caller of a call goes away before the answer came.
    fn abandon(slf: &Bound<'_, Self>, number: u64) {
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
    fn cancel_unwanted(slf: &Bound<'_, Self>) {
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
    fn limit(slf: &Bound<'_, Self>, number: u64) -> PyResult<()> {
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

    fn cancelled_call_ended(&self, py: Python<'_>, number: u64) {
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
    fn go_on_cancelling(slf: &Bound<'_, Self>) {
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
    fn repeat_cancelling(slf: &Bound<'_, Self>) {
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

    /// Closes the connection because it can no longer be trusted.
    fn break_off(slf: &Bound<'_, Self>) {
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
    fn end(slf: &Bound<'_, Self>, fault: Option<&Error>) {
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
        let raise = |connects: bool| match fault {
            Some(fault) if connects => error::connecting(fault),
            Some(fault) => error::from_net(fault),
            None if by_user => error::interface("connection already closed"),
            None => error::operational(
                "the connection was closed: an operation could not be ended in time\n",
            ),
        };
        if !by_user && entries.is_empty() {
            this.state(py).lost = Some(raise(false).value(py).to_string());
        }
        for mut entry in entries {
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
    }

    /// Makes the loop watch the socket.
    fn watch(slf: &Bound<'_, Self>, interest: Interest) {
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
    fn unwatch(&self, py: Python<'_>) {
        let mut state = self.state(py);
        let mut watched = std::mem::take(&mut state.watched);
        let event_loop = state.event_loop.clone();
        drop(state);
        if let Some(event_loop) = event_loop {
            watched.clear(&event_loop, py);
        }
    }

    /// Makes the loop wake the driver at a moment, or earlier.
    fn wake_at(slf: &Bound<'_, Self>, event_loop: &EventLoop, at: Instant) -> PyResult<()> {
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
    fn wake_listeners(&self, py: Python<'_>) {
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

/// Whether an answer says that a cancel request ended the statement, and nothing is left of it: it
/// was a transaction of its own.
fn is_hit(session: &Session, stop: &Stop) -> bool {
    let Stop::Event(Event::Done(outcome)) = stop else { return false };
    outcome.error.as_ref().is_some_and(|report| report.sqlstate() == Some(QUERY_CANCELED))
        && session.ask(Engine::transaction_status) == Some(TransactionStatus::Idle)
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

fn cancel_timer(py: Python<'_>, timer: Option<(Instant, Py<PyAny>)>) {
    if let Some((_, handle)) = timer {
        let _ = handle.bind(py).call_method0(intern!(py, "cancel"));
    }
}
