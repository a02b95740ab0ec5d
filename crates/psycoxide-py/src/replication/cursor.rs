//! `ReplicationCursor`: starts and reads a replication stream.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use psycoxide_net::replication::{KeepaliveAction, KeepaliveTimer, StreamProgress};
use psycoxide_net::{Progress, Session};
use psycoxide_proto::replication::ServerMessage;
use psycoxide_proto::{Engine, Event};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

use super::message::{ReplicationMessage, local_time};
use super::start::StartStream;
use crate::connection::Connection;
use crate::cursor::{Cursor, ForCursor};
use crate::driver::{TurnGuard, blocking, deliver};
use crate::error;
use crate::guarded::{Guard, Guarded};

/// How long the server may take from the end of a stream to the end of its reply.
const PATIENCE: Duration = Duration::from_secs(5);

/// ReplicationCursor(conn, name=None) -> new cursor
#[pyclass(extends = Cursor, module = "psycoxide.extensions", subclass, weakref, frozen)]
pub struct ReplicationCursor {
    progress: Guarded<StreamProgress>,
}

impl ReplicationCursor {
    fn progress<'a>(&'a self, py: Python<'a>) -> Guard<'a, StreamProgress> {
        self.progress.lock(py)
    }

    fn connection<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, Connection>> {
        slf.as_super().get().connection(slf.py())
    }

    /// The next message, if it can be read without waiting.
    fn read(slf: &Bound<'_, Self>, session: &Session) -> PyResult<Option<ReplicationMessage>> {
        let py = slf.py();
        let connection = Self::connection(slf)?;
        loop {
            let advanced = py.detach(|| session.advance());
            deliver(connection, session)?;
            match advanced {
                Ok(Progress::Event(Event::Done(outcome))) => {
                    Cursor::take_outcome(slf.as_super(), outcome)?;
                    return Ok(None);
                }
                Ok(Progress::Event(Event::CopyData(data))) => {
                    if let Some(message) = Self::message(slf, session, &data)? {
                        return Ok(Some(message));
                    }
                }
                Ok(Progress::Event(_) | Progress::Yield) => {}
                Ok(Progress::Wait(_)) if session.is_streaming() => return Ok(None),
                Ok(Progress::Wait(_)) => {
                    // The server has ended the stream: the rest of its reply is on its way.
                    let outcome = py.detach(|| session.finish(PATIENCE)).ok_or_else(|| {
                        error::operational("the server did not come to the end of the stream\n")
                    })?;
                    Cursor::take_outcome(slf.as_super(), outcome)?;
                    return Ok(None);
                }
                Err(error) => return Err(error::from_net(&error)),
            }
        }
    }

    /// A message for the user; `None` if it was for the driver.
    fn message(
        slf: &Bound<'_, Self>,
        session: &Session,
        data: &[u8],
    ) -> PyResult<Option<ReplicationMessage>> {
        let py = slf.py();
        let this = slf.get();
        match ServerMessage::parse(data) {
            Some(ServerMessage::XLogData { data_start, wal_end, send_time, payload }) => {
                let decode = {
                    let mut progress = this.progress(py);
                    progress.data(data_start, wal_end);
                    progress.decode
                };
                let object = if decode {
                    let context = Self::connection(slf)?.get().quote_context(slf.py());
                    context.decode(py, payload)?.into_any()
                } else {
                    PyBytes::new(py, payload).into_any()
                };
                Ok(Some(ReplicationMessage::received(
                    slf.clone().into_any().unbind(),
                    object.unbind(),
                    payload.len(),
                    data_start,
                    wal_end,
                    send_time,
                )))
            }
            Some(ServerMessage::Keepalive { wal_end, reply, .. }) => {
                this.progress(py).keepalive(wal_end);
                if reply {
                    this.feed_back(py, session, false)?;
                }
                Ok(None)
            }
            None => Err(error::operational("unrecognized replication message type\n")),
        }
    }

    /// Puts the positions reached so far into the send buffer, and asks for a reply if `reply` is
    /// true.
    fn feed_back(&self, py: Python<'_>, session: &Session, reply: bool) -> PyResult<()> {
        let payload = self.progress(py).status(reply).payload();
        session
            .with_engine(|engine: &mut Engine| engine.copy_chunk(&payload))
            .map_err(|error| error::from_proto(&error))
    }
}

fn seconds_of(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn interval(name: &str, seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() || seconds < 1.0 {
        return Err(error::programming(format!("{name} must be >= 1 (sec)")));
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error::programming(error.to_string()))
}

#[pymethods]
impl ReplicationCursor {
    #[new]
    #[classmethod]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        class: &Bound<'_, PyType>,
        _args: &Bound<'_, PyAny>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Ok(PyClassInitializer::from(Cursor::unattached(class.py())?)
            .add_subclass(Self { progress: Guarded::default() }))
    }

    /// start_replication_expert(command, decode=False, status_interval=10) -- Start replication
    /// with a command of your own: str, bytes or a `sql.Composable`.
    ///
    /// If `decode`, payloads are str, decoded from the client encoding, otherwise bytes. Feedback
    /// goes to the server every `status_interval` seconds. Raises ProgrammingError if that is less
    /// than 1 or replication runs already, and the server's errors.
    #[pyo3(signature = (command, decode=false, status_interval=10.0))]
    fn start_replication_expert(
        slf: &Bound<'_, Self>,
        command: &Bound<'_, PyAny>,
        decode: bool,
        status_interval: f64,
    ) -> PyResult<()> {
        let status_interval = interval("status_interval", status_interval)?;
        let cursor = slf.as_super();
        let connection = Self::connection(slf)?;
        connection.get().open_session()?;
        let sql = Cursor::query_text(cursor, command, connection)?;
        if connection.get().uses_poll(slf.py()) {
            let start = StartStream::new(ForCursor::polled(cursor)?, sql);
            Cursor::start_polled(cursor, connection, start)?;
        } else {
            let start = StartStream::new(ForCursor::called(cursor), sql);
            TurnGuard::take(connection)?.run(start)?;
        }
        let mut progress = slf.get().progress(slf.py());
        *progress = StreamProgress::begin(decode, status_interval);
        Ok(())
    }

    /// read_message() -> ReplicationMessage or None -- The next message, None if none has come yet.
    ///
    /// Never waits. Raises DatabaseError if replication is not started, and the server's errors.
    fn read_message(slf: &Bound<'_, Self>) -> PyResult<Option<ReplicationMessage>> {
        let connection = Self::connection(slf)?;
        let turn = TurnGuard::take(connection)?;
        let session = turn.session();
        if !session.is_streaming() {
            return Err(error::database("no COPY in progress\n"));
        }
        let message = Self::read(slf, session)?;
        if slf.get().progress(slf.py()).is_due() {
            slf.get().feed_back(slf.py(), session, false)?;
            blocking::flush(slf.py(), session)?;
        }
        Ok(message)
    }

    /// consume_stream(consumer, keepalive_interval=None) -- Wait for messages and call
    /// `consumer(message)` for each, until it raises.
    ///
    /// Every `keepalive_interval` seconds (by default the `status_interval` of
    /// `start_replication()`) feedback is sent, with or without messages. With `operation_timeout`,
    /// a server that says nothing for half of it is asked for an answer; if it says nothing for all
    /// of it, the connection is closed with OperationalError. Raises the consumer's exceptions
    /// (`StopReplication`, for instance) and the server's errors; ProgrammingError if replication is
    /// not started.
    #[pyo3(signature = (consumer, keepalive_interval=None))]
    fn consume_stream(
        slf: &Bound<'_, Self>,
        consumer: &Bound<'_, PyAny>,
        keepalive_interval: Option<f64>,
    ) -> PyResult<()> {
        let py = slf.py();
        let connection = Self::connection(slf)?;
        let session = connection.get().open_session()?;
        connection.get().refuse_async(slf.py(), "consume_stream")?;
        // A wait callback cannot be told to return when feedback is due.
        connection.get().refuse_green(py, "consume_stream")?;
        if let Some(seconds) = keepalive_interval {
            slf.get().progress(slf.py()).status_interval = interval("keepalive_interval", seconds)?;
        }
        if !session.is_streaming() {
            return Err(error::programming(
                "consume_stream: not replicating, call start_replication first",
            ));
        }
        if !consumer.is_callable() {
            return Err(PyTypeError::new_err(
                "the consumer of a replication stream must be callable",
            ));
        }
        let mut timer = KeepaliveTimer::default();
        while session.is_streaming() {
            let heard = slf.get().progress(slf.py()).received;
            let message = Self::read_message(slf)?;
            if let Some(message) = message {
                consumer.call1((message,))?;
                timer = KeepaliveTimer::default();
                continue;
            }
            if slf.get().progress(slf.py()).received != heard {
                timer = KeepaliveTimer::default();
            }
            let due = slf.get().progress(slf.py()).due();
            let bounded = session.timeout().map(|timeout| timer.next(timeout));
            let until = match bounded {
                Some(KeepaliveAction::Wait(until)) => due.min(until),
                Some(KeepaliveAction::Ask(until)) => {
                    slf.get().feed_back(py, session, true)?;
                    blocking::flush(py, session)?;
                    due.min(until)
                }
                Some(KeepaliveAction::GiveUp) => {
                    session.expire();
                    return Err(error::timed_out());
                }
                None => due,
            };
            blocking::wait_readable(py, session.fd(), Some(until))?;
        }
        Ok(())
    }

    /// send_feedback(write_lsn=0, flush_lsn=0, apply_lsn=0, reply=False, force=False) -- Tell the
    /// server the positions up to which the log was received, stored and applied.
    ///
    /// Positions are int; 0 leaves a position as it is, and none moves back. The server may forget
    /// the log before `flush_lsn`. The positions are sent with the next feedback; at once if
    /// `force`, or if `reply`, which asks the server to answer.
    #[pyo3(signature = (write_lsn=0, flush_lsn=0, apply_lsn=0, reply=false, force=false))]
    fn send_feedback(
        slf: &Bound<'_, Self>,
        write_lsn: u64,
        flush_lsn: u64,
        apply_lsn: u64,
        reply: bool,
        force: bool,
    ) -> PyResult<()> {
        let this = slf.get();
        let session = Self::connection(slf)?.get().open_session()?;
        this.progress(slf.py()).confirm(write_lsn, flush_lsn, apply_lsn);
        if (reply || force) && session.is_streaming() {
            this.feed_back(slf.py(), session, reply)?;
            blocking::flush(slf.py(), session)?;
        }
        Ok(())
    }

    /// The server's end of the log, an int, as in its last message.
    #[getter]
    fn wal_end(&self, py: Python<'_>) -> u64 {
        self.progress(py).wal_end
    }

    /// The time when data was last received: a naive `datetime` in local time.
    #[getter]
    fn io_timestamp(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let time = self.progress(py).last_io;
        local_time(py, seconds_of(time))
    }

    /// The time when feedback was last sent: a naive `datetime` in local time.
    #[getter]
    fn feedback_timestamp(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let time = self.progress(py).last_feedback;
        local_time(py, seconds_of(time))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let closed: bool = slf.getattr("closed")?.is_truthy()?;
        Ok(format!(
            "<ReplicationCursor object at {:p}; closed: {}>",
            slf.as_ptr(),
            i32::from(closed)
        ))
    }

    /// The text of psycopg2, even if a subclass has a `__repr__` of its own.
    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Self::__repr__(slf)
    }
}
