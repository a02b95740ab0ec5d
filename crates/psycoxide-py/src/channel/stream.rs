//! Streams: the rows of a query, given out while they arrive.
//!
//! The operation pauses with each portion of rows that has arrived, and nothing is read from the
//! socket before the caller has taken them: so memory stays constant, and the server waits for a
//! caller that is slow. The rows of a portion are made a few at a time, by the read-ahead of a
//! cursor that has the portion for its result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use psycoxide_net::Stop;
use psycoxide_proto::{Columns, Event, Outcome, Request, ResultKind, Rows};
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::hold::Hold;
use super::rows::Shape;
use super::statement::{QueryForm, Sent};
use super::{Channel, seconds};
use crate::cursor::{Again, Cursor, Run};
use crate::driver::awaited::SLICE;
use crate::driver::{Making, Next, Operation, OperationContext, Reply};
use crate::error;
use crate::guarded::Guarded;

/// The rows that have arrived, and what becomes of them. Shared by the operation and its caller,
/// which shows the garbage collector what is in here: it must see each reference once.
struct Arrived {
    /// Has the last portion for its result.
    cursor: Py<Cursor>,
    row_factory: Option<Py<PyAny>>,
    /// Chosen when the first row is made.
    shape: Guarded<Option<Arc<Shape>>>,
    /// The last portion is there.
    complete: AtomicBool,
    /// Its caller awaits rows.
    asynchronous: bool,
}

impl Arrived {
    /// The next row, if it has arrived.
    #[inline]
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let cursor = self.cursor.bind(py);
        if !cursor.get().has_rows(py) {
            return Ok(None);
        }
        let Some(row) = Cursor::next_row(cursor)? else { return Ok(None) };
        if self.row_factory.is_none() {
            return Ok(Some(row));
        }
        self.shaped(row).map(Some)
    }

    fn shaped<'py>(&self, row: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = row.py();
        let shape = self.shape.lock(py).clone();
        let shape = match shape {
            Some(shape) => shape,
            None => {
                let factory = self.row_factory.as_ref().map(|factory| factory.bind(py));
                let shape = Arc::new(Shape::of(self.cursor.bind(py), factory)?);
                *self.shape.lock(py) = Some(Arc::clone(&shape));
                shape
            }
        };
        shape.row(row)
    }

    /// Drops the rows that are left, as no more are wanted.
    fn close(&self, py: Python<'_>) {
        self.cursor.bind(py).get().reset(py);
        self.complete.store(true, Ordering::Release);
    }

    /// The exception that ends an iteration.
    fn end(&self) -> PyErr {
        match self.asynchronous {
            true => PyStopAsyncIteration::new_err(()),
            false => PyStopIteration::new_err(()),
        }
    }

    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        visit.call(&self.row_factory)?;
        let Some(shape) = self.shape.visited(visit) else { return Ok(()) };
        shape.as_ref().map_or(Ok(()), |shape| shape.traverse(visit))
    }
}

/// Runs a query, and gives out its rows in portions.
struct Streaming {
    query: StreamedQuery,
    arrived: Arc<Arrived>,
    /// How many rows were given out.
    given: usize,
    /// The transaction that began with the query is rolled back, before that is sent again.
    rolling_back: bool,
    /// Why the server's COPY was refused.
    refused: Option<String>,
}

/// What a stream sends.
enum StreamedQuery {
    Text(Request),
    Bound(Run),
    /// Its text was sent.
    Sent,
}

impl Streaming {
    /// What the caller gets at a pause, and at the end.
    fn reply(&self) -> Reply {
        let is_closed = self.arrived.is_complete();
        Reply::Making(Box::new(FirstRow { arrived: Arc::clone(&self.arrived), is_closed }))
    }

    /// Gives a portion of rows to the cursor.
    fn take(&mut self, py: Python<'_>, columns: Arc<Columns>, rows: Rows) -> PyResult<()> {
        if rows.before() != self.given {
            return Err(several_results());
        }
        self.given += rows.len();
        Cursor::take_portion(self.arrived.cursor.bind(py), columns, rows)
    }

    /// What follows if the way in which the query was sent is to blame for an error.
    fn again(
        &mut self,
        context: OperationContext<'_, '_>,
        outcome: &Outcome,
    ) -> Option<Next<Reply>> {
        let StreamedQuery::Bound(run) = &mut self.query else { return None };
        match run.again(context, outcome)? {
            Again::Send => Some(Next::Again),
            Again::After(request) => {
                self.rolling_back = true;
                Some(Next::Send(request))
            }
        }
    }

    fn end(&mut self, py: Python<'_>, outcome: Outcome) -> PyResult<Next<Reply>> {
        if let Some(text) = self.refused.take() {
            return Err(error::programming(text));
        }
        if outcome.error.is_none() {
            let result = outcome.result.as_ref();
            let rows = result.filter(|result| result.kind == ResultKind::Tuples);
            if rows.map_or(0, |result| result.rows.before()) != self.given {
                return Err(several_results());
            }
        }
        Cursor::take_last_portion(self.arrived.cursor.bind(py), outcome, self.given)?;
        let reply = self.reply();
        self.arrived.complete.store(true, Ordering::Release);
        Ok(Next::Done(reply))
    }
}

fn several_results() -> PyErr {
    error::programming("a stream has the rows of one statement: this query has several results")
}

impl Operation for Streaming {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let request = match std::mem::replace(&mut self.query, StreamedQuery::Sent) {
            StreamedQuery::Text(request) => request,
            StreamedQuery::Bound(run) => {
                let request = run.request(context, self.arrived.cursor.bind(context.py()), None)?;
                self.query = StreamedQuery::Bound(run);
                request
            }
            StreamedQuery::Sent => {
                return Err(error::internal("a stream that was launched twice"));
            }
        };
        Ok(Next::SendInTransaction(request.streaming()))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let py = context.py();
        match stop {
            Stop::Rows => match context.session.take_rows() {
                Some((columns, rows)) => Ok(match self.take(py, columns, rows) {
                    Ok(()) => Next::Pause(self.reply()),
                    Err(raised) => Next::GiveUp(raised),
                }),
                None => Ok(Next::Resume),
            },
            Stop::Event(Event::Done(outcome)) => {
                if self.rolling_back && outcome.error.is_none() {
                    self.rolling_back = false;
                    return Ok(Next::Again);
                }
                match self.again(context, &outcome) {
                    Some(next) => Ok(next),
                    None => self.end(py, outcome),
                }
            }
            stop => context.outcome(stop, &mut self.refused).map(|_| Next::Resume),
        }
    }
}

/// Makes the first row of a portion; at the end, the exception that ends an iteration.
struct FirstRow {
    arrived: Arc<Arrived>,
    /// The stream was closed while its caller waited: the other rows are not wanted.
    is_closed: bool,
}

impl Making for FirstRow {
    fn go_on(&mut self, py: Python<'_>, _until: Option<Instant>) -> PyResult<Option<Py<PyAny>>> {
        let row = self.arrived.next(py)?;
        if self.is_closed {
            self.arrived.close(py);
        }
        match row {
            Some(row) => Ok(Some(row.unbind())),
            None => Err(self.arrived.end()),
        }
    }

    fn traverse(&self, _visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        Ok(())
    }
}

/// A stream: its place on the connection, and the rows that have arrived.
struct Stream {
    hold: Hold,
    arrived: Arc<Arrived>,
    timeout: Option<Duration>,
}

impl Stream {
    /// Waits for the next portion. Returns its first row, or what a coroutine awaits.
    fn wait<'py>(&self, py: Python<'py>, yields: bool) -> PyResult<Bound<'py, PyAny>> {
        self.hold.call(py, self.timeout, yields)
    }

    /// Ends the stream, and the query if it still runs.
    fn close(&self, py: Python<'_>) {
        self.hold.let_go(py);
        self.arrived.close(py);
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.hold.traverse(visit)?;
        self.arrived.traverse(visit)
    }
}

/// The rows of a stream of `psycoxide.sync`, one after another.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct RowIterator(Stream);

#[pymethods]
impl RowIterator {
    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.0.arrived.next(py)? {
            None if self.0.arrived.is_complete() => Ok(None),
            None => self.0.wait(py, false).map(Some),
            row => Ok(row),
        }
    }

    /// close() -- Ends the stream, and the query if it still runs.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}

/// The same of `psycoxide.aio`.
///
/// As rows mostly are there already, it is also what `__anext__()` returns to be awaited: then
/// awaiting returns the next row at once.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct AsyncRowIterator {
    stream: Stream,
    /// When the loop last had a turn on behalf of the stream.
    yielded: Guarded<Option<Instant>>,
}

#[pymethods]
impl AsyncRowIterator {
    fn __aiter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __anext__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let arrived = &this.stream.arrived;
        if arrived.is_complete() || Cursor::is_row_left(arrived.cursor.bind(py)) {
            return Ok(slf.clone().into_any());
        }
        let now = Instant::now();
        let mut yielded = this.yielded.lock(py);
        let yields = yielded.is_some_and(|yielded| now - yielded > SLICE);
        if yields || yielded.is_none() {
            *yielded = Some(now);
        }
        drop(yielded);
        this.stream.wait(py, yields)
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.stream.arrived.next(py)? {
            Some(row) => {
                let stop = py.get_type::<PyStopIteration>();
                Err(PyErr::from_value(stop.call1((row,))?))
            }
            None if self.stream.arrived.is_complete() => Err(self.stream.arrived.end()),
            None => Err(PyRuntimeError::new_err("a stream is read by one task at a time")),
        }
    }

    /// close() -- Ends the stream, and the query if it still runs; does not wait for that.
    fn close(&self, py: Python<'_>) {
        self.stream.close(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.stream.traverse(&visit)
    }
}

#[pymethods]
impl Channel {
    /// stream(cursor, query, params, row_factory, timeout, prepare, binary) -- An iterator over the rows of a query,
    /// which runs when the first one is asked for. The native cursor has the rows that have arrived.
    #[pyo3(signature = (
        cursor, query, params, row_factory, timeout, prepare=None, binary=None, /
    ))]
    #[expect(clippy::too_many_arguments, reason = "called by Python alone")]
    fn stream<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        row_factory: Option<Py<PyAny>>,
        timeout: Option<f64>,
        prepare: Option<bool>,
        binary: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let timeout = seconds(timeout)?;
        Self::check_owner(slf)?;
        let form = QueryForm { prepare, binary };
        let query = match Self::sent(slf, cursor, query, params, form)? {
            Sent::Text { request, .. } => StreamedQuery::Text(request),
            Sent::Bound(run) => StreamedQuery::Bound(run),
        };
        Cursor::begin_portions(cursor);
        let row_factory = match row_factory {
            Some(factory) if Shape::is_tuple(factory.bind(py))? => None,
            factory => factory,
        };
        let arrived = Arc::new(Arrived {
            cursor: cursor.clone().unbind(),
            row_factory,
            shape: Guarded::default(),
            complete: AtomicBool::new(false),
            asynchronous: slf.get().driver.is_some(),
        });
        let operation = Streaming {
            query,
            arrived: Arc::clone(&arrived),
            given: 0,
            rolling_back: false,
            refused: None,
        };
        let stream = Stream { hold: Hold::new(slf, operation), arrived, timeout };
        match slf.get().driver {
            Some(_) => {
                let iterator = AsyncRowIterator { stream, yielded: Guarded::default() };
                Ok(Bound::new(py, iterator)?.into_any())
            }
            None => Ok(Bound::new(py, RowIterator(stream))?.into_any()),
        }
    }
}

/// Exports the iterators.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RowIterator>()?;
    module.add_class::<AsyncRowIterator>()
}
