//! `executemany()` with hundreds of statements a round trip.
//!
//! What a program can see is that of a loop over `execute()`: each statement is parsed, planned and
//! run by itself, one after another, and after the first error the server skips the rest. So this
//! is only done where that holds: in a transaction, for statements that cannot end it, over items
//! whose iteration runs no code of the program's, with a peer that is known to keep count of what a
//! server skips.

use std::sync::Arc;

use psycoxide_proto::{Batch, Request, TransactionStatus};
use psycoxide_sql::statement;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::Cursor;
use crate::adapt;
use crate::connection::Connection;
use crate::driver::{Exchange, TurnGuard};

/// So many statements are sent together at most.
const MAX_STATEMENTS: usize = 1000;

/// So many bytes of statements, or a little more, are sent together.
const MAX_BYTES: usize = 128 << 10;

/// The sum of row counts, of which one may be unknown.
#[derive(Default)]
pub(super) struct RowCountSum {
    rows: i64,
    unknown: bool,
}

impl RowCountSum {
    pub(super) fn add(&mut self, rowcount: i64) {
        self.unknown |= rowcount < 0;
        self.rows = self.rows.saturating_add(rowcount);
    }

    /// The sum as `cursor.rowcount` has it.
    pub(super) fn rowcount(&self) -> i64 {
        if self.unknown { -1 } else { self.rows }
    }
}

/// An item of an exact list or tuple; a list may change while it is gone through.
fn item<'py>(items: &Bound<'py, PyAny>, index: usize) -> Option<Bound<'py, PyAny>> {
    match items.cast_exact::<PyTuple>() {
        Ok(tuple) => tuple.get_item(index).ok(),
        Err(_) => items.cast_exact::<PyList>().ok()?.get_item(index).ok(),
    }
}

impl Cursor {
    /// `executemany()` in batches, if that makes no difference: the sum of the row counts.
    pub(super) fn run_in_batches(
        slf: &Bound<'_, Self>,
        query: &Bound<'_, PyAny>,
        items: &Bound<'_, PyAny>,
    ) -> PyResult<Option<i64>> {
        if !items.is_exact_instance_of::<PyList>() && !items.is_exact_instance_of::<PyTuple>() {
            return Ok(None);
        }
        let py = slf.py();
        let connection = slf.get().open_connection(py)?;
        // A query to be refused is refused at the first item, and not if there is none.
        let Ok(text) = Self::query_text(slf, query, connection) else { return Ok(None) };
        if !statement::is_plain(&text) {
            return Ok(None);
        }
        let mut total = RowCountSum::default();
        let mut index = 0;
        // The first statement of a connection shows whether others may go together.
        let mut most = match connection.get().open_session()?.ask(|engine| engine.pipelines()) {
            Some(true) => MAX_STATEMENTS,
            _ => 1,
        };
        // The memory of one batch serves for the next.
        let mut shared = Arc::<Batch>::default();
        loop {
            // All of it anew: while a batch ran, the session and the adapters may have changed.
            let context = Connection::adapt_context(connection);
            let mut merger = adapt::Merger::new(py, &text, &context)?;
            let batch = Arc::make_mut(&mut shared);
            batch.clear();
            let mut other = None;
            while batch.len() < most && batch.size() < MAX_BYTES {
                let Some(vars) = item(items, index) else { break };
                index += 1;
                if let Err(raised) = merger.merge(&vars, batch.text()) {
                    other = Some(Err(raised));
                    break;
                }
                // An adapter that writes what it likes may have begun another statement, or named a
                // parameter of the server's kind.
                let alone =
                    merger.wrote_raw_sql() && memchr::memchr2(b';', b'$', batch.rest()).is_some();
                if alone || !batch.end_statement() {
                    other = Some(Ok(batch.take_rest()));
                    break;
                }
            }
            most = MAX_STATEMENTS;
            let finished = batch.is_empty() && other.is_none();
            // What stands before comes first, and may fail.
            Self::run_batch(slf, &shared, &mut total)?;
            match other {
                Some(Ok(sql)) => {
                    Self::run(slf, sql, "executemany")?;
                    total.add(slf.get().state(slf.py()).fetched.rowcount);
                }
                Some(Err(raised)) => {
                    slf.get().forget_query(py);
                    return Err(raised);
                }
                None if finished => return Ok(Some(total.rowcount())),
                None => {}
            }
        }
    }

    /// Runs the statements of a batch, together if the peer can and is in a transaction or will be.
    fn run_batch(
        slf: &Bound<'_, Self>,
        batch: &Arc<Batch>,
        total: &mut RowCountSum,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if batch.is_empty() {
            return Ok(());
        }
        let connection = this.open_connection(py)?;
        connection.get().refuse_tpc_prepared(slf.py(), "execute")?;
        let turn = TurnGuard::take_as(connection, "executemany")?;
        let begins = connection.get().state(slf.py()).begins();
        let together = turn.session().ask(|engine| {
            let inside = engine.transaction_status() == TransactionStatus::InTransaction;
            engine.pipelines() && (begins || inside)
        });
        if together != Some(true) {
            drop(turn);
            for sql in batch.iter() {
                Self::run(slf, sql.to_vec(), "executemany")?;
                total.add(this.state(slf.py()).fetched.rowcount);
            }
            return Ok(());
        }
        let request = Request::batch(Arc::clone(batch));
        let outcome = turn.run(Exchange::in_transaction(request)).inspect_err(|_| {
            this.note_query(py, batch.iter().next_back().unwrap_or_default());
        })?;
        drop(turn);
        let done = outcome.batch;
        let last = if outcome.error.is_some() { done.statements } else { batch.len() - 1 };
        this.note_query(py, batch.iter().nth(last).unwrap_or_default());
        let affected = i64::try_from(done.affected).unwrap_or(i64::MAX);
        total.add(if done.uncounted { -1 } else { affected });
        Self::take_outcome(slf, outcome)
    }
}

#[pymethods]
impl Cursor {
    /// The query with each item's parameters merged in, the texts joined by `separator`.
    ///
    /// As `separator.join(self.mogrify(query, item) for item in items)`.
    fn _mogrify_many<'py>(
        slf: &Bound<'py, Self>,
        query: &Bound<'py, PyAny>,
        items: &Bound<'py, PyList>,
        separator: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = slf.py();
        let connection = slf.get().connection(py)?;
        let text = Self::query_text(slf, query, connection)?;
        let context = Connection::adapt_context(connection);
        let mut merger = adapt::Merger::new(py, &text, &context)?;
        let mut out = Vec::new();
        for (index, vars) in items.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(separator);
            }
            merger.merge(&vars, &mut out)?;
        }
        Ok(PyBytes::new(py, &out))
    }
}
