//! A statement of a cursor, as an operation.

use psycoxide_net::Stop;
use psycoxide_proto::{Columns, Event, Extended, Outcome, Request, Rows, Tag};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use super::Cursor;
use super::run::{Again, Run};
use crate::cast::CastPlan;
use crate::driver::{Next, Operation, OperationContext, RowSink};
use crate::error;
use crate::row::{EagerRows, LONG_FIELD};

/// The cursor that an operation is for.
pub enum ForCursor {
    /// A method of the cursor waits.
    Called(Py<Cursor>),
    /// The program polls the connection: the cursor may be gone before the end.
    Polled(Py<PyWeakrefReference>),
}

impl ForCursor {
    pub fn called(cursor: &Bound<'_, Cursor>) -> Self {
        Self::Called(cursor.clone().unbind())
    }

    pub fn polled(cursor: &Bound<'_, Cursor>) -> PyResult<Self> {
        Ok(Self::Polled(PyWeakrefReference::new(cursor)?.unbind()))
    }

    /// The cursor.
    ///
    /// # Errors
    /// `InterfaceError` if it is gone.
    pub fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Cursor>> {
        match self {
            Self::Called(cursor) => Ok(cursor.bind(py).clone()),
            Self::Polled(cursor) => match cursor.bind(py).upgrade() {
                Some(cursor) => Ok(cursor.cast_into::<Cursor>()?),
                None => Err(error::interface("the asynchronous cursor has disappeared")),
            },
        }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Called(cursor) => visit.call(cursor),
            Self::Polled(cursor) => visit.call(cursor),
        }
    }
}

/// Runs a statement, and gives its outcome to the cursor.
pub struct Statement {
    sink: EagerSink,
    stage: Stage,
    /// What runs, if it is bound on the server.
    run: Option<Box<Run>>,
    in_transaction: bool,
    /// Why the server's COPY was refused.
    refused: Option<String>,
}

/// How far a statement came.
enum Stage {
    /// Nothing was sent yet.
    First(Request),
    /// The statement is described, to learn which columns can come in binary.
    Describing(Vec<u8>),
    /// The bound statement was not sent yet.
    Unsent,
    /// The bound statement is described, as its columns are to come in binary.
    DescribingRun,
    /// The statement runs.
    Running,
    /// The transaction that began with it is rolled back, before it is sent again.
    RollingBack,
}

impl Statement {
    /// Runs `request` in a transaction: one begins if there is none, outside autocommit mode. Rows
    /// with long fields become objects while they arrive.
    pub fn new(cursor: ForCursor, request: Request) -> Self {
        Self::at(cursor, Stage::First(request.offering(LONG_FIELD)))
    }

    /// The same for a statement that is bound on the server.
    pub fn bound(cursor: ForCursor, run: Run) -> Self {
        Self { run: Some(Box::new(run)), ..Self::at(cursor, Stage::Unsent) }
    }

    fn at(cursor: ForCursor, stage: Stage) -> Self {
        let sink = EagerSink { cursor, rows: None };
        Self { sink, stage, run: None, in_transaction: true, refused: None }
    }

    /// Makes a bound statement as it was before its launch. Returns whether it is one.
    pub fn rewind(&mut self) -> bool {
        if self.run.is_some() {
            self.stage = Stage::Unsent;
            self.sink.rows = None;
        }
        self.run.is_some()
    }

    /// Makes it as it was before its launch, with `request`.
    pub fn reset(&mut self, request: Request) {
        self.stage = Stage::First(request.offering(LONG_FIELD));
        self.sink.rows = None;
    }

    /// The same for a statement whose columns are to come in binary if they can.
    pub fn in_binary(cursor: ForCursor, sql: Vec<u8>) -> Self {
        Self::at(cursor, Stage::Describing(sql))
    }

    /// Runs a command about a cursor of the server, in a transaction or not.
    pub fn about_named(cursor: ForCursor, request: Request, in_transaction: bool) -> Self {
        Self { in_transaction, ..Self::at(cursor, Stage::First(request)) }
    }

    /// The request for a bound statement.
    fn bound_request(&self, context: OperationContext<'_, '_>) -> PyResult<Request> {
        let Some(run) = &self.run else {
            return Err(error::internal("a statement without parameters"));
        };
        let cursor = self.sink.cursor.get(context.py())?;
        Ok(run.request(context, &cursor)?.offering(LONG_FIELD))
    }

    /// What follows if the way in which the statement was sent is to blame for an error.
    #[cold]
    fn again(&mut self, context: OperationContext<'_, '_>, outcome: &Outcome) -> Option<Next<()>> {
        match self.run.as_mut()?.again(context, outcome)? {
            Again::Send => self.rewind().then_some(Next::Again),
            Again::After(request) => {
                self.stage = Stage::RollingBack;
                Some(Next::Send(request))
            }
        }
    }

    fn send<T>(&self, request: Request) -> Next<T> {
        match self.in_transaction {
            true => Next::SendInTransaction(request),
            false => Next::Send(request),
        }
    }
}

impl Operation for Statement {
    type Output = ();

    #[inline]
    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        let request = match std::mem::replace(&mut self.stage, Stage::Running) {
            Stage::Describing(sql) => {
                let describe = Request::prepare(Vec::new(), sql.clone(), Vec::new());
                self.stage = Stage::Describing(sql);
                describe
            }
            Stage::First(request) => request,
            Stage::Unsent => {
                match self.run.as_ref().and_then(|run| run.description_request(context)) {
                    Some(describe) => {
                        self.stage = Stage::DescribingRun;
                        describe
                    }
                    None => self.bound_request(context)?,
                }
            }
            Stage::Running | Stage::DescribingRun | Stage::RollingBack => {
                return Err(error::internal("a statement that was launched twice"));
            }
        };
        Ok(self.send(request))
    }

    #[inline]
    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        if matches!(stop, Stop::Event(Event::CopyBoth(_)))
            && context.connection.get().state(context.py()).replication
        {
            // The stream has begun: a replication cursor reads it.
            return Ok(Next::Done(()));
        }
        let Some(mut outcome) = context.outcome(stop, &mut self.refused)? else {
            return Ok(Next::Resume);
        };
        if let (Some(report), Some(run)) = (&mut outcome.error, &self.run) {
            run.advise(context.py(), report);
        }
        let cursor = self.sink.cursor.get(context.py())?;
        if let Some(text) = self.refused.take() {
            cursor.get().reset(context.py());
            cursor.get().state(context.py()).fetched.statusmessage = Some(Tag::new());
            return Err(error::programming(text));
        }
        if outcome.error.is_some()
            && let Some(next) = self.again(context, &outcome)
        {
            return Ok(next);
        }
        match std::mem::replace(&mut self.stage, Stage::Running) {
            Stage::RollingBack if outcome.error.is_none() => {
                self.rewind();
                Ok(Next::Again)
            }
            Stage::DescribingRun if outcome.error.is_none() => {
                if let Some(run) = &mut self.run {
                    run.note_described(context, &cursor, outcome)?;
                }
                Ok(self.send(self.bound_request(context)?))
            }
            Stage::Describing(sql) if outcome.error.is_none() => {
                let request = choose_formats(context, &cursor, sql, outcome)?;
                Ok(self.send(request.offering(LONG_FIELD)))
            }
            _ => Cursor::take_rows(&cursor, outcome, self.sink.rows.take()).map(Next::Done),
        }
    }

    fn sink(&mut self) -> Option<&mut dyn RowSink> {
        Some(&mut self.sink)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.sink.cursor.traverse(visit)
    }
}

/// The request that runs a described statement, with binary columns where that is possible.
fn choose_formats(
    context: OperationContext<'_, '_>,
    cursor: &Bound<'_, Cursor>,
    sql: Vec<u8>,
    described: Outcome,
) -> PyResult<Request> {
    let py = context.py();
    let columns = described.result.and_then(|result| result.columns);
    let result_formats = match columns {
        Some(columns) => {
            let utc = context.connection.get().is_in_utc(py);
            CastPlan::formats(&cursor.get().registries(py)?, &columns, utc)?
        }
        None => Vec::new(),
    };
    if result_formats.iter().all(|format| *format == 0) {
        return Ok(Request::query(sql));
    }
    // Parsed again: between two transactions a pooler may change the server's process.
    let request = Extended { sql: Some(sql), result_formats, closes: true, ..Extended::default() };
    Ok(Request::extended(request))
}

/// Decodes rows for a cursor while they arrive.
struct EagerSink {
    cursor: ForCursor,
    /// The rows so far; nearly always there are none.
    rows: Option<Box<EagerRows>>,
}

impl RowSink for EagerSink {
    fn take(&mut self, py: Python<'_>, columns: &Columns, rows: Rows) -> Option<Rows> {
        let cursor = self.cursor.get(py).ok()?;
        let fetch = Cursor::fetch_context(&cursor);
        self.rows.get_or_insert_default().take(&fetch, columns, rows, || {
            let this = cursor.get();
            CastPlan::resolve(&this.registries(py)?, this.text_decoder(py)?, columns)
        })
    }
}
