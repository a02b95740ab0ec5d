//! COPY between a table and a file object.
//!
//! The file is called only at pauses, with no lock held. What it raises ends the COPY; the
//! server's answer is taken before the user hears of it, so the connection stays usable.

use std::time::{Duration, Instant};

use psycoxide_net::CopyFlushPolicy;
use psycoxide_net::Stop;
use psycoxide_proto::{Engine, Error, Event, Outcome, Request, Tag};
use psycoxide_sql::command::copy::Table;
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

use super::Cursor;
use super::source::Source;
use crate::connection::Connection;
use crate::driver::Operation;
use crate::encoding::{Encoded, QuoteContext};
use crate::error;
use crate::imports;

/// The default of psycopg2's `size`.
const DEFAULT_SIZE: usize = 8192;

/// How much is read from a file at a time when the caller does not choose: small reads cost a
/// system call and a message each.
const READ: usize = 64 * 1024;

/// So long may the server take to give up a COPY TO that nobody reads, before it is closed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a file takes and gives str rather than bytes.
fn is_text(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    file.is_instance(imports::TEXT_IO_BASE.bind(file.py())?)
}

/// The method of a file that the COPY needs.
fn method<'py>(file: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    match file.getattr(name) {
        Ok(method) if method.is_callable() => Ok(method),
        _ => Err(PyTypeError::new_err(format!("argument 1 must have a .{name}() method"))),
    }
}

/// Makes `answer` the cause of `raised`; what `raised` was already chained to comes first.
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

fn shorter() -> PyErr {
    PyOSError::new_err("the file became shorter while it was sent")
}

/// What came of sending a file from where its content lies.
enum Fed {
    /// The server ended the COPY.
    Outcome(Outcome),
    /// It is sent as far as that can be; `whole` if nothing is left to be read for certain.
    Sent { whole: bool },
}

struct Copy<'a, 'py> {
    connection: &'a Bound<'py, Connection>,
    operation: Operation<'a, 'py>,
    file: &'a Bound<'py, PyAny>,
    context: QuoteContext,
}

impl<'py> Copy<'_, 'py> {
    /// Feeds the file to the server until it ends.
    fn feed(&self, size: usize) -> PyResult<Outcome> {
        let py = self.file.py();
        let read = method(self.file, "read")?;
        let mut ended = false;
        let size = if size == DEFAULT_SIZE {
            if let Some(mut source) = Source::of(self.file, &self.context)? {
                match self.feed_source(&mut source)? {
                    Fed::Outcome(outcome) => return Ok(outcome),
                    Fed::Sent { whole } => ended = whole,
                }
            }
            READ
        } else {
            size
        };
        let size = PyInt::new(py, size);
        let mut flush_policy = CopyFlushPolicy::begin(Instant::now());
        loop {
            let chunk =
                if ended { Ok(PyBytes::new(py, b"").into_any()) } else { read.call1((&size,)) };
            let fed = match chunk.and_then(|chunk| self.give(&chunk)) {
                Ok(fed) => fed.map_err(|error| error::from_proto(&error))?,
                Err(raised) => return Err(self.fail(py, raised)),
            };
            if let Some(waiting) = fed
                && !flush_policy.is_due(waiting, Instant::now())
            {
                continue;
            }
            match self.operation.resume()? {
                Stop::Event(Event::Done(outcome)) => return Ok(outcome),
                Stop::Event(event) => return self.operation.refuse(&event),
                _ => {}
            }
        }
    }

    /// Sends what a file holds from where it lies, as long as that can be: what is left is to be read.
    fn feed_source(&self, source: &mut Source<'_, 'py>) -> PyResult<Fed> {
        let (py, session) = (self.file.py(), self.operation.session());
        while let Some((body, length)) = source.next() {
            if !session.link().lend_copy_data(body.clone(), length) {
                let Some(part) = body.bytes(length) else { break };
                let given = session.with_engine(|engine: &mut Engine| engine.copy_chunk(part));
                given.map_err(|error| error::from_proto(&error))?;
            }
            source.sent(length);
            let stop = match self.operation.resume() {
                Ok(stop) => stop,
                Err(raised) => {
                    let _ = source.settle();
                    return Err(raised);
                }
            };
            match stop {
                Stop::Event(Event::Done(outcome)) => {
                    source.settle()?;
                    if source.became_shorter() {
                        let raised = shorter();
                        self.chain(py, &raised, Some(outcome));
                        return Err(raised);
                    }
                    return Ok(Fed::Outcome(outcome));
                }
                Stop::Event(event) => return self.operation.refuse(&event).map(Fed::Outcome),
                _ => {}
            }
        }
        if source.became_shorter() {
            let _ = source.settle();
            return Err(self.fail(py, shorter()));
        }
        match source.settle() {
            Ok(whole) => Ok(Fed::Sent { whole }),
            Err(raised) => Err(self.fail(py, raised)),
        }
    }

    /// Hands over what the file gave, to be sent in the client encoding: how much waits for that, or
    /// nothing at the end of the file. The inner error is the conversation's.
    fn give(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Result<Option<usize>, Error>> {
        let encoded;
        let bytes = if let Ok(bytes) = chunk.cast::<PyBytes>() {
            bytes.as_bytes()
        } else if let Ok(text) = chunk.cast::<PyString>() {
            encoded = self.context.encode(text)?;
            encoded.as_bytes()
        } else {
            return Err(PyTypeError::new_err(format!(
                "read() must return bytes or str: got {}",
                chunk.get_type().name()?
            )));
        };
        Ok(self.operation.session().with_engine(|engine: &mut Engine| {
            if bytes.is_empty() {
                return engine.copy_done().map(|()| None);
            }
            engine.copy_chunk(bytes)?;
            Ok(Some(engine.out().len()))
        }))
    }

    /// Ends a COPY FROM because the file failed: what it raised, chained to the server's answer.
    fn fail(&self, py: Python<'py>, raised: PyErr) -> PyErr {
        let value = raised.value(py);
        let class = raised.get_type(py).name().map_or_else(|_| String::new(), |n| n.to_string());
        let reason = format!("error in .read() call: {class} {value}");
        let reason = PyString::new(py, &reason);
        let reason = self.context.encode(&reason);
        let reason = reason.as_ref().map_or(b"error in .read() call".as_slice(), Encoded::as_bytes);
        let session = self.operation.session();
        let refused = session.with_engine(|engine: &mut Engine| engine.copy_fail(reason));
        let answer = match refused {
            Ok(()) => self.operation.resume(),
            Err(error) => Err(error::from_proto(&error)),
        };
        match answer {
            Ok(Stop::Event(Event::Done(outcome))) => self.chain(py, &raised, Some(outcome)),
            Ok(_) => session.break_off(),
            Err(answer) => chain(py, &raised, answer),
        }
        raised
    }

    /// Ends a COPY TO because the file failed: what it raised, chained to the server's answer.
    fn give_up(&self, py: Python<'py>, raised: PyErr) -> PyErr {
        let session = self.operation.session();
        let outcome = py.detach(|| session.cancel_and_drain(PATIENCE));
        self.chain(py, &raised, outcome);
        raised
    }

    /// Chains what the file raised to the error with which the COPY ended.
    fn chain(&self, py: Python<'py>, raised: &PyErr, outcome: Option<Outcome>) {
        if let Some(report) = outcome.and_then(|outcome| outcome.error) {
            let connection = self.connection.get();
            chain(py, raised, connection.reported(py, &report, None, None));
        }
    }

    /// Writes what the server sends to the file until it ends.
    fn drain(&self) -> PyResult<Outcome> {
        let py = self.file.py();
        let write = method(self.file, "write")?;
        let text = is_text(self.file)?;
        loop {
            match self.operation.resume()? {
                Stop::Event(Event::Done(outcome)) => return Ok(outcome),
                Stop::Event(Event::CopyData(data)) => {
                    let data = if text {
                        self.context.decode(py, &data).map(Bound::into_any)
                    } else {
                        Ok(PyBytes::new(py, &data).into_any())
                    };
                    if let Err(raised) = data.and_then(|data| write.call1((data,))) {
                        return Err(self.give_up(py, raised));
                    }
                }
                Stop::Event(event) => return self.operation.refuse(&event),
                _ => {}
            }
        }
    }
}

impl Cursor {
    /// Runs a COPY statement over a file.
    fn copy(
        slf: &Bound<'_, Self>,
        sql: Vec<u8>,
        file: &Bound<'_, PyAny>,
        size: usize,
    ) -> PyResult<()> {
        let this = slf.get();
        let py = slf.py();
        let connection = this.open_connection(py)?;
        if memchr::memchr(0, &sql).is_some() {
            return Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters"));
        }
        this.note_query(py, &sql);
        this.reset(py);
        let operation = Operation::begin(connection)?;
        let context = connection.get().quote_context(slf.py());
        let stop = operation.run_in_transaction(Request::query(sql), None)?;
        let copy = Copy { connection, operation, file, context };
        let outcome = match stop {
            Stop::Event(Event::Done(outcome)) => outcome,
            Stop::Event(Event::CopyIn(_)) => copy.feed(size)?,
            Stop::Event(Event::CopyOut(_)) => copy.drain()?,
            Stop::Event(event) => copy.operation.refuse(&event)?,
            _ => return Err(error::internal("a COPY went on before it began")),
        };
        drop(copy);
        Self::take_outcome(slf, outcome)?;
        this.state(slf.py()).fetched.statusmessage = Some(Tag::new());
        Ok(())
    }

    /// What every kind of COPY has to check first.
    fn check_copy<'py>(slf: &Bound<'py, Self>, method: &str) -> PyResult<Bound<'py, Connection>> {
        let connection = slf.get().open_connection(slf.py())?;
        connection.get().refuse_async(slf.py(), method)?;
        connection.get().refuse_prepared(slf.py(), method)?;
        Ok(connection.clone())
    }
}

/// The parts of a `copy_from` or `copy_to`, quoted.
struct Quoted {
    name: Vec<u8>,
    columns: Vec<Vec<u8>>,
    separator: Vec<u8>,
    null: Vec<u8>,
}

impl Quoted {
    fn new(
        table: &Bound<'_, PyString>,
        columns: Option<&Bound<'_, PyAny>>,
        separator: &Bound<'_, PyString>,
        null: &Bound<'_, PyString>,
        context: &QuoteContext,
    ) -> PyResult<Self> {
        let literal =
            |text: &Bound<'_, PyString>| context.literal(context.encode(text)?.as_bytes());
        let mut quoted = Self {
            name: context.identifier(table)?,
            columns: Vec::new(),
            separator: literal(separator)?,
            null: literal(null)?,
        };
        if let Some(columns) = columns.filter(|columns| !columns.is_none()) {
            for column in columns.try_iter()? {
                let column = column?;
                quoted.columns.push(context.identifier(column.cast::<PyString>()?)?);
            }
        }
        Ok(quoted)
    }

    fn table(&self) -> Table<'_> {
        Table {
            name: &self.name,
            columns: &self.columns,
            separator: &self.separator,
            null: &self.null,
        }
    }
}

#[pymethods]
impl Cursor {
    /// copy_from(file, table, sep='\t', null='\\N', size=8192, columns=None) -- Fill a table from a
    /// file in COPY's text format.
    ///
    /// `file.read(size)` is called until it returns an empty str (if the file is an
    /// `io.TextIOBase`) or empty bytes. `table` and `columns` are quoted, so a name with a schema
    /// needs `copy_expert()`. `rowcount` is the number of rows. An exception of `read()` is raised,
    /// with the server's answer as its cause, and the connection stays usable. Raises
    /// ProgrammingError on asynchronous connections, and the server's errors.
    #[pyo3(signature = (file, table, sep=None, null=None, size=8192, columns=None))]
    fn copy_from<'py>(
        slf: &Bound<'py, Self>,
        file: &Bound<'py, PyAny>,
        table: &Bound<'py, PyString>,
        sep: Option<Bound<'py, PyString>>,
        null: Option<Bound<'py, PyString>>,
        size: i64,
        columns: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        method(file, "read")?;
        let connection = Self::check_copy(slf, "copy_from")?;
        let py = slf.py();
        let sep = sep.unwrap_or_else(|| PyString::new(py, "\t"));
        let null = null.unwrap_or_else(|| PyString::new(py, "\\N"));
        let context = connection.get().quote_context(slf.py());
        let quoted = Quoted::new(table, columns, &sep, &null, &context)?;
        let size = usize::try_from(size).unwrap_or_default();
        Self::copy(slf, quoted.table().copy_from(), file, size)
    }

    /// copy_to(file, table, sep='\t', null='\\N', columns=None) -- Write a table to a file in
    /// COPY's text format.
    ///
    /// `file.write(data)` is called with str if the file is an `io.TextIOBase`, otherwise with
    /// bytes. Everything else is as for `copy_from()`.
    #[pyo3(signature = (file, table, sep=None, null=None, columns=None))]
    fn copy_to<'py>(
        slf: &Bound<'py, Self>,
        file: &Bound<'py, PyAny>,
        table: &Bound<'py, PyString>,
        sep: Option<Bound<'py, PyString>>,
        null: Option<Bound<'py, PyString>>,
        columns: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        method(file, "write")?;
        let connection = Self::check_copy(slf, "copy_to")?;
        let py = slf.py();
        let sep = sep.unwrap_or_else(|| PyString::new(py, "\t"));
        let null = null.unwrap_or_else(|| PyString::new(py, "\\N"));
        let context = connection.get().quote_context(slf.py());
        let quoted = Quoted::new(table, columns, &sep, &null, &context)?;
        Self::copy(slf, quoted.table().copy_to(), file, 0)
    }

    /// copy_expert(sql, file, size=8192) -- Run any COPY statement over a file.
    ///
    /// `sql` is a `COPY ... FROM STDIN` or `COPY ... TO STDOUT`: str, bytes or a `sql.Composable`,
    /// without parameters. `file` is read or written as by `copy_from()` and `copy_to()`. Raises
    /// what they do, and ProgrammingError if the statement is no such COPY.
    #[pyo3(signature = (sql, file, size=8192))]
    fn copy_expert<'py>(
        slf: &Bound<'py, Self>,
        sql: &Bound<'py, PyAny>,
        file: &Bound<'py, PyAny>,
        size: i64,
    ) -> PyResult<()> {
        let connection = Self::check_copy(slf, "copy_expert")?;
        if !file.hasattr("read")? && !file.hasattr("write")? {
            return Err(PyTypeError::new_err(
                "file must be a readable file-like object for COPY FROM; \
                 a writable file-like object for COPY TO.",
            ));
        }
        let sql = Self::query_text(slf, sql, &connection)?;
        let size = usize::try_from(size).unwrap_or_default();
        Self::copy(slf, sql, file, size)
    }
}
