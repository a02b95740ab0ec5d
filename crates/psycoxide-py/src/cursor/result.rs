//! What a statement left in the cursor: its result and how far that was read.

use std::sync::Arc;

use psycoxide_proto::{Outcome, Position, QueryResult, ResultKind, Walk};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Cursor;
use super::ahead::Ahead;
use super::column::Column;
use crate::cast::CastPlan;
use crate::error;
use crate::row::{Early, Source};

/// A result with the casters chosen for it; shared, so that rows can be built while no lock is held.
pub struct Tuples {
    /// The first rows, if they were made as they came.
    pub early: Option<Box<Early>>,
    /// The other rows, raw, and the columns.
    pub result: Box<QueryResult>,
    /// How each column becomes an object: chosen when the statement was executed.
    pub plan: CastPlan,
}

/// Which row is next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub row: usize,
    /// Where it starts, if it is raw.
    pub position: Position,
}

impl Tuples {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ahead() + self.result.rows.len()
    }

    /// How many rows were made as they came.
    pub fn ahead(&self) -> usize {
        self.early.as_ref().map_or(0, |early| early.len())
    }

    /// The row at a place, which then moves on to the next one; `None` at the end.
    pub fn next_row(&self, place: &mut Place) -> Option<Source<'_>> {
        let mut reading = self.read(*place);
        let source = reading.next();
        *place = reading.place();
        source
    }

    /// The rows from a place on.
    pub fn read(&self, place: Place) -> Reading<'_> {
        Reading { tuples: self, row: place.row, raw: self.result.rows.walk(place.position) }
    }

    /// The place of a row counted from 0.
    pub fn seek(&self, row: usize) -> Place {
        let raw = row.saturating_sub(self.ahead());
        Place { row, position: self.result.rows.seek(raw) }
    }
}

/// The rows of a result, one after another.
pub struct Reading<'a> {
    tuples: &'a Tuples,
    row: usize,
    raw: Walk<'a>,
}

impl Reading<'_> {
    /// The place of the next row.
    pub fn place(&self) -> Place {
        Place { row: self.row, position: self.raw.position() }
    }
}

impl<'a> Iterator for Reading<'a> {
    type Item = Source<'a>;

    #[inline]
    fn next(&mut self) -> Option<Source<'a>> {
        let tuples = self.tuples;
        let source = match &tuples.early {
            Some(early) if self.row < early.len() => {
                Source::Early(early.row(self.row, tuples.plan.decoders().len()))
            }
            _ => Source::Raw(self.raw.next()?),
        };
        self.row += 1;
        Some(source)
    }
}

/// The state of a cursor after a statement.
pub struct Fetched {
    /// The rows, if the statement gave any kind of table.
    pub tuples: Option<Arc<Tuples>>,
    /// Which row is next; its number is `cursor.rownumber`. While there are rows made ahead, its
    /// position is behind the last of them: [`Fetched::settle`] takes it back.
    pub place: Place,
    /// The next rows, if they were made ahead.
    pub ahead: Ahead,
    /// `cursor.rowcount`
    pub rowcount: i64,
    /// `cursor.statusmessage`: the command tag, as it came.
    pub statusmessage: Option<Vec<u8>>,
    /// `cursor.lastrowid`
    pub lastrowid: u32,
}

impl Default for Fetched {
    fn default() -> Self {
        Self {
            tuples: None,
            place: Place::default(),
            ahead: Ahead::default(),
            rowcount: -1,
            statusmessage: None,
            lastrowid: 0,
        }
    }
}

impl Cursor {
    /// Forgets the last statement's result. A named cursor's next one comes where its rows lay.
    pub(super) fn reset(&self, py: Python<'_>) {
        let mut old = std::mem::take(&mut self.state().fetched);
        let description = self.objects().description.take();
        let tuples = old.tuples.take().filter(|_| self.name().is_some()).and_then(Arc::into_inner);
        if let Some(mut tuples) = tuples {
            let rows = std::mem::take(&mut tuples.result.rows);
            if let Ok(session) = self.connection(py).and_then(|conn| conn.get().open_session()) {
                session.give_back(rows);
            }
        }
        // Dropped after the locks: destructors of Python objects may come back here.
        drop((old, description));
    }

    /// Takes over what came of a statement.
    ///
    /// # Errors
    /// The server's error as its exception; `ProgrammingError` for an empty query.
    pub fn take_outcome(slf: &Bound<'_, Self>, outcome: Outcome) -> PyResult<()> {
        Self::take_rows(slf, outcome, None)
    }

    /// The same, if rows were taken before the outcome.
    ///
    /// # Errors
    /// As above.
    pub(super) fn take_rows(
        slf: &Bound<'_, Self>,
        outcome: Outcome,
        early: Option<Box<Early>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        this.reset(py);
        let connection = this.connection(py)?;
        if let Some(report) = outcome.error {
            this.state().fetched.statusmessage = Some(Vec::new());
            let query = this.query_bytes(py);
            let query = query.as_ref().map(|query| query.as_bytes(py));
            let cursor = slf.as_any();
            return Err(error::from_report(py, &report, query, connection.get(), Some(cursor)));
        }
        let Some(mut result) = outcome.result else { return Ok(()) };
        let mut fetched = Fetched { lastrowid: result.inserted_oid(), ..Fetched::default() };
        match result.kind {
            ResultKind::Empty => {
                this.state().fetched.statusmessage = Some(Vec::new());
                return Err(error::programming("can't execute an empty query"));
            }
            ResultKind::Tuples => {
                let Some(columns) = result.columns.as_ref() else {
                    return Err(error::internal("a table without columns"));
                };
                let (early, plan) = match early.and_then(|early| early.complete(&mut result.rows)) {
                    Some((early, plan)) => (Some(early), plan.in_encoding_of(slf)),
                    None => (None, CastPlan::resolve(slf, columns)?),
                };
                fetched.statusmessage = Some(std::mem::take(&mut result.tag));
                let tuples = Tuples { early, result, plan };
                fetched.rowcount = i64::try_from(tuples.len()).unwrap_or(i64::MAX);
                fetched.tuples = Some(Arc::new(tuples));
            }
            ResultKind::CopyIn | ResultKind::CopyOut | ResultKind::CopyBoth => {
                fetched.rowcount = affected(&result);
                fetched.statusmessage = Some(Vec::new());
            }
            ResultKind::Command | ResultKind::Function => {
                fetched.rowcount = affected(&result);
                fetched.statusmessage = Some(result.tag);
            }
        }
        let old = std::mem::replace(&mut this.state().fetched, fetched);
        drop(old);
        Ok(())
    }

    /// `cursor.description`, made when it is first asked for.
    pub(super) fn describe<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        if let Some(description) = this.objects().description.as_ref() {
            return Ok(Some(description.bind(py).clone()));
        }
        let Some(tuples) = this.state().fetched.tuples.clone() else { return Ok(None) };
        let Some(columns) = tuples.result.columns.as_ref() else { return Ok(None) };
        let context = this.connection(py)?.get().quote_context();
        let described = columns
            .iter()
            .map(|column| {
                let name = context.decode(py, &column.name)?;
                Bound::new(py, Column::describe(py, column, name.as_any())?)
            })
            .collect::<PyResult<Vec<_>>>()?;
        let description = PyTuple::new(py, described)?.into_any();
        this.objects().description = Some(description.clone().unbind());
        Ok(Some(description))
    }
}

/// The number of rows that a command says it affected, or -1.
fn affected(result: &QueryResult) -> i64 {
    result.affected().and_then(|count| i64::try_from(count).ok()).unwrap_or(-1)
}
