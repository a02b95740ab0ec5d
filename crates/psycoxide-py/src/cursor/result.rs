//! What a statement left in the cursor: its result and how far that was read.

use std::sync::Arc;

use psycoxide_proto::{Columns, Outcome, QueryResult, ResultKind, Row, RowIter, Rows, Tag};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::Cursor;
use super::column::Column;
use super::place::Place;
use super::read_ahead::ReadAhead;
use crate::arrow::Batches;
use crate::cast::{CachedPlan, CastPlan};
use crate::error;
use crate::row::{EagerRows, StoredRow, StoredRows};

/// A result with the casters chosen for it; shared, so that rows can be built while no lock is held.
pub struct Tuples {
    /// The first rows, if they were decoded eagerly.
    pub eager: Option<Box<EagerRows>>,
    /// The other rows, raw, and the columns.
    pub result: Box<QueryResult>,
    /// How many raw rows were freed since they were read; `None` if all are kept for `scroll()`.
    pub freed: Option<usize>,
    /// How each column becomes an object: chosen when the statement was executed.
    pub plan: Arc<CastPlan>,
}

impl Tuples {
    /// Puts the result behind an `Arc`: the last one, if nobody reads that any more.
    fn shared(self, last: Option<Arc<Self>>) -> Arc<Self> {
        if let Some(mut last) = last
            && let Some(place) = Arc::get_mut(&mut last)
        {
            *place = self;
            return last;
        }
        Arc::new(self)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows_before_raw() + self.result.rows.len()
    }

    /// How many rows at the start are not raw: they are eager, or freed.
    pub fn rows_before_raw(&self) -> usize {
        self.eager.as_ref().map_or(0, |eager| eager.len()) + self.freed.unwrap_or(0)
    }

    /// How many rows of average size take this many bytes.
    pub fn rows_within(&self, bytes: usize) -> usize {
        let rows = &self.result.rows;
        (bytes.saturating_mul(rows.len()) / rows.memory().max(1)).max(1)
    }

    /// The row at a place, which then moves on to the next one; `None` at the end.
    pub fn next_row(&self, place: &mut Place) -> Option<StoredRow<'_>> {
        let mut reading = self.read(*place);
        let source = reading.next();
        *place = reading.place();
        source
    }

    /// The rows from a place on.
    pub fn read(&self, place: Place) -> Reading<'_> {
        let raw = self.result.rows.iter_from(place.position);
        Reading { tuples: self, row: place.row, rows_before_raw: self.rows_before_raw(), raw }
    }

    /// The place of a row counted from 0.
    pub fn seek(&self, row: usize) -> Place {
        Place { row, position: self.result.rows.seek(row.saturating_sub(self.rows_before_raw())) }
    }
}

/// The rows of a result, one after another.
pub struct Reading<'a> {
    tuples: &'a Tuples,
    row: usize,
    /// How many rows come before the raw ones.
    rows_before_raw: usize,
    raw: RowIter<'a>,
}

impl<'a> Reading<'a> {
    /// The place of the next row.
    pub fn place(&self) -> Place {
        Place { row: self.row, position: self.raw.position() }
    }

    /// The next row, if it is eager.
    #[inline(never)]
    fn next_eager(&mut self) -> Option<StoredRow<'a>> {
        let tuples = self.tuples;
        let eager = tuples.eager.as_ref()?;
        Some(StoredRow::Eager(eager.row(self.row, tuples.plan.decoders().len())))
    }
}

impl<'a> Iterator for Reading<'a> {
    type Item = StoredRow<'a>;

    #[inline]
    fn next(&mut self) -> Option<StoredRow<'a>> {
        let source = if self.row < self.rows_before_raw {
            self.next_eager()?
        } else {
            StoredRow::Raw(self.raw.next()?)
        };
        self.row += 1;
        Some(source)
    }
}

impl<'a> StoredRows<'a> for Reading<'a> {
    #[inline]
    fn next_raw(&mut self) -> Option<Row<'a>> {
        if self.row < self.rows_before_raw {
            return None;
        }
        let row = self.raw.next()?;
        self.row += 1;
        Some(row)
    }
}

/// The state of a cursor after a statement.
pub struct Fetched {
    /// The rows, if the statement returned any kind of table.
    pub tuples: Option<Arc<Tuples>>,
    /// Which row is next; its number is `cursor.rownumber`. While rows are read ahead, its position
    /// is behind the last of them: [`Fetched::undo_read_ahead`] takes it back.
    pub place: Place,
    /// The place of the row that was made last, or of the first of those that were made together.
    pub last: Place,
    /// The number of the row since which rows are taken one by one, in order.
    pub sequential_since: usize,
    /// The next rows, if they were read ahead.
    pub ahead: ReadAhead,
    /// The rows, if they have become Arrow's while they arrived.
    pub batches: Option<Batches>,
    /// `cursor.rowcount`
    pub rowcount: i64,
    /// `cursor.statusmessage`: the command tag, as it came.
    pub statusmessage: Option<Tag>,
    /// `cursor.lastrowid`
    pub lastrowid: u32,
}

impl Default for Fetched {
    fn default() -> Self {
        Self {
            tuples: None,
            place: Place::default(),
            last: Place::default(),
            sequential_since: 0,
            ahead: ReadAhead::default(),
            batches: None,
            rowcount: -1,
            statusmessage: None,
            lastrowid: 0,
        }
    }
}

impl Fetched {
    /// Forgets everything. The returned rows are to be dropped without the lock.
    #[must_use]
    fn clear(&mut self) -> (Option<Arc<Tuples>>, ReadAhead) {
        self.batches = None;
        self.go_to(Place::default());
        self.rowcount = -1;
        self.statusmessage = None;
        self.lastrowid = 0;
        (self.tuples.take(), std::mem::take(&mut self.ahead))
    }
}

impl Cursor {
    /// Forgets the last statement's result.
    pub fn reset(&self, py: Python<'_>) {
        drop(self.forget(py));
    }

    /// The same; returns the result, whose memory can be used again. The raw rows of a named cursor
    /// and of a stream go back to the session, so that the next rows arrive where the last ones
    /// were.
    fn forget(&self, py: Python<'_>) -> Option<Arc<Tuples>> {
        let mut state = self.state(py);
        let (tuples, ahead) = state.fetched.clear();
        let returns_memory = state.returns_memory || self.name().is_some();
        drop(state);
        let description = self.objects(py).description.take();
        // Dropped after the locks: destructors of Python objects may come back here.
        drop((ahead, description));
        let mut tuples = tuples?;
        if returns_memory && let Some(tuples) = Arc::get_mut(&mut tuples) {
            let rows = std::mem::take(&mut tuples.result.rows);
            if let Ok(session) = self.connection(py).and_then(|conn| conn.get().unclosed_session())
            {
                session.give_back(rows);
            }
        }
        Some(tuples)
    }

    /// Takes over the outcome of a statement.
    ///
    /// # Errors
    /// The server's error as its exception; `ProgrammingError` for an empty query.
    pub fn take_outcome(slf: &Bound<'_, Self>, outcome: Outcome) -> PyResult<()> {
        Self::take_rows(slf, outcome, None)
    }

    /// The same with the rows that were decoded eagerly.
    ///
    /// # Errors
    /// As above.
    pub(super) fn take_rows(
        slf: &Bound<'_, Self>,
        outcome: Outcome,
        eager: Option<Box<EagerRows>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let last = this.forget(py);
        let connection = this.connection(py)?;
        if let Some(report) = outcome.error {
            this.state(slf.py()).fetched.statusmessage = Some(Tag::new());
            let query = this.query_bytes(py);
            let query = query.as_ref().map(|query| query.as_bytes(py));
            let cursor = slf.as_any();
            return Err(connection.get().reported(py, &report, query, Some(cursor)));
        }
        let Some(mut result) = outcome.result else {
            return Err(error::operational("the server ended the statement without an answer\n"));
        };
        let lastrowid = result.inserted_oid();
        let mut tuples = None;
        let (rowcount, statusmessage) = match result.kind {
            ResultKind::Empty => {
                this.state(slf.py()).fetched.statusmessage = Some(Tag::new());
                return Err(error::programming("can't execute an empty query"));
            }
            ResultKind::Tuples => {
                let Some(columns) = result.columns.as_ref() else {
                    return Err(error::internal("a table without columns"));
                };
                let (eager, plan) = match eager.and_then(|eager| eager.complete(&mut result.rows)) {
                    Some((eager, plan)) => {
                        (Some(eager), Arc::new(plan.with_encoding(this.text_decoder(py)?)))
                    }
                    None => (None, this.plan(py, columns)?),
                };
                let tag = std::mem::take(&mut result.tag);
                let freed = this.state(py).forward_only.then_some(0);
                let table = tuples.insert(Tuples { eager, result, freed, plan }.shared(last));
                (i64::try_from(table.len()).unwrap_or(i64::MAX), tag)
            }
            ResultKind::CopyIn | ResultKind::CopyOut | ResultKind::CopyBoth => {
                (affected(&result), Tag::new())
            }
            ResultKind::Command | ResultKind::Function => (affected(&result), result.tag),
        };
        let mut state = this.state(slf.py());
        let fetched = &mut state.fetched;
        // Empty by now, unless looking up a caster ran a statement on this cursor.
        let old = fetched.clear();
        fetched.tuples = tuples;
        fetched.rowcount = rowcount;
        fetched.statusmessage = Some(statusmessage);
        fetched.lastrowid = lastrowid;
        drop(state);
        drop(old);
        Ok(())
    }

    /// Prepares for a result that comes in portions.
    pub fn begin_portions(slf: &Bound<'_, Self>) {
        let this = slf.get();
        this.reset(slf.py());
        this.state(slf.py()).returns_memory = true;
    }

    /// Takes over rows of a result that is still arriving, in place of those before them.
    pub fn take_portion(slf: &Bound<'_, Self>, columns: Arc<Columns>, rows: Rows) -> PyResult<()> {
        let kind = ResultKind::Tuples;
        let result = QueryResult { kind, columns: Some(columns), rows, ..QueryResult::default() };
        let outcome = Outcome { result: Some(Box::new(result)), ..Outcome::default() };
        Self::take_outcome(slf, outcome)?;
        slf.get().state(slf.py()).fetched.rowcount = -1;
        Ok(())
    }

    /// Takes over the end of such a result, before which `given` rows were taken.
    pub fn take_last_portion(
        slf: &Bound<'_, Self>,
        outcome: Outcome,
        given: usize,
    ) -> PyResult<()> {
        Self::take_outcome(slf, outcome)?;
        let mut state = slf.get().state(slf.py());
        state.returns_memory = false;
        state.fetched.rowcount += i64::try_from(given).unwrap_or_default();
        Ok(())
    }

    /// The plan for a result with these columns: the connection's cached one, if it would be the
    /// same now.
    fn plan(&self, py: Python<'_>, columns: &Arc<Columns>) -> PyResult<Arc<CastPlan>> {
        let connection = self.connection(py)?.get();
        let (registries, encoding) = (self.registries(py)?, self.text_decoder(py)?);
        if !registries.is_global() {
            return Ok(Arc::new(CastPlan::resolve(&registries, encoding, columns)?));
        }
        let cached = connection.state(py).plans.take(columns);
        let (plan, cached) =
            match cached.as_ref().map(|cached| cached.plan(py, &encoding)).transpose()? {
                Some(Some(plan)) => (plan, cached),
                _ => CachedPlan::resolve(&registries, encoding, columns)?,
            };
        if let Some(cached) = cached {
            let dropped = connection.state(py).plans.keep(cached);
            drop(dropped);
        }
        Ok(plan)
    }

    /// The names of the result's columns.
    pub fn column_names(slf: &Bound<'_, Self>) -> PyResult<Vec<Py<PyString>>> {
        let (py, this) = (slf.py(), slf.get());
        let Some(tuples) = this.state(py).fetched.tuples.clone() else { return Ok(Vec::new()) };
        let context = this.connection(py)?.get().quote_context(py);
        let columns = tuples.result.columns.iter().flat_map(|columns| columns.iter());
        Ok(columns.map(|column| context.decode_lossy(py, &column.name).unbind()).collect())
    }

    /// `cursor.description`, made when it is first asked for.
    pub(super) fn describe<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        if let Some(description) = this.objects(slf.py()).description.as_ref() {
            return Ok(Some(description.bind(py).clone()));
        }
        let Some(tuples) = this.state(slf.py()).fetched.tuples.clone() else { return Ok(None) };
        let Some(columns) = tuples.result.columns.as_ref() else { return Ok(None) };
        let description = Self::describe_columns(slf, columns)?.into_any();
        this.objects(slf.py()).description = Some(description.clone().unbind());
        Ok(Some(description))
    }

    /// Columns as `cursor.description` has them.
    pub fn describe_columns<'py>(
        slf: &Bound<'py, Self>,
        columns: &Columns,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let context = slf.get().connection(py)?.get().quote_context(py);
        let described = columns
            .iter()
            .map(|column| {
                let name = context.decode_lossy(py, &column.name);
                Bound::new(py, Column::describe(py, column, name.as_any())?)
            })
            .collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, described)
    }
}

/// The number of rows that a command says it affected, or -1.
fn affected(result: &QueryResult) -> i64 {
    result.affected().and_then(|count| i64::try_from(count).ok()).unwrap_or(-1)
}
