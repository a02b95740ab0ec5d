//! `executemany(prepare=True)`: a plain INSERT, parsed once and bound to each row.
//!
//! The server parses and plans the statement once for hundreds of rows, and values are sent as they
//! are, without quotes. It cannot be the default: the server's log, the positions in errors, and
//! the types that values have before they are converted to those of the columns differ from those
//! of `execute()`.

use std::collections::VecDeque;
use std::sync::Arc;

use psycoxide_proto::{Outcome, Repeat, Request, TransactionStatus};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::Cursor;
use super::executemany::RowCountSum;
use crate::adapt;
use crate::connection::Connection;
use crate::driver::{Launched, OneRequest, TurnGuard};
use crate::encoding::QuoteContext;
use crate::error;

/// How many rows are sent together at first: few, so that the server can begin soon.
pub(super) const FIRST_ROWS: usize = 250;

/// The most rows that are sent together: their number doubles from one time to the next, up to
/// this.
pub(super) const MAX_ROWS: usize = 4000;

/// Rows are sent as soon as they have this many bytes.
pub(super) const MAX_BYTES: usize = 512 << 10;

/// The statement in its two forms.
pub(super) struct PreparedInsert {
    /// With `%s`, in the client encoding.
    pub(super) template: Vec<u8>,
    /// With `$1` and so on.
    pub(super) numbered: Arc<[u8]>,
    /// How the session quoted when `executemany()` began.
    context: QuoteContext,
}

impl PreparedInsert {
    /// The statement of this text in the client encoding.
    ///
    /// # Errors
    /// `ProgrammingError` if it is no plain INSERT, and what a fault of its template raises.
    pub(super) fn of(connection: &Bound<'_, Connection>, template: Vec<u8>) -> PyResult<Self> {
        let py = connection.py();
        let context = connection.get().quote_context(py);
        let numbered = adapt::numbered(py, &template, &context)?.into();
        Ok(Self { template, numbered, context })
    }

    /// The request that has the server parse it.
    pub(super) fn describe(&self) -> Request {
        Request::prepare(Vec::new(), self.numbered.to_vec(), Vec::new())
    }
}

/// Rows to be sent together.
pub(super) struct RowsToSend<'py> {
    pub(super) repeat: Repeat,
    /// The items that the rows were made of, to show the one that fails.
    pub(super) rows: Vec<Bound<'py, PyAny>>,
    /// The exception for the next item, if no row could be made of it.
    pub(super) failed: Option<PyErr>,
}

/// Rows that were sent and not answered yet. Nothing else can be done on the connection meanwhile.
struct RowsInFlight<'a, 'py> {
    launched: Launched<'a, 'py, OneRequest>,
    rows: Vec<Bound<'py, PyAny>>,
}

impl Cursor {
    /// `executemany()` of a prepared statement. Returns the sum of the row counts.
    ///
    /// The next rows are written while the server works on the last ones. But an iterator that runs
    /// Python code is asked for items only when no rows are on their way: that code may use the
    /// connection.
    pub(super) fn run_prepared(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        items: &Bound<'_, PyAny>,
    ) -> PyResult<i64> {
        let py = slf.py();
        let connection = slf.get().open_connection(py)?;
        let template = Self::query_text(slf, query, connection)?;
        let statement = PreparedInsert::of(connection, template)?;
        let ready =
            items.is_exact_instance_of::<PyList>() || items.is_exact_instance_of::<PyTuple>();
        let mut items = items.try_iter()?;
        let (mut waiting, mut types, mut total) = (VecDeque::new(), None, RowCountSum::default());
        let (mut end, mut in_flight) = (None, None);
        let mut most = FIRST_ROWS;
        loop {
            if !ready {
                Self::land(slf, &statement, in_flight.take(), &mut total)?;
            }
            while end.is_none() && waiting.len() < most {
                match items.next() {
                    Some(Ok(item)) => waiting.push_back(item),
                    Some(Err(raised)) => end = Some(Err(raised)),
                    None => end = Some(Ok(())),
                }
            }
            if waiting.is_empty() {
                Self::land(slf, &statement, in_flight.take(), &mut total)?;
                return end.unwrap_or(Ok(())).map(|()| total.rowcount());
            }
            let types = match &types {
                Some(types) => types,
                None => types.insert(Self::parameter_types(slf, &statement)?),
            };
            most = MAX_ROWS.min(most * 2);
            let written = Self::write_rows(slf, &statement, types, &mut waiting);
            Self::land(slf, &statement, in_flight.take(), &mut total)?;
            let RowsToSend { repeat, rows, failed } = written?;
            if !repeat.is_empty() {
                in_flight = Some(Self::launch(slf, &statement, repeat, rows)?);
            }
            if let Some(raised) = failed {
                // The rows before it come first, and may fail.
                Self::land(slf, &statement, in_flight.take(), &mut total)?;
                slf.get().forget_query(py);
                return Err(raised);
            }
        }
    }

    /// Has the server parse the statement, and returns the types of its parameters. A transaction
    /// begins if there is none.
    fn parameter_types(slf: &Bound<'_, Self>, statement: &PreparedInsert) -> PyResult<Vec<u32>> {
        let connection = slf.get().open_connection(slf.py())?;
        let turn = Self::take_turn(connection)?;
        slf.get().note_query(slf.py(), &statement.numbered);
        let outcome = turn.run(OneRequest::in_transaction(statement.describe()))?;
        drop(turn);
        Self::take_types(slf, outcome)
    }

    /// Takes the types of the parameters from the description of a statement.
    pub(super) fn take_types(slf: &Bound<'_, Self>, described: Outcome) -> PyResult<Vec<u32>> {
        match described.result {
            Some(result) if described.error.is_none() => Ok(result.parameter_types),
            _ => {
                Self::take_outcome(slf, described)?;
                Err(error::internal("a statement that was prepared and not described"))
            }
        }
    }

    /// Writes waiting items as rows, as many as are sent together.
    pub(super) fn write_rows<'py>(
        slf: &Bound<'py, Self>,
        statement: &PreparedInsert,
        types: &[u32],
        waiting: &mut VecDeque<Bound<'py, PyAny>>,
    ) -> PyResult<RowsToSend<'py>> {
        let py = slf.py();
        let connection = slf.get().open_connection(py)?;
        let context = Connection::adapt_context(connection);
        if context.quoting.encoding() != statement.context.encoding() {
            return Err(error::programming("the client encoding changed during executemany()"));
        }
        let session = connection.get().open_session()?;
        let binary = session.ask(|engine| engine.parameter("integer_datetimes") == Some(b"on"));
        let binary = binary.unwrap_or_default();
        let mut binder = adapt::Binder::new(py, &statement.template, &context, binary)?;
        let mut repeat = Repeat::new(Arc::clone(&statement.numbered), types.len());
        let (mut rows, mut failed) = (Vec::new(), None);
        while repeat.size() < MAX_BYTES
            && let Some(vars) = waiting.pop_front()
        {
            if let Err(raised) = binder.row(&vars, types, &mut repeat) {
                repeat.drop_row();
                failed = Some(raised);
                break;
            }
            rows.push(vars);
        }
        Ok(RowsToSend { repeat, rows, failed })
    }

    /// Sends rows, as far as that is possible without a wait.
    fn launch<'a, 'py>(
        slf: &'a Bound<'py, Self>,
        statement: &PreparedInsert,
        repeat: Repeat,
        rows: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<RowsInFlight<'a, 'py>> {
        let py = slf.py();
        let connection = slf.get().open_connection(py)?;
        let turn = Self::take_turn(connection)?;
        slf.get().note_query(py, &statement.numbered);
        let launched = turn.launch(OneRequest::in_transaction(Request::repeat(repeat)))?;
        Ok(RowsInFlight { launched, rows })
    }

    /// Waits for the reply to rows that were sent.
    fn land<'py>(
        slf: &Bound<'py, Self>,
        statement: &PreparedInsert,
        in_flight: Option<RowsInFlight<'_, 'py>>,
        total: &mut RowCountSum,
    ) -> PyResult<()> {
        let Some(RowsInFlight { launched, rows }) = in_flight else { return Ok(()) };
        let outcome = launched.land()?;
        let failed = || rows.get(outcome.batch.statements).cloned();
        let failed = if outcome.error.is_some() { failed() } else { None };
        Self::take_repeat(slf, statement, failed, outcome, total)
    }

    /// Takes over the outcome of rows that were sent together. `failed` is the item that the error
    /// is about, if there is one.
    pub(super) fn take_repeat<'py>(
        slf: &Bound<'py, Self>,
        statement: &PreparedInsert,
        failed: Option<Bound<'py, PyAny>>,
        outcome: Outcome,
        total: &mut RowCountSum,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let connection = this.connection(py)?;
        if let Some(report) = &outcome.error
            && report.field(b'P').is_none()
            && let Some(vars) = failed
            && let Ok(sql) = adapt::mogrify(
                py,
                &statement.template,
                &vars,
                &Connection::adapt_context(connection).with_quoting(statement.context),
            )
        {
            // The error is about this row: `cursor.query` shows it.
            this.note_query(py, &sql);
        }
        total.add_tally(outcome.batch);
        Self::take_outcome(slf, outcome)
    }

    /// Takes the turn. Fails outside a transaction, unless one is about to begin.
    fn take_turn<'a, 'py>(connection: &'a Bound<'py, Connection>) -> PyResult<TurnGuard<'a, 'py>> {
        connection.get().refuse_tpc_prepared(connection.py(), "execute")?;
        let turn = TurnGuard::take_as(connection, "executemany")?;
        let status = turn.session().ask(|engine| engine.transaction_status());
        let begins = connection.get().state(connection.py()).begins();
        if !begins && matches!(status, Some(TransactionStatus::Idle)) {
            return Err(error::programming(
                "executemany() with prepare=True needs a transaction: in autocommit mode, begin one \
                 with execute(\"BEGIN\"), or leave prepare out",
            ));
        }
        Ok(turn)
    }
}
