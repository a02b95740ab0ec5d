//! COPY between a table and a file object, as an operation.
//!
//! The file's methods are called only at pauses, with no lock held. If they raise, the COPY is made
//! to fail, and the exception is raised after the server's reply was read, so the connection stays
//! usable.

use std::time::Instant;

use psycoxide_net::{Body, CopyFlushPolicy, Stop};
use psycoxide_proto::{Engine, Error, Event, Outcome, Request, Tag};
use pyo3::exceptions::{PyOSError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Cursor;
use super::direct_file::DirectFile;
use super::statement::ForCursor;
use crate::driver::{Next, Operation, OperationContext};
use crate::encoding::{Encoded, QuoteContext};
use crate::error;
use crate::imports;

/// The default of psycopg2's `size`.
pub(super) const DEFAULT_SIZE: i64 = 8192;

/// How much is read from a file at a time when the caller does not choose: small reads cost a
/// system call and a message each.
const READ: i64 = 64 * 1024;

/// The longest text of an exception, in characters, that the server is told: it takes no message
/// above some ten thousand bytes there.
const MAX_REASON: usize = 500;

/// Runs a COPY statement over a file.
pub(super) struct FileCopy {
    cursor: ForCursor,
    file: Py<PyAny>,
    /// How much to read at a time.
    size: i64,
    quoting: QuoteContext,
    stage: Stage,
    /// Why a second COPY in the same text was refused.
    refused: Option<String>,
}

/// How far a COPY came.
enum Stage {
    /// Nothing was sent yet.
    First(Request),
    /// The statement was sent; the server has not said yet in which direction it copies.
    Asked,
    /// The content of the file is sent from where it lies, as far as that is possible.
    Sending(DirectFile, Feed),
    /// The file is read, by its method.
    Feeding(Feed),
    /// The file is written, by its method; `text` says whether that takes str.
    Writing { write: Py<PyAny>, text: bool },
    /// The file raised an exception: the COPY was made to fail, and its outcome is still to come.
    Failed(PyErr),
}

/// How the file is read.
struct Feed {
    read: Py<PyAny>,
    flush_policy: CopyFlushPolicy,
    /// What was sent from where it lies, before the file was read.
    sent: Option<DirectFile>,
}

impl FileCopy {
    pub fn new(
        cursor: ForCursor,
        file: &Bound<'_, PyAny>,
        size: i64,
        sql: Vec<u8>,
        quoting: QuoteContext,
    ) -> Self {
        let (file, stage) = (file.clone().unbind(), Stage::First(Request::query(sql)));
        Self { cursor, file, size, quoting, stage, refused: None }
    }

    /// Begins to send, as the server waits for data.
    fn begin_feeding(
        &mut self,
        context: OperationContext<'_, '_>,
        binary: bool,
    ) -> PyResult<Next<()>> {
        let file = self.file.bind(context.py()).clone();
        let mut begin = || {
            let read = method(&file, "read")?.unbind();
            let flush_policy = CopyFlushPolicy::begin(Instant::now());
            let feed = Feed { read, flush_policy, sent: None };
            if self.size != DEFAULT_SIZE {
                return Ok(Stage::Feeding(feed));
            }
            self.size = READ;
            Ok(match DirectFile::of(&file, &self.quoting, binary)? {
                Some(direct) => Stage::Sending(direct, feed),
                None => Stage::Feeding(feed),
            })
        };
        match begin() {
            Ok(stage) => self.feed(context, stage),
            Err(raised) => self.end_feeding(context, raised),
        }
    }

    /// Gives the engine the next data.
    fn feed(&mut self, context: OperationContext<'_, '_>, stage: Stage) -> PyResult<Next<()>> {
        let py = context.py();
        let feed = match stage {
            Stage::Sending(mut direct, mut feed) => {
                if let Some((body, length)) = direct.next(py)
                    && lend(context, &body, length)?
                {
                    direct.sent(length);
                    self.stage = Stage::Sending(direct, feed);
                    return Ok(Next::Resume);
                }
                let settled = direct.sync_position(py);
                if direct.became_shorter() {
                    return self.end_feeding(context, became_shorter());
                }
                feed.sent = Some(direct);
                match settled {
                    // The rest has to be read.
                    Ok(false) => feed,
                    Ok(true) => {
                        let done = context.session.with_engine(Engine::copy_done);
                        done.map_err(|error| error::from_proto(&error))?;
                        self.stage = Stage::Feeding(feed);
                        return Ok(Next::Resume);
                    }
                    Err(raised) => return self.end_feeding(context, raised),
                }
            }
            Stage::Feeding(feed) => feed,
            _ => return Err(error::internal("data were asked for that are not to be sent")),
        };
        self.read(context, feed)
    }

    /// Reads the file until there is enough to send.
    fn read(&mut self, context: OperationContext<'_, '_>, mut feed: Feed) -> PyResult<Next<()>> {
        let read = feed.read.bind(context.py()).clone();
        loop {
            let given = read.call1((self.size,)).and_then(|chunk| self.give(context, &chunk));
            let given = match given {
                Ok(given) => given.map_err(|error| error::from_proto(&error))?,
                Err(raised) => return self.end_feeding(context, raised),
            };
            if given.is_none_or(|waiting| feed.flush_policy.is_due(waiting, Instant::now())) {
                self.stage = Stage::Feeding(feed);
                return Ok(Next::Resume);
            }
        }
    }

    /// Gives the engine what `read()` returned, in the client encoding. Returns how many bytes wait
    /// to be sent, or `None` at the end of the file. The inner error is the conversation's.
    fn give(
        &self,
        context: OperationContext<'_, '_>,
        chunk: &Bound<'_, PyAny>,
    ) -> PyResult<Result<Option<usize>, Error>> {
        let encoded;
        let bytes = if let Ok(bytes) = chunk.cast::<PyBytes>() {
            bytes.as_bytes()
        } else if let Ok(text) = chunk.cast::<PyString>() {
            encoded = self.quoting.encode(text)?;
            encoded.as_bytes()
        } else {
            return Err(PyTypeError::new_err(format!(
                "read() must return bytes or str: got {}",
                chunk.get_type().name()?
            )));
        };
        Ok(context.session.with_engine(|engine: &mut Engine| {
            if bytes.is_empty() {
                return engine.copy_done().map(|()| None);
            }
            engine.copy_chunk(bytes)?;
            Ok(Some(engine.out().len()))
        }))
    }

    /// Makes a COPY FROM fail because the file did.
    fn end_feeding(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
    ) -> PyResult<Next<()>> {
        let py = context.py();
        let value = raised.value(py);
        let class = raised.get_type(py).name().map_or_else(|_| String::new(), |n| n.to_string());
        let reason = format!("error in .read() call: {class} {value}");
        let reason: String = reason.chars().take_while(|c| *c != '\0').take(MAX_REASON).collect();
        let reason = PyString::new(py, &reason);
        let reason = self.quoting.encode(&reason);
        let reason = reason.as_ref().map_or(b"error in .read() call".as_slice(), Encoded::as_bytes);
        if let Err(error) = context.session.with_engine(|engine| engine.copy_fail(reason)) {
            chain(py, &raised, error::from_proto(&error));
            return Err(raised);
        }
        self.stage = Stage::Failed(raised);
        Ok(Next::Resume)
    }

    /// Begins to write, as the server sends data.
    fn begin_writing(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        let file = self.file.bind(context.py());
        let begun = method(file, "write").and_then(|write| Ok((write, is_text(file)?)));
        match begun {
            Ok((write, text)) => {
                self.stage = Stage::Writing { write: write.unbind(), text };
                Ok(Next::Resume)
            }
            Err(raised) => Ok(Next::GiveUp(raised)),
        }
    }

    fn write(&self, context: OperationContext<'_, '_>, data: &[u8]) -> PyResult<()> {
        let py = context.py();
        let Stage::Writing { write, text } = &self.stage else { return Ok(()) };
        let data = match text {
            true => self.quoting.decode(py, data)?.into_any(),
            false => PyBytes::new(py, data).into_any(),
        };
        write.bind(py).call1((data,)).map(drop)
    }

    /// Ends the operation with the outcome of the COPY.
    fn end(&mut self, context: OperationContext<'_, '_>, outcome: Outcome) -> PyResult<Next<()>> {
        let py = context.py();
        match std::mem::replace(&mut self.stage, Stage::Asked) {
            Stage::Failed(raised) => {
                chain_outcome(context, &raised, Some(&outcome));
                return Err(raised);
            }
            // The server ended the COPY before everything was sent.
            Stage::Sending(direct, _) => {
                direct.sync_position(py)?;
                refuse_shorter(context, &direct, &outcome)?;
            }
            // The file may have become shorter after the last of it was sent and before the server
            // received it.
            Stage::Feeding(Feed { sent: Some(direct), .. }) => {
                refuse_shorter(context, &direct, &outcome)?;
            }
            _ => {}
        }
        let cursor = self.cursor.get(py)?;
        Cursor::take_outcome(&cursor, outcome)?;
        // psycopg2's status message after a COPY is empty.
        cursor.get().state(py).fetched.statusmessage = Some(Tag::new());
        Ok(Next::Done(()))
    }
}

impl Operation for FileCopy {
    type Output = ();

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        match std::mem::replace(&mut self.stage, Stage::Asked) {
            Stage::First(request) => Ok(Next::SendInTransaction(request)),
            _ => Err(error::internal("a COPY that was launched twice")),
        }
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        match (stop, &self.stage) {
            (Stop::Event(Event::Done(outcome)), _) => self.end(context, outcome),
            (_, Stage::Failed(_)) => {
                context.session.break_off();
                match std::mem::replace(&mut self.stage, Stage::Asked) {
                    Stage::Failed(raised) => Err(raised),
                    _ => Ok(Next::Resume),
                }
            }
            (Stop::Event(Event::CopyIn(format)), Stage::Asked) => {
                self.begin_feeding(context, format.binary)
            }
            (Stop::Event(Event::CopyOut(_)), Stage::Asked) => self.begin_writing(context),
            // A replication cursor reads the stream that has begun.
            (Stop::Event(Event::CopyBoth(_)), _)
                if context.connection.get().state(context.py()).replication =>
            {
                Ok(Next::Done(()))
            }
            (Stop::Event(Event::CopyData(data)), Stage::Writing { .. })
                if self.refused.is_none() =>
            {
                Ok(self.write(context, &data).map_or_else(Next::GiveUp, |()| Next::Resume))
            }
            (Stop::Hungry, _) => {
                let stage = std::mem::replace(&mut self.stage, Stage::Asked);
                self.feed(context, stage)
            }
            (stop @ Stop::Event(_), _) => {
                context.outcome(stop, &mut self.refused).map(|_| Next::Resume)
            }
            _ => Ok(Next::Resume),
        }
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        outcome: Option<Outcome>,
    ) -> PyErr {
        let py = context.py();
        match std::mem::replace(&mut self.stage, Stage::Asked) {
            // The conversation failed after the file had.
            Stage::Failed(first) => {
                chain(py, &first, raised);
                return first;
            }
            Stage::Sending(direct, _) => drop(direct.sync_position(py)),
            _ => {}
        }
        chain_outcome(context, &raised, outcome.as_ref());
        raised
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.cursor.traverse(visit)?;
        visit.call(&self.file)
    }
}

/// Sends data from where they lie, or else a copy of them. Returns false if they have to be read
/// from the file.
fn lend(context: OperationContext<'_, '_>, body: &Body, length: u32) -> PyResult<bool> {
    if context.session.link().lend_copy_data(body.clone(), length) {
        return Ok(true);
    }
    let Some(part) = body.bytes(length) else { return Ok(false) };
    let given = context.session.with_engine(|engine: &mut Engine| engine.copy_chunk(part));
    given.map(|()| true).map_err(|error| error::from_proto(&error))
}

/// Whether a file reads and writes str rather than bytes.
fn is_text(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    file.is_instance(imports::TEXT_IO_BASE.bind(file.py())?)
}

/// The method of a file that the COPY needs.
pub(super) fn method<'py>(file: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    match file.getattr(name) {
        Ok(method) if method.is_callable() => Ok(method),
        _ => Err(PyTypeError::new_err(format!("argument 1 must have a .{name}() method"))),
    }
}

/// Fails if the file is shorter now than what was sent of it.
fn refuse_shorter(
    context: OperationContext<'_, '_>,
    direct: &DirectFile,
    outcome: &Outcome,
) -> PyResult<()> {
    if !direct.became_shorter() {
        return Ok(());
    }
    let raised = became_shorter();
    chain_outcome(context, &raised, Some(outcome));
    Err(raised)
}

fn became_shorter() -> PyErr {
    PyOSError::new_err("the file became shorter while it was sent")
}

/// Makes `answer` the cause of `raised`, or of the last exception that `raised` is chained to
/// already.
fn chain(py: Python<'_>, raised: &PyErr, answer: PyErr) {
    let mut last = raised.clone_ref(py);
    let mut seen = vec![last.value(py).as_ptr()];
    while let Some(earlier) = last.cause(py).or_else(|| last.context(py)) {
        if seen.contains(&earlier.value(py).as_ptr()) {
            return;
        }
        seen.push(earlier.value(py).as_ptr());
        last = earlier;
    }
    last.set_cause(py, Some(answer));
}

/// Makes the server's error, if the COPY ended with one, the cause of the file's exception.
fn chain_outcome(context: OperationContext<'_, '_>, raised: &PyErr, outcome: Option<&Outcome>) {
    if let Some(report) = outcome.and_then(|outcome| outcome.error.as_ref()) {
        let py = context.py();
        chain(py, raised, context.connection.get().reported(py, report, None, None));
    }
}
