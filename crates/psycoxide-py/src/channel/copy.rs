//! COPY, in blocks and in rows.
//!
//! The operation pauses when the server wants data, and with each block that it has sent. Rows are
//! written into a buffer, and sent when that is full; what was read is split into rows by
//! [`CopyPlace::parse`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::Stop;
use psycoxide_proto::{CopyFormat, Engine, Event, Outcome, Request};
use psycoxide_sql::binary::copy as binary;
use psycoxide_sql::copy as text;
use psycoxide_sql::oid::{self, Oid};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList, PyString};

use super::hold::Hold;
use super::{Channel, seconds};
use crate::adapt::CopyRows;
use crate::cast::CastPlan;
use crate::connection::Connection;
use crate::cursor::Cursor;
use crate::driver::awaited::SLICE;
use crate::driver::{Next, Operation, OperationContext, Reply};
use crate::error;
use crate::guarded::Guarded;
use crate::row;

/// Data are sent when there are as many bytes.
const FULL: usize = 128 << 10;

/// The longest message, in characters, that the server is told when a COPY is made to fail.
const MAX_REASON: usize = 500;

/// What the caller wants next.
#[derive(Default)]
enum Todo {
    /// What the server has to say.
    #[default]
    Wait,
    /// To send data.
    Send(Vec<u8>),
    /// To send data, the last ones.
    Finish(Vec<u8>),
    /// To make the COPY fail, for this reason.
    Fail(Vec<u8>),
}

/// What the operation and its caller share.
#[derive(Default)]
struct Shared {
    /// How the data are to be sent, or come. `None` before the server has said that.
    format: Option<Format>,
    todo: Todo,
    /// The COPY has ended, well or not.
    complete: bool,
}

#[derive(Clone, Copy)]
struct Format {
    /// The data are sent to the server.
    writes: bool,
    binary: bool,
    /// How many columns there are.
    columns: usize,
}

/// Runs a COPY.
struct Copying {
    cursor: Py<Cursor>,
    request: Option<Request>,
    shared: Arc<Guarded<Shared>>,
    /// No data follow.
    ended: bool,
    /// The COPY is made to fail.
    fails: bool,
    /// Why a second COPY in the same text was refused.
    refused: Option<String>,
}

impl Copying {
    fn begin(
        &self,
        context: OperationContext<'_, '_>,
        format: &CopyFormat,
        writes: bool,
    ) -> Next<Reply> {
        let py = context.py();
        let (binary, columns) = (format.binary, format.columns.len());
        self.shared.lock(py).format = Some(Format { writes, binary, columns });
        Next::Pause(Reply::Object(py.None()))
    }

    fn end(&mut self, py: Python<'_>, outcome: Outcome) -> PyResult<Next<Reply>> {
        let began = {
            let mut shared = self.shared.lock(py);
            shared.complete = true;
            shared.format.is_some()
        };
        let cursor = self.cursor.bind(py);
        let end = || Next::Done(Reply::Object(PyBytes::new(py, b"").into_any().unbind()));
        if self.fails {
            cursor.get().reset(py);
            return Ok(end());
        }
        if let Some(text) = self.refused.take() {
            return Err(error::programming(text));
        }
        let failed = outcome.error.is_some();
        Cursor::take_outcome(cursor, outcome)?;
        if !began && !failed {
            return Err(error::programming(
                "copy() is for COPY ... FROM STDIN and COPY ... TO STDOUT: this was another \
                 statement",
            ));
        }
        Ok(end())
    }
}

impl Operation for Copying {
    type Output = Reply;

    fn launch(&mut self, _context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        match self.request.take() {
            Some(request) => Ok(Next::SendInTransaction(request)),
            None => Err(error::internal("a COPY that was launched twice")),
        }
    }

    fn resume(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let todo = std::mem::take(&mut self.shared.lock(context.py()).todo);
        self.ended |= matches!(todo, Todo::Finish(_) | Todo::Fail(_));
        self.fails |= matches!(todo, Todo::Fail(_));
        let given = context.session.with_engine(|engine: &mut Engine| match todo {
            Todo::Wait => Ok(()),
            Todo::Send(data) => engine.copy_chunk(&data),
            Todo::Finish(data) if data.is_empty() => engine.copy_done(),
            Todo::Finish(data) => engine.copy_chunk(&data).and_then(|()| engine.copy_done()),
            Todo::Fail(reason) => engine.copy_fail(&reason),
        });
        given.map(|()| Next::Resume).map_err(|error| error::from_proto(&error))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let py = context.py();
        let format = self.shared.lock(py).format;
        match (stop, format) {
            (Stop::Event(Event::CopyIn(format)), None) => Ok(self.begin(context, &format, true)),
            (Stop::Event(Event::CopyOut(format)), None) => Ok(self.begin(context, &format, false)),
            (Stop::Event(Event::Done(outcome)), _) => self.end(py, outcome),
            (Stop::Event(Event::CopyData(block)), Some(_)) if self.refused.is_none() => {
                Ok(Next::Pause(Reply::Object(PyBytes::new(py, &block).into_any().unbind())))
            }
            (Stop::Hungry, _) if self.ended => Ok(Next::Resume),
            (Stop::Hungry, _) => Ok(Next::Pause(Reply::Object(py.None()))),
            (Stop::Event(event), _) => {
                let outcome = context.outcome(Stop::Event(event), &mut self.refused);
                self.ended = true;
                outcome.map(|_| Next::Resume)
            }
            _ => Ok(Next::Resume),
        }
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        _outcome: Option<Outcome>,
    ) -> PyErr {
        self.shared.lock(context.py()).complete = true;
        raised
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)
    }
}

/// A COPY: its place on the connection, and the data that wait to be sent or to be parsed.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct CopyPlace {
    cursor: Py<Cursor>,
    hold: Hold,
    shared: Arc<Guarded<Shared>>,
    timeout: Option<Duration>,
    data: Guarded<Data>,
}

#[derive(Default)]
struct Data {
    /// Written and not sent yet.
    unsent: Vec<u8>,
    /// Read and not parsed yet: no complete row.
    unparsed: Vec<u8>,
    /// The types of the columns, once they are set.
    types: Vec<Oid>,
    plan: Option<Arc<CastPlan>>,
    /// Bytes were written as they are.
    is_raw: bool,
    /// The header of the binary format was written, or read.
    has_header: bool,
    /// The trailer of the binary format was read.
    has_trailer: bool,
    /// When the loop last had a turn on behalf of the COPY.
    yielded: Option<Instant>,
}

impl CopyPlace {
    fn call<'py>(&self, py: Python<'py>, todo: Todo) -> PyResult<Bound<'py, PyAny>> {
        self.shared.lock(py).todo = todo;
        let now = Instant::now();
        let mut data = self.data.lock(py);
        let yields = data.yielded.is_some_and(|yielded| now - yielded > SLICE);
        if yields || data.yielded.is_none() {
            data.yielded = Some(now);
        }
        drop(data);
        self.hold.call(py, self.timeout, yields)
    }

    /// The format of a COPY that is under way, for a method that writes or reads.
    fn format(&self, py: Python<'_>, writes: bool) -> PyResult<Format> {
        let shared = self.shared.lock(py);
        let Some(format) = shared.format else {
            return Err(error::programming("the COPY has not begun: enter its block first"));
        };
        if format.writes != writes {
            return Err(error::programming(match writes {
                true => "a COPY TO STDOUT is read, not written",
                false => "a COPY FROM STDIN is written, not read",
            }));
        }
        if shared.complete && writes {
            return Err(error::programming("the COPY is over"));
        }
        Ok(format)
    }

    /// Writes rows with `write`, which gets the writer and the data to append to.
    fn write<'py, T>(
        &self,
        py: Python<'py>,
        write: impl FnOnce(&mut CopyRows<'_, 'py>, &mut Vec<u8>) -> PyResult<T>,
    ) -> PyResult<T> {
        let binary = self.format(py, true)?.binary;
        let connection = self.hold.channel(py).get().connection.bind(py);
        let (mut unsent, types) = {
            let mut data = self.data.lock(py);
            if binary && !std::mem::replace(&mut data.has_header, true) {
                data.unsent.extend_from_slice(binary::HEADER);
            }
            (std::mem::take(&mut data.unsent), data.types.clone())
        };
        let context = Connection::adapt_context(connection);
        let written = CopyRows::new(&context, binary, &types)
            .and_then(|mut rows| write(&mut rows, &mut unsent));
        let mut data = self.data.lock(py);
        // What Python code has written meanwhile comes behind.
        unsent.append(&mut data.unsent);
        data.unsent = unsent;
        written
    }

    /// How the fields of a row become objects.
    fn plan(&self, py: Python<'_>, format: Format) -> PyResult<Arc<CastPlan>> {
        let known = self.data.lock(py).plan.clone();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let mut types = self.data.lock(py).types.clone();
        if types.is_empty() {
            types.resize(format.columns, 0);
        }
        let cursor = self.cursor.bind(py);
        let plan = Arc::new(Cursor::copy_plan(cursor, &types, format.binary)?);
        self.data.lock(py).plan = Some(Arc::clone(&plan));
        Ok(plan)
    }

    fn text_rows(&self, py: Python<'_>, plan: &CastPlan, block: &[u8]) -> PyResult<Py<PyList>> {
        let connection = self.hold.channel(py).get().connection.bind(py).get();
        let encoding = connection.quote_context(py).encoding().encoding();
        let fetch = Cursor::fetch_context(self.cursor.bind(py));
        let rows = PyList::empty(py);
        let width = plan.decoders().len();
        let (lines, rest) = text::lines(block);
        let mut fields = Vec::with_capacity(width);
        for line in lines {
            fields.clear();
            if width > 0 || !line.is_empty() {
                fields.extend(text::fields(line, encoding));
            }
            check_width(fields.len(), width)?;
            rows.append(row::build_copied(&fetch, plan, &fields)?)?;
        }
        self.data.lock(py).unparsed = rest.to_vec();
        Ok(rows.unbind())
    }

    fn binary_rows(&self, py: Python<'_>, plan: &CastPlan, block: &[u8]) -> PyResult<Py<PyList>> {
        let fetch = Cursor::fetch_context(self.cursor.bind(py));
        let rows = PyList::empty(py);
        let fault = |fault: psycoxide_sql::text::Malformed| error::data(fault.0);
        let mut rest = block;
        if !self.data.lock(py).has_header {
            let Some(length) = binary::header(block).map_err(fault)? else {
                self.data.lock(py).unparsed = block.to_vec();
                return Ok(rows.unbind());
            };
            rest = block.get(length..).unwrap_or_default();
            self.data.lock(py).has_header = true;
        }
        loop {
            let (fields, after) = match binary::tuple(rest).map_err(fault)? {
                binary::Tuple::Fields(fields, after) => (fields, after),
                binary::Tuple::End => {
                    self.data.lock(py).has_trailer = true;
                    break;
                }
                binary::Tuple::Incomplete => break,
            };
            check_width(fields.len(), plan.decoders().len())?;
            let fields: Vec<_> = fields.into_iter().map(|field| field.map(Cow::Borrowed)).collect();
            rows.append(row::build_copied(&fetch, plan, &fields)?)?;
            rest = after;
        }
        self.data.lock(py).unparsed = rest.to_vec();
        Ok(rows.unbind())
    }
}

fn check_width(count: usize, width: usize) -> PyResult<()> {
    if count == width {
        return Ok(());
    }
    Err(error::data(format!(
        "a row of {count} fields, where {width} are expected: rows are read from COPY's text format \
         without options, or from its binary format"
    )))
}

/// A type by its OID or its name.
fn type_of(given: &Bound<'_, PyAny>) -> PyResult<Oid> {
    let Ok(name) = given.cast::<PyString>() else { return given.extract() };
    let name = name.to_string();
    oid::by_name(&name).ok_or_else(|| {
        error::programming(format!("no type is known by the name {name:?}: pass its OID"))
    })
}

#[pymethods]
impl CopyPlace {
    /// open() -- Runs the statement up to where data flow.
    fn open<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.call(py, Todo::Wait)
    }

    /// Whether data are written; `None` before the COPY has begun.
    #[getter]
    fn writes(&self, py: Python<'_>) -> Option<bool> {
        self.shared.lock(py).format.map(|format| format.writes)
    }

    /// Whether the COPY has ended.
    #[getter]
    fn complete(&self, py: Python<'_>) -> bool {
        self.shared.lock(py).complete
    }

    /// set_types(types) -- The types of the columns, as OIDs or names.
    fn set_types(&self, py: Python<'_>, types: &Bound<'_, PyAny>) -> PyResult<()> {
        let given =
            types.try_iter()?.map(|given| type_of(&given?)).collect::<PyResult<Vec<_>>>()?;
        let format = self.shared.lock(py).format;
        if let Some(format) = format.filter(|format| format.columns != given.len()) {
            return Err(error::programming(format!(
                "set_types() named {} types: the COPY has {} columns",
                given.len(),
                format.columns
            )));
        }
        let mut data = self.data.lock(py);
        data.types = given;
        let old = data.plan.take();
        drop(data);
        drop(old);
        Ok(())
    }

    /// add(data) -- Data as they are to be sent. Returns whether there is enough to send.
    fn add(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.format(py, true)?;
        let quoting = self.hold.channel(py).get().connection.bind(py).get().quote_context(py);
        let (encoded, copied);
        let bytes = if let Ok(bytes) = data.cast::<PyBytes>() {
            bytes.as_bytes()
        } else if let Ok(text) = data.cast::<PyString>() {
            encoded = quoting.encode(text)?;
            encoded.as_bytes()
        } else if let Ok(buffer) = PyBuffer::<u8>::get(data) {
            copied = buffer.to_vec(py)?;
            &copied
        } else {
            let name = data.get_type().name()?;
            return Err(PyTypeError::new_err(format!("COPY takes bytes or str: got {name}")));
        };
        let mut data = self.data.lock(py);
        data.is_raw = true;
        data.unsent.extend_from_slice(bytes);
        Ok(data.unsent.len() >= FULL)
    }

    /// add_row(row) -- A row to be sent. Returns whether there is enough to send.
    fn add_row<'py>(&self, py: Python<'py>, row: &Bound<'py, PyAny>) -> PyResult<bool> {
        self.write(py, |rows, out| {
            rows.row(row, out)?;
            Ok(out.len() >= FULL)
        })
    }

    /// add_rows(rows) -- Rows of an iterator, as many as are sent together. Returns false if there
    /// are no more.
    fn add_rows<'py>(&self, py: Python<'py>, rows: &Bound<'py, PyIterator>) -> PyResult<bool> {
        let in_python = !is_native(rows);
        self.write(py, |writer, out| {
            let mut rows = rows.clone();
            while out.len() < FULL {
                let Some(row) = rows.next() else { return Ok(false) };
                if in_python {
                    writer.forget();
                }
                writer.row(&row?, out)?;
            }
            Ok(true)
        })
    }

    /// flush() -- Sends what was written.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let data = std::mem::take(&mut self.data.lock(py).unsent);
        self.call(py, Todo::Send(data))
    }

    /// finish() -- Sends what was written, and ends the COPY.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let binary = self.format(py, true)?.binary;
        let mut data = self.data.lock(py);
        if binary && !data.has_header && !data.is_raw {
            data.unsent.extend_from_slice(binary::HEADER);
            data.has_header = true;
        }
        if data.has_header {
            data.unsent.extend_from_slice(&binary::TRAILER);
        }
        let unsent = std::mem::take(&mut data.unsent);
        drop(data);
        self.call(py, Todo::Finish(unsent))
    }

    /// fail(reason) -- Makes the COPY fail; the server's error about that is not raised.
    fn fail<'py>(
        &self,
        py: Python<'py>,
        reason: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let quoting = self.hold.channel(py).get().connection.bind(py).get().quote_context(py);
        let reason = reason.to_string_lossy();
        let short: String = reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect();
        let short = PyString::new(py, &short);
        let encoded = quoting.encode(&short);
        let reason = encoded.as_ref().map_or(b"an exception".as_slice(), |text| text.as_bytes());
        self.call(py, Todo::Fail(reason.to_vec()))
    }

    /// read() -- The next block of data: whole rows in the text format. Empty at the end.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.format(py, false)?;
        self.call(py, Todo::Wait)
    }

    /// parse(block) -- The rows of a block, as tuples.
    fn parse(&self, py: Python<'_>, block: &[u8]) -> PyResult<Py<PyList>> {
        let format = self.format(py, false)?;
        let (before, over) = {
            let mut data = self.data.lock(py);
            (std::mem::take(&mut data.unparsed), data.has_trailer)
        };
        if over {
            return Ok(PyList::empty(py).unbind());
        }
        let plan = self.plan(py, format)?;
        let block = match before.is_empty() {
            true => Cow::Borrowed(block),
            false => Cow::Owned([before.as_slice(), block].concat()),
        };
        match format.binary {
            true => self.binary_rows(py, &plan, &block),
            false => self.text_rows(py, &plan, &block),
        }
    }

    /// close() -- Gives the COPY up, unless it is over; does not wait for an event loop.
    fn close(&self, py: Python<'_>) {
        self.hold.let_go(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        self.hold.traverse(&visit)?;
        let Some(data) = self.data.visited(&visit) else { return Ok(()) };
        data.plan.as_ref().map_or(Ok(()), |plan| plan.traverse(&visit))
    }
}

/// Whether an iterator runs no Python code.
fn is_native(rows: &Bound<'_, PyIterator>) -> bool {
    let class = rows.get_type();
    class.name().is_ok_and(|name| name == "list_iterator" || name == "tuple_iterator")
        && class.module().is_ok_and(|module| module == "builtins")
}

#[pymethods]
impl Channel {
    /// copy(cursor, statement, params, timeout) -- A COPY, which begins with `open()`.
    #[pyo3(signature = (cursor, statement, params, timeout, /))]
    fn copy<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        statement: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<CopyPlace> {
        let timeout = seconds(timeout)?;
        Self::check_owner(slf)?;
        let request = Request::query(Self::text(slf, cursor, statement, params)?);
        cursor.get().reset(slf.py());
        let shared = Arc::new(Guarded::<Shared>::default());
        let cursor = cursor.clone().unbind();
        let operation = Copying {
            cursor: cursor.clone_ref(slf.py()),
            request: Some(request),
            shared: Arc::clone(&shared),
            ended: false,
            fails: false,
            refused: None,
        };
        let hold = Hold::new(slf, operation);
        Ok(CopyPlace { cursor, hold, shared, timeout, data: Guarded::default() })
    }
}

/// Exports `CopyPlace`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CopyPlace>()
}
