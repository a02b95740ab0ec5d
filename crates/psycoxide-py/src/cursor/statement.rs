//! A statement of a cursor, as an operation.

use std::sync::Arc;

use psycoxide_net::Stop;
use psycoxide_proto::{Columns, Event, Extended, Outcome, Request, Rows, Tag};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use super::Cursor;
use super::arrow::ArrivingArrow;
use super::run::{Again, Run};
use crate::arrow::Batches;
use crate::cast::CastPlan;
use crate::connection::ResultTypes;
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
    sink: Sink,
    stage: Stage,
    /// What runs, if it is bound on the server.
    run: Option<Box<Run>>,
    /// The types of its columns, if these are to become Arrow's.
    types: Option<ResultTypes>,
    in_transaction: bool,
    /// Its rows become Arrow's and are given out in portions, by whoever runs it.
    portions: bool,
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
    /// What is not known of the types of its columns is asked, as they are to become Arrow's. Then the
    /// text is sent, if there is one, or the bound statement.
    LookingUp(ResultTypes, Option<Vec<u8>>),
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
        let sink = Sink { cursor, rows: None, arrow: None };
        Self {
            sink,
            stage,
            run: None,
            types: None,
            in_transaction: true,
            portions: false,
            refused: None,
        }
    }

    /// Makes a bound statement as it was before its launch. Returns whether it is one.
    pub fn rewind(&mut self) -> bool {
        let Some(run) = &mut self.run else { return false };
        self.stage = Stage::Unsent;
        self.sink.forget();
        if self.types.take().is_some() {
            // The types of its columns are looked up when these are known.
            run.forget_described();
        }
        true
    }

    /// Makes it as it was before its launch, with `request`.
    pub fn reset(&mut self, request: Request) {
        self.stage = Stage::First(request.offering(LONG_FIELD));
        self.types = None;
        self.sink.forget();
    }

    /// The same for a statement whose columns are to come in binary if they can.
    pub fn in_binary(cursor: ForCursor, sql: Vec<u8>) -> Self {
        Self::at(cursor, Stage::Describing(sql))
    }

    /// Runs a command about a cursor of the server, in a transaction or not.
    pub fn about_named(cursor: ForCursor, request: Request, in_transaction: bool) -> Self {
        Self { in_transaction, ..Self::at(cursor, Stage::First(request)) }
    }

    /// The same statement for rows that are given out as Arrow's while they arrive.
    pub fn in_portions(self) -> Self {
        Self { portions: true, ..self }
    }

    /// Takes rows that have arrived. Returns the batches that are complete, if there are any.
    pub fn take_arrow(
        &mut self,
        py: Python<'_>,
        columns: &Columns,
        rows: &Rows,
    ) -> PyResult<Option<Batches>> {
        let cursor = self.sink.cursor.get(py)?;
        let Some(arrow) = &mut self.sink.arrow else {
            return Err(error::internal("rows that are to be given out as tuples"));
        };
        arrow.take(&cursor, columns, rows);
        Ok(arrow.take_complete()?)
    }

    /// The request for a bound statement.
    fn bound_request(&mut self, context: OperationContext<'_, '_>) -> PyResult<Request> {
        let cursor = self.sink.cursor.get(context.py())?;
        let Some(run) = &self.run else {
            return Err(error::internal("a statement without parameters"));
        };
        let types = self.types.as_ref();
        let request = run.request(context, &cursor, types.map(|types| &**types.catalog()))?;
        Ok(self.sink.receives(&cursor, request, types, self.portions))
    }

    /// The request for what is not known of the types of columns, if they are to become Arrow's. What
    /// is sent after that: the text, if there is one, or the bound statement.
    fn types_request(
        &mut self,
        context: OperationContext<'_, '_>,
        cursor: &Bound<'_, Cursor>,
        columns: Option<&Arc<Columns>>,
        sql: &mut Option<Vec<u8>>,
    ) -> Option<Request> {
        let (py, connection) = (context.py(), context.connection.get());
        cursor.get().arrow_options(py)?;
        self.look_up(context, ResultTypes::new(py, connection, Arc::clone(columns?)), sql)
    }

    /// The request for what is not known of these types; `None` if all is known, and noted.
    fn look_up(
        &mut self,
        context: OperationContext<'_, '_>,
        types: ResultTypes,
        sql: &mut Option<Vec<u8>>,
    ) -> Option<Request> {
        let request = types.request(context.py(), context.connection.get());
        match request {
            Some(_) => self.stage = Stage::LookingUp(types, sql.take()),
            None => self.types = Some(types),
        }
        request
    }

    /// The request that runs a described statement, with binary columns where that is possible.
    fn text_request(
        &mut self,
        context: OperationContext<'_, '_>,
        cursor: &Bound<'_, Cursor>,
        sql: Vec<u8>,
        columns: Option<&Columns>,
    ) -> PyResult<Request> {
        let types = self.types.as_ref();
        let request = choose_formats(context, cursor, sql, columns, types)?;
        Ok(self.sink.receives(cursor, request, types, self.portions))
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

    /// The request for what is not known of the types of a bound statement whose columns are known.
    fn types_of_known(&mut self, context: OperationContext<'_, '_>) -> PyResult<Option<Request>> {
        let cursor = self.sink.cursor.get(context.py())?;
        if cursor.get().arrow_options(context.py()).is_none() {
            return Ok(None);
        }
        let columns = self.run.as_ref().and_then(|run| run.known_columns(context));
        Ok(self.types_request(context, &cursor, columns.as_ref(), &mut None))
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
                    None => match self.types_of_known(context)? {
                        Some(request) => request,
                        None => self.bound_request(context)?,
                    },
                }
            }
            Stage::Running | Stage::DescribingRun | Stage::LookingUp(..) | Stage::RollingBack => {
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
                let columns = outcome.result.and_then(|result| result.columns);
                if let Some(next) =
                    self.types_request(context, &cursor, columns.as_ref(), &mut None)
                {
                    return Ok(Next::Send(next));
                }
                if let Some(run) = &mut self.run {
                    let catalog = self.types.as_ref().map(|types| &**types.catalog());
                    run.note_described(context, &cursor, columns, catalog)?;
                }
                let request = self.bound_request(context)?;
                Ok(self.send(request))
            }
            Stage::Describing(sql) if outcome.error.is_none() => {
                let (columns, mut sql) =
                    (outcome.result.and_then(|result| result.columns), Some(sql));
                if let Some(next) = self.types_request(context, &cursor, columns.as_ref(), &mut sql)
                {
                    return Ok(Next::Send(next));
                }
                let sql = sql.unwrap_or_default();
                let request = self.text_request(context, &cursor, sql, columns.as_deref())?;
                Ok(self.send(request))
            }
            Stage::LookingUp(mut types, mut sql) => {
                types.note(context.py(), context.connection.get(), &outcome)?;
                let (columns, catalog) = (Arc::clone(types.columns()), Arc::clone(types.catalog()));
                if let Some(next) = self.look_up(context, types, &mut sql) {
                    return Ok(Next::Send(next));
                }
                let request = match (sql, &mut self.run) {
                    (Some(sql), _) => self.text_request(context, &cursor, sql, Some(&columns))?,
                    (None, Some(run)) => {
                        run.note_described(context, &cursor, Some(columns), Some(&catalog))?;
                        self.bound_request(context)?
                    }
                    (None, None) => return Err(error::internal("a statement without a text")),
                };
                Ok(self.send(request))
            }
            _ => match self.sink.arrow.take() {
                Some(arrived) => Cursor::take_arrow(&cursor, outcome, arrived).map(Next::Done),
                None => Cursor::take_rows(&cursor, outcome, self.sink.rows.take()).map(Next::Done),
            },
        }
    }

    fn sink(&mut self) -> Option<&mut dyn RowSink> {
        if self.portions {
            return None;
        }
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
    columns: Option<&Columns>,
    types: Option<&ResultTypes>,
) -> PyResult<Request> {
    let (py, this) = (context.py(), cursor.get());
    let result_formats = match (columns, this.arrow_options(py).zip(types)) {
        (Some(columns), Some((options, types))) => {
            this.arrow_formats(py, columns, types.catalog(), &options)?
        }
        (Some(columns), None) => {
            let utc = context.connection.get().is_in_utc(py);
            CastPlan::formats(&this.registries(py)?, columns, utc)?
        }
        (None, _) => Vec::new(),
    };
    if result_formats.iter().all(|format| *format == 0) {
        return Ok(Request::query(sql));
    }
    // Parsed again: between two transactions a pooler may change the server's process.
    let request = Extended { sql: Some(sql), result_formats, closes: true, ..Extended::default() };
    Ok(Request::extended(request))
}

/// Decodes rows for a cursor while they arrive.
struct Sink {
    cursor: ForCursor,
    /// The rows so far; nearly always there are none.
    rows: Option<Box<EagerRows>>,
    /// The rows so far, if they become Arrow's.
    arrow: Option<ArrivingArrow>,
}

impl Sink {
    /// Prepares for the rows of a statement. Where the types of its columns are not known, they become
    /// Arrow's when they are asked for.
    fn receives(
        &mut self,
        cursor: &Bound<'_, Cursor>,
        request: Request,
        types: Option<&ResultTypes>,
        portions: bool,
    ) -> Request {
        let options = cursor.get().arrow_options(cursor.py());
        self.arrow = options.zip(types).map(|(options, types)| {
            let catalog = Arc::clone(types.catalog());
            match portions {
                true => ArrivingArrow::in_portions(options, catalog),
                false => ArrivingArrow::new(options, catalog),
            }
        });
        request.offering(if self.arrow.is_some() { 0 } else { LONG_FIELD })
    }

    fn forget(&mut self) {
        self.rows = None;
        self.arrow = None;
    }
}

impl RowSink for Sink {
    fn take(&mut self, py: Python<'_>, columns: &Columns, rows: Rows) -> Option<Rows> {
        let cursor = self.cursor.get(py).ok()?;
        if let Some(arrow) = &mut self.arrow {
            arrow.take(&cursor, columns, &rows);
            return Some(rows);
        }
        let fetch = Cursor::fetch_context(&cursor);
        self.rows.get_or_insert_default().take(&fetch, columns, rows, || {
            let this = cursor.get();
            CastPlan::resolve(&this.registries(py)?, this.text_decoder(py)?, columns)
        })
    }
}
