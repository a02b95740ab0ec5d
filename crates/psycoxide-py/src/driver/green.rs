//! A wait callback waits: coroutine libraries such as gevent and eventlet.

use psycoxide_net::{Closed, Session, Stop};
use pyo3::prelude::*;

use super::blocking;
use crate::connection::Connection;
use crate::error;
use crate::guarded::Guarded;

static CALLBACK: Guarded<Option<Py<PyAny>>> = Guarded::new(None);

/// The wait callback in force, if there is one.
pub fn callback(py: Python<'_>) -> Option<Py<PyAny>> {
    let callback = CALLBACK.lock(py);
    callback.as_ref().map(|callback| callback.clone_ref(py))
}

/// Lets the callback wait until the operation ends or pauses. No lock is held meanwhile.
///
/// An exception of the callback leaves the conversation at an unknown place: the connection is
/// closed, as psycopg2 does.
pub fn drive(
    connection: &Bound<'_, Connection>,
    session: &Session,
    callback: &Py<PyAny>,
) -> PyResult<Stop> {
    let py = connection.py();
    // Often the answer is there, or the request can be sent, at once; and psycopg2 sends first.
    session.begin_polled();
    let waited = callback.bind(py).call1((connection,));
    let in_time = session.end_polled();
    let stopped = session.take_stop();
    session.set_polled(false);
    if let Err(raised) = waited {
        session.break_off();
        return Err(raised);
    }
    if !in_time {
        return Err(error::timed_out());
    }
    if session.closed() == Closed::ByUser {
        // While it was waited for: there is no answer to come.
        session.break_off();
        connection.get().open_session()?;
    }
    match stopped {
        Some(stop) => Ok(stop),
        // The callback came back too early.
        None => blocking::drive(connection, session, None),
    }
}

/// Sets the function that waits instead of blocking calls, for all connections: `f(connection)` has
/// to return when `connection.poll()` has returned `POLL_OK`. None removes it.
#[pyfunction]
fn set_wait_callback(py: Python<'_>, f: Py<PyAny>) {
    let new = (!f.is_none(py)).then_some(f);
    let old = std::mem::replace(&mut *CALLBACK.lock(py), new);
    // Dropped after the lock: a destructor may come back here.
    drop(old);
}

/// The function set by `set_wait_callback()`, or `None`.
#[pyfunction]
fn get_wait_callback(py: Python<'_>) -> Option<Py<PyAny>> {
    callback(py)
}

/// Exports the functions about the wait callback.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(set_wait_callback, module)?)?;
    module.add_function(wrap_pyfunction!(get_wait_callback, module)?)
}
