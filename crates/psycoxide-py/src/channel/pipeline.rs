//! Pipelines: statements that are sent together, each with a result of its own.
//!
//! Python queues statements, and starts a [`Part`] whenever there are enough, or someone waits. The
//! statements of a group are one transaction. A group that is sent as one part is the server's
//! implicit transaction, with a single Sync; otherwise BEGIN goes with its first part and COMMIT
//! with its last.

use std::collections::VecDeque;
use std::time::Instant;

use psycoxide_net::Stop;
use psycoxide_proto::{Engine, Extended, Outcome, Request, TransactionStatus};
use psycoxide_sql::statement::{self, Unfit};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::rows::{Rows, Want};
use super::{Channel, Silent, seconds};
use crate::cursor::Cursor;
use crate::driver::awaited::{Awaitable, Call, CallOptions, LoopDriver, What};
use crate::driver::{Next, Operation, OperationContext, Reply, Running};
use crate::error;
use crate::guarded::Guarded;
use crate::imports::Lazy;

static PIPELINE_ABORTED: Lazy = Lazy::new("psycoxide._exceptions", "PipelineAborted");

/// The statements of a pipeline that are one transaction.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct PipelineGroup {
    /// Those that have failed, in order.
    failed: Guarded<Vec<Py<PipelineStatement>>>,
}

/// A statement of a pipeline.
#[pyclass(module = "psycoxide._psycopg", frozen)]
pub struct PipelineStatement {
    cursor: Py<Cursor>,
    sql: Py<PyBytes>,
    state: Guarded<StatementState>,
}

struct StatementState {
    stage: Stage,
    /// What becomes of the result.
    rows: Option<Rows>,
    /// Whether the program knows of the error.
    read: bool,
    /// Wait for the answer.
    waiting: Vec<Py<Awaitable>>,
}

enum Stage {
    Waiting,
    Succeeded,
    Failed(PyErr),
}

impl PipelineStatement {
    /// Notes how it ended, and wakes those who wait for that.
    fn answer(&self, py: Python<'_>, answer: PyResult<()>) {
        if let Err(raised) = &answer {
            // Made before the lock, so that copying it calls no Python.
            raised.value(py);
        }
        let mut state = self.state.lock(py);
        if !matches!(state.stage, Stage::Waiting) {
            return;
        }
        state.stage = match answer {
            Ok(()) => Stage::Succeeded,
            Err(raised) => Stage::Failed(raised),
        };
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for awaitable in waiting {
            awaitable.get().answer(py, Ok(Reply::Object(py.None())));
        }
    }

    /// The exception that it ended with.
    fn error(&self, py: Python<'_>) -> Option<PyErr> {
        match &self.state.lock(py).stage {
            Stage::Failed(raised) => Some(raised.clone_ref(py)),
            _ => None,
        }
    }

    /// Notes that it does not run, because of this exception.
    fn abort(&self, py: Python<'_>, cause: &PyErr) {
        self.answer(py, Err(aborted(py, cause)));
    }

    fn extended(&self, py: Python<'_>) -> Extended {
        let sql = Some(self.sql.as_bytes(py).to_vec());
        Extended { sql, closes: true, ..Extended::default() }
    }
}

fn aborted(py: Python<'_>, cause: &PyErr) -> PyErr {
    let class = match PIPELINE_ABORTED.bind(py) {
        Ok(class) => class,
        Err(raised) => return raised,
    };
    let text = "the statement was not run: another one of its pipeline has failed";
    match class.call1((text,)) {
        Ok(raised) => {
            let raised = PyErr::from_value(raised);
            raised.set_cause(py, Some(cause.clone_ref(py)));
            raised
        }
        Err(raised) => raised,
    }
}

#[pymethods]
impl PipelineStatement {
    /// Whether it has its answer.
    #[getter]
    fn done(&self, py: Python<'_>) -> bool {
        !matches!(self.state.lock(py).stage, Stage::Waiting)
    }

    /// The native cursor of its result.
    #[getter]
    fn cursor(&self, py: Python<'_>) -> Py<Cursor> {
        self.cursor.clone_ref(py)
    }

    /// The length of its text.
    #[getter]
    fn size(&self, py: Python<'_>) -> usize {
        self.sql.as_bytes(py).len()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cursor)?;
        let Some(state) = self.state.visited(&visit) else { return Ok(()) };
        if let Some(rows) = &state.rows {
            crate::driver::Making::traverse(rows, &visit)?;
        }
        state.waiting.iter().try_for_each(|awaitable| visit.call(awaitable))
    }

    fn __clear__(&self, py: Python<'_>) {
        let mut state = self.state.lock(py);
        let old = (state.rows.take(), std::mem::take(&mut state.waiting));
        drop(state);
        drop(old);
    }
}

impl PipelineGroup {
    /// Why the statements that follow are not run.
    fn cause(&self, py: Python<'_>) -> Option<PyErr> {
        let first = self.failed.lock(py).first().map(|first| first.clone_ref(py));
        first.and_then(|first| first.get().error(py))
    }

    fn note(&self, statement: &Bound<'_, PipelineStatement>) {
        self.failed.lock(statement.py()).push(statement.clone().unbind());
    }
}

#[pymethods]
impl PipelineGroup {
    #[new]
    fn new() -> Self {
        Self { failed: Guarded::new(Vec::new()) }
    }

    /// Whether a statement has failed.
    #[getter]
    fn failed(&self, py: Python<'_>) -> bool {
        !self.failed.lock(py).is_empty()
    }

    /// take_unread() -- The first error that the program does not know of, or `None`. It knows then.
    fn take_unread(&self, py: Python<'_>) -> Option<PyErr> {
        let failed: Vec<_> =
            self.failed.lock(py).iter().map(|failed| failed.clone_ref(py)).collect();
        failed.into_iter().find_map(|failed| {
            let read = std::mem::replace(&mut failed.get().state.lock(py).read, true);
            if read { None } else { failed.get().error(py) }
        })
    }

    /// abort(statements, cause) -- Notes that these are not sent. Without a cause it is the error of
    /// the group.
    fn abort(
        &self,
        statements: &Bound<'_, PyList>,
        cause: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = statements.py();
        let cause = match cause {
            Some(cause) => PyErr::from_value(cause.clone()),
            None => self.cause(py).unwrap_or_else(|| error::operational("not sent")),
        };
        for statement in statements.iter() {
            statement.cast::<PipelineStatement>()?.get().abort(py, &cause);
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(failed) = self.failed.visited(&visit) else { return Ok(()) };
        failed.iter().try_for_each(|failed| visit.call(failed))
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = std::mem::take(&mut *self.failed.lock(py));
        drop(old);
    }
}

/// Statements that are sent together.
struct Part {
    group: Py<PipelineGroup>,
    /// Those that are still to be sent.
    unsent: VecDeque<Py<PipelineStatement>>,
    /// What the outcomes that are still to come belong to.
    under_way: VecDeque<Item>,
    kind: Kind,
    /// BEGIN of a transaction of the group goes with the first statement.
    begins: bool,
    /// The part ends the group's transaction.
    commits: bool,
    /// The transaction has begun in this part, which ends it as well.
    own: bool,
    /// When the time of its pipeline is over.
    until: Option<Instant>,
    /// What is raised besides the errors of the statements: the end of the transaction has failed.
    failed: Option<PyErr>,
    rollbacks: usize,
}

/// How often a transaction is rolled back at most.
const MAX_ROLLBACKS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first error ends the group.
    Atomic,
    /// Each statement stands alone.
    Separate,
}

enum Item {
    Statement(Py<PipelineStatement>),
    Sync,
    End,
}

impl Part {
    /// Sends as much as the peer takes without losing count.
    fn go_on(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        if !self.under_way.is_empty() {
            return Ok(Next::Resume);
        }
        let py = context.py();
        if self.kind == Kind::Atomic
            && let Some(cause) = self.group.get().cause(py)
        {
            for statement in self.unsent.drain(..) {
                statement.get().abort(py, &cause);
            }
        }
        if !self.unsent.is_empty() {
            return Ok(match context.session.ask(Engine::pipelines) == Some(true) {
                true => Next::SendTogether(self.all(context)),
                false => Next::SendTogether(self.one(context)),
            });
        }
        if self.commits && !self.begins {
            self.commits = false;
            let status = context.session.ask(Engine::transaction_status);
            // If an earlier part has begun it, its answer may still be to come.
            if !self.own || status.is_some_and(|status| status != TransactionStatus::Idle) {
                // If a statement has failed, it rolls back.
                return Ok(Next::SendTogether(vec![self.end(b"COMMIT")]));
            }
        }
        match self.failed.take() {
            Some(raised) => Err(raised),
            None => Ok(Next::Done(Reply::Object(py.None()))),
        }
    }

    /// The requests for all statements, and for the end of the transaction.
    fn all(&mut self, context: OperationContext<'_, '_>) -> Vec<Request> {
        let py = context.py();
        let mut requests = Vec::with_capacity(self.unsent.len() + 2);
        // Between two Syncs there is a transaction in any case.
        let implicit = self.begins && self.commits;
        for statement in self.unsent.drain(..) {
            let extended = statement.get().extended(py);
            requests.push(match self.kind {
                Kind::Atomic => Request::unsynced(extended),
                Kind::Separate => Request::extended(extended).pipelined(),
            });
            self.under_way.push_back(Item::Statement(statement));
        }
        if self.begins && !implicit {
            self.begin(context, &mut requests);
        }
        self.begins = false;
        if self.kind == Kind::Atomic {
            requests.push(Request::sync());
            self.under_way.push_back(Item::Sync);
        }
        if std::mem::take(&mut self.commits) && !implicit {
            requests.push(self.end(b"COMMIT"));
        }
        requests
    }

    /// The request for one statement: the peer may lose count of what a server skips.
    fn one(&mut self, context: OperationContext<'_, '_>) -> Vec<Request> {
        let Some(statement) = self.unsent.pop_front() else { return Vec::new() };
        let mut requests = vec![Request::extended(statement.get().extended(context.py()))];
        self.under_way.push_back(Item::Statement(statement));
        if std::mem::take(&mut self.begins) {
            self.own = self.commits;
            self.begin(context, &mut requests);
        }
        requests
    }

    fn begin(&self, context: OperationContext<'_, '_>, requests: &mut [Request]) {
        if let Some(first) = requests.first_mut() {
            let begin = context.connection.get().state(context.py()).characteristics.begin();
            *first = std::mem::replace(first, Request::sync()).begin(begin.as_bytes());
        }
    }

    fn end(&mut self, command: &[u8]) -> Request {
        self.under_way.push_back(Item::End);
        Request::query(command.to_vec()).pipelined()
    }

    /// Takes over an outcome.
    fn take(&mut self, context: OperationContext<'_, '_>, item: Item, outcome: Outcome) {
        let py = context.py();
        let group = self.group.get();
        let Item::Statement(statement) = item else {
            if let Some(report) = outcome.error
                && !group.failed(py)
            {
                let connection = context.connection.get();
                self.failed = Some(connection.reported(py, &report, None, None));
            }
            return;
        };
        let statement = statement.bind(py);
        let this = statement.get();
        let cause = if self.kind == Kind::Atomic { group.cause(py) } else { None };
        if let Some(cause) = cause {
            return this.abort(py, &cause);
        }
        let taken = Cursor::take_outcome(this.cursor.bind(py), outcome);
        let failed = taken.is_err();
        this.answer(py, taken);
        if failed {
            group.note(statement);
        }
    }

    /// Tells those that have no answer why there is none.
    fn give_up(&mut self, py: Python<'_>, raised: &PyErr) {
        let group = self.group.get();
        let expired = self.until.is_some_and(|until| until <= Instant::now());
        let raised = if expired { &error::operation_timeout() } else { raised };
        for item in std::mem::take(&mut self.under_way) {
            if let Item::Statement(statement) = item {
                statement.get().answer(py, Err(raised.clone_ref(py)));
                group.note(statement.bind(py));
            }
        }
        for statement in std::mem::take(&mut self.unsent) {
            match expired {
                true => statement.get().answer(py, Err(raised.clone_ref(py))),
                false => statement.get().abort(py, raised),
            }
        }
    }
}

impl Operation for Part {
    type Output = Reply;

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        context.connection.get().refuse_tpc_prepared(context.py(), "a pipeline")?;
        self.go_on(context)
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<Reply>> {
        let Some(outcome) = context.outcome(stop, &mut None)? else { return Ok(Next::Resume) };
        if let Some(item) = self.under_way.pop_front() {
            self.take(context, item, outcome);
        }
        self.go_on(context)
    }

    fn failed(
        &mut self,
        context: OperationContext<'_, '_>,
        raised: PyErr,
        _outcome: Option<Outcome>,
    ) -> PyErr {
        self.give_up(context.py(), &raised);
        raised
    }

    fn undo(&mut self, context: OperationContext<'_, '_>) -> Option<Request> {
        let status = context.session.ask(Engine::transaction_status);
        if !self.own
            || self.rollbacks == MAX_ROLLBACKS
            || status.is_none_or(|status| status == TransactionStatus::Idle)
        {
            return None;
        }
        self.rollbacks += 1;
        self.commits = false;
        let raised = error::operational("canceled");
        self.give_up(context.py(), &raised);
        self.failed.get_or_insert(raised);
        Some(self.end(b"ROLLBACK"))
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.group)?;
        self.unsent.iter().try_for_each(|statement| visit.call(statement))?;
        self.under_way.iter().try_for_each(|item| match item {
            Item::Statement(statement) => visit.call(statement),
            Item::Sync | Item::End => Ok(()),
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.unsent.is_empty() || !self.under_way.is_empty() {
            Python::try_attach(|py| {
                self.give_up(py, &error::operational("the statement was given up"))
            });
        }
    }
}

/// Ends the transaction that the parts of a group have begun, if they have.
struct Close;

impl Operation for Close {
    type Output = ();

    fn launch(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<()>> {
        let status = context.session.ask(Engine::transaction_status);
        Ok(match status.is_none_or(|status| status == TransactionStatus::Idle) {
            true => Next::Done(()),
            false => Next::Send(Request::query(b"ROLLBACK".to_vec())),
        })
    }

    fn land(&mut self, context: OperationContext<'_, '_>, stop: Stop) -> PyResult<Next<()>> {
        let outcome = context.outcome(stop, &mut None)?;
        Ok(if outcome.is_some() { Next::Done(()) } else { Next::Resume })
    }
}

#[pymethods]
impl Channel {
    /// pipeline_statement(cursor, query, params, want, row_factory) -- A statement for a pipeline.
    /// `want` is what becomes of its rows: "rows", "row", "value" or None.
    #[pyo3(signature = (cursor, query, params, want, row_factory, /))]
    fn pipeline_statement<'py>(
        slf: &Bound<'py, Self>,
        cursor: &Bound<'py, Cursor>,
        query: &Bound<'py, PyAny>,
        params: Option<&Bound<'py, PyAny>>,
        want: Option<&str>,
        row_factory: Option<Bound<'py, PyAny>>,
    ) -> PyResult<PipelineStatement> {
        let py = slf.py();
        Self::check_owner(slf)?;
        let connection = Self::connection(slf);
        connection.get().usable_session()?;
        if !super::statement::is_template(query) {
            refuse_unfit(&Cursor::query_text(cursor, query, connection)?)?;
        }
        let sql = Self::text(slf, cursor, query, params)?;
        // Raw SQL may begin it.
        if statement::is_copy(&sql) {
            refuse_unfit(&sql)?;
        }
        let want = match want {
            None => None,
            Some("rows") => Some(Want::All),
            Some("row") => Some(Want::Row),
            Some(_) => Some(Want::Value),
        };
        let rows = want.map(|want| Rows::new(cursor, want, row_factory));
        let state =
            StatementState { stage: Stage::Waiting, rows, read: false, waiting: Vec::new() };
        Ok(PipelineStatement {
            cursor: cursor.clone().unbind(),
            sql: PyBytes::new(py, &sql).unbind(),
            state: Guarded::new(state),
        })
    }

    /// start_part(group, statements, atomic, follows, begins, commits, timeout) -- Sends statements.
    /// Returns what awaits the end of that, or None if it has ended. `follows`: they are not the
    /// first of their group.
    #[pyo3(signature = (group, statements, atomic, follows, begins, commits, timeout, /))]
    #[expect(clippy::too_many_arguments, reason = "called by Python alone")]
    fn start_part(
        slf: &Bound<'_, Self>,
        group: Py<PipelineGroup>,
        statements: Vec<Py<PipelineStatement>>,
        atomic: bool,
        follows: bool,
        begins: bool,
        commits: bool,
        timeout: Option<f64>,
    ) -> PyResult<Option<Py<Awaitable>>> {
        let (py, this) = (slf.py(), slf.get());
        let kind = if atomic { Kind::Atomic } else { Kind::Separate };
        let part = Part {
            group,
            unsent: statements.into(),
            under_way: VecDeque::new(),
            kind,
            begins,
            commits,
            own: false,
            until: seconds(timeout)?.map(|timeout| Instant::now() + timeout),
            failed: None,
            rollbacks: 0,
        };
        Self::check_owner(slf)?;
        let Some(driver) = &this.driver else {
            let options = CallOptions { timeout: seconds(timeout)?, ..CallOptions::default() };
            Self::run(slf, part, options)?;
            return Ok(None);
        };
        let session = Self::connection(slf).get().any_session();
        // Behind a statement of another task it could be hit by the cancel request for that. And
        // only what is sent as a whole can be followed.
        let pipelines = session.and_then(|session| session.ask(Engine::pipelines)) == Some(true);
        let pipelined = atomic && follows && pipelines;
        let timeout = seconds(timeout)?.or_else(|| this.state.lock(py).timeout);
        let options = CallOptions { timeout, pipelined, ..CallOptions::default() };
        let call = Call { what: What::Run(Box::new(Running::new(part))), options };
        let driver = driver.bind(py);
        let awaitable = Bound::new(py, Awaitable::waiting(driver))?;
        LoopDriver::begin(driver, Some(&awaitable), call)?;
        Ok(Some(awaitable.unbind()))
    }

    /// statement_done(statement) -- Waits until a statement that was sent has its answer.
    #[pyo3(signature = (statement, /))]
    fn statement_done<'py>(
        slf: &Bound<'py, Self>,
        statement: &Bound<'py, PipelineStatement>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), statement.get());
        match &slf.get().driver {
            Some(driver) if !this.done(py) => {
                let awaitable = Bound::new(py, Awaitable::waiting(driver.bind(py)))?;
                this.state.lock(py).waiting.push(awaitable.clone().unbind());
                Ok(awaitable.into_any())
            }
            _ => Self::give(slf, Reply::Object(py.None())),
        }
    }

    /// statement_result(statement) -- The rows of a statement that has its answer, once.
    #[pyo3(signature = (statement, /))]
    fn statement_result<'py>(
        slf: &Bound<'py, Self>,
        statement: &Bound<'py, PipelineStatement>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), statement.get());
        let mut state = this.state.lock(py);
        state.read = true;
        let rows = state.rows.take();
        drop(state);
        if let Some(raised) = this.error(py) {
            return Err(raised);
        }
        Self::give(
            slf,
            match rows {
                Some(rows) => Reply::Making(Box::new(rows)),
                None => Reply::Object(py.None()),
            },
        )
    }

    /// own(block) -- Only code within that block may use the connection, from now on.
    #[pyo3(signature = (block, /))]
    fn own(slf: &Bound<'_, Self>, block: Py<PyAny>) -> PyResult<()> {
        Self::check_owner(slf)?;
        slf.get().state.lock(slf.py()).owner.get_or_insert(block);
        Ok(())
    }

    /// close_group(block, detached) -- Rolls back what parts have begun, and lets others use the
    /// connection.
    #[pyo3(signature = (block, detached, /))]
    fn close_group<'py>(
        slf: &Bound<'py, Self>,
        block: &Bound<'py, PyAny>,
        detached: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().disown(block);
        let options = CallOptions { shielded: true, detached, ..CallOptions::default() };
        Self::run(slf, Silent(Close), options)
    }

    /// disown_group(block) -- Lets others use the connection.
    #[pyo3(signature = (block, /))]
    fn disown_group(&self, block: &Bound<'_, PyAny>) {
        self.disown(block);
    }
}

fn refuse_unfit(sql: &[u8]) -> PyResult<()> {
    let reason = match statement::check_single(sql) {
        Ok(()) => return Ok(()),
        Err(Unfit::Several) => "takes one statement at a time: call it for each of them",
        Err(Unfit::Copy) => "does not take COPY",
    };
    Err(error::programming(format!("a pipeline {reason}")))
}

/// Exports the classes.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PipelineStatement>()?;
    module.add_class::<PipelineGroup>()
}
