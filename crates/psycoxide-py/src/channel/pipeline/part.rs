//! Parts: the statements of a pipeline that are sent together.

use std::collections::VecDeque;
use std::time::Instant;

use psycoxide_net::Stop;
use psycoxide_proto::{Engine, Outcome, Request, TransactionStatus};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::group::PipelineGroup;
use super::statement::PipelineStatement;
use crate::driver::{Next, Operation, OperationContext, Reply};
use crate::error;

/// Statements that are sent together.
pub(super) struct Part {
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
    /// All statements, if they went with one Sync as a transaction of their own: they can be sent
    /// once more.
    whole: Vec<Py<PipelineStatement>>,
    /// The name of a statement was to blame for an error: all are sent again, without names.
    again: bool,
    /// When the time of its pipeline is over.
    until: Option<Instant>,
    /// What is raised besides the errors of the statements: the end of the transaction has failed.
    failed: Option<PyErr>,
    rollbacks: usize,
}

/// How often a transaction is rolled back at most.
const MAX_ROLLBACKS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
    /// Statements of a group, which go with its BEGIN and its COMMIT if it has them. The time of
    /// their pipeline is over at `until`.
    pub(super) fn new(
        group: Py<PipelineGroup>,
        statements: Vec<Py<PipelineStatement>>,
        kind: Kind,
        (begins, commits): (bool, bool),
        until: Option<Instant>,
    ) -> Self {
        Self {
            group,
            unsent: statements.into(),
            under_way: VecDeque::new(),
            kind,
            begins,
            commits,
            own: false,
            whole: Vec::new(),
            again: false,
            until,
            failed: None,
            rollbacks: 0,
        }
    }

    /// Sends as much as the peer takes without losing count.
    fn go_on(&mut self, context: OperationContext<'_, '_>) -> PyResult<Next<Reply>> {
        if !self.under_way.is_empty() {
            return Ok(Next::Resume);
        }
        let py = context.py();
        let whole = std::mem::take(&mut self.whole);
        if self.again && !whole.is_empty() {
            self.unsent = whole.into();
            (self.begins, self.commits) = (true, true);
        }
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
        let mut requests = Vec::with_capacity(self.unsent.len() + 2);
        // Between two Syncs there is a transaction in any case.
        let implicit = self.begins && self.commits;
        if implicit && !self.again {
            self.whole = self.unsent.iter().map(|each| each.clone_ref(context.py())).collect();
        }
        for statement in self.unsent.drain(..) {
            let request = statement.get().request(self.kind == Kind::Atomic, !self.again);
            requests.push(request.pipelined());
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
        let mut requests = vec![statement.get().request(false, true)];
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
        if self.again && !self.whole.is_empty() {
            return;
        }
        if outcome.again && self.may_go_again(py) {
            self.again = true;
            self.whole.iter().for_each(|statement| statement.get().reset(py));
            return;
        }
        let cause = if self.kind == Kind::Atomic { group.cause(py) } else { None };
        if let Some(cause) = cause {
            return this.abort(py, &cause);
        }
        let taken = this.take_outcome(py, outcome);
        let failed = taken.is_err();
        this.answer(py, taken);
        if failed {
            group.note(statement);
        }
    }

    /// Whether all statements can be sent once more: the program has seen no result of them.
    #[cold]
    fn may_go_again(&self, py: Python<'_>) -> bool {
        !self.whole.is_empty() && !self.whole.iter().any(|statement| statement.get().was_seen(py))
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
        self.whole.iter().try_for_each(|statement| visit.call(statement))?;
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
pub(super) struct Close;

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
