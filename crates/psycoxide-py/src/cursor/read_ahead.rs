//! Read-ahead: rows made a few at a time for callers that fetch one at a time.
//!
//! The cost of a single row (locks, the context of its decoders) is paid once for all of them.
//! Programs cannot see the difference: no user code runs while the rows are made, and anything that
//! would change them (another `tzinfo_factory`, another place in the result) discards them. They
//! are tuples; each is converted to the type of the cursor's rows when it is fetched.

use std::sync::Arc;
use std::vec::IntoIter;

use pyo3::prelude::*;

use super::Cursor;
use super::place::Place;
use super::result::{Fetched, Tuples};
use crate::row;

/// The most rows that are made at a time: their objects stay in the fastest cache.
const MAX_ROWS: usize = 32;

/// Rows that were made and not fetched yet.
#[derive(Default)]
pub struct ReadAhead(IntoIter<Py<PyAny>>);

impl ReadAhead {
    /// Whether no row is left.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

impl Fetched {
    /// The next row, if it was read ahead.
    #[inline]
    pub fn next_read_ahead(&mut self) -> Option<Py<PyAny>> {
        let row = self.ahead.0.next()?;
        self.place.row += 1;
        Some(row)
    }

    /// How many rows to read ahead: as many as have been fetched one by one so far, up to a limit.
    /// So a single `fetchone()` makes one row, and rows made in vain never outnumber those that
    /// were used.
    #[inline]
    pub fn worth_reading_ahead(&self) -> Option<(Arc<Tuples>, usize)> {
        let most = self.place.row.saturating_sub(self.sequential_since).min(MAX_ROWS);
        let tuples =
            self.tuples.as_ref().filter(|tuples| most > 1 && tuples.plan.may_be_native())?;
        (self.place.row >= tuples.rows_before_raw()).then(|| (Arc::clone(tuples), most))
    }

    /// Discards the rows that were read ahead, and moves back to the first of them. The returned
    /// rows are to be dropped without the lock.
    #[must_use]
    pub fn undo_read_ahead(&mut self) -> ReadAhead {
        let ahead = std::mem::take(&mut self.ahead);
        if !ahead.is_empty()
            && let Some(tuples) = &self.tuples
        {
            let start = self.last;
            let mut reading = tuples.read(start);
            reading.by_ref().take(self.place.row - start.row).for_each(drop);
            self.go_to(reading.place());
            self.last = start;
        }
        ahead
    }
}

impl Cursor {
    /// Reads up to `most` rows of this result ahead, from `start` on, and returns the first. `None`
    /// if programs could see that, or if another thread moved the cursor meanwhile.
    pub(super) fn read_ahead<'py>(
        slf: &Bound<'py, Self>,
        tuples: &Arc<Tuples>,
        start: Place,
        most: usize,
    ) -> Option<Bound<'py, PyAny>> {
        let mut position = start.position;
        let made = row::build_ahead(
            &Self::fetch_context(slf),
            &tuples.result.rows,
            &mut position,
            most,
            &tuples.plan,
        );
        let mut rows = made.into_iter();
        let first = rows.next()?.into_bound(slf.py());
        let mut state = slf.get().state(slf.py());
        let fetched = &mut state.fetched;
        if !fetched.holds(tuples) || fetched.place != start {
            drop(state);
            return None;
        }
        fetched.place = Place { row: start.row + 1, position };
        fetched.last = start;
        let old = std::mem::replace(&mut fetched.ahead, ReadAhead(rows));
        drop(state);
        drop(old);
        Some(first)
    }
}
