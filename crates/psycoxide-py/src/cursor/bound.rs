//! Queries of psycopg2's API whose parameters are bound on the server (`binding="auto"`).
//!
//! To the program, binding must not differ from merging. So what the server refuses is merged:
//! its errors about a query that it has not begun to run are no errors for the program. A query that
//! is new is checked first where a refusal would cost a transaction: the server parses it, within a
//! savepoint. So is one whose columns might have other names. Every other query is just run.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::memmem;
use psycoxide_net::Stop;
use psycoxide_proto::{
    BoundStatement, Columns, Engine, Event, Outcome, PrepareWhen, Report, Request,
    TransactionStatus,
};
use psycoxide_sql::oid;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Cursor;
use super::known_queries::{KnownQueries, Shape, Verdict};
use super::query::QueryText;
use super::run::Run;
use super::statement::{ForCursor, Statement};
use crate::adapt;
use crate::connection::{Connection, Status};
use crate::driver::{Next, Operation, OperationContext, RowSink, TurnGuard};
use crate::error;

/// The savepoint in which a query is checked.
const SAVEPOINT: &[u8] = b"SAVEPOINT _psycoxide_check";
/// Goes back to it, whether the query was refused or not.
const UNDO: &[u8] = b"ROLLBACK TO _psycoxide_check";
const RELEASE: &[u8] = b"RELEASE _psycoxide_check";

/// What a query, run with its parameters apart from it, came to.
enum Came {
    /// It has run.
    Ran,
    /// It has to be merged. `Some`: this is to be remembered if it succeeds then.
    ToMerge(Option<Shape>),
}

impl Cursor {
    /// Runs a query: with its parameters bound on the server, or merged into it.
    #[inline(never)]
    pub(super) fn execute_bound<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, Connection>,
        known: &KnownQueries,
        query: &Bound<'py, PyAny>,
        vars: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (text, _) = QueryText::of(slf, query, connection)?;
        let merge = || match &text {
            // Its text is not asked for twice: that would run Python code again.
            QueryText::Composed(text) => {
                Self::merge_to_run(slf, PyBytes::new(py, text).as_any(), Some(vars))
            }
            _ => Self::merge_to_run(slf, query, Some(vars)),
        };
        let came = match Self::bound_statement(slf, connection, &text, vars)? {
            Some(statement) => Self::run_bound(slf, connection, known, statement, merge)?,
            None => Came::ToMerge(None),
        };
        let Came::ToMerge(shape) = came else { return Ok(()) };
        Self::run(slf, merge()?, "execute")?;
        if let Some(shape) = shape {
            known.note(py, shape, Verdict::Merge);
        }
        Ok(())
    }

    /// The query with its parameters apart from it, if it can be bound.
    fn bound_statement<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, Connection>,
        text: &QueryText<'_, 'py>,
        vars: &Bound<'py, PyAny>,
    ) -> PyResult<Option<BoundStatement>> {
        let (py, this) = (slf.py(), connection.get());
        if vars.is_none() || this.state(py).replication || this.uses_poll(py) {
            return Ok(None);
        }
        let binary = this.open_session()?.ask(|engine| {
            let binary = engine.parameter("integer_datetimes") == Some(b"on");
            engine.binds().then_some(binary)
        });
        let Some(binary) = binary.flatten() else { return Ok(None) };
        let context = Connection::adapt_context(connection);
        let bound = adapt::bind_all(py, text.as_bytes(), vars, &context, binary);
        bound.inspect_err(|_| slf.get().forget_query(py))
    }

    fn run_bound<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, Connection>,
        known: &KnownQueries,
        statement: BoundStatement,
        merge: impl FnOnce() -> PyResult<Vec<u8>>,
    ) -> PyResult<Came> {
        let (py, this) = (slf.py(), slf.get());
        if memchr::memchr(0, statement.sql()).is_some() {
            return Err(PyValueError::new_err("a query cannot contain NUL (0x00) characters"));
        }
        let shape = known.shape(&statement);
        let verdict = known.verdict(py, shape);
        if verdict == Some(Verdict::Merge) {
            return Ok(Came::ToMerge(None));
        }
        connection.get().refuse_tpc_prepared(py, "execute")?;
        // Before it is this thread's turn, as it runs Python code.
        let merged = match verdict.is_none() && may_change_columns(&statement) {
            true => Some(merge()?),
            false => None,
        };
        let turn = TurnGuard::take_as(connection, "execute")?;
        let Some(place) = Place::of(connection, &turn) else { return Ok(Came::ToMerge(None)) };
        if verdict.is_none() && (place == Place::Inside || merged.is_some()) {
            match turn.run(Check::new(slf, &statement, merged, place))? {
                Checked::Fine => known.note(py, shape, Verdict::Bind),
                Checked::Refused => return Ok(Came::ToMerge(Some(shape))),
                Checked::Differs => {
                    known.note(py, shape, Verdict::Merge);
                    return Ok(Came::ToMerge(None));
                }
            }
        }
        this.note_query(py, statement.sql());
        let binary = this.prefers_binary(py, statement.sql()).then_some(true);
        let run = Run::new(statement, None, PrepareWhen::Often, binary, false);
        let statement = Statement::bound(ForCursor::called(slf), run);
        if !turn.run(Attempt { statement, shape, ending: false })? {
            return Ok(Came::ToMerge(Some(shape)));
        }
        if verdict.is_none() {
            known.note(py, shape, Verdict::Bind);
        }
        Ok(Came::Ran)
    }
}

/// Where a query is about to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Outside of transactions.
    Outside,
    /// It is the first one of a transaction.
    First,
    /// Within a transaction.
    Inside,
}

impl Place {
    /// `None`: it is better merged, as the transaction has failed, or what the server says about it
    /// is not what the driver has begun.
    fn of(connection: &Bound<'_, Connection>, turn: &TurnGuard<'_, '_>) -> Option<Self> {
        let state = connection.get().state(connection.py());
        let status = turn.session().ask(Engine::transaction_status)?;
        match (status, state.begins(), state.status) {
            (TransactionStatus::Idle, true, _) => Some(Self::First),
            (TransactionStatus::Idle, false, Status::Ready) => Some(Self::Outside),
            (TransactionStatus::InTransaction, false, _) => Some(Self::Inside),
            _ => None,
        }
    }
}

/// Whether a column of the result may have another name than for merged text: the literal of a date,
/// as of many types, is a cast or a call, which gives its column a name.
fn may_change_columns(statement: &BoundStatement) -> bool {
    let plain = |oid: &u32| matches!(*oid, 0 | oid::INT4 | oid::INT8 | oid::NUMERIC);
    !statement.types().iter().all(plain) && may_return_rows(statement.sql())
}

/// Whether a statement may return rows. It may err on the side of yes.
fn may_return_rows(sql: &[u8]) -> bool {
    let start = sql.trim_ascii_start();
    let begins =
        |word: &[u8]| start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let writes = [&b"insert"[..], b"update", b"delete", b"merge"].into_iter().any(begins);
    !writes || memmem::find(&sql.to_ascii_lowercase(), b"returning").is_some()
}

/// Whether the server has refused to run a statement: the error is about its text, a place in it, or
/// the types in it, and does not come of a function that it calls.
fn is_refused(report: &Report) -> bool {
    let about_text = report.sqlstate().is_some_and(|code| code.starts_with("42"));
    (about_text || report.field(b'P').is_some()) && report.field(b'W').is_none()
}

/// Whether the server has refused to parse a statement, and was not just told to stop.
fn is_unparsed(report: &Report) -> bool {
    !report.is_fatal() && report.sqlstate().is_some_and(|code| !code.starts_with("57"))
}

/// What a check has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    /// The server takes the query.
    Fine,
    /// It does not.
    Refused,
    /// It does, but the columns of the result are others than those of merged text.
    Differs,
}

/// Has a query parsed and described, and leaves no trace of that.
struct Check {
    cursor: Py<Cursor>,
    bound: (Vec<u8>, Vec<u32>),
    /// The query with its parameters merged in, if its columns may be others then.
    merged: Vec<u8>,
    place: Place,
    /// What was sent, or is to be sent, whose outcome has not come.
    stages: VecDeque<Stage>,
    columns: Option<Arc<Columns>>,
    checked: Checked,
    /// A transaction has begun with it.
    begun: bool,
    /// An error that is the program's.
    failed: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Savepoint,
    Bound,
    Merged,
    /// Back to the savepoint.
    Undo,
    Release,
    /// The transaction that has begun with it has failed.
    Rollback,
}

impl Check {
    fn new(
        cursor: &Bound<'_, Cursor>,
        statement: &BoundStatement,
        merged: Option<Vec<u8>>,
        place: Place,
    ) -> Self {
        let mut stages = VecDeque::from([Stage::Bound]);
        if merged.is_some() {
            stages.push_back(Stage::Merged);
        }
        if place == Place::Inside {
            stages.push_front(Stage::Savepoint);
            stages.extend([Stage::Undo, Stage::Release]);
        }
        Self {
            cursor: cursor.clone().unbind(),
            bound: (statement.sql().to_vec(), statement.types().to_vec()),
            merged: merged.unwrap_or_default(),
            place,
            stages,
            columns: None,
            checked: Checked::Fine,
            begun: false,
            failed: None,
        }
    }

    fn request(&mut self, stage: Stage) -> Request {
        match stage {
            Stage::Savepoint => Request::query(SAVEPOINT.to_vec()),
            Stage::Bound => {
                let (sql, types) = std::mem::take(&mut self.bound);
                Request::prepare(Vec::new(), sql, types)
            }
            Stage::Merged => {
                Request::prepare(Vec::new(), std::mem::take(&mut self.merged), Vec::new())
            }
            Stage::Undo => Request::query(UNDO.to_vec()),
            Stage::Release => Request::query(RELEASE.to_vec()),
            Stage::Rollback => Request::query(b"ROLLBACK".to_vec()),
        }
    }

    /// Takes over an outcome.
    fn note(&mut self, stage: Stage, outcome: Outcome) {
        self.begun |= outcome.begun;
        match (&outcome.error, stage) {
            (None, Stage::Bound) => self.columns = columns(outcome),
            (None, Stage::Merged) => {
                let alike = are_alike(self.columns.as_deref(), columns(outcome).as_deref());
                if self.checked == Checked::Fine && !alike {
                    self.checked = Checked::Differs;
                }
            }
            (Some(report), Stage::Bound | Stage::Merged) if is_unparsed(report) => {
                self.checked = Checked::Refused;
            }
            (Some(_), _) if self.failed.is_none() => self.failed = Some(outcome),
            _ => {}
        }
    }
}

/// The columns that were described.
fn columns(outcome: Outcome) -> Option<Arc<Columns>> {
    outcome.result.and_then(|result| result.columns)
}

/// Whether the columns of two results look alike to a program.
fn are_alike(one: Option<&Columns>, other: Option<&Columns>) -> bool {
    let (one, other) = (one.map_or(&[][..], |one| one), other.map_or(&[][..], |other| other));
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            (&one.name, one.type_oid, one.type_modifier)
                == (&other.name, other.type_oid, other.type_modifier)
        })
}

impl Operation for Check {
    type Output = Checked;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Checked>> {
        let together = context.session.ask(Engine::pipelines) == Some(true);
        if self.place == Place::Inside && together {
            let stages = self.stages.clone();
            let all = stages.into_iter().map(|stage| self.request(stage).pipelined());
            return Ok(Next::SendTogether(all.collect()));
        }
        let Some(first) = self.stages.front().copied() else {
            return Err(error::internal("a check of nothing"));
        };
        Ok(match self.place {
            Place::First => Next::SendInTransaction(self.request(first)),
            Place::Outside | Place::Inside => Next::Send(self.request(first)),
        })
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Checked>> {
        let (Stop::Event(Event::Done(outcome)), Some(stage)) = (stop, self.stages.pop_front())
        else {
            return Err(error::internal("a query that is only parsed has run"));
        };
        self.note(stage, outcome);
        if context.session.ask(Engine::requests_in_flight).unwrap_or_default() > 0 {
            return Ok(Next::Resume);
        }
        if self.failed.is_some() && matches!(stage, Stage::Savepoint | Stage::Undo) {
            self.stages.clear();
        }
        let is_decided = self.failed.is_some() || self.checked == Checked::Refused;
        if is_decided && self.stages.front() == Some(&Stage::Merged) {
            self.stages.pop_front();
        }
        if self.checked == Checked::Refused
            && std::mem::take(&mut self.begun)
            && context.connection.get().state(context.py()).end("ROLLBACK").is_some()
        {
            self.stages.push_back(Stage::Rollback);
        }
        if let Some(next) = self.stages.front().copied() {
            return Ok(Next::Send(self.request(next)));
        }
        if let Some(outcome) = self.failed.take() {
            Cursor::take_outcome(self.cursor.bind(context.py()), outcome)?;
        }
        Ok(Next::Done(self.checked))
    }
}

/// The request that ends a transaction which the driver has begun.
fn rollback(context: OperationContext<'_, '_>) -> Option<Request> {
    let rollback = context.connection.get().state(context.py()).end("ROLLBACK")?;
    Some(Request::query(rollback))
}

/// Runs a statement; returns false if the server has refused to, and nothing is left of that.
struct Attempt {
    statement: Statement,
    shape: Shape,
    /// The transaction that began with it is rolled back.
    ending: bool,
}

impl Operation for Attempt {
    type Output = bool;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<bool>> {
        Ok(self.statement.launch(context)?.map(|()| true))
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<bool>> {
        let Stop::Event(Event::Done(outcome)) = &stop else {
            return Ok(self.statement.land(context, stop)?.map(|()| true));
        };
        if self.ending && outcome.error.is_none() {
            return Ok(Next::Done(false));
        }
        let refused = !outcome.again && outcome.error.as_deref().is_some_and(is_refused);
        if refused {
            KnownQueries::forget(context.py(), self.shape);
            if context.session.ask(Engine::transaction_status) == Some(TransactionStatus::Idle) {
                return Ok(Next::Done(false));
            }
            if outcome.begun
                && let Some(rollback) = rollback(context)
            {
                self.ending = true;
                return Ok(Next::Send(rollback));
            }
        }
        Ok(self.statement.land(context, stop)?.map(|()| true))
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        outcome: Option<Outcome>,
    ) -> PyErr {
        self.statement.failed(context, raised, outcome)
    }

    fn sink(&mut self) -> Option<&mut dyn RowSink> {
        self.statement.sink()
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.statement.traverse(visit)
    }
}
