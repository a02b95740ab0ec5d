//! The driver whose waiting is done by a wait callback, for coroutine libraries such as gevent and
//! eventlet.

use psycoxide_net::{Closed, Session, Stop};
use pyo3::prelude::*;

use super::blocking;
use crate::connection::Connection;
use crate::error;
use crate::guarded::Guarded;

static CALLBACK: Guarded<Option<Py<PyAny>>> = Guarded::new(None);

/// The wait callback, if one is set.
pub fn callback(py: Python<'_>) -> Option<Py<PyAny>> {
    let callback = CALLBACK.lock(py);
    callback.as_ref().map(|callback| callback.clone_ref(py))
}

/// Calls the callback, which returns when the operation has ended or paused. No lock is held
/// meanwhile.
///
/// An exception of the callback leaves the conversation at an unknown point, so the connection is
/// closed, as in psycopg2.
pub fn drive(
    connection: &Bound<'_, Connection>,
    session: &Session,
    callback: &Py<PyAny>,
) -> PyResult<Stop> {
    let py = connection.py();
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
        // The program closed the connection during the wait: no reply will come.
        session.break_off();
        connection.get().open_session()?;
    }
    match stopped {
        Some(stop) => Ok(stop),
        // The callback returned too early.
        None => blocking::drive(connection, session, None, None, None),
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
