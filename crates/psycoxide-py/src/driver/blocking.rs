//! The driver waits itself, with the interpreter released.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::{Reached, Reader, deliver};
use crate::connection::Connection;
use crate::error;
use crate::session::{Session, Stop};

/// After Ctrl-C, so long may the server take to give up the query before the connection is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs to the end of the operation under way, or to its next pause.
///
/// When a signal's handler raises (Ctrl-C), the query is cancelled on the server and the rest of
/// its answer taken, so that the connection stays usable; then the handler's exception goes on.
/// When the connection's `operation_timeout` has passed, it is closed.
///
/// Rows that the request offers go to `reader` as they come.
pub fn drive(
    connection: &Bound<'_, Connection>,
    session: &Session,
    mut reader: Option<&mut Reader<'_, '_>>,
) -> PyResult<Reached> {
    let py = connection.py();
    let until = session.until();
    loop {
        match py.detach(|| session.drive(until)) {
            Ok(Stop::Done(outcome)) => return Ok(Reached::End(outcome)),
            Ok(Stop::Paused(event)) => return Ok(Reached::Pause(event)),
            Ok(Stop::Hungry) => return Ok(Reached::Hungry),
            Ok(Stop::Backlog) => deliver(connection, session)?,
            Ok(Stop::Expired) => {}
            Ok(stop @ (Stop::Interrupted | Stop::Rows)) => {
                if matches!(stop, Stop::Rows) {
                    let taken = reader.as_mut().is_some_and(|reader| {
                        reader.rows.get_or_insert_default().take(reader.cursor, session)
                    });
                    if !taken {
                        session.keep_rows();
                    }
                }
                if let Err(raised) = py.check_signals() {
                    py.detach(|| session.cancel_and_drain(PATIENCE));
                    return Err(raised);
                }
            }
            Err(error) => return Err(error::from_net(&error)),
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            session.expire();
            return Err(error::timed_out());
        }
    }
}

/// Sends what is to be sent of a stream, whose answers are for later.
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
