//! The driver whose waiting is done by the program, which calls `poll()`. Only here does an
//! interest become one of psycopg2's numbers.

use psycoxide_net::{self as net, Error, Interest, Session, Stop};
use psycoxide_proto::{Engine, Event};
use pyo3::prelude::*;

use super::operation::{Operation, OperationContext, Running, Step};
use super::{blocking, deliver};
use crate::connection::Connection;
use crate::error;

/// `extensions.POLL_OK`
pub const POLL_OK: i32 = 0;
/// `extensions.POLL_READ`
pub const POLL_READ: i32 = 1;
/// `extensions.POLL_WRITE`
pub const POLL_WRITE: i32 = 2;

/// An operation that `poll()` drives.
pub type PolledOperation = Box<Running<dyn Operation<Output = ()>>>;

/// Begins an operation; everything else, sending included, is left to `poll()`.
pub fn launch(
    context: OperationContext<'_, '_>,
    operation: impl Operation<Output = ()> + 'static,
) -> PyResult<()> {
    let mut running = Box::new(Running::new(operation));
    let step = running.launch(context)?;
    match running.start_step(context, step)? {
        Step::Wait(_) | Step::WaitForAll(_) => {}
        Step::GiveUp(raised) => return Err(raised),
        Step::Again => return Err(error::internal("an operation that cannot be launched")),
        Step::Done(()) => return Ok(()),
    }
    context.session.begin_polled();
    context.connection.get().set_running(context.py(), running);
    Ok(())
}

/// Begins an operation, and sends what the socket takes without a wait; the reply is left to
/// `poll()`.
pub fn start(
    context: OperationContext<'_, '_>,
    operation: impl Operation<Output = ()> + 'static,
) -> PyResult<()> {
    let OperationContext { connection, session } = context;
    launch(context, operation)?;
    let sent = context.py().detach(|| advance(session));
    let delivered = deliver(connection, session);
    match sent.map_err(|error| error::from_net(&error))? {
        Advanced::Wait(_) => {}
        Advanced::Stop(stop) => session.keep_stop(stop),
    }
    delivered
}

/// Goes on with the polled operation as far as that is possible without a wait. Returns what to
/// wait for.
pub fn poll(connection: &Bound<'_, Connection>, session: &Session) -> PyResult<i32> {
    let (py, this) = (connection.py(), connection.get());
    let context = OperationContext { connection, session };
    loop {
        if session.expire_polled() {
            return Err(error::timed_out());
        }
        let advanced = py.detach(|| advance(session));
        let delivered = deliver(connection, session);
        if advanced.is_ok() {
            delivered.inspect_err(|_| session.set_polled(false))?;
        }
        let stop = match advanced {
            Ok(Advanced::Wait(number)) => match session.take_stop() {
                // What was delivered has polled as well, and has come further.
                Some(stop) => Ok(stop),
                None if !session.is_polled() => return Ok(POLL_OK),
                None => return Ok(number),
            },
            Ok(Advanced::Stop(stop)) => Ok(stop),
            // The watch for `operation_timeout` shut the connection down in the middle of the step.
            Err(_) if session.expire_polled() => return Err(error::timed_out()),
            Err(error) if this.state(py).is_connecting() => Err(error::connecting(&error)),
            Err(error) => Err(error::from_net(&error)),
        };
        if !this.uses_poll(py) {
            // A wait callback polls: the call behind it takes the stop.
            session.keep_stop(stop?);
            return Ok(POLL_OK);
        }
        let Some(mut running) = this.take_running(py) else {
            session.set_polled(false);
            return stop.map(|_| POLL_OK);
        };
        let ended = matches!(stop, Ok(Stop::Event(Event::Done(_))));
        session.set_polled(false);
        if ended && !session.end_polled() {
            return Err(error::timed_out());
        }
        let step = match running.land(context, stop)? {
            Step::Again => running.launch(context)?,
            step => step,
        };
        match running.start_step(context, step)? {
            Step::Again => return Err(error::internal("an operation that cannot be launched")),
            Step::Wait(_) | Step::WaitForAll(_) => {
                this.set_running(py, running);
                if ended {
                    session.begin_polled();
                } else {
                    session.set_polled(true);
                }
            }
            Step::GiveUp(raised) => {
                let outcome = blocking::give_up(context);
                return Err(running.operation.failed(context, raised, outcome));
            }
            Step::Done(()) if ended || session.end_polled() => return Ok(POLL_OK),
            Step::Done(()) => return Err(error::timed_out()),
        }
    }
}

/// How far the session came without a wait.
enum Advanced {
    /// What to wait for, as psycopg2's number.
    Wait(i32),
    /// The session stopped.
    Stop(Stop),
}

/// Moves the session on as far as that is possible without a wait.
///
/// psycopg2's constants cannot say "either": while there is something to send, `POLL_WRITE` is
/// returned.
fn advance(session: &Session) -> Result<Advanced, Error> {
    if let Some(stop) = session.take_stop() {
        return Ok(Advanced::Stop(stop));
    }
    loop {
        match session.step() {
            // Nobody takes the rows that are offered here, but those of a stream: they stay with the
            // result.
            Ok(net::Step::Stop(Stop::Rows))
                if session.ask(Engine::offers_arrived_rows) != Some(true) =>
            {
                session.keep_rows();
            }
            // Let the caller deliver the messages and poll again. With TLS the rest of the data may
            // have left the socket already, so that it would not become readable; it is writable in
            // any case.
            Ok(net::Step::Stop(Stop::Backlog)) => return Ok(Advanced::Wait(POLL_WRITE)),
            Ok(net::Step::Yield) if session.ask(Engine::backlog).unwrap_or_default() > 0 => {
                return Ok(Advanced::Wait(POLL_WRITE));
            }
            Ok(net::Step::Yield) => {}
            Ok(net::Step::Stop(stop)) => return Ok(Advanced::Stop(stop)),
            Ok(net::Step::Wait(interest)) => return Ok(Advanced::Wait(number(interest))),
            Err(error) => {
                session.set_polled(false);
                return Err(error);
            }
        }
    }
}

fn number(interest: Interest) -> i32 {
    if interest.contains(Interest::WRITE) { POLL_WRITE } else { POLL_READ }
}
