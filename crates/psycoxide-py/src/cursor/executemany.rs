//! `executemany()` with hundreds of statements per round trip.
//!
//! To the program it looks like a loop over `execute()`: the server parses, plans and runs one
//! statement after another, and after the first error it skips the rest. So it is done only where
//! that holds: in a transaction, for statements that cannot end it, over items whose iteration runs
//! no Python code, and with a peer that is known to count correctly what a server skips.

use std::sync::Arc;

use psycoxide_proto::{Batch, Outcome, Request, Tally, TransactionStatus};
use psycoxide_sql::statement;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::Cursor;
use crate::adapt;
use crate::connection::Connection;
use crate::driver::{OneRequest, TurnGuard};

/// The most statements that are sent together.
pub(super) const MAX_STATEMENTS: usize = 1000;

/// A batch ends with the statement that brings it to this many bytes.
const MAX_BYTES: usize = 128 << 10;

/// The sum of row counts, any of which may be unknown.
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

    /// Adds the counts of statements that were sent together.
    pub(super) fn add_tally(&mut self, tally: Tally) {
        let affected = i64::try_from(tally.affected).unwrap_or(i64::MAX);
        self.add(if tally.uncounted { -1 } else { affected });
    }

    /// The sum for `cursor.rowcount`: -1 if a count was unknown.
    pub(super) fn rowcount(&self) -> i64 {
        if self.unknown { -1 } else { self.rows }
    }
}

/// An item of an exact list or tuple, `None` past its end; a list may change while it is iterated
/// over.
fn item<'py>(items: &Bound<'py, PyAny>, index: usize) -> Option<Bound<'py, PyAny>> {
    match items.cast_exact::<PyTuple>() {
        Ok(tuple) => tuple.get_item(index).ok(),
        Err(_) => items.cast_exact::<PyList>().ok()?.get_item(index).ok(),
    }
}

/// Merges parameters into the text of one statement after another, until `batch` has `most` or is
/// large. Returns what has ended it before that: a statement that has to go alone, or the exception
/// of the next parameters.
pub(super) fn fill<'py>(
    batch: &mut Batch,
    merger: &mut adapt::Merger<'_, 'py>,
    most: usize,
    mut next: impl FnMut() -> Option<Bound<'py, PyAny>>,
) -> Option<PyResult<Vec<u8>>> {
    while batch.len() < most && batch.size() < MAX_BYTES {
        let vars = next()?;
        if let Err(raised) = merger.merge(&vars, batch.text()) {
            return Some(Err(raised));
        }
        // Raw SQL of an adapter may begin another statement, or contain a server-side parameter
        // (`$1`).
        let alone = merger.wrote_raw_sql() && memchr::memchr2(b';', b'$', batch.rest()).is_some();
        if alone || !batch.end_statement() {
            return Some(Ok(batch.take_rest()));
        }
    }
    None
}

impl Cursor {
    /// `executemany()` in batches. Returns the sum of the row counts, or `None`, with nothing done,
    /// if the program could notice the difference.
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
        // A loop would raise an error of the query at the first item, and none if there are no
        // items.
        let Ok(text) = Self::query_text(slf, query, connection) else { return Ok(None) };
        if !statement::is_plain(&text) {
            return Ok(None);
        }
        let mut total = RowCountSum::default();
        let mut index = 0;
        // The first statement of a connection shows whether others can share a round trip.
        let mut most = match connection.get().open_session()?.ask(|engine| engine.pipelines()) {
            Some(true) => MAX_STATEMENTS,
            _ => 1,
        };
        // Each batch reuses the memory of the last one.
        let mut shared = Arc::<Batch>::default();
        loop {
            // Made anew for each batch: while the last one ran, the session and the adapters may
            // have changed.
            let context = Connection::adapt_context(connection);
            let mut merger = adapt::Merger::new(py, &text, &context)?;
            let batch = Arc::make_mut(&mut shared);
            batch.clear();
            let other = fill(batch, &mut merger, most, || {
                let vars = item(items, index)?;
                index += 1;
                Some(vars)
            });
            most = MAX_STATEMENTS;
            let finished = batch.is_empty() && other.is_none();
            // The statements before it come first, and may fail.
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

    /// Runs the statements of a batch: in one round trip, if the peer can and they are in a
    /// transaction.
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
        let outcome = turn.run(OneRequest::in_transaction(request)).inspect_err(|_| {
            this.note_query(py, batch.iter().next_back().unwrap_or_default());
        })?;
        drop(turn);
        Self::take_batch(slf, batch, outcome, total)
    }

    /// Takes over the outcome of a batch.
    pub(super) fn take_batch(
        slf: &Bound<'_, Self>,
        batch: &Batch,
        outcome: Outcome,
        total: &mut RowCountSum,
    ) -> PyResult<()> {
        let done = outcome.batch;
        let last = if outcome.error.is_some() { done.statements } else { batch.len() - 1 };
        slf.get().note_query(slf.py(), batch.iter().nth(last).unwrap_or_default());
        total.add_tally(done);
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
