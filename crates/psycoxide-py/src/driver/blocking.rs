//! The driver that waits itself, with the GIL released.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use psycoxide_net::{Closed, Error, Interest, Session, Stop, wait};
use psycoxide_proto::{Outcome, Request};
use pyo3::prelude::*;

use super::{CallLimit, OperationContext, RowSink, deliver};
use crate::connection::Connection;
use crate::error;

/// How long the server may take to cancel the query after Ctrl-C before the connection is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the server may take to cancel an operation that the program has given up.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request, if there is one, and waits until the operation ends or pauses.
///
/// When a signal's handler raises (Ctrl-C), the query is cancelled on the server and the rest of
/// its reply is read, so that the connection stays usable; then the handler's exception is raised.
/// When the connection's `operation_timeout` has passed, the connection is closed; when the `limit`
/// of the call has, the query is cancelled as after Ctrl-C.
///
/// Rows that the request offers go to `sink` as they arrive.
pub fn drive(
    connection: &Bound<'_, Connection>,
    session: &Session,
    mut request: Option<Request>,
    mut sink: Option<&mut dyn RowSink>,
    limit: Option<CallLimit>,
) -> PyResult<Stop> {
    let py = connection.py();
    let own = session.until();
    let until = match limit {
        None => own,
        Some(limit) => Some(own.map_or(limit.until, |own| own.min(limit.until))),
    };
    loop {
        let request = request.take();
        let is_first = request.is_some();
        let driven = py.detach(|| match request {
            Some(request) => session.run(request, until),
            None => session.drive(until),
        });
        match driven {
            Ok(stop @ (Stop::Event(_) | Stop::Hungry)) => return Ok(stop),
            Ok(Stop::Backlog) => deliver(connection, session)?,
            Ok(Stop::Expired) => {}
            Ok(Stop::Rows) if sink.is_none() => return Ok(Stop::Rows),
            Ok(stop @ (Stop::Interrupted | Stop::Rows)) => {
                if matches!(stop, Stop::Rows)
                    && !sink.as_deref_mut().is_some_and(|sink| offer(py, session, sink))
                {
                    session.keep_rows();
                }
                if let Err(raised) = py.check_signals() {
                    py.detach(|| session.cancel_and_drain(PATIENCE));
                    return Err(raised);
                }
            }
            Err(_) if session.closed() == Closed::ByUser => {
                return Err(error::interface("connection already closed"));
            }
            Err(error) if is_first => return Err(not_sent(session, &error)),
            Err(error) => return Err(error::from_net(&error)),
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(expired(py, session, limit));
        }
    }
}

/// Ends an operation that took too long. Returns the exception to raise.
#[cold]
fn expired(py: Python<'_>, session: &Session, limit: Option<CallLimit>) -> PyErr {
    let Some(limit) = limit.filter(|limit| limit.until <= Instant::now()) else {
        session.expire();
        return error::timed_out();
    };
    match limit.patience {
        Some(patience) => drop(py.detach(|| session.cancel_and_drain(patience))),
        None => session.expire(),
    }
    error::operation_timeout()
}

/// The exception for a request that failed; perhaps it could not even be sent.
#[cold]
pub fn not_sent(session: &Session, error: &Error) -> PyErr {
    match session.is_streaming() {
        true => error::operational("PQexec not allowed during COPY BOTH\n"),
        false => error::from_net(error),
    }
}

/// Offers the rows that have arrived to `sink`. Returns false if the session is to keep the
/// following rows.
pub fn offer(py: Python<'_>, session: &Session, sink: &mut dyn RowSink) -> bool {
    let Some((columns, rows)) = session.take_rows() else {
        return true;
    };
    let read = sink.take(py, &columns, rows);
    let goes_on = read.is_some();
    if let Some(rows) = read {
        session.give_back(rows);
    }
    goes_on
}

/// Cancels the operation under way on the server, and reads the rest of its reply. If the reply
/// does not end in time, the connection is closed and `None` returned.
pub fn give_up(context: OperationContext<'_, '_>) -> Option<Outcome> {
    context.py().detach(|| context.session.cancel_and_drain(LONG_PATIENCE))
}

/// Ends an operation that its caller will not go on with: the server cancels it, unless all of its
/// reply is there already.
pub fn let_go(context: OperationContext<'_, '_>, patience: Duration) -> Option<Outcome> {
    context.py().detach(|| {
        let session = context.session;
        session.skim(b"canceled").or_else(|| session.cancel_and_drain(patience))
    })
}

/// Waits until a socket is readable, a deadline passes, or a signal arrives, whose handler may
/// raise.
pub fn wait_readable(py: Python<'_>, fd: RawFd, until: Option<Instant>) -> PyResult<()> {
    match py.detach(|| wait(fd, Interest::READ, until)) {
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => py.check_signals(),
        Err(error) => Err(error::operational(format!("{error}\n"))),
        Ok(_) => Ok(()),
    }
}

/// Waits until there are notifications, or until a moment.
pub fn listen(
    connection: &Bound<'_, Connection>,
    session: &Session,
    until: Option<Instant>,
) -> PyResult<()> {
    let py = connection.py();
    loop {
        let poked = session.poke();
        deliver(connection, session)?;
        if let Err(error) = poked {
            return Err(error::from_net(&error));
        }
        let heard = !connection.get().notifies(py).bind(py).is_empty()?;
        if heard || until.is_some_and(|until| until <= Instant::now()) {
            return Ok(());
        }
        wait_readable(py, session.fd(), until)?;
    }
}

/// Sends the data of a stream that are still in the buffer, without reading a reply.
pub fn flush(py: Python<'_>, session: &Session) -> PyResult<()> {
    let until = session.until();
    loop {
        match py.detach(|| session.flush(until)) {
            Ok(None) => return Ok(()),
            Ok(Some(Stop::Expired)) => {
                session.expire();
                return Err(error::timed_out());
            }
            Ok(Some(_)) => py.check_signals()?,
            Err(error) => return Err(error::from_net(&error)),
        }
    }
}
