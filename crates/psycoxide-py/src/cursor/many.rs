//! `executemany()` of `psycoxide.aio` and `psycoxide.sync`: one operation, all rows or none.
//!
//! Where parameters are bound on the server, a statement is bound to each row. It is parsed anew only
//! where the types of the values change, so that each row means what it means to `execute()`. Where
//! they are merged, a plain `INSERT ... VALUES` is described and bound to each row; other statements
//! have their parameters merged in, and go in batches. Two batches are under way at a time, so that one is
//! written while the server works on the other. In autocommit mode the operation has a transaction
//! of its own: BEGIN goes with the first batch, COMMIT with the last.

use std::collections::VecDeque;
use std::sync::Arc;

use psycoxide_net::Stop;
use psycoxide_proto::{
    Batch, Engine, Extended, Outcome, PrepareWhen, QueryResult, Request, ResultKind,
    TransactionStatus,
};
use psycoxide_sql::statement;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Cursor;
use super::executemany::{MAX_STATEMENTS, RowCountSum, fill};
use super::executemany_prepared::{FIRST_ROWS, MAX_BYTES, MAX_ROWS, PreparedInsert, RowsToSend};
use super::run::Run;
use crate::adapt::{self, BoundQuery, RepeatedQuery, RowBinder};
use crate::connection::{Connection, Status};
use crate::driver::{Next, Operation, OperationContext, Reply};
use crate::error;

/// For fewer items the round trip that describes a statement takes longer than it saves.
const MIN_PREPARED: usize = 10;

/// How many batches are under way at a time.
const MAX_UNDER_WAY: usize = 2;

/// How often a transaction is rolled back at most.
const MAX_ROLLBACKS: usize = 3;

/// Runs a statement once for each item.
pub struct Many {
    cursor: Py<Cursor>,
    /// The statement with its placeholders, in the client encoding.
    text: Vec<u8>,
    items: Py<PyTuple>,
    /// How many items were sent.
    sent: usize,
    form: Form,
    /// What the outcomes that are still to come belong to.
    under_way: VecDeque<Part>,
    total: RowCountSum,
    /// The rows so far, if they are kept.
    kept: Option<Kept>,
    transaction: Transaction,
    rollbacks: usize,
    /// What is raised at the end.
    failed: Option<PyErr>,
    /// Why the server's COPY was refused.
    refused: Option<String>,
}

/// How the statement is sent.
enum Form {
    /// Bound to each row, with the types that its values have by themselves.
    Bound { query: RepeatedQuery, most: usize },
    /// Parsed once. Without the types of its parameters it is still to be described.
    Prepared { statement: PreparedInsert, types: Option<Vec<u32>>, most: usize },
    /// With the parameters merged in, many at a time.
    Merged,
    /// The same, one at a time: it may be anything.
    Alone,
}

/// A request under way.
enum Part {
    Description,
    /// Rows of a statement that is bound to them, made of the items from this one on.
    Rows(usize),
    Batch(Arc<Batch>),
    /// One statement, of which the rows may be kept. The others of its group follow.
    Statement {
        item: usize,
        grouped: bool,
    },
    /// The end of a group.
    Sync,
    End,
}

/// The rows that the statements have returned.
#[derive(Default)]
struct Kept {
    result: Option<Box<QueryResult>>,
}

/// The transaction that all items are in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// That of the connection.
    Open,
    /// Its own: BEGIN goes with the first request.
    ToBegin,
    /// Its own, until COMMIT or ROLLBACK.
    Own,
    /// Its own: COMMIT or ROLLBACK was sent.
    Over,
}

impl Part {
    /// Whether it is the last of those that were sent as one batch.
    fn ends_batch(&self) -> bool {
        !matches!(self, Self::Statement { grouped: true, .. } | Self::End)
    }
}

impl Kept {
    fn add(&mut self, mut result: Box<QueryResult>) -> PyResult<()> {
        match &mut self.result {
            None => self.result = Some(result),
            Some(kept) if kept.columns == result.columns => {
                kept.rows.append(std::mem::take(&mut result.rows));
                kept.tag = result.tag;
            }
            Some(_) => {
                return Err(different_columns());
            }
        }
        Ok(())
    }
}

impl Many {
    /// Runs `query` for each of `items`; their rows are kept if `returning`, and `rowcount` counts
    /// in the sum. `binds`: whether parameters are bound on the server.
    pub fn new(
        cursor: &Bound<'_, Cursor>,
        query: &Bound<'_, PyAny>,
        items: &Bound<'_, PyTuple>,
        binds: bool,
        returning: bool,
        rowcount: i64,
    ) -> PyResult<Self> {
        let connection = cursor.get().connection(cursor.py())?;
        let text = Cursor::query_text(cursor, query, connection)?;
        let plain = statement::is_plain(&text);
        let prepared = !binds && !returning && plain && items.len() >= MIN_PREPARED;
        let bound = match binds {
            true => {
                let context = Connection::adapt_context(connection);
                RepeatedQuery::of(cursor.py(), &text, &context)
                    .inspect_err(|_| cursor.get().forget_query(cursor.py()))?
            }
            false => None,
        };
        let form = match prepared.then(|| PreparedInsert::of(connection, text.clone())) {
            _ if let Some(query) = bound => Form::Bound { query, most: FIRST_ROWS },
            Some(Ok(statement)) => Form::Prepared { statement, types: None, most: FIRST_ROWS },
            _ if plain => Form::Merged,
            _ => Form::Alone,
        };
        let mut total = RowCountSum::default();
        total.add(rowcount);
        Ok(Self {
            cursor: cursor.clone().unbind(),
            text,
            items: items.clone().unbind(),
            sent: 0,
            form,
            under_way: VecDeque::new(),
            total,
            kept: returning.then(Kept::default),
            transaction: Transaction::Open,
            rollbacks: 0,
            failed: None,
            refused: None,
        })
    }

    /// Sends as much as may be under way; or ends.
    fn go_on(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let pipelines = context.session.ask(Engine::pipelines) == Some(true);
        let most = if pipelines { MAX_UNDER_WAY } else { 1 };
        let mut requests = Vec::new();
        while self.failed.is_none()
            && self.may_be_followed()
            && self.under_way.iter().filter(|part| part.ends_batch()).count() < most
        {
            match self.next_batch(context, pipelines) {
                Ok(more) if more.is_empty() => break,
                Ok(more) => requests.extend(more),
                Err(raised) => self.failed = Some(raised),
            }
        }
        let all_sent = self.sent >= self.items.bind(context.py()).len();
        let commits = self.failed.is_none() && all_sent && self.may_be_followed();
        if self.transaction == Transaction::Own
            && commits
            && (pipelines || self.under_way.is_empty())
        {
            // If anything before it fails, it rolls back.
            requests.push(self.end(b"COMMIT"));
        }
        if !requests.is_empty() {
            return Ok(Next::SendTogether(requests));
        }
        if !self.under_way.is_empty() {
            return Ok(Next::Resume);
        }
        if let Some(rollback) = self.undo(context) {
            return Ok(Next::SendTogether(vec![rollback]));
        }
        match self.failed.take() {
            Some(raised) => Err(raised),
            None => self.finish(context.py()).map(Next::Done),
        }
    }

    /// Whether something may be sent behind the last part.
    fn may_be_followed(&self) -> bool {
        let alone = |part: &Part| match part {
            // What follows depends on it.
            Part::Description => true,
            // It may be anything, a COPY included.
            Part::Statement { grouped, .. } => !grouped,
            _ => false,
        };
        !self.under_way.back().is_some_and(alone)
    }

    fn end(&mut self, command: &[u8]) -> Request {
        self.transaction = Transaction::Over;
        self.under_way.push_back(Part::End);
        Request::query(command.to_vec()).pipelined()
    }

    /// The requests for the next items; none if there are no more.
    fn next_batch(
        &mut self,
        context: OperationContext<'_, '_>,
        pipelines: bool,
    ) -> PyResult<Vec<Request>> {
        let py = context.py();
        let items = self.items.clone_ref(py).into_bound(py);
        if self.sent >= items.len() {
            return Ok(Vec::new());
        }
        let cursor = self.cursor.clone_ref(py).into_bound(py);
        let mut requests = match &mut self.form {
            Form::Bound { .. } => self.next_rows(context, &cursor, &items, pipelines)?,
            Form::Prepared { types: None, statement, .. } => {
                cursor.get().note_query(py, &statement.numbered);
                self.under_way.push_back(Part::Description);
                vec![statement.describe().pipelined()]
            }
            Form::Prepared { statement, types: Some(types), most } => {
                let last = items.len().min(self.sent + *most);
                *most = MAX_ROWS.min(*most * 2);
                let mut waiting: VecDeque<_> = items.get_slice(self.sent, last).iter().collect();
                let written = Cursor::write_rows(&cursor, statement, types, &mut waiting)?;
                let RowsToSend { repeat, rows, failed } = written;
                if let Some(raised) = failed {
                    if !raised.is_instance(py, &error::class(py, "NotSupportedError")?) {
                        self.failed = Some(raised);
                    }
                    // Values that cannot be bound may be merged.
                    self.form = Form::Merged;
                }
                if rows.is_empty() {
                    return match self.failed.take() {
                        Some(raised) => Err(raised),
                        None => self.next_batch(context, pipelines),
                    };
                }
                self.under_way.push_back(Part::Rows(self.sent));
                self.sent += rows.len();
                vec![Request::repeat(repeat).pipelined()]
            }
            Form::Merged if pipelines && self.kept.is_none() => {
                self.next_merged(&cursor, &items)?
            }
            Form::Merged if pipelines => self.next_group(&cursor, &items)?,
            Form::Merged | Form::Alone if !self.under_way.is_empty() => Vec::new(),
            Form::Merged | Form::Alone => {
                let sql = Self::merge(&cursor, &self.text, &items.get_item(self.sent)?)?;
                vec![self.alone(&cursor, sql)?]
            }
        };
        if self.transaction == Transaction::ToBegin
            && let Some(first) = requests.first_mut()
        {
            self.transaction = Transaction::Own;
            let begin = context.connection.get().state(py).characteristics.begin();
            *first = std::mem::replace(first, Request::sync()).begin(begin.as_bytes());
        }
        Ok(requests)
    }

    /// A batch of rows for a statement that is bound to them. It is empty if what has to be raised
    /// waits for the rows before it.
    fn next_rows<'py>(
        &mut self,
        context: OperationContext<'_, 'py>,
        cursor: &Bound<'py, Cursor>,
        items: &Bound<'py, PyTuple>,
        pipelines: bool,
    ) -> PyResult<Vec<Request>> {
        let py = cursor.py();
        let Form::Bound { query, most } = &mut self.form else { return Ok(Vec::new()) };
        // Some peers lose count of what the server skips after an error.
        let together = pipelines || (query.is_insert() && self.kept.is_none());
        let count = if together { *most } else { 1 };
        if together {
            *most = MAX_ROWS.min(*most * 2);
        }
        let adapting = Connection::adapt_context(cursor.get().connection(py)?);
        let binary = takes_binary(context);
        let mut binder = RowBinder::new(py, query, &self.text, &adapting, binary)?;
        let mut repeat = query.repeat();
        if self.kept.is_some() {
            repeat = repeat.keeping();
        }
        let last = items.len().min(self.sent + count);
        while self.sent + repeat.len() < last && repeat.size() < MAX_BYTES {
            let item = items.get_item(self.sent + repeat.len())?;
            match binder.row(&item, &mut repeat) {
                Ok(true) => {}
                // The rows before it come first, and may fail: it comes again.
                _ if !repeat.is_empty() || !self.under_way.is_empty() => break,
                Ok(false) => {
                    let sql = Self::merge(cursor, &self.text, &item)?;
                    return Ok(vec![self.alone(cursor, sql)?]);
                }
                Err(raised) => {
                    cursor.get().forget_query(py);
                    return Err(raised);
                }
            }
        }
        if repeat.is_empty() {
            return Ok(Vec::new());
        }
        cursor.get().note_query(py, query.text());
        self.under_way.push_back(Part::Rows(self.sent));
        self.sent += repeat.len();
        Ok(vec![Request::repeat(repeat).pipelined()])
    }

    /// A batch of which no rows are kept.
    fn next_merged<'py>(
        &mut self,
        cursor: &Bound<'py, Cursor>,
        items: &Bound<'py, PyTuple>,
    ) -> PyResult<Vec<Request>> {
        let connection = cursor.get().connection(cursor.py())?;
        let context = Connection::adapt_context(connection);
        let mut merger = adapt::Merger::new(cursor.py(), &self.text, &context)?;
        let mut batch = Batch::default();
        let mut taken = self.sent;
        let other = fill(&mut batch, &mut merger, MAX_STATEMENTS, || {
            let vars = items.get_item(taken).ok()?;
            taken += 1;
            Some(vars)
        });
        let mut requests = Vec::new();
        self.sent += batch.len();
        if !batch.is_empty() {
            let batch = Arc::new(batch);
            self.under_way.push_back(Part::Batch(Arc::clone(&batch)));
            requests.push(Request::batch(batch).pipelined());
        }
        match other {
            // It comes again when nothing is under way.
            Some(_) if !self.under_way.is_empty() => {}
            Some(sql) => requests.push(self.alone(cursor, sql?)?),
            None => {}
        }
        Ok(requests)
    }

    /// A batch whose rows are kept: statements that share a Sync.
    fn next_group<'py>(
        &mut self,
        cursor: &Bound<'py, Cursor>,
        items: &Bound<'py, PyTuple>,
    ) -> PyResult<Vec<Request>> {
        let mut requests = Vec::new();
        let (first, mut size) = (self.sent, 0);
        while self.sent < items.len() && self.sent - first < MAX_STATEMENTS && size < (128 << 10) {
            let merged = Self::merge(cursor, &self.text, &items.get_item(self.sent)?);
            let sql = match merged.and_then(without_nul) {
                Ok(sql) => sql,
                Err(raised) if requests.is_empty() => return Err(raised),
                // It comes again as the first of a batch.
                Err(_) => break,
            };
            size += sql.len();
            let extended = Extended { sql: Some(sql), closes: true, ..Extended::default() };
            requests.push(Request::unsynced(extended));
            self.under_way.push_back(Part::Statement { item: self.sent, grouped: true });
            self.sent += 1;
        }
        requests.push(Request::sync());
        self.under_way.push_back(Part::Sync);
        Ok(requests)
    }

    /// A statement that has a batch of its own.
    fn alone(&mut self, cursor: &Bound<'_, Cursor>, sql: Vec<u8>) -> PyResult<Request> {
        let sql = without_nul(sql)?;
        cursor.get().note_query(cursor.py(), &sql);
        self.under_way.push_back(Part::Statement { item: self.sent, grouped: false });
        self.sent += 1;
        Ok(Request::query(sql))
    }

    fn merge(
        cursor: &Bound<'_, Cursor>,
        text: &[u8],
        vars: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<u8>> {
        let connection = cursor.get().connection(cursor.py())?;
        adapt::mogrify(cursor.py(), text, vars, &Connection::adapt_context(connection))
    }

    /// Takes over the outcome of a request.
    fn take(
        &mut self,
        context: OperationContext<'_, '_>,
        part: &Part,
        outcome: Outcome,
    ) -> PyResult<()> {
        let py = context.py();
        let cursor = self.cursor.bind(py);
        match part {
            Part::Description => {
                let found = Cursor::take_types(cursor, outcome)?;
                if let Form::Prepared { types, .. } = &mut self.form {
                    *types = Some(found);
                }
                Ok(())
            }
            Part::Rows(first) if matches!(self.form, Form::Bound { .. }) => {
                self.take_bound(context, *first, outcome)
            }
            Part::Rows(first) => {
                let Form::Prepared { statement, .. } = &self.form else {
                    self.total.add_tally(outcome.batch);
                    return Cursor::take_outcome(cursor, outcome);
                };
                let item = first + outcome.batch.statements;
                let failed =
                    outcome.error.as_ref().and_then(|_| self.items.bind(py).get_item(item).ok());
                Cursor::take_repeat(cursor, statement, failed, outcome, &mut self.total)
            }
            Part::Batch(batch) => Cursor::take_batch(cursor, batch, outcome, &mut self.total),
            Part::Statement { item, grouped } => {
                if outcome.error.is_some()
                    && *grouped
                    && let Ok(sql) =
                        Self::merge(cursor, &self.text, &self.items.bind(py).get_item(*item)?)
                {
                    cursor.get().note_query(py, &sql);
                }
                self.take_statement(py, outcome)
            }
            Part::Sync | Part::End => match outcome.error {
                Some(report) => {
                    let connection = cursor.get().connection(py)?;
                    Err(connection.get().reported(py, &report, None, Some(cursor.as_any())))
                }
                None => Ok(()),
            },
        }
    }

    /// Takes over the outcome of rows to which the statement was bound, from the item `first` on.
    fn take_bound(
        &mut self,
        context: OperationContext<'_, '_>,
        first: usize,
        mut outcome: Outcome,
    ) -> PyResult<()> {
        let py = context.py();
        let cursor = self.cursor.bind(py);
        if let Some(report) = &mut outcome.error
            && let Ok(item) = self.items.bind(py).get_item(first + outcome.batch.statements)
        {
            let adapting = Connection::adapt_context(cursor.get().connection(py)?);
            let binary = takes_binary(context);
            if let Ok(BoundQuery::Statement(statement, labels)) =
                adapt::bind_query(py, &self.text, Some(&item), &adapting, binary, false)
            {
                cursor.get().note_query(py, statement.sql());
                Run::new(statement, Some(labels), PrepareWhen::Never, None, true)
                    .advise(py, report);
            }
            if report.field(b'P').is_none()
                && let Ok(sql) = adapt::mogrify(py, &self.text, &item, &adapting)
            {
                // The error is about the values: `cursor.query` shows them.
                cursor.get().note_query(py, &sql);
            }
        }
        self.total.add_tally(outcome.batch);
        if outcome.batch.mixed {
            return Err(different_columns());
        }
        if let Some(kept) = &mut self.kept
            && let Some(result) = outcome.result.take_if(|result| result.kind == ResultKind::Tuples)
        {
            return kept.add(result);
        }
        Cursor::take_outcome(cursor, outcome)
    }

    /// Takes over the outcome of one statement.
    fn take_statement(&mut self, py: Python<'_>, mut outcome: Outcome) -> PyResult<()> {
        let cursor = self.cursor.bind(py);
        if let (Some(kept), None) = (&mut self.kept, &outcome.error)
            && let Some(result) = outcome.result.take_if(|result| result.kind == ResultKind::Tuples)
        {
            self.total.add(i64::try_from(result.rows.len()).unwrap_or(i64::MAX));
            return kept.add(result);
        }
        Cursor::take_outcome(cursor, outcome)?;
        let rowcount = cursor.get().state(py).fetched.rowcount;
        self.total.add(rowcount);
        Ok(())
    }

    /// Leaves the result in the cursor.
    fn finish(&mut self, py: Python<'_>) -> PyResult<Reply> {
        let cursor = self.cursor.bind(py);
        let this = cursor.get();
        match self.kept.take().and_then(|kept| kept.result) {
            Some(result) => {
                let outcome = Outcome { result: Some(result), ..Outcome::default() };
                Cursor::take_outcome(cursor, outcome)?;
                this.state(py).fetched.rowcount = self.total.rowcount();
            }
            None => Cursor::leave_rowcount(cursor, self.total.rowcount()),
        }
        Ok(Reply::Object(py.None()))
    }
}

fn different_columns() -> PyErr {
    error::not_supported("the statements of executemany() returned tables with different columns")
}

/// Whether the server is known to have the binary formats of PostgreSQL 10 and later.
fn takes_binary(context: OperationContext<'_, '_>) -> bool {
    let binary = |engine: &Engine| engine.parameter("integer_datetimes") == Some(b"on");
    context.session.ask(binary).unwrap_or_default()
}

/// Refuses a text of which the server would read only the part before a NUL.
fn without_nul(sql: Vec<u8>) -> PyResult<Vec<u8>> {
    match memchr::memchr(0, &sql) {
        Some(_) => Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters")),
        None => Ok(sql),
    }
}

impl Operation for Many {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        let py = context.py();
        let connection = context.connection.get();
        connection.refuse_tpc_prepared(py, "executemany")?;
        let idle = context.session.ask(Engine::transaction_status) == Some(TransactionStatus::Idle);
        let ready = connection.state(py).status == Status::Ready && !connection.state(py).begins();
        if idle && ready {
            self.transaction = Transaction::ToBegin;
        }
        let next = self.go_on(context)?;
        if matches!(next, Next::SendTogether(_)) {
            connection.state(py).error_message = None;
        }
        Ok(next)
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let Some(outcome) = context.outcome(stop, &mut self.refused)? else {
            return Ok(Next::Resume);
        };
        let Some(part) = self.under_way.pop_front() else {
            return Err(error::internal("an outcome that was not asked for"));
        };
        if let Some(text) = self.refused.take() {
            self.failed.get_or_insert(error::programming(text));
        } else if self.failed.is_none() && !outcome.skipped {
            // What comes behind an error is about the failed transaction.
            self.failed = self.take(context, &part, outcome).err();
        }
        self.go_on(context)
    }

    fn undo(&mut self, context: OperationContext<'_, '_>) -> Option<Request> {
        if matches!(self.transaction, Transaction::Open | Transaction::ToBegin) {
            return None;
        }
        let status = context.session.ask(Engine::transaction_status);
        if status.is_none_or(|status| status == TransactionStatus::Idle)
            || self.rollbacks == MAX_ROLLBACKS
        {
            return None;
        }
        // One that has failed was cancelled in the place of what came before it.
        self.rollbacks += 1;
        self.under_way.clear();
        self.failed.get_or_insert_with(|| error::operational("canceled"));
        Some(self.end(b"ROLLBACK"))
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        visit.call(&self.items)
    }
}
