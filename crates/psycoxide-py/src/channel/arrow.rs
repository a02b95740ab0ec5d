//! Results as Arrow: whole ones, and streams of record batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use psycoxide_net::Stop;
use psycoxide_proto::Outcome;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::hold::{Hold, tidy_up};
use super::statement::{QueryForm, Sent};
use super::{Channel, seconds};
use crate::arrow::{ArrowTable, BatchSource, ForeignReader, stream_capsule};
use crate::connection::ResultTypes;
use crate::cursor::{Converting, Cursor, ForCursor, Statement};
use crate::driver::awaited::CallOptions;
use crate::driver::{Making, Next, Operation, OperationContext, Reply};
use crate::error;

/// Converts a result, after the server was asked for what is not known of its types.
struct Convert {
    converting: Option<Converting>,
    types: ResultTypes,
}

impl Convert {
    fn next(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let connection = context.connection.get();
        if let Some(request) = self.types.request(context.py(), connection) {
            return Ok(Next::Send(request));
        }
        match self.converting.take() {
            Some(mut converting) => {
                converting.know_types(self.types.clone());
                Ok(Next::Done(Reply::Making(Box::new(converting))))
            }
            None => Err(error::internal("a result that was converted twice")),
        }
    }
}

impl Operation for Convert {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        self.next(context)
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let Some(outcome) = context.outcome(stop, &mut None)? else { return Ok(Next::Resume) };
        self.types.note(context.py(), context.connection.get(), &outcome)?;
        self.next(context)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.converting.as_ref().map_or(Ok(()), |converting| converting.traverse(visit))
    }
}

/// Runs a query, and gives out its rows as record batches while they arrive.
struct Streaming {
    statement: Statement,
    cursor: Py<Cursor>,
    complete: Arc<AtomicBool>,
}

impl Streaming {
    fn end(&self, py: Python<'_>) -> PyResult<Reply> {
        let rest = self.cursor.bind(py).get().take_batches(py);
        self.complete.store(true, Ordering::Release);
        match rest {
            Some(batches) => Ok(Reply::Object(Py::new(py, ArrowTable::from(batches))?.into_any())),
            None => Err(error::programming("the statement returned no rows")),
        }
    }

    fn follow(
        &mut self,
        context: OperationContext<'_, '_>,
        next: Next<()>,
    ) -> PyResult<Next<Reply>> {
        Ok(match next {
            Next::Done(()) => Next::Done(self.end(context.py())?),
            next => next.map(|()| Reply::Object(context.py().None())),
        })
    }
}

impl Operation for Streaming {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let next = self.statement.launch(context)?;
        self.follow(context, next)
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let py = context.py();
        if !matches!(stop, Stop::Rows) {
            let next = self.statement.land(context, stop)?;
            return self.follow(context, next);
        }
        let Some((columns, rows)) = context.session.take_rows() else { return Ok(Next::Resume) };
        let taken = self.statement.take_arrow(py, &columns, &rows);
        context.session.give_back(rows);
        Ok(match taken {
            Ok(Some(batches)) => {
                let table = Py::new(py, ArrowTable::from(batches))?.into_any();
                Next::Pause(Reply::Object(table))
            }
            Ok(None) => Next::Resume,
            Err(raised) => Next::GiveUp(raised),
        })
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        outcome: Option<Outcome>,
    ) -> PyErr {
        self.complete.store(true, Ordering::Release);
        self.statement.failed(context, raised, outcome)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        self.statement.traverse(visit)
    }
}

/// A stream of record batches of `psycoxide.aio` and `psycoxide.sync`: its place on the connection.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct BatchStream {
    hold: Hold,
    /// The last batches were given out.
    complete: Arc<AtomicBool>,
    /// Somebody reads it.
    read: AtomicBool,
    /// Is told of what another library reads.
    report: Option<Py<PyAny>>,
    timeout: Option<Duration>,
}

impl BatchStream {
    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// The next batches, for a blocking channel.
    fn wait(&self, py: Python<'_>) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
        let table = self.hold.call(py, self.timeout, false)?.cast_into::<ArrowTable>()?;
        let table = table.get();
        if let Some(report) = &self.report {
            report.call1(py, (table.num_rows(), table.nbytes(), self.is_complete()))?;
        }
        Ok(table.parts())
    }
}

#[pymethods]
impl BatchStream {
    /// next() -- The next batches as an `ArrowTable`, which may have no rows; `None` at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.read.store(true, Ordering::Release);
        match self.is_complete() {
            true => Channel::give(self.hold.channel(py), Reply::Object(py.None())),
            false => self.hold.call(py, self.timeout, false),
        }
    }

    /// The stream as an `arrow_array_stream` capsule, once; for blocking channels.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        slf: &Bound<'py, Self>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let (py, this) = (slf.py(), slf.get());
        let _ = requested_schema;
        if this.read.swap(true, Ordering::AcqRel) {
            return Err(error::programming("a stream of Arrow can be read once, and this one was"));
        }
        let (schema, batches) = this.wait(py)?;
        let stream = slf.clone().unbind();
        let reader = StreamReader { stream, schema, batches: batches.into_iter() };
        stream_capsule(py, ForeignReader::new(reader))
    }

    /// close() -- Ends the stream, and the query if it still runs.
    fn close(&self, py: Python<'_>) {
        self.complete.store(true, Ordering::Release);
        self.hold.let_go(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(report) = &self.report {
            visit.call(report)?;
        }
        self.hold.traverse(&visit)
    }
}

/// Reads a stream on behalf of another library, in any thread.
struct StreamReader {
    stream: Py<BatchStream>,
    schema: SchemaRef,
    batches: std::vec::IntoIter<RecordBatch>,
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        // Nobody else can read the rest.
        tidy_up(|py| self.stream.get().close(py));
    }
}

impl BatchSource for StreamReader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.batches.next() {
                return Ok(Some(batch));
            }
            let this = self.stream.bind(py).get();
            if this.is_complete() {
                return Ok(None);
            }
            self.batches = this.wait(py)?.1.into_iter();
        }
    }
}

#[pymethods]
impl Channel {
    /// fetch_arrow(cursor) -- The rows that are left of a native cursor's result, as an `ArrowTable`.
    #[pyo3(signature = (cursor, /))]
    fn fetch_arrow<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let converting = Converting::new(cursor, true)?;
        match converting.unknown_types(slf.py())? {
            None => Self::give(slf, Reply::Making(Box::new(converting))),
            Some(types) => {
                let operation = Convert { converting: Some(converting), types };
                Self::run(slf, operation, CallOptions::default())
            }
        }
    }

    /// stream_arrow(cursor, query, params, timeout, prepare, report) -- A stream of record batches of a
    /// query, which runs when the first ones are asked for. The native cursor has the options.
    /// `report(rows, bytes, is_last)` is called for what another library reads by
    /// `__arrow_c_stream__()`.
    #[pyo3(signature = (cursor, query, params, timeout, prepare=None, report=None, /))]
    fn stream_arrow<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        timeout: Option<f64>,
        prepare: Option<bool>,
        report: Option<Py<PyAny>>,
    ) -> PyResult<BatchStream> {
        let py = slf.py();
        let timeout = seconds(timeout)?;
        Self::check_owner(slf)?;
        let form = QueryForm { prepare, binary: Some(true) };
        let for_cursor = ForCursor::called(cursor);
        let statement = match Self::sent(slf, cursor, query, params, form)? {
            Sent::Bound(run) => Statement::bound(for_cursor, run),
            Sent::Text { .. } => Statement::in_binary(
                for_cursor,
                cursor
                    .get()
                    .query_bytes(py)
                    .map(|sql| sql.as_bytes(py).to_vec())
                    .unwrap_or_default(),
            ),
        };
        let complete = Arc::new(AtomicBool::new(false));
        let operation = Streaming {
            statement: statement.in_portions(),
            cursor: cursor.clone().unbind(),
            complete: Arc::clone(&complete),
        };
        let hold = Hold::new(slf, operation);
        Ok(BatchStream { hold, complete, read: AtomicBool::new(false), report, timeout })
    }
}

/// Exports `BatchStream`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BatchStream>()
}
