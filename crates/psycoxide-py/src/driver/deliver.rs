//! Delivers to the program what the server sends beside its replies: notices, notifications, and
//! changed parameters.

use psycoxide_net::{AsyncMessages, Session, SessionSnapshot};
use psycoxide_proto::{Notification, Report};
use psycoxide_sql::quote::StringStyle;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};

use crate::connection::Connection;
use crate::encoding::{ClientEncoding, QuoteContext};
use crate::error::report_text;
use crate::notify::Notify;

/// How many notices a list keeps (psycopg2's `CONN_NOTICES_LIMIT`). Any other object is given all
/// of them.
const MAX_NOTICES: usize = 50;

/// Appends what has arrived to `connection.notices` and `connection.notifies`, and takes over
/// changed parameters. Exceptions of their `append` are ignored, as in psycopg2: the statement is
/// not to blame.
///
/// # Errors
/// `OperationalError`, and the connection is closed, if Python has no codec for the client
/// encoding: text could be neither quoted nor decoded, and going on would be guessing.
pub fn deliver(connection: &Bound<'_, Connection>, session: &Session) -> PyResult<()> {
    let py = connection.py();
    let (version, backlog) = {
        // A child that was forked in the middle of an operation leaves the messages to its parent.
        let Some(link) = session.look().filter(|_| !session.is_inherited()) else {
            return Ok(());
        };
        let Some(engine) = link.engine() else {
            // Closed: the server may have said why.
            drop(link);
            deliver_async_messages(connection, session);
            return Ok(());
        };
        (engine.parameters_version(), engine.backlog())
    };
    let mut refreshed = Ok(());
    if connection.get().state(connection.py()).parameters_version != Some(version) {
        refreshed = refresh(py, connection.get(), session).inspect_err(|_| session.break_off());
    }
    if backlog > 0 {
        deliver_async_messages(connection, session);
    }
    refreshed
}

/// Appends the notices and notifications that have arrived.
#[inline(never)]
fn deliver_async_messages(connection: &Bound<'_, Connection>, session: &Session) {
    let py = connection.py();
    let AsyncMessages { notices, notifications } = session.link().take_async_messages();
    let context = connection.get().quote_context(connection.py());
    if !notices.is_empty() {
        let target = connection.get().notices(py).into_bound(py);
        let _ = append_notices(&target, &notices, &context);
    }
    if !notifications.is_empty() {
        let target = connection.get().notifies(py).into_bound(py);
        append_notifications(&target, &notifications, &context);
    }
}

/// Takes over the parameters that decide quoting and encoding, if any has changed.
///
/// # Errors
/// `OperationalError` if Python has no codec for the client encoding.
#[cold]
pub fn refresh(py: Python<'_>, connection: &Connection, session: &Session) -> PyResult<()> {
    let (version, encoding, (strings, signs_intervals), snapshot) = {
        let link = session.link();
        let Some(engine) = link.engine() else { return Ok(()) };
        let version = engine.parameters_version();
        if connection.state(py).parameters_version == Some(version) {
            return Ok(());
        }
        let encoding = engine.parameter("client_encoding").unwrap_or(b"UTF8");
        let strings = StringStyle::from_parameter(engine.parameter("standard_conforming_strings"));
        (
            version,
            String::from_utf8_lossy(encoding).into_owned(),
            (strings, engine.parameter("IntervalStyle") == Some(b"sql_standard")),
            SessionSnapshot::of(&link),
        )
    };
    let asked = connection.state(py).asked_encoding.take_if(|asked| asked.reported == encoding);
    let name = asked.as_ref().map_or(&encoding, |asked| &asked.name);
    let client_encoding = ClientEncoding::lookup(py, name)?;
    let mut state = connection.state(py);
    state.encoding = psycoxide_sql::encoding::clean_name(name);
    state.asked_encoding = asked;
    state.parameters_version = Some(version);
    state.snapshot = snapshot.map(Box::new);
    drop(state);
    let quoting = QuoteContext::new(client_encoding, strings).signing_intervals(signs_intervals);
    connection.session_quoting().set(py, quoting.with_conventions(connection.conventions()));
    Ok(())
}

fn append_notices(
    target: &Bound<'_, PyAny>,
    notices: &[Report],
    context: &QuoteContext,
) -> PyResult<()> {
    let list = target.cast::<PyList>();
    // Only the last notices stay in a plain list: skip those that would be removed again.
    let unseen = match list {
        Ok(list) if list.is_exact_instance_of::<PyList>() => {
            notices.len().saturating_sub(MAX_NOTICES)
        }
        _ => 0,
    };
    for notice in notices.iter().skip(unseen) {
        let text = report_text(target.py(), notice, None, false, context);
        target.call_method1("append", (text,))?;
    }
    if let Ok(list) = list {
        let surplus = list.len().saturating_sub(MAX_NOTICES);
        if surplus > 0 {
            list.del_slice(0, surplus)?;
        }
    }
    Ok(())
}

/// Consecutive notifications often come from one session over one channel: these share their
/// objects.
fn append_notifications(
    target: &Bound<'_, PyAny>,
    notifications: &[Notification],
    context: &QuoteContext,
) {
    let py = target.py();
    let text = |bytes: &[u8]| context.decode_lossy(py, bytes).into_any();
    let list = target.cast_exact::<PyList>().ok();
    let mut last: Option<(&Notification, Bound<'_, PyAny>, Bound<'_, PyAny>)> = None;
    for notification in notifications {
        let (pid, channel) = match last.take() {
            Some((seen, pid, channel))
                if seen.pid == notification.pid && seen.channel == notification.channel =>
            {
                (pid, channel)
            }
            _ => (PyInt::new(py, notification.pid).into_any(), text(&notification.channel)),
        };
        let payload = text(&notification.payload).unbind();
        let (sender, name) = (pid.clone().unbind(), channel.clone().unbind());
        let _ = Notify::received(py, sender, name, payload).and_then(|notify| match list {
            Some(list) => list.append(notify),
            None => target.call_method1("append", (notify,)).map(drop),
        });
        last = Some((notification, pid, channel));
    }
}
